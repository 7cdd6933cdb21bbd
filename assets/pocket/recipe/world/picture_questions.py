"""Questions about pictures: about one, about two in one question, and follow-ups on the same picture."""
from collections import Counter
from random import Random

from world.phrases import article, capital, counted, number, plural, sentence
from world.pictures import COLOURS, SHAPES, Scene
from world.tasks import NO_PICTURE

PLACES = ("at the top left", "at the top right", "at the bottom left", "at the bottom right", "in the middle")
LOOK = ("what do you see", "what is in the picture", "describe the picture", "what is this", "what can you see",
        "what's this", "what do you see in the picture")
Pair = tuple[str, str]


def described(scene: Scene) -> str:
    """`a red circle and a blue star`, `three red circles`, `three stars`, `four shapes`, `the number seven`."""
    if scene.number:
        return "the number " + number(int(scene.number))
    kinds = [f"{colour} {shape}" for _, shape, colour in scene.shapes]
    count = len(kinds)
    if len(set(kinds)) == 1:
        return article(kinds[0]) if count == 1 else counted(count, kinds[0])
    if count == 2:
        return f"{article(kinds[0])} and {article(kinds[1])}"
    shapes = {shape for _, shape, _ in scene.shapes}
    return counted(count, shapes.pop() if len(shapes) == 1 else "shape")


def look(random: Random, scene: Scene) -> Pair:
    return random.choice(LOOK), f"I see {described(scene)}."


def without_picture(random: Random) -> Pair:
    """The same where no picture was sent."""
    return random.choice(LOOK), NO_PICTURE


def count_all(random: Random, scene: Scene) -> Pair:
    wording = random.choice(("how many shapes are there", "how many shapes do you see",
                             "how many shapes are in the picture", "count the shapes"))
    return wording, f"I see {counted(len(scene.shapes), 'shape')}."


def count_kind(random: Random, scene: Scene,
               wordings: tuple[str, ...] = ("how many {} are there", "how many {} do you see")) -> Pair:
    """How many of a shape or of a colour, mostly of one that is there."""
    there = random.random() < 0.75
    if random.random() < 0.65:
        shape = random.choice([shape for _, shape, _ in scene.shapes] if there and scene.shapes else SHAPES)
        found, noun = sum(other == shape for _, other, _ in scene.shapes), shape
    else:
        colour = random.choice([colour for _, _, colour in scene.shapes] if there and scene.shapes else list(COLOURS))
        found, noun = sum(other == colour for _, _, other in scene.shapes), f"{colour} shape"
    return random.choice(wordings).format(plural(noun)), f"I see {counted(found, noun)}."


def singles(scene: Scene) -> list[tuple[int, str, str]]:
    """The shapes of which there is only one."""
    counts = Counter(shape for _, shape, _ in scene.shapes)
    return [entry for entry in scene.shapes if counts[entry[1]] == 1]


def colour_of(random: Random, scene: Scene) -> Pair | None:
    if scene.number:
        return random.choice(("what colour is the number", "what colour is it")), f"The number is {scene.colour}."
    if not singles(scene):
        return None
    _, shape, colour = random.choice(singles(scene))
    wordings = ["what colour is the {}", "which colour is the {}"]
    if len(scene.shapes) == 1:
        wordings += ["what colour is it", "what colour is the shape"]
    return random.choice(wordings).format(shape), f"The {shape} is {colour}."


def shape_of(random: Random, scene: Scene) -> Pair | None:
    """Which shape has a colour that only one has."""
    counts = Counter(colour for _, _, colour in scene.shapes)
    found = [entry for entry in scene.shapes if counts[entry[2]] == 1]
    if not found:
        return None
    _, shape, colour = random.choice(found)
    wordings = ["which shape is {}", "what shape is {}", "what is {}"]
    if len(scene.shapes) == 1:
        wordings += ["which shape is it", "what shape is this"]
    return random.choice(wordings).format(colour), f"The {shape} is {colour}."


