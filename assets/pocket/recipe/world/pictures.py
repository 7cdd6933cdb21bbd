"""Pictures of coloured shapes and of numbers, plain or as a camera sees them: `draw(scene, seed, photographed)`."""
import io
import math
from dataclasses import dataclass
from functools import cache
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from world.strokes import hand_drawn, seven_bars

SIZE = 128
SHEET = 256  # side of a picture while it is drawn
SHAPES = ("circle", "square", "triangle", "star", "heart", "cross")
COLOURS = {"red": (215, 35, 40), "blue": (40, 75, 215), "green": (35, 155, 60), "yellow": (245, 210, 30),
           "purple": (130, 45, 165), "orange": (248, 130, 20), "black": (22, 22, 24)}
# Below this distance of colours a shape would be hard to tell from what it lies on.
CONTRAST = 120


@dataclass(frozen=True)
class Scene:
    """One to four shapes in a grid of two by two, or a number of one or two digits."""

    # Cell (0 top left, 1 top right, 2 and 3 below, 4 the middle, for a single shape), shape, colour.
    shapes: tuple[tuple[int, str, str], ...] = ()
    number: str = ""
    colour: str = "black"  # of the number


def shapes_scene(random: Random) -> Scene:
    """A scene of shapes, often with a shape or a colour in common."""
    count = random.choices((1, 2, 3, 4), (34, 30, 20, 16))[0]
    same_shape, same_colour = random.random() < 0.4, random.random() < 0.3
    shape, colour = random.choice(SHAPES), random.choice(list(COLOURS))
    shapes = []
    alone = count == 1 and random.random() < 0.6
    for cell in [4] if alone else sorted(random.sample(range(4), count)):
        shapes.append((cell, shape if same_shape else random.choice(SHAPES),
                       colour if same_colour else random.choice(list(COLOURS))))
    return Scene(tuple(shapes))


def number_scene(random: Random, digits: int = 0) -> Scene:
    """A scene of a number."""
    two = digits == 2 or (not digits and random.random() < 0.5)
    number = str(random.randint(10, 99) if two else random.randint(0, 9))
    return Scene(number=number, colour=random.choice([name for name in COLOURS if name != "yellow"]))


def scene(random: Random) -> Scene:
    """Any scene."""
    return shapes_scene(random) if random.random() < 0.72 else number_scene(random)


def outline(shape: str, radius: float) -> np.ndarray:
    """The corners of a shape about 0, 0."""
    if shape == "circle":
        angles = np.linspace(0, 2 * math.pi, 40, endpoint=False)
        points = np.stack([np.cos(angles), np.sin(angles)], 1)
    elif shape == "square":
        points = 0.86 * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    elif shape == "triangle":
        points = np.array([(0, -1), (1, 0.85), (-1, 0.85)])
    elif shape == "star":
        angles = np.arange(10) * math.pi / 5
        length = np.where(np.arange(10) % 2 == 0, 1.1, 0.46)
        points = np.stack([length * np.sin(angles), -length * np.cos(angles)], 1)
    elif shape == "heart":
        angles = np.linspace(0, 2 * math.pi, 40, endpoint=False)
        wave = 13 * np.cos(angles) - 5 * np.cos(2 * angles) - 2 * np.cos(3 * angles) - np.cos(4 * angles)
        points = np.stack([np.sin(angles) ** 3, -wave / 16], 1)
    else:
        arm = 0.36
        points = np.array([(-arm, -1), (arm, -1), (arm, -arm), (1, -arm), (1, arm), (arm, arm), (arm, 1), (-arm, 1),
                           (-arm, arm), (-1, arm), (-1, -arm), (-arm, -arm)])
    return points * radius


def stroke(pen: ImageDraw.ImageDraw, points: np.ndarray, ink: tuple[int, ...], width: float) -> None:
    """A line with round ends."""
    flat = [tuple(point) for point in points]
    pen.line(flat, fill=ink, width=round(width), joint="curve")
    for x, y in (flat[0], flat[-1]):
        pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=ink)


