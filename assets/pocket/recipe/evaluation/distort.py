"""What happens to speech on its way: noise, rooms, telephones. 16 kHz, float32, deterministic by seed."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, resample_poly, sosfiltfilt

RATE_HZ = 16_000
Sound = NDArray[np.float32]


def speech_level(sound: Sound) -> float:
    """Root mean square over the parts that are not pauses."""
    frames = sound[: len(sound) // 320 * 320].reshape(-1, 320)
    if len(frames) == 0:
        return float(np.sqrt(np.mean(sound**2) + 1e-12))
    power = np.mean(frames.astype(np.float64) ** 2, axis=1)
    return float(np.sqrt(np.mean(power[power >= power.max() * 1e-3]) + 1e-12))


def white_noise(length: int, seed: int) -> Sound:
    """White noise of level 1."""
    return np.random.default_rng(seed).standard_normal(length).astype(np.float32)


def pink_noise(length: int, seed: int) -> Sound:
    """Noise of level 1 whose power falls with the frequency, from 50 Hz on."""
    spectrum = np.fft.rfft(white_noise(length, seed))
    frequencies = np.fft.rfftfreq(length, 1 / RATE_HZ)
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(frequencies, 50.0)), length)
    return (noise / (np.sqrt(np.mean(noise**2)) + 1e-12)).astype(np.float32)


def within_range(sound: Sound, peak: float = 0.99) -> Sound:
    """Turned down where it would leave full scale."""
    highest = float(np.abs(sound).max(initial=0.0))
    return (sound * (peak / highest if highest > peak else 1.0)).astype(np.float32)


def with_noise(sound: Sound, seed: int, pink: bool = False, ratio_db: float = 10.0) -> Sound:
    """Noise below the speech by so many decibels."""
    noise = (pink_noise if pink else white_noise)(len(sound), seed)
    return within_range(sound + noise * speech_level(sound) * 10 ** (-ratio_db / 20))


def reverberant(sound: Sound, seed: int, decay_s: float = 0.3) -> Sound:
    """In a room whose sound falls by 60 dB in `decay_s`: decaying noise behind the direct sound, and as loud as it."""
    length = int(decay_s * RATE_HZ)
    time = np.arange(length) / RATE_HZ
    tail = white_noise(length, seed) * 10 ** (-3 * time / decay_s)
    tail[: int(0.002 * RATE_HZ)] = 0  # the first reflection comes after the direct sound
    response = tail / np.sqrt(np.sum(tail**2))
    response[0] = 1.0
    wet = fftconvolve(sound, response)[: len(sound) + length // 2]
    return within_range(wet * speech_level(sound) / speech_level(wet.astype(np.float32)))


def noisy_room(sound: Sound, seed: int) -> Sound:
    """Reverberation, and noise at 10 dB: white for even seeds, pink for odd ones."""
    return with_noise(reverberant(sound, seed), seed + 1, pink=seed % 2 == 1)


def faster(sound: Sound, factor: float) -> Sound:
    """Played at another speed, which also moves the pitch."""
    return resample_poly(sound, 100, round(100 * factor)).astype(np.float32)


def telephone(sound: Sound) -> Sound:
    """300 to 3400 Hz at 8 kHz, and back."""
    narrow = resample_poly(sound, 1, 2)
    band = butter(4, [300, 3400], btype="bandpass", fs=RATE_HZ / 2, output="sos")
    return within_range(resample_poly(sosfiltfilt(band, narrow), 2, 1))


def clipped(sound: Sound, at: float = 0.2) -> Sound:
    """Cut off at a part of its peak, and as loud as before."""
    limit = at * float(np.abs(sound).max(initial=0.0))
    cut = np.clip(sound, -limit, limit)
    return within_range(cut * speech_level(sound) / speech_level(cut))


def quiet(sound: Sound, level_db: float = -40.0) -> Sound:
    """Speech at a level below full scale."""
    return (sound * 10 ** (level_db / 20) / speech_level(sound)).astype(np.float32)


def between_silence(sound: Sound, seconds: float = 1.0) -> Sound:
    """Silence before and after."""
    return np.pad(sound, int(seconds * RATE_HZ)).astype(np.float32)


def speechless(kind: str, seconds: float, seed: int) -> Sound:
    """A clip without speech, of one of the kinds in `SPEECHLESS`."""
    length = int(seconds * RATE_HZ)
    random = np.random.default_rng(seed)
    time = np.arange(length) / RATE_HZ
    level = 10 ** random.uniform(-3.0, -1.3)
    if kind == "silence":
        return np.zeros(length, np.float32)
    if kind == "white noise":
        return white_noise(length, seed) * np.float32(level)
    if kind == "pink noise":
        return pink_noise(length, seed) * np.float32(level)
    if kind == "hum":
        base = random.choice([50.0, 60.0])
        hum = sum(np.sin(2 * np.pi * base * n * time) / n for n in (1, 2, 3, 5))
        return (hum * level).astype(np.float32)
    if kind == "tone":
        return (np.sin(2 * np.pi * random.uniform(200, 2000) * time) * level).astype(np.float32)
    if kind == "clicks":
        sound = white_noise(length, seed) * np.float32(level / 30)
        for start in random.integers(0, max(1, length - 400), size=random.integers(1, 6)):
            click = white_noise(400, int(start)) * np.exp(-np.arange(400) / 60) * level * 4
            sound[start : start + 400] += click[: length - start].astype(np.float32)
        return within_range(sound)
    raise ValueError(f"no such kind of clip: {kind}")


SPEECHLESS = ("silence", "white noise", "pink noise", "hum", "tone", "clicks")

# Name of a condition -> what it does to a sound.
CONDITIONS = {
    "white noise": lambda sound, seed: with_noise(sound, seed),
    "pink noise": lambda sound, seed: with_noise(sound, seed, pink=True),
    "reverberation": reverberant,
    "noise and reverberation": noisy_room,
    "speed 0.85": lambda sound, seed: faster(sound, 0.85),
    "speed 1.2": lambda sound, seed: faster(sound, 1.2),
    "telephone": lambda sound, seed: telephone(sound),
    "clipped": lambda sound, seed: clipped(sound),
    "quiet": lambda sound, seed: quiet(sound),
    "between silence": lambda sound, seed: between_silence(sound),
}
