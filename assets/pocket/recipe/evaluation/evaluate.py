"""Measures a checkpoint with Hugging Face transformers and with the program, and compares the two.

Prints one Markdown table; results.json in the output folder holds every question with what was expected and given.
"""

import argparse
import dataclasses
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
from voice import voices
from evaluation.distort import CONDITIONS
from evaluation.listening import Recogniser, audible, silence_before_ms
from evaluation.paths import Answer, ask_colloquy, ask_transformers, write_sound
from evaluation.questions import SPEAKERS, TASKS, Case, Maker, same_codes
from evaluation.word_errors import error_rate, word_errors

PATHS = ("transformers", "colloquy")
SPOKEN = ("speech", "word")  # sections that are listened to
NOISY = ("white noise", "pink noise", "reverberation", "noise and reverberation")
# Sections whose answers must be exact: name in the table, goal.
EXACT = {
    "hear clean": ("clean speech, held-out voices", "95 %"),
    **{f"hear {name}": (f"speech, {name}", "85 %" if name in NOISY else "-") for name in CONDITIONS},
    "text": ("text", "99 %"),
    "wordings": ("text, in wordings that were never trained", "-"),
    "picture plain": ("pictures, plain", "97 %"),
    "picture photographed": ("pictures, photographed", "85 %"),
    "talk 2 turns": ("follow-up, 2 turns", "-"),
    "talk 3 turns": ("follow-up, 3 turns", "-"),
    "tools call": ("tool call", "-"),
    "tools answer": ("answer from a tool's result", "-"),
    "tools other": ("no tool needed", "-"),
    "refuse": ("out of domain: refused", "95 %"),
    "nothing": ("clips without speech: said so", "95 %"),
}  # fmt: skip


@dataclasses.dataclass
class Measured:
    """A case with its answers, by path, and what the recogniser heard of them."""

    case: Case
    answers: dict[str, Answer]
    heard: dict[str, str] = dataclasses.field(default_factory=dict)

    def record(self) -> dict:
        """For results.json."""
        case = self.case
        fields = {"section": case.section, "task": case.task, "asked": case.asked, "asker": case.asker}
        given = {path: dataclasses.asdict(answer) for path, answer in self.answers.items()}
        return {**fields, "expected": case.expected, **given, "heard": self.heard}


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="evaluate", description=__doc__)
    parser.add_argument("checkpoint", help="folder of the checkpoint")
    parser.add_argument("--colloquy", required=True, help="the program")
    parser.add_argument("--form", help="folder of another form of the checkpoint, say its Q8_0 form, for the program")
    parser.add_argument("--recognise", help='command that takes WAV files and prints "file | text" lines')
    parser.add_argument("--count", type=int, default=300, help="questions of each kind (default 300)")
    names = ",".join([*TASKS, "time"])
    parser.add_argument("--tasks", default=names, help=f"what is measured (default {names})")
    parser.add_argument("--out", type=Path, default=Path("evaluated"), help="folder for sounds, pictures and results")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    options = parser.parse_args()
    options.tasks = options.tasks.split(",")
    unknown = [task for task in options.tasks if task not in TASKS and task != "time"]
    if unknown or options.count < 1:
        parser.error(f"no such task: {', '.join(unknown)}" if unknown else "--count must be at least 1")
    return options


def say(text: str) -> None:
    """Progress, beside the table."""
    print(text, file=sys.stderr, flush=True)


def measure(options: argparse.Namespace, cases: list[Case]) -> list[Measured]:
    """Asks all questions on both paths."""
    answers = {}
    for path in PATHS:
        questions = [
            dataclasses.replace(case.question, out=spoken_file(options.out, path, i)) for i, case in enumerate(cases)
        ]
        for question in questions:
            Path(question.out).unlink(missing_ok=True)  # of an earlier run
        began = time.monotonic()
        if path == "transformers":
            answers[path] = ask_transformers(options.checkpoint, questions, options.jobs)
        else:
            folder = options.out / "messages"
            answers[path] = ask_colloquy(options.colloquy, options.form, questions, options.jobs, folder)
        faults = [answer.fault for answer in answers[path] if answer.fault]
        say(f"{path}: {len(cases)} answers in {time.monotonic() - began:.0f} s, {len(faults)} failed")
        for fault in sorted(set(faults))[:5]:
            say(f"  {fault}")
    return [Measured(case, {path: answers[path][i] for path in PATHS}) for i, case in enumerate(cases)]