def draw_shapes(pen: ImageDraw.ImageDraw, scene: Scene, generator: np.random.Generator) -> None:
    """Shapes, filled or only outlined with a thick pen."""
    hollow = generator.random() < 0.2
    tremble = generator.uniform(0, 1.2) if generator.random() < 0.5 else 0
    for cell, shape, colour in scene.shapes:
        middle = np.array([128, 128] if cell == 4 else [64 + 128 * (cell % 2), 64 + 128 * (cell // 2)])
        middle = middle + generator.uniform(-10, 10, 2)
        turn = math.radians(generator.uniform(-8, 8))
        points = outline(shape, generator.uniform(29, 85 if cell == 4 else 45))
        points = points @ np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]]) + middle
        points += generator.normal(0, tremble, points.shape)
        ink = tinted(colour, generator)
        if hollow:
            stroke(pen, np.concatenate([points, points[:2]]), ink, generator.uniform(8, 12))
        else:
            pen.polygon([tuple(point) for point in points], fill=ink)


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """The font that comes with pillow."""
    return ImageFont.load_default(size)


def draw_number(pen: ImageDraw.ImageDraw, scene: Scene, generator: np.random.Generator) -> None:
    """A number in print, as on a clock, or by hand."""
    ink, manner = tinted(scene.colour, generator), generator.random()
    height = generator.uniform(80, 118) if len(scene.number) > 1 else generator.uniform(90, 165)
    width = height * generator.uniform(0.5, 0.68)
    step = width * generator.uniform(1.3, 1.5)
    middle = np.array([128, 128]) + generator.uniform(-16, 16, 2)
    if manner < 0.4:
        weight = int(generator.integers(0, 7))
        pen.text(tuple(middle), scene.number, fill=ink, font=font(int(height * 1.35) // 8 * 8), anchor="mm",
                 stroke_width=weight, stroke_fill=ink)
        return
    slant, pen_width = generator.uniform(-0.05, 0.28), generator.uniform(8, 17)
    for i, digit in enumerate(scene.number):
        corner = middle - (width / 2 - (i - (len(scene.number) - 1) / 2) * step, height / 2)
        lines = seven_bars(digit) if manner < 0.5 else hand_drawn(digit, generator)
        for line in lines:
            points = (line + np.stack([slant * (0.5 - line[:, 1]), np.zeros(len(line))], 1)) * (width, height) + corner
            stroke(pen, points, ink, pen_width)


def tinted(colour: str, generator: np.random.Generator) -> tuple[int, ...]:
    """A colour, a little off."""
    return tuple(int(x) for x in np.clip(np.array(COLOURS[colour]) + generator.integers(-14, 15, 3), 0, 255))


def texture(kind: str, generator: np.random.Generator) -> np.ndarray:
    """A surface as float32 [128, 128, 3]."""
    light = generator.uniform(0.75, 1.0)
    down, right = np.mgrid[0:1:128j, 0:1:128j].astype(np.float32)
    if kind == "wood":
        base = np.array(((150, 105, 65), (190, 150, 105), (110, 75, 50), (205, 175, 135))[generator.integers(4)],
                        np.float32)
        along, across = (down, right) if generator.random() < 0.5 else (right, down)
        waves = np.sin(across * generator.uniform(25, 70) + 2 * np.sin(along * generator.uniform(2, 5) + 3 * across))
        return base * (light + 0.09 * waves)[..., None]
    if kind == "gradient":
        first, second = generator.uniform(120, 250, (2, 3)).astype(np.float32)
        angle = generator.uniform(0, 2 * math.pi)
        share = np.clip(0.5 + (right - 0.5) * math.cos(angle) + (down - 0.5) * math.sin(angle), 0, 1)[..., None]
        return first * share + second * (1 - share)
    if kind == "table edge":
        first, second = generator.uniform(60, 230, (2, 3)).astype(np.float32)
        side = right * generator.uniform(-1, 1) + down > generator.uniform(0.1, 0.9)
        return np.where(side[..., None], first, second)
    if kind == "cloth":
        base = generator.uniform(50, 220, 3).astype(np.float32)
        weave = np.sin(right * generator.uniform(100, 250)) * np.sin(down * generator.uniform(100, 250))
        return base * (1 + 0.08 * weave)[..., None]
    if kind == "white":
        return np.full((128, 128, 3), 255, np.float32)
    base = 255 - generator.uniform(0, 40) - generator.uniform(0, 14, 3).astype(np.float32)
    sheet = np.broadcast_to(base, (128, 128, 3)).copy()
    if kind == "squared" or kind == "lined":
        step, ruled = int(generator.integers(8, 14)), np.array((40, 25, 5), np.float32) * generator.uniform(0.5, 1.5)
        sheet[::step] -= ruled
        if kind == "squared":
            sheet[:, ::step] -= ruled
    return sheet + generator.normal(0, generator.uniform(0, 3), (128, 128, 1)).astype(np.float32)


def surface(scene: Scene, generator: np.random.Generator, photographed: bool) -> np.ndarray:
    """What a scene is drawn on: mostly paper; another surface only where every colour stands out from it."""
    colours = [colour for _, _, colour in scene.shapes] or [scene.colour]
    if generator.random() < (0.35 if photographed else 0.1):
        kind = ("wood", "gradient", "cloth")[generator.integers(3)]
        found = texture(kind, generator)
        distance = [np.abs(found - np.array(COLOURS[colour], np.float32)).sum(-1).min() for colour in colours]
        if min(distance) > CONTRAST + (60 if kind == "wood" else 0):
            return found
    if photographed and generator.random() < 0.25:
        return texture(("squared", "lined")[generator.integers(2)], generator)
    return texture("white" if generator.random() < 0.4 else "paper", generator)


def as_image(values: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def homography(corners: np.ndarray) -> list[float]:
    """PIL's coefficients that bring the whole sheet to four corners, clockwise from the top left."""
    source = np.array([(0, 0), (SHEET, 0), (SHEET, SHEET), (0, SHEET)], float)
    rows, wanted = [], []
    for (x, y), (sheet_x, sheet_y) in zip(corners, source):
        rows += [(x, y, 1, 0, 0, 0, -sheet_x * x, -sheet_x * y), (0, 0, 0, x, y, 1, -sheet_y * x, -sheet_y * y)]
        wanted += [sheet_x, sheet_y]
    return np.linalg.solve(np.array(rows), np.array(wanted)).tolist()


def photograph(sheet: Image.Image, generator: np.random.Generator) -> np.ndarray:
    """A sheet as a camera sees it: turned, in perspective, on a table, in some light, blurred, noisy and as a JPEG."""
    angle = math.radians(generator.uniform(-20, 20))
    half = SHEET / 2 * generator.uniform(0.82, 1.12)
    square = half * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    square = square @ np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    corners = square * (1, generator.uniform(0.86, 1.0)) + SHEET / 2
    corners += generator.uniform(-14, 14, (4, 2)) + generator.uniform(-8, 8, 2)
    table = ("wood", "gradient", "table edge", "cloth")[generator.integers(4)]
    behind = as_image(texture(table, generator)).resize((SHEET, SHEET), Image.Resampling.BILINEAR)
    laid = sheet.convert("RGBA").transform(
        (SHEET, SHEET), Image.Transform.PERSPECTIVE, homography(corners), Image.Resampling.BILINEAR)
    behind.paste(laid, (0, 0), laid)
    picture = behind.reduce(SHEET // SIZE)
    if generator.random() < 0.6:
        picture = picture.filter(ImageFilter.GaussianBlur(generator.uniform(0.3, 1.1)))
    values = np.asarray(picture, np.float32)
    down, right = np.mgrid[-1:1:128j, -1:1:128j].astype(np.float32)
    slope = right * generator.uniform(-0.2, 0.2) + down * generator.uniform(-0.2, 0.2)
    values = values * (generator.uniform(0.75, 1.1) + slope)[..., None]
    if generator.random() < 0.4:  # the edge of a shadow
        edge = right * generator.uniform(-1, 1) + down * generator.uniform(-1, 1) - generator.uniform(-0.6, 0.6)
        share = 1 / (1 + np.exp(np.clip(-edge * generator.uniform(5, 40), -30, 30)))
        values = values * (1 - generator.uniform(0.15, 0.45) * share)[..., None]
    values = values * generator.uniform(0.9, 1.1, 3).astype(np.float32) + generator.uniform(-8, 12)
    values = values + generator.standard_normal((SIZE, SIZE, 3), np.float32) * generator.uniform(1, 11)
    memory = io.BytesIO()
    as_image(values).save(memory, "JPEG", quality=int(generator.integers(30, 92)))
    return np.asarray(Image.open(memory).convert("RGB"))


def draw(scene: Scene, seed: int, photographed: bool = False) -> np.ndarray:
    """A scene as uint8 [128, 128, 3]; the same seed gives the same picture."""
    generator = np.random.default_rng(seed)
    sheet = as_image(surface(scene, generator, photographed)).resize((SHEET, SHEET), Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(sheet)
    draw_number(pen, scene, generator) if scene.number else draw_shapes(pen, scene, generator)
    if photographed:
        return photograph(sheet, generator)
    values = np.asarray(sheet.reduce(SHEET // SIZE), np.float32)
    if generator.random() < 0.5:
        values = values + generator.standard_normal((SIZE, SIZE, 3), np.float32) * generator.uniform(0, 5)
    return np.clip(values, 0, 255).astype(np.uint8)