def place_of(random: Random, scene: Scene) -> Pair | None:
    if not singles(scene):
        return None
    cell, shape, _ = random.choice(singles(scene))
    return f"where is the {shape}", f"The {shape} is {PLACES[cell]}."


def what_stands(random: Random, scene: Scene) -> Pair | None:
    """What is in one of the four corners."""
    if scene.number or any(cell == 4 for cell, _, _ in scene.shapes):
        return None
    cell = random.choice([cell for cell, _, _ in scene.shapes] if random.random() < 0.85 else range(4))
    found = [f"{colour} {shape}" for other, shape, colour in scene.shapes if other == cell]
    return f"what is {PLACES[cell]}", f"I see {article(found[0]) if found else 'nothing there'}."


def is_there(random: Random, scene: Scene) -> Pair:
    """A question with the reply `Yes.` or `No.`, each about half of the time."""
    if scene.number:
        shown = int(scene.number)
        if random.random() < 0.5:
            others = [n for n in range(100) if n != shown and (n > 9) == (shown > 9)]
            asked = shown if random.random() < 0.5 else random.choice(others)
            return f"is this the number {number(asked)}", "Yes." if asked == shown else "No."
        limit = random.choice([n for n in (5, 10, 20, 50) if n != shown])
        return f"is the number more than {number(limit)}", "Yes." if shown > limit else "No."
    kind = random.random()
    if kind < 0.2:
        limit = random.randint(1, 3)
        verb = "is" if limit == 1 else "are"
        return f"{verb} there more than {counted(limit, 'shape')}", "Yes." if len(scene.shapes) > limit else "No."
    shapes, colours = [entry[1] for entry in scene.shapes], [entry[2] for entry in scene.shapes]
    _, shape, colour = random.choice(scene.shapes)
    true = random.random() < 0.5
    if kind < 0.45:
        shape = shape if true else random.choice([other for other in SHAPES if other not in shapes] or SHAPES)
        return f"is there {article(shape)}", "Yes." if shape in shapes else "No."
    if kind < 0.6:
        colour = colour if true else random.choice([other for other in COLOURS if other not in colours])
        wording = random.choice(("is there something {}", "is anything {}"))
        return wording.format(colour), "Yes." if colour in colours else "No."
    if not true:  # half right, so that both words must be looked at
        shape, colour = random.choice(((shape, random.choice(list(COLOURS))), (random.choice(SHAPES), colour)))
    there = any(entry[1:] == (shape, colour) for entry in scene.shapes)
    return f"is there {article(f'{colour} {shape}')}", "Yes." if there else "No."


def number_of(random: Random, scene: Scene) -> Pair:
    wording = random.choice(("what number is this", "which number is this", "what number do you see", "read the number",
                             "what is the number", "which number do you see"))
    return wording, sentence(f"the number is {number(int(scene.number))}") if scene.number else "I see no number."


ABOUT_SHAPES = ((look, 8), (count_all, 3), (count_kind, 5), (colour_of, 4), (shape_of, 3), (place_of, 2),
                (what_stands, 3), (is_there, 6), (number_of, 0.7))
ABOUT_NUMBERS = ((number_of, 10), (look, 5), (is_there, 3), (colour_of, 2.5), (count_all, 0.7))


def question(random: Random, scene: Scene) -> Pair:
    """A question about one picture and its reply."""
    makers, weights = zip(*(ABOUT_NUMBERS if scene.number else ABOUT_SHAPES))
    while True:
        found = random.choices(makers, weights)[0](random, scene)
        if found:
            return found