def spoken_file(out: Path, path: str, number: int) -> str:
    """Where an answer's speech goes."""
    folder = out / "answers"
    folder.mkdir(parents=True, exist_ok=True)
    return str((folder / f"{number:05d}.{path}.wav").resolve())


def listen(options: argparse.Namespace, measured: list[Measured]) -> bool:
    """What the recogniser makes of spoken answers, and of the voices that they were learned from; whether it could."""
    out, jobs = options.out, []
    for i, item in enumerate(measured):
        if item.case.section.split()[0] not in SPOKEN:
            continue
        jobs += [(item, path, spoken_file(out, path, i)) for path in PATHS]
        file = spoken_file(out, "synthesiser", i)
        write_sound(file, voices.reply(item.case.expected, item.case.question.voice) / 32768, 16_000)
        jobs.append((item, "synthesiser", file))
    jobs = [job for job in jobs if Path(job[2]).is_file()]
    if not jobs:
        return False
    if not options.recognise:
        print(f"speech and words: {len(jobs)} sounds skipped, there is no --recognise")
        return False
    try:
        texts = Recogniser(options.recognise, out / "heard").texts([file for _, _, file in jobs])
    except (RuntimeError, OSError) as error:
        print(f"speech and words: {len(jobs)} sounds skipped: {error}")
        return False
    for (item, path, file), text in zip(jobs, texts, strict=True):
        item.heard[path] = text if audible(file) else ""
    return True


def exact(items: list[Measured], path: str) -> str:
    """Part of the answers that are exactly as expected."""
    right = sum(item.answers[path].text == item.case.expected for item in items)
    return f"{100 * right / len(items):.1f} % of {len(items)}"


def repeated(items: list[Measured], path: str) -> str:
    """Word error rate of the words to be repeated, without the words that introduce them."""

    def bare(text: str) -> str:
        return text.removeprefix("You said ")

    pairs = [(bare(item.case.expected), bare(item.answers[path].text)) for item in items]
    return f"{100 * error_rate(pairs):.1f} % of {len(items)}"


def spoken(items: list[Measured], path: str) -> str:
    """Word error rate of the speech against the shown text; where nothing was spoken, all words are wrong."""
    if path == "synthesiser":
        pairs = [(item.case.expected, item.heard.get(path, "")) for item in items]
    else:
        pairs = [(item.answers[path].shown or item.case.expected, item.heard.get(path, "")) for item in items]
    return f"{100 * error_rate(pairs):.1f} % of {len(items)}"


def single(items: list[Measured], path: str) -> str:
    """How many single words are audible and right."""
    right = sum(word_errors(item.case.expected, item.heard.get(path, ""))[0] == 0 for item in items)
    return f"{right} of {len(items)}"


def rows(measured: list[Measured], recognised: bool) -> list[list[str]]:
    """The table's rows: what, goal, and a figure for each path, and for the synthesiser beside."""
    sections: dict[str, list[Measured]] = {}
    for item in measured:
        sections.setdefault(item.case.section, []).append(item)
    table = []
    for section, (name, goal) in EXACT.items():
        if items := sections.get(section):
            table.append([f"exact answer: {name}", goal, *(exact(items, path) for path in PATHS), ""])
    if items := sections.get("repeat"):
        table.append(['"repeat after me", word error rate', "5 %", *(repeated(items, path) for path in PATHS), ""])
        table.append(['"repeat after me", exact', "-", *(exact(items, path) for path in PATHS), ""])
    for kind, figure, name, goal in (
        ("speech", spoken, "spoken reply, word error rate", "5 %"),
        ("word", single, "one-word reply audible and right", "50"),
    ):
        for speaker in SPEAKERS:
            if items := sections.get(f"{kind} {speaker}"):
                figures = [figure(items, path) if recognised else "skipped" for path in (*PATHS, "synthesiser")]
                table.append([f"{name}, {speaker.capitalize()}", goal, *figures])
    return table + agreement(measured)


