"""Digits as a hand draws them, in a box of one by one with y downwards: strokes of points, a few manners for each."""
import math

import numpy as np

Stroke = list[tuple[float, float]]


def arc(x: float, y: float, width: float, height: float, begin: float, end: float) -> Stroke:
    """Part of an ellipse about x, y; angles in degrees, 0 to the right, clockwise on the picture."""
    angles = np.radians(np.linspace(begin, end, max(4, int(abs(end - begin) / 30) + 1)))
    return [(x + width * math.cos(angle), y + height * math.sin(angle)) for angle in angles]


DIGITS: dict[str, tuple[list[Stroke], ...]] = {
    "0": ([arc(0.5, 0.5, 0.36, 0.5, -90, 270)], [arc(0.5, 0.5, 0.28, 0.5, -100, 275)]),
    "1": ([[(0.3, 0.2), (0.55, 0.0), (0.55, 1.0)]], [[(0.5, 0.0), (0.5, 1.0)]],
          [[(0.28, 0.22), (0.52, 0.0), (0.52, 1.0)], [(0.25, 1.0), (0.78, 1.0)]]),
    "2": ([arc(0.5, 0.28, 0.33, 0.28, -170, 30) + [(0.15, 1.0), (0.88, 1.0)]],
          [arc(0.48, 0.3, 0.34, 0.3, -160, 50) + [(0.4, 0.75), (0.12, 1.0)], [(0.12, 1.0), (0.85, 0.97)]]),
    "3": ([arc(0.45, 0.25, 0.33, 0.25, -150, 90) + arc(0.45, 0.74, 0.38, 0.26, -90, 150)],
          [[(0.15, 0.0), (0.8, 0.0), (0.42, 0.4)] + arc(0.42, 0.7, 0.4, 0.3, -75, 150)]),
    "4": ([[(0.62, 1.0), (0.62, 0.0), (0.08, 0.68), (0.92, 0.68)]],
          [[(0.22, 0.0), (0.15, 0.58), (0.85, 0.58)], [(0.66, 0.1), (0.62, 1.0)]]),
    "5": ([[(0.82, 0.0), (0.24, 0.0), (0.2, 0.44)] + arc(0.46, 0.68, 0.38, 0.32, -120, 140)],
          [[(0.24, 0.0), (0.22, 0.42)] + arc(0.46, 0.7, 0.36, 0.3, -100, 150), [(0.24, 0.0), (0.82, 0.0)]]),
    "6": ([[(0.74, 0.02), (0.42, 0.2), (0.2, 0.5)] + arc(0.5, 0.7, 0.32, 0.3, 180, 530)],
          [arc(0.62, 0.5, 0.44, 0.5, -80, -180) + arc(0.5, 0.68, 0.32, 0.32, 180, 530)]),
    "7": ([[(0.12, 0.0), (0.88, 0.0), (0.38, 1.0)]],
          [[(0.12, 0.0), (0.88, 0.0), (0.38, 1.0)], [(0.3, 0.5), (0.85, 0.5)]]),
    "8": ([arc(0.5, 0.25, 0.28, 0.25, 90, 450) + arc(0.5, 0.75, 0.35, 0.25, -90, 270)],
          [arc(0.5, 0.24, 0.3, 0.24, 90, 450), arc(0.5, 0.74, 0.34, 0.26, -90, 270)]),
    "9": ([arc(0.5, 0.3, 0.32, 0.3, 0, -350) + [(0.8, 0.6), (0.72, 1.0)]],
          [arc(0.48, 0.3, 0.32, 0.3, 0, -355) + [(0.8, 0.5)] + arc(0.42, 0.68, 0.38, 0.32, 0, 110)]),
}
# The bars of a clock's digits: each from one corner to another, and which of them are lit.
BARS = {"a": ((0.1, 0), (0.9, 0)), "b": ((0.9, 0), (0.9, 0.5)), "c": ((0.9, 0.5), (0.9, 1)), "d": ((0.1, 1), (0.9, 1)),
        "e": ((0.1, 0.5), (0.1, 1)), "f": ((0.1, 0), (0.1, 0.5)), "g": ((0.1, 0.5), (0.9, 0.5))}
LIT = {"0": "abcdef", "1": "bc", "2": "abged", "3": "abgcd", "4": "fgbc", "5": "afgcd", "6": "afgecd", "7": "abc",
       "8": "abcdefg", "9": "abcdfg"}


def smooth(points: np.ndarray) -> np.ndarray:
    """Corners cut twice, so that a polyline looks drawn in one go."""
    for _ in range(2):
        near, far = points[:-1] * 0.75 + points[1:] * 0.25, points[:-1] * 0.25 + points[1:] * 0.75
        points = np.concatenate([points[:1], np.stack([near, far], 1).reshape(-1, 2), points[-1:]])
    return points


def hand_drawn(digit: str, generator: np.random.Generator) -> list[np.ndarray]:
    """One manner of a digit, with a trembling hand."""
    manners = DIGITS[digit]
    tremble = generator.uniform(0, 0.025)
    strokes = []
    for stroke in manners[generator.integers(len(manners))]:
        points = np.array(stroke) + generator.normal(0, tremble, (len(stroke), 2))
        strokes.append(smooth(points) if generator.random() < 0.7 else points)
    return strokes


def seven_bars(digit: str) -> list[np.ndarray]:
    """A digit as on a clock."""
    return [np.array(BARS[bar]) for bar in LIT[digit]]
