"""The questions of the evaluation: what is asked, in which voice and through what noise, and what should come back."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from world import domain
import numpy as np
from world import pictures
from voice import speech
from voice import voices
from evaluation.distort import CONDITIONS, SPEECHLESS, speechless
from evaluation.paths import Question, write_sound
from PIL import Image

APART = ("repeat", "refuse", "nothing")  # tasks that have a row of their own
WORDED = ("talk", "fact")  # tasks whose wordings that are kept for measuring are measured by themselves
SPEAKERS = ("chelsie", "ethan", "aiden")


@dataclass
class Case:
    """One question of a section of the report."""

    section: str
    task: str  # of the domain
    asked: str
    expected: str
    question: Question
    asker: str = ""  # the voice that asks, or "" where it is typed


class Maker:
    """Makes questions and writes their sounds and pictures into a folder."""

    def __init__(self, folder: Path, count: int):
        self.folder, self.count, self.files = folder, count, 0
        folder.mkdir(parents=True, exist_ok=True)

    def file(self, ending: str) -> str:
        """The next file's path."""
        self.files += 1
        return str((self.folder / f"{self.files:05d}{ending}").resolve())

    def sound(self, samples: np.ndarray) -> dict:
        """A part with a sound."""
        path = self.file(".wav")
        write_sound(path, samples, 16_000)
        return {"type": "audio", "path": path}

    def picture(self, scene: object, number: int, photographed: bool) -> dict:
        """A part with a picture."""
        path = self.file(".png")
        Image.fromarray(pictures.draw(scene, domain.EVALUATION_SEED + number, photographed)).save(path)
        return {"type": "image", "path": path}

    def content(self, turn: domain.Turn, number: int, choice: random.Random, spoken: bool, photographed: bool = False):
        """What the user sends: pictures first, then the question, typed or in a held-out voice. Also who asks."""
        shown = [self.picture(scene, 4 * number + i, photographed) for i, scene in enumerate(turn.scenes)]
        if spoken:
            voice = held_out(number)
            return [*shown, self.sound(spoken_by(turn.question, voice))], str(voice)
        text = domain.typed(choice, turn.question)
        return ([*shown, {"type": "text", "text": text}] if shown else text), ""

    def asked(self, section: str, turn: domain.Turn, number: int, choice: random.Random, spoken: bool) -> Case:
        """A question without a history."""
        content, asker = self.content(turn, number, choice, spoken)
        question = Question([{"role": "user", "content": content}])
        return Case(section, turn.task, turn.question, turn.reply, question, asker)

    def conversation(
        self,
        section: str,
        talk: domain.Conversation,
        number: int,
        spoken: Callable[[], bool],
        photographed: bool = False,
    ) -> Case:
        """A question with the turns before it, which were answered as they should be."""
        choice, asker = seeded(section, number), ""
        messages = [{"role": "system", "content": talk.system}] if talk.system else []
        for i, turn in enumerate(talk.turns):
            if turn.task == "tool_answer":
                messages.append({"role": "tool", "content": turn.question})
            else:
                content, asker = self.content(turn, 10 * number + i, choice, spoken(), photographed)
                messages.append({"role": "user", "content": content})
            messages.append(answer(turn.reply))
        last = talk.turns[-1]
        question = Question(messages[:-1], list(talk.tools))
        return Case(section, last.task, last.question, last.reply, question, asker)