def breakdown(measured: list[Measured]) -> dict[str, dict[str, list[int]]]:
    """For each section, its tasks and askers: how many answers, and how many are exact on each path."""
    counts: dict[str, dict[str, list[int]]] = {}
    for item in measured:
        for key in (item.case.task, item.case.asker):
            if key:
                count = counts.setdefault(item.case.section, {}).setdefault(key, [0] * (1 + len(PATHS)))
                count[0] += 1
                for i, path in enumerate(PATHS, 1):
                    count[i] += item.answers[path].text == item.case.expected
    return counts


def agreement(measured: list[Measured]) -> list[list[str]]:
    """How often both paths give the same, where nothing is drawn by chance; an answer that failed is not the same."""
    pairs = [(item.answers["transformers"], item.answers["colloquy"]) for item in measured if item.case.question.greedy]
    table = []
    if pairs:
        for name, same in (("text", lambda a, b: a.text == b.text), ("tokens", lambda a, b: a.tokens == b.tokens)):
            count = sum(not one.fault and not other.fault and same(one, other) for one, other in pairs)
            table.append([f"same {name} on both paths", "all", "", f"{count} of {len(pairs)}", ""])
    spoken_pairs = [(one.codes, other.codes) for one, other in pairs if one.codes or other.codes]
    if spoken_pairs:
        same_count = sum(one == other for one, other in spoken_pairs)
        frames = sum(a == b for one, other in spoken_pairs for a, b in zip(one, other, strict=False))
        total = sum(len(one) for one, _ in spoken_pairs)
        figure = f"{same_count} of {len(spoken_pairs)}; {frames} of {total} frames"
        table.append(["same codes of speech on both paths", "-", "", figure, ""])
    return table


def first_sounds(options: argparse.Namespace) -> list[list[str]]:
    """Milliseconds to the first sound of an answer, one question at a time on all processors."""
    cases = same_codes(Maker(options.out / "questions" / "time", 200 if options.count >= 100 else options.count))
    questions = [
        dataclasses.replace(case.question, greedy=False, out=spoken_file(options.out, "time", i))
        for i, case in enumerate(cases)
    ]
    answers = ask_colloquy(options.colloquy, options.form, questions, 1, options.out / "messages", threads=0)
    first = [answer.first_sound_ms for answer in answers if answer.first_sound_ms is not None]
    if not first:
        return []
    before = [silence_before_ms(question.out) for question in questions if Path(question.out).is_file()]
    figure = f"median {np.median(first):.0f} ms, highest {max(first):.0f} ms of {len(first)}"
    quiet = f"median {np.median(before):.0f} ms, highest {max(before):.0f} ms"
    return [
        ["from the question's last sample to the first sound", "150 ms", "", figure, ""],
        ["silence at the start of that sound", "-", "", quiet, ""],
    ]


def main() -> None:
    """Measures and reports."""
    options = arguments()
    options.checkpoint = str(Path(options.checkpoint).resolve())
    options.form = str(Path(options.form).resolve()) if options.form else options.checkpoint
    options.out.mkdir(parents=True, exist_ok=True)
    began, cases = time.monotonic(), []
    for task in options.tasks:
        if task in TASKS:
            made = TASKS[task](Maker(options.out / "questions" / task, options.count))
            cases += made
            say(f"{task}: {len(made)} questions")
            if not made:
                print(f"{task}: skipped, the domain has no such question")
    measured = measure(options, cases) if cases else []
    table = []
    if "time" in options.tasks:
        table = first_sounds(options)
    recognised = listen(options, measured)
    table = rows(measured, recognised) + table
    print("| | goal | transformers | colloquy | the synthesiser itself |\n|---|---|---|---|---|")
    for row in table:
        print("| " + " | ".join(row) + " |")
    differing = [item.record() for item in measured if shown_otherwise(item.answers["colloquy"])]
    took = f"{len(measured)} questions on two paths in {time.monotonic() - began:.0f} s"
    print(f"\n{took}; {len(differing)} texts shown otherwise than their tokens say")
    results = {"table": table, "count": options.count, "breakdown": breakdown(measured)}
    results |= {"answers": [item.record() for item in measured]}
    (options.out / "results.json").write_text(json.dumps(results, indent=1))


def shown_otherwise(answer: Answer) -> bool:
    """Whether the program shows another text than its tokens say, function calls aside."""
    return not answer.fault and "<tool_call>" not in answer.text and answer.shown.strip() != answer.text.strip()


if __name__ == "__main__":
    main()
