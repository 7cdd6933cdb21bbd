"""Makes all clips: questions in many voices, clips without speech, replies in the model's three voices.

    python -m voice.speech DATA --questions 70000 --replies 16000 --processes 16 --seed 1

writes question.npy and reply.npy (int16, 16 kHz, all clips joined), *_offsets.npy (int64, where each clip starts, and
the end) and *.json (text, task, reply and voice of each question; text and speaker of each reply).
"""
from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from multiprocessing import Pool
from pathlib import Path
from random import Random

import numpy

from world import domain
from voice.alignment import loudness
from voice.noises import without_speech
from voice.voices import RATE, REPLY_VOICES, Voice, question_voice, reply, say

LEVEL, PEAK = 0.07, 0.95
LONGEST = 6.0                # seconds of a question
SINGLE, WITHOUT_SPEECH = 0.78, 0.03


def trimmed(samples: numpy.ndarray, lead: int = 800, tail: int = 1600) -> numpy.ndarray:
    """Without the silence before and after, but for so many samples."""
    loud = loudness(samples)
    heard = numpy.flatnonzero(loud > max(40, 0.012 * loud.max()))
    return samples[max(0, heard[0] - lead):heard[-1] + tail] if len(heard) else samples[:RATE]


def levelled(samples: numpy.ndarray) -> numpy.ndarray:
    """At the level of all questions."""
    samples = samples / 32768
    samples *= LEVEL / numpy.sqrt(numpy.mean(samples ** 2) + 1e-9)
    samples *= min(1.0, PEAK / numpy.abs(samples).max())
    return numpy.round(samples * 32767).astype(numpy.int16)


def question_clip(job: tuple[str, Voice | int]) -> numpy.ndarray:
    """A question in a voice, or, where the voice is a seed, a clip without speech; too long ones are said faster."""
    text, voice = job
    if isinstance(voice, int):
        return without_speech(voice)
    for _ in range(6):
        samples = trimmed(say(text, voice))
        if len(samples) <= LONGEST * RATE:
            break
        voice = replace(voice, speed=voice.speed * 1.2)
    return levelled(samples[:int(LONGEST * RATE)])


def reply_clips(job: tuple[str, list[str]]) -> list[numpy.ndarray]:
    """A reply by each of its speakers."""
    text, speakers = job
    return [reply(text, speaker) for speaker in speakers]


def replies(random: Random, count: int) -> list[tuple[str, list[str]]]:
    """What is replied, and by whom: every speaker says the fixed replies, and one of them each of the others."""
    speakers, fixed = list(REPLY_VOICES), len(domain.fixed_replies())
    texts = domain.reply_texts(random, count)[:count]
    return [(text, speakers if i < fixed else [random.choice(speakers)]) for i, text in enumerate(texts)]


def questions(random: Random, count: int) -> list[dict]:
    """What is asked: single turns; turns that belong to conversations, pictures or tools (no reply); nothing at all."""
    rows = []
    while len(rows) < count:
        kind = random.random()
        if kind < WITHOUT_SPEECH:
            turn = domain.turn(random, "nothing")
            rows.append({"text": "", "task": turn.task, "reply": turn.reply, "voice": random.getrandbits(32)})
            continue
        if kind < WITHOUT_SPEECH + SINGLE:
            turn = domain.turn(random)
            text, answer = turn.question, turn.reply
        else:
            make = random.choice((domain.conversation, domain.picture_conversation, domain.tool_conversation))
            spoken = [turn for turn in make(random).turns if turn.task != "tool_answer" and turn.question]
            turn = spoken[-1]
            text, answer = turn.question, None
        rows.append({"text": text, "task": turn.task, "reply": answer, "voice": question_voice(random)})
    return rows


class Clips:
    """Writes clips one after another into NAME.npy, and where they start into NAME_offsets.npy."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name, self.offsets = folder, name, [0]
        self.file = open(folder / f"{name}.npy", "wb")
        self.header()

    def header(self) -> None:
        """The header has room for any count, so it can be written anew at the end."""
        self.file.seek(0)
        description = {"descr": "<i2", "fortran_order": False, "shape": (self.offsets[-1],)}
        numpy.lib.format.write_array_header_1_0(self.file, description)

    def add(self, samples: numpy.ndarray) -> None:
        self.file.write(samples.astype("<i2").tobytes())
        self.offsets.append(self.offsets[-1] + len(samples))

    def close(self, rows: list[dict]) -> None:
        self.header()
        self.file.close()
        numpy.save(self.folder / f"{self.name}_offsets.npy", numpy.array(self.offsets, numpy.int64))
        # The last, and whole at once: whoever waits for this file finds everything.
        new = self.folder / f"{self.name}.json.new"
        new.write_text(json.dumps(rows))
        new.rename(self.folder / f"{self.name}.json")


def make(pool: Pool, folder: Path, name: str, work: Callable, jobs: Iterable, rows: list[dict]) -> None:
    """All clips of one kind."""
    started, clips = time.time(), Clips(folder, name)
    for result in pool.imap(work, jobs, chunksize=16):
        for samples in result if isinstance(result, list) else [result]:
            clips.add(samples)
    clips.close(rows)
    print(f"{len(rows)} clips of {name}, {clips.offsets[-1] / RATE:.0f} s of sound, took {time.time() - started:.0f} s",
          flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="make all clips")
    parser.add_argument("data", type=Path)
    parser.add_argument("--questions", type=int, default=70000)
    parser.add_argument("--replies", type=int, default=16000)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    arguments.data.mkdir(parents=True, exist_ok=True)
    random = Random(arguments.seed)
    with Pool(arguments.processes) as pool:
        jobs = replies(random, arguments.replies)
        rows = [{"text": text, "speaker": speaker} for text, speakers in jobs for speaker in speakers]
        make(pool, arguments.data, "reply", reply_clips, jobs, rows)
        rows = questions(random, arguments.questions)
        jobs = [(row["text"], row["voice"]) for row in rows]
        rows = [{**row, "voice": str(row["voice"])} for row in rows]
        make(pool, arguments.data, "question", question_clip, jobs, rows)


if __name__ == "__main__":
    main()