def answer(reply: str) -> dict:
    """The assistant's message; a function call as chat programs write it."""
    call = reply.removeprefix("<tool_call>\n").removesuffix("\n</tool_call>")
    if call == reply:
        return {"role": "assistant", "content": reply}
    return {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": json.loads(call)}]}


def seeded(section: str, number: int = 0) -> random.Random:
    """The random sequence of a section, which no other task changes."""
    return random.Random(f"{domain.EVALUATION_SEED} {section} {number}")


def held_out(number: int) -> object:
    """A voice that is never heard in training."""
    return voices.HELD_OUT[number % len(voices.HELD_OUT)]


def spoken_by(text: str, voice: voices.Voice) -> np.ndarray:
    """A question as float32 at 16 kHz, trimmed and levelled as in training."""
    return speech.question_clip((text, voice)).astype(np.float32) / 32768


def new_turn(choice: random.Random, task: str | None = None) -> domain.Turn:
    """A question that is kept for measuring, where its task has such; small talk and facts as they are usually asked."""
    turn = domain.turn(choice, task, held_out=True)
    return domain.turn(choice, turn.task) if turn.task in WORDED else turn


def ordinary(turn: domain.Turn) -> bool:
    """Whether it is a question of the world that is not measured by itself."""
    return turn.task not in APART


def drawn(choice: random.Random, count: int, wanted: Callable[[domain.Turn], bool]) -> list[domain.Turn]:
    """Questions by their weight in the domain, as many as wanted."""
    turns: list[domain.Turn] = []
    for _ in range(1000 * count + 1000):
        if len(turns) == count:
            break
        turn = new_turn(choice)
        if not turn.scenes and wanted(turn):
            turns.append(turn)
    return turns


def hear(maker: Maker) -> list[Case]:
    """Questions in clean speech."""
    choice = seeded("hear")
    turns = drawn(choice, maker.count, ordinary)
    return [maker.asked("hear clean", turn, i, choice, spoken=True) for i, turn in enumerate(turns)]


def noise(maker: Maker) -> list[Case]:
    """The same questions as in clean speech, through all that may happen to sound."""
    choice, cases = seeded("hear"), []
    turns = drawn(choice, maker.count, ordinary)
    clean = [spoken_by(turn.question, held_out(i)) for i, turn in enumerate(turns)]
    for condition, change in CONDITIONS.items():
        for i, turn in enumerate(turns):
            question = Question([{"role": "user", "content": [maker.sound(change(clean[i], i))]}])
            cases.append(Case(f"hear {condition}", turn.task, turn.question, turn.reply, question, str(held_out(i))))
    return cases


def text(maker: Maker) -> list[Case]:
    """Typed questions."""
    choice = seeded("text")
    turns = drawn(choice, maker.count, ordinary)
    return [maker.asked("text", turn, i, choice, spoken=False) for i, turn in enumerate(turns)]


def wordings(maker: Maker) -> list[Case]:
    """Small talk and facts, typed, in wordings that were never trained."""
    choice = seeded("wordings")
    turns = [domain.turn(choice, WORDED[i % len(WORDED)], held_out=True) for i in range(maker.count)]
    return [maker.asked("wordings", turn, i, choice, spoken=False) for i, turn in enumerate(turns)]


def repeat(maker: Maker) -> list[Case]:
    """ "Repeat after me" in clean speech."""
    choice = seeded("repeat")
    turns = [new_turn(choice, "repeat") for _ in range(maker.count)]
    return [maker.asked("repeat", turn, i, choice, spoken=True) for i, turn in enumerate(turns)]


def picture_questions(maker: Maker) -> list[Case]:
    """Questions about pictures, typed and spoken in turn; plain and photographed ones alike."""
    cases = []
    for photographed in (False, True):
        choice, section = seeded("pictures"), "picture photographed" if photographed else "picture plain"
        for i in range(maker.count):
            talk, spoken = domain.picture_conversation(choice, new_turn), i % 2 == 1
            cases.append(maker.conversation(section, talk, i, lambda spoken=spoken: spoken, photographed))
    return cases


def talk(maker: Maker) -> list[Case]:
    """Follow-ups, each question of a conversation typed or spoken."""
    choice, cases = seeded("talk"), []
    for i in range(maker.count):
        conversation = domain.conversation(choice, new_turn)
        section = f"talk {len(conversation.turns)} turns"
        cases.append(maker.conversation(section, conversation, i, lambda: choice.random() < 0.5))
    return cases


def tools(maker: Maker) -> list[Case]:
    """Calls of functions, and what is said of their answers."""
    choice, cases = seeded("tools"), []
    for i in range(maker.count):
        conversation = domain.tool_conversation(choice, new_turn, held_out=True)
        kind = {"tool_call": "call", "tool_answer": "answer"}.get(conversation.turns[-1].task, "other")
        cases.append(maker.conversation(f"tools {kind}", conversation, i, lambda: choice.random() < 0.5))
    return cases


def refuse(maker: Maker) -> list[Case]:
    """Questions outside of the domain, typed and spoken in turn, and clips in which nobody speaks."""
    choice, cases = seeded("refuse"), []
    for i in range(maker.count):
        cases.append(maker.asked("refuse", new_turn(choice, "refuse"), i, choice, spoken=i % 2 == 0))
    for i in range(maker.count):
        kind = SPEECHLESS[i % len(SPEECHLESS)]
        clip = maker.sound(speechless(kind, choice.uniform(1.0, 5.0), i))
        question = Question([{"role": "user", "content": [clip]}])
        cases.append(Case("nothing", "nothing", kind, domain.NOTHING, question))
    return cases


def spoken_replies(maker: Maker) -> list[Case]:
    """Spoken questions whose replies differ, a third of the count, answered in each voice by default sampling."""
    choice, seen, cases = seeded("speech"), set(), []

    def new(turn: domain.Turn) -> bool:
        fresh = turn.task != "nothing" and len(turn.reply.split()) > 1 and turn.reply not in seen
        seen.add(turn.reply)
        return fresh

    for i, turn in enumerate(drawn(choice, max(1, maker.count // 3), new)):
        for speaker in SPEAKERS:
            case = maker.asked(f"speech {speaker}", turn, i, choice, spoken=True)
            case.question.voice, case.question.greedy, case.question.seed = speaker, False, i
            cases.append(case)
    return cases


def single_words(maker: Maker) -> list[Case]:
    """Questions whose reply is one word, 50 for each voice: different ones first."""
    choice, replies, cases = seeded("words"), {}, []
    for turn in drawn(choice, min(50, maker.count), lambda turn: turn.task != "nothing" and is_new_word(turn, replies)):
        replies.setdefault(turn.reply, turn)
    for i in range(min(50, maker.count) if replies else 0):
        turn = list(replies.values())[i % len(replies)]
        for speaker in SPEAKERS:
            case = maker.asked(f"word {speaker}", turn, i, choice, spoken=False)
            case.question.voice, case.question.greedy, case.question.seed = speaker, False, i
            cases.append(case)
    return cases


def is_new_word(turn: domain.Turn, replies: dict) -> bool:
    """Whether its reply is one word that is not yet there, which it is from now on."""
    if len(turn.reply.split()) != 1 or turn.reply in replies:
        return False
    replies[turn.reply] = turn
    return True


def same_codes(maker: Maker) -> list[Case]:
    """Spoken questions answered greedily in text and speech, a tenth of the count: codes should be the same too."""
    choice, cases = seeded("tokens"), []
    for i, turn in enumerate(drawn(choice, max(3, maker.count // 10), ordinary)):
        case = maker.asked("tokens", turn, i, choice, spoken=True)
        case.question.voice = SPEAKERS[i % 3]
        cases.append(case)
    return cases


TASKS: dict[str, Callable[[Maker], list[Case]]] = {
    "hear": hear, "noise": noise, "text": text, "wordings": wordings, "repeat": repeat, "pictures": picture_questions, "talk": talk,
    "tools": tools, "speech": spoken_replies, "words": single_words, "refuse": refuse, "tokens": same_codes,
}  # fmt: skip