def follow_up(random: Random, scene: Scene, before: str) -> Pair:
    """Another question about the picture that was shown a turn ago; it may lean on the question before."""
    while True:
        if scene.number or random.random() < 0.5:
            found = question(random, scene)
            if random.random() < 0.3:
                found = ("and " + found[0], found[1])
        elif random.random() < 0.6 and before.removeprefix("and ").startswith("how many"):
            found = count_kind(random, scene, ("and how many {}", "and {}", "what about {}"))
        else:
            found = count_kind(random, scene, ("and how many {}", "and how many {} are there"))
        if found[0].removeprefix("and ") != before.removeprefix("and "):
            return found


def question_on_two(random: Random, first: Scene, second: Scene) -> Pair:
    """A question about two pictures that come together."""
    scenes = (first, second)
    kind = random.random()
    if first.number and second.number:
        values = [int(scene.number) for scene in scenes]
        if kind < 0.35 and values[0] != values[1]:
            larger = random.random() < 0.6
            asked = random.choice(("larger", "bigger") if larger else ("smaller",))
            value = max(values) if larger else min(values)
            return f"which number is {asked}", sentence(f"{number(value)} is {'larger' if larger else 'smaller'}")
        if kind < 0.55 and max(values) < 10:
            wording = random.choice(("add the two numbers", "what is the sum of the numbers",
                                     "what do you get together"))
            return wording, sentence(f"{number(values[0])} plus {number(values[1])} is {number(sum(values))}")
    elif not first.number and not second.number and kind < 0.45:
        counts = [len(scene.shapes) for scene in scenes]
        if kind < 0.28:
            word = random.choice(("more", "fewer"))
            wording = random.choice((f"which one has {word} shapes", f"which picture has {word} shapes"))
            if counts[0] == counts[1]:
                return wording, "Both have the same number."
            name = "first" if (counts[0] > counts[1]) == (word == "more") else "second"
            return wording, f"The {name} picture has {word} shapes."
        if kind < 0.36:
            return "how many shapes are there together", f"I see {counted(sum(counts), 'shape')}."
        shapes = [{shape for _, shape, _ in scene.shapes} for scene in scenes]
        only = sorted(shapes[0] ^ shapes[1])
        if only:
            shape = random.choice(only)
            wording = random.choice(("which picture has {}", "which one has {}", "where is {}"))
            name = "first" if shape in shapes[0] else "second"
            return wording.format(article(shape)), f"The {name} picture has {article(shape)}."
    place = random.randrange(2)
    name, scene = ("first", "second")[place], scenes[place]
    if not scene.number and random.random() < 0.3:
        return f"how many shapes are in the {name} picture", f"I see {counted(len(scene.shapes), 'shape')}."
    wording = random.choice(("what is in the {} picture", "describe the {} picture",
                             "what do you see in the {} picture", "what is the {} one"))
    return wording.format(name), f"I see {described(scene)}."


def single_replies() -> list[str]:
    """The replies about pictures that do not name two things."""
    kinds = [f"{colour} {shape}" for colour in COLOURS for shape in SHAPES]
    replies = [f"I see {article(kind)}." for kind in kinds]
    replies += [f"I see {counted(count, kind)}." for kind in kinds for count in (2, 3, 4)]
    replies += [f"The {shape} is {colour}." for shape in SHAPES for colour in COLOURS]
    replies += [f"The {shape} is {place}." for shape in SHAPES for place in PLACES]
    nouns = ["shape", *SHAPES, *(f"{colour} shape" for colour in COLOURS)]
    replies += [f"I see {counted(count, noun)}." for noun in nouns for count in range(5)]
    replies += [f"I see {counted(count, 'shape')}." for count in range(5, 9)]
    for value in range(100):
        word = number(value)
        replies += [f"I see the number {word}.", f"The number is {word}.", f"{capital(word)} is larger.",
                    f"{capital(word)} is smaller."]
    replies += [f"The number is {colour}." for colour in COLOURS] + ["I see no number.", "I see nothing there."]
    replies += [f"The {place} picture has {word}." for place in ("first", "second")
                for word in ("more shapes", "fewer shapes", *map(article, SHAPES))]
    return list(dict.fromkeys([*replies, "Both have the same number."]))
