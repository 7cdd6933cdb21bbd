"""Clips in which nobody speaks: silence, noise, hum, clicks, thuds, simple music. 16 kHz int16, the same for a seed."""
from __future__ import annotations

import numpy
from scipy.signal import butter, sosfilt

RATE = 16000


def noise(generator: numpy.random.Generator, count: int, slope: float) -> numpy.ndarray:
    """Noise whose power falls with frequency to the power `slope`: 0 white, 1 pink, 2 brown."""
    spectrum = numpy.fft.rfft(generator.standard_normal(count))
    frequency = numpy.maximum(numpy.fft.rfftfreq(count, 1 / RATE), 20)
    return numpy.fft.irfft(spectrum * frequency ** (-slope / 2), count)


def band(generator: numpy.random.Generator, samples: numpy.ndarray, low: float, high: float) -> numpy.ndarray:
    """Only a band between two frequencies drawn within the range."""
    first, second = sorted(generator.uniform(low, high, 2))
    return sosfilt(butter(2, [first, second + 100], "bandpass", fs=RATE, output="sos"), samples)


def silence(generator: numpy.random.Generator, count: int) -> numpy.ndarray:
    return noise(generator, count, generator.uniform(0, 2))


def coloured(generator: numpy.random.Generator, count: int) -> numpy.ndarray:
    """Steady or slowly swelling noise: rain, wind, a fan."""
    swell = numpy.interp(numpy.arange(count), numpy.linspace(0, count, 8), generator.uniform(0.3, 1, 8))
    samples = noise(generator, count, generator.choice([0, 1, 1, 2, 2]))
    return samples * swell if generator.random() < 0.5 else samples


def hum(generator: numpy.random.Generator, count: int) -> numpy.ndarray:
    """Mains or a motor: a few harmonics that waver a little."""
    time = numpy.arange(count) / RATE
    base = generator.choice([50, 60, generator.uniform(40, 180)]) * (1 + 0.003 * numpy.sin(2 * numpy.pi * 0.7 * time))
    phase = 2 * numpy.pi * numpy.cumsum(base) / RATE
    return sum(numpy.sin(i * phase + i) * generator.uniform(0, 1) / i for i in range(1, 9))


def events(generator: numpy.random.Generator, count: int, each: float, make) -> numpy.ndarray:
    """Short sounds at random times, about `each` seconds apart."""
    samples = numpy.zeros(count + RATE)
    place = generator.uniform(0, min(each, count / RATE / 2))
    while place * RATE < count:
        sound = make()
        start = int(place * RATE)
        samples[start:start + len(sound)] += sound[:RATE] * generator.uniform(0.4, 1)
        place += generator.uniform(0.4, 1.6) * each
    return samples[:count]


def decaying(generator: numpy.random.Generator, seconds: float, samples: numpy.ndarray) -> numpy.ndarray:
    return samples * numpy.exp(-numpy.arange(len(samples)) / RATE / seconds)


def clicks(generator: numpy.random.Generator, count: int) -> numpy.ndarray:
    """A keyboard, a switch, a clock."""
    def click() -> numpy.ndarray:
        return decaying(generator, generator.uniform(0.002, 0.012),
                        band(generator, generator.standard_normal(1600), 800, 7000))
    return events(generator, count, generator.choice([0.12, 0.2, 0.5, 1.0]), click)


def thuds(generator: numpy.random.Generator, count: int) -> numpy.ndarray:
    """Doors, steps, knocks."""
    def thud() -> numpy.ndarray:
        time = numpy.arange(9600) / RATE
        tone = numpy.sin(2 * numpy.pi * generator.uniform(50, 180) * time)
        return decaying(generator, generator.uniform(0.02, 0.12), tone + noise(generator, 9600, 2) * 2)
    return events(generator, count, generator.choice([0.3, 0.6, 2.0]), thud)


def music(generator: numpy.random.Generator, count: int) -> numpy.ndarray:
    """Chords, a plucked melody or a drum beat."""
    kind, beat = generator.integers(3), generator.uniform(0.2, 0.6)
    root, scale = generator.uniform(110, 330), numpy.array([0, 2, 4, 5, 7, 9, 11, 12])
    samples = numpy.zeros(count + 2 * RATE)
    for i in range(int(count / RATE / beat) + 1):
        start, time = int(i * beat * RATE), numpy.arange(int(1.5 * RATE)) / RATE
        if kind == 2:
            low = numpy.sin(2 * numpy.pi * (60 + 80 * numpy.exp(-time * 30)) * time) * numpy.exp(-time * 12)
            sound = low if i % 2 == 0 else generator.standard_normal(len(time)) * numpy.exp(-time * 25)
        else:
            steps = generator.choice(scale, 1 if kind else 3, replace=False)
            tones = [root * 2 ** (step / 12) for step in steps]
            sound = sum(numpy.sin(2 * numpy.pi * tone * n * time) / n
                        * numpy.exp(-time * (2 + n * generator.uniform(0.5, 2))) for tone in tones for n in range(1, 5))
        samples[start:start + len(time)] += sound
    return samples[:count]


KINDS = (silence, silence, coloured, coloured, hum, clicks, thuds, music)


def without_speech(seed: int) -> numpy.ndarray:
    """One clip of 0.6 to 5 s; a third are two kinds at once, all have a faint floor of noise."""
    generator = numpy.random.default_rng(seed)
    count = int(generator.uniform(0.6, 5) * RATE)
    total = numpy.zeros(count)
    for _ in range(1 if generator.random() < 0.67 else 2):
        kind = KINDS[generator.integers(len(KINDS))]
        samples = kind(generator, count)
        level = 10 ** generator.uniform(-4, -2.7) if kind is silence else 10 ** generator.uniform(-2.5, -0.9)
        total += samples * level / (numpy.sqrt(numpy.mean(samples ** 2)) + 1e-9)
    total += generator.standard_normal(count) * 10 ** generator.uniform(-4.3, -3)
    return numpy.round(total * min(1, 0.95 / (numpy.abs(total).max() + 1e-9)) * 32767).astype(numpy.int16)
