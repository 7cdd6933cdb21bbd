"""What an independent recogniser understands of speech: word errors, and whether single words are there at all."""

import shlex
import subprocess
from pathlib import Path

import numpy as np
from evaluation.distort import speech_level
from evaluation.paths import write_sound
from scipy.io import wavfile
from scipy.signal import resample_poly

BATCH = 100  # files in one call
AUDIBLE = 0.01  # of full scale, root mean square


class Recogniser:
    """A command that takes WAV files and prints "file | text" lines."""

    def __init__(self, command: str, folder: Path):
        self.command, self.folder = shlex.split(command), folder
        folder.mkdir(parents=True, exist_ok=True)

    def texts(self, files: list[str]) -> list[str]:
        """What is heard in each file. It hears a copy at 16 kHz with silence around it, as recognisers expect."""
        copies = [self.copy(file, i) for i, file in enumerate(files)]
        heard: dict[str, str] = {}
        for start in range(0, len(copies), BATCH):
            batch = copies[start : start + BATCH]
            done = subprocess.run([*self.command, *batch], capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"{self.command[0]} failed: {done.stderr.strip()[-300:]}")
            for line in done.stdout.splitlines():
                file, bar, text = line.partition(" | ")
                if bar:
                    heard[file.strip()] = text.strip()
                elif line.rstrip().endswith("|"):
                    heard[line.rstrip(" |")] = ""
        if not any(copy in heard for copy in copies):
            raise RuntimeError(f'{self.command[0]} printed no line "file | text"')
        return [heard.get(copy, "") for copy in copies]

    def copy(self, file: str, number: int) -> str:
        """What is handed to the recogniser."""
        rate_hz, samples = wavfile.read(file)
        sound = resample_poly(samples / 32768, 16_000, rate_hz) if len(samples) else np.zeros(1)
        path = str((self.folder / f"{number:05d}.wav").resolve())
        write_sound(path, np.pad(sound, (4000, 6000)), 16_000)
        return path


def audible(file: str) -> bool:
    """Whether there is any sound in the file to speak of."""
    _, samples = wavfile.read(file)
    return len(samples) > 0 and speech_level((samples / 32768).astype(np.float32)) > AUDIBLE


def silence_before_ms(file: str) -> float:
    """From the start of the file until its sound first comes up to a twentieth of its peak."""
    rate_hz, samples = wavfile.read(file)
    height = np.abs(samples.astype(np.float64))
    loud = np.flatnonzero(height >= 0.05 * height.max(initial=1))
    return 1000 * float(loud[0] if len(loud) else len(samples)) / rate_hz
