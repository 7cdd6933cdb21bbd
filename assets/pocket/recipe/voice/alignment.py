"""Moves words onto the grid of the codec's frames, so that a word lies the same way in its frames wherever it is said.

`align` chooses which words start on the grid and how much the sound between them is stretched (pauses give way first,
words by 0.8 to 1.25); `stretch` does it without changing the pitch (WSOLA). The same input gives the same output.
"""
from __future__ import annotations

import math

import numpy

RATE = 16000
FRAME = 1280                 # samples of a frame of the codec
PHASE = 320                  # a word starts 20 ms after the frame does, so that its onset is inside the frame
HOP, REACH = 200, 100        # of WSOLA: step, and how far it looks for the best place
SMALLEST, LARGEST = 0.8, 1.25
SHORT = 0.11 * RATE          # words shorter than this are left where they fall, at little cost
SILENCE = 0.02               # of the loudest 10 ms


def loudness(samples: numpy.ndarray) -> numpy.ndarray:
    """Root mean square around every sample, over 10 ms."""
    energy = numpy.cumsum(numpy.concatenate([[0.0], samples.astype(numpy.float64) ** 2]))
    centre = numpy.arange(len(samples))
    start, end = numpy.maximum(centre - 80, 0), numpy.minimum(centre + 80, len(samples))
    return numpy.sqrt(numpy.maximum(energy[end] - energy[start], 0) / (end - start))


def pause_before(quiet: numpy.ndarray, position: int) -> int:
    """Samples of silence just before a position; the closure of a stop consonant is not a pause."""
    loud = numpy.flatnonzero(~quiet[:position])
    length = position - (loud[-1] + 1 if len(loud) else 0)
    return length if length > 0.06 * RATE else 0


def plan(starts: list[int], pauses: list[int]) -> list[int]:
    """Which of the starts lie on the grid, and where: new positions of all, -1 for those that are left between.

    Shortest path over the starts. A step from one grid position to the next costs the square of the stretch, and
    something for each word skipped.
    """
    best: list[tuple[float, int, int]] = [(0.0, 0, 0)]      # cost, the start before, frames since it
    for i in range(1, len(starts)):
        choices = []
        for before in range(max(0, i - 3), i):
            length = starts[i] - starts[before]
            pause = pauses[i]
            inner = [starts[n + 1] - starts[n] for n in range(before, i)]
            skipped = sum(0.1 if size < SHORT else 1.0 for size in inner[:-1])
            for frames in range(max(1, length // FRAME - 1), length // FRAME + 3):
                silent = min(max(frames * FRAME - (length - pause), 0.6 * pause), 1.5 * pause)
                spoken = frames * FRAME - silent
                factor = spoken / max(1, length - pause)
                limits = 1 if SMALLEST <= factor <= LARGEST else 30
                cost = limits * (math.log(factor) / 0.15) ** 2 if factor > 0 else 1e6
                choices.append((best[before][0] + cost + skipped, before, frames))
        best.append(min(choices))
    places, i = [-1] * len(starts), len(starts) - 1
    while i > 0:
        places[i] = best[i][2]
        i = best[i][1]
    position = 0
    for i in range(len(starts)):
        if i == 0 or places[i] >= 0:
            position += max(places[i], 0) * FRAME
            places[i] = position
    return places


def stretch(samples: numpy.ndarray, old: list[float], new: list[float]) -> numpy.ndarray:
    """Moves positions `old` to `new` (both rising, from first to last sample) and keeps the pitch: WSOLA."""
    length, window = int(new[-1]), numpy.hanning(2 * HOP + 1)[:-1]
    margin = 4 * HOP
    padded = numpy.pad(samples.astype(numpy.float64), margin)
    squares = numpy.cumsum(numpy.concatenate([[0.0], padded ** 2]))
    steps = length // HOP + 2
    wanted = numpy.interp(numpy.arange(steps) * HOP, new, old)
    output = numpy.zeros((steps + 1) * HOP)
    place = margin + int(wanted[0]) - HOP
    for i in range(steps):
        target = margin + int(round(wanted[i])) - HOP
        if i:
            place += HOP
            if abs(target - place) > 24:                     # else go on without a seam
                natural = padded[place:place + 2 * HOP]
                first = min(max(target - REACH, 0), len(padded) - 2 * HOP - 2 * REACH - 1)
                region = padded[first:first + 2 * HOP + 2 * REACH]
                if len(natural) == 2 * HOP and len(region) == 2 * HOP + 2 * REACH:
                    products = numpy.correlate(region, natural, "valid")
                    count, later = len(products), first + 2 * HOP
                    energy = squares[later:later + count] - squares[first:first + count]
                    place = first + int(numpy.argmax(products / numpy.sqrt(energy + 1e4)))
                else:
                    place = target
        piece = padded[place:place + 2 * HOP]
        output[i * HOP:i * HOP + len(piece)] += piece * window[:len(piece)]
    return output[HOP:HOP + length]


def align(samples: numpy.ndarray, starts: list[float], decay: float = 0.08) -> tuple[numpy.ndarray, list[float]]:
    """The clip with its words on the grid, trimmed to whole frames, and where the words then start (in seconds).

    `starts` are the words' starts in seconds. The first word starts PHASE after the clip does.
    """
    loud = loudness(samples)
    quiet = loud < SILENCE * loud.max()
    heard = numpy.flatnonzero(~quiet)
    begin, end = int(heard[0]), min(int(heard[-1] + decay * RATE), len(samples))
    places = [max(int(start * RATE), begin - PHASE // 2) for start in starts] or [begin]
    keep = [i for i, place in enumerate(places) if i == 0 or place > places[i - 1] and place < heard[-1]]
    places = [places[i] for i in keep]
    pauses = [0] + [pause_before(quiet, place) for place in places[1:]]
    targets = plan(places, pauses)
    old, new = [places[0] - PHASE], [0]
    for place, pause, target in zip(places, pauses, targets):
        if target < 0:
            continue
        if pause and new[-1] != 0:
            gap, spoken = target + PHASE - new[-1], place - pause - old[-1]
            left = min(max(gap - spoken, 0.6 * pause), 1.5 * pause)
            old.append(place - pause)
            new.append(target + PHASE - left)
        old.append(place)
        new.append(target + PHASE)
    old.append(end)
    new.append(new[-1] + end - old[-2])
    if old[0] < 0:
        samples = numpy.pad(samples, (-old[0], 0))
        places, old = [place - old[0] for place in places], [place - old[0] for place in old]
    result = stretch(samples, old, new)
    fade = min(len(result), 480)
    result[-fade:] *= numpy.linspace(1, 0, fade) ** 2
    result = numpy.pad(result, (0, -len(result) % FRAME))
    return result, [position / RATE for position in numpy.interp(places, old, new)]
