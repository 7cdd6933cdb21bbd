"""All voices: `say(text, voice)` gives 16 kHz int16, `reply(text, speaker)` what one of the model's speakers says.

The same text in the same voice gives the same samples (but for tiny differences of espeak-ng's noise).

    python -m voice.voices "hello there" out.wav --voice espeak:en+f4       (or --speaker chelsie)
"""
from __future__ import annotations

import argparse
import functools
import wave
from dataclasses import replace
from random import Random

import numpy

from voice.alignment import align
from voice.festival import Hts, festival
from voice.synthesisers import C_LIBRARY, RATE, Espeak, Flite, Pico, Voice, Words, resample

# The model's own speakers: one HTS voice, changed in pitch and in the size of the speaker.
REPLY_VOICES = {
    "chelsie": Voice("hts", "slt", speed=0.92),
    "ethan": Voice("hts", "slt", speed=0.92, pitch=0.6, formants=0.84),
    "aiden": Voice("hts", "slt", speed=0.92, pitch=0.78, formants=0.92),
}
LEVEL = {"chelsie": 1.0, "ethan": 1.1, "aiden": 1.1}   # gain, the same for all clips of a speaker
# Never in training: four variants of espeak-ng, two diphone voices (and flite's kal16, the speaker of kal_diphone).
HELD_OUT = (
    Voice("espeak", "en-us+f4"), Voice("espeak", "en+m7"), Voice("espeak", "en-us+iven2"),
    Voice("espeak", "en+steph2"), Voice("festival", "kal_diphone"), Voice("festival", "ked_diphone"),
)
LANGUAGES = ("en-us", "en-us", "en-us", "en", "en-gb-x-rp", "en-gb-scotland", "en-029", "en-gb-x-gbclan",
             "en-gb-x-gbcwmd")
VARIANTS = ("", *"""m1 m2 m3 m4 m5 m6 m8 f1 f2 f3 f5 klatt klatt2 klatt4 Alex Alicia Andy Annie Gene Hugo Lee Marco
    Mike adam aunty belinda benjamin boris david ed edward grandma grandpa john linda max michael
    miguel paul quincy rob robert shelby steph steph3 travis victor""".split())


@functools.cache
def synthesiser(name: str) -> Espeak | Flite | Pico | Hts:
    """The synthesiser of a name, started at first use."""
    return {"espeak": Espeak, "flite": Flite, "pico": Pico, "festival": festival, "hts": Hts}[name]()


def say_timed(text: str, voice: Voice) -> tuple[numpy.ndarray, Words]:
    """16 kHz int16 and, for each word, its name and the second where it starts."""
    C_LIBRARY.srand(1)
    raised = replace(voice, speed=voice.speed / voice.formants, pitch=voice.pitch / voice.formants)
    samples, words = synthesiser(voice.synthesiser).say(text, raised)
    return resample(samples, 1 / voice.formants), [(word, start / voice.formants) for word, start in words]


def say(text: str, voice: Voice) -> numpy.ndarray:
    return say_timed(text, voice)[0]


def reply(text: str, speaker: str) -> numpy.ndarray:
    """A reply by one of the model's speakers, its words on the grid of the codec's frames: int16."""
    samples, words = say_timed(text, REPLY_VOICES[speaker])
    aligned, _ = align(samples, [start for _, start in words])
    return numpy.clip(numpy.round(aligned * LEVEL[speaker]), -31000, 31000).astype(numpy.int16)


def question_voice(random: Random) -> Voice:
    """A voice for a question: mostly espeak-ng, which is quick, the rest recorded speakers, with other speeds, pitches and sizes."""
    kind = random.choices(("espeak", "pico", "flite", "hts"), (58, 20, 16, 6))[0]
    speed, formants = random.uniform(0.8, 1.25), random.uniform(0.92, 1.08)
    if kind == "espeak":
        name = "+".join(filter(None, (random.choice(LANGUAGES), random.choice(VARIANTS))))
        return Voice(kind, name, speed, random.uniform(0.3, 1.7), 1.0, random.randint(25, 80))
    if kind == "pico":
        name, pitch = random.choice(("en-GB", "en-US")), random.uniform(0.6, 1.3)
        return Voice(kind, name, speed, pitch, random.uniform(0.84, 1.12))
    if kind == "flite":
        return Voice(kind, random.choice(("slt", "rms", "awb")), speed, formants * random.uniform(0.9, 1.15), formants)
    return Voice(kind, "slt", speed, random.uniform(0.6, 1.2), random.uniform(0.84, 1.1))


def main() -> None:
    parser = argparse.ArgumentParser(description="say a text")
    parser.add_argument("text")
    parser.add_argument("file")
    parser.add_argument("--voice", help="synthesiser:name")
    parser.add_argument("--speaker", choices=tuple(REPLY_VOICES), default="chelsie")
    arguments = parser.parse_args()
    if arguments.voice:
        samples = say(arguments.text, Voice(*arguments.voice.split(":", 1)))
    else:
        samples = reply(arguments.text, arguments.speaker)
    with wave.open(arguments.file, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(samples.tobytes())


if __name__ == "__main__":
    main()
