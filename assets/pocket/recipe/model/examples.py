"""Conversations as token arrays, laid out as the chat template does: `build(tokenizer, clips, counts, seed)`."""
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing import get_context
from random import Random

from world import domain
import numpy as np
from world.domain import Conversation, Turn
from world.pictures import COLOURS, SHAPES, SIZE, Scene, draw
from model.tokenizer import ROLES, SPECIALS, TEXT_TOKENS, tools_text
from tokenizers import Tokenizer

# How many examples of each group.
COUNTS = {"spoken": 70_000, "typed": 24_000, "picture": 36_000, "conversation": 20_000, "tool": 16_000}
# Frames of 10 ms of a clip in its place: at least a second, so that it has a whole chunk, and at most six.
SHORTEST, LONGEST = 104, 600
# Clips longer than this would have to be sped up too much.
LONGEST_CLIP = 640
MOST_TOKENS = {"spoken": 160, "typed": 160, "picture": 160, "conversation": 320, "tool": 320}
# Longest reply, with its end.
MOST_REPLY = 32
MOST_MEDIA = 3
# Examples that one process builds at a time.
PART = 2000
GRID = 4  # a picture has GRID * GRID tokens
# Share of the questions that are spoken where there is a clip of them.
SPOKEN_SHARE = 0.6


def special(name: str) -> int:
    """The id of a special token."""
    return TEXT_TOKENS + SPECIALS.index(name)


PAD, BEGIN, END = special("<|endoftext|>"), special("<|im_start|>"), special("<|im_end|>")
SOUND, SOUND_BEGIN, SOUND_END = special("<|audio_pad|>"), special("<|audio_start|>"), special("<|audio_end|>")
PICTURE, PICTURE_BEGIN, PICTURE_END = special("<|image_pad|>"), special("<|vision_start|>"), special("<|vision_end|>")
USER = ROLES["user"]
NEWLINE = 198  # the byte's token in every byte-level BPE


def audio_tokens(frames: int) -> int:
    """Tokens of a clip: 13 a second, and the last part halved three times, rounded up."""
    rest = frames % 100
    for _ in range(3):
        rest = (rest + 1) // 2
    return 13 * (frames // 100) + rest


def positions(ids: list[int]) -> list[tuple[int, int, int]]:
    """Time, row and column of each token; a picture is a grid behind what is before it."""
    result: list[tuple[int, int, int]] = []
    following, i = 0, 0
    while i < len(ids):
        if ids[i] == PICTURE:
            result += [(following, following + n // GRID, following + n % GRID) for n in range(GRID * GRID)]
            i, following = i + GRID * GRID, following + GRID
        else:
            result.append((following,) * 3)
            i, following = i + 1, following + 1
    return result


def user_rows(ids: list[int]) -> list[int]:
    """The places of all user turns, with what opens and closes them: what the talker reads."""
    rows: list[int] = []
    inside = False
    for i, token in enumerate(ids):
        if token == BEGIN:
            inside = i + 1 < len(ids) and ids[i + 1] == USER
        if inside:
            rows.append(i)
    return rows


@dataclass
class Content:
    """What a user sends in one turn: pictures, then a clip or a text."""

    scenes: tuple[Scene, ...] = ()
    clip: int = -1
    frames: int = 0
    text: str = ""


@dataclass
class Example:
    """A conversation as tokens, with its media in their order."""

    ids: list[int] = field(default_factory=list)
    start: int = 0  # of the reply that is learned
    audio: list[tuple[int, int, int]] = field(default_factory=list)  # clip, frames, tokens
    scenes: list[Scene] = field(default_factory=list)


class Layout:
    """Tokens of messages."""

    def __init__(self, tokenizer: Tokenizer):
        self.encode = lru_cache(200_000)(lambda text: tokenizer.encode(text).ids)

    def user(self, content: Content) -> list[int]:
        media = [PICTURE_BEGIN, *[PICTURE] * GRID**2, PICTURE_END] * len(content.scenes)
        if content.clip >= 0:
            media += [SOUND_BEGIN, *[SOUND] * audio_tokens(content.frames), SOUND_END]
        if not media:
            return self.encode(f"<|im_start|>user\n{content.text}<|im_end|>\n")
        return self.encode("<|im_start|>user\n") + media + self.encode(f"{content.text}<|im_end|>\n")

    def system(self, conversation: Conversation) -> list[int]:
        text = conversation.system or ""
        if conversation.tools:
            text = (text + "\n\n" if text else "") + tools_text(conversation.tools)
        return self.encode(f"<|im_start|>system\n{text}<|im_end|>\n") if text else []

    def example(self, conversation: Conversation, contents: list[Content]) -> Example:
        """The whole conversation, up to the end of the last reply."""
        made = Example(list(self.system(conversation)))
        for turn, content in zip(conversation.turns, contents):
            made.ids += self.user(content) + self.encode("<|im_start|>assistant\n")
            made.start = len(made.ids)
            made.ids += self.encode(turn.reply) + [END]
            if turn is not conversation.turns[-1]:
                made.ids.append(NEWLINE)
            if content.clip >= 0:
                made.audio.append((content.clip, content.frames, audio_tokens(content.frames)))
            made.scenes += content.scenes
        return made


class Clips:
    """The spoken questions, found by what is asked."""

    def __init__(self, clips: list[dict]):
        """clips: `text`, `task`, `reply` (None where it depends on what is shown, said or offered) and `frames`."""
        self.clips = clips
        usable = [i for i, clip in enumerate(clips) if clip["frames"] <= LONGEST_CLIP]
        self.answered = [i for i in usable if clips[i]["reply"] is not None]
        self.asked = [i for i in self.answered if clips[i]["text"]]
        self.of_text = defaultdict(list)
        for i in usable:
            self.of_text[clips[i]["text"]].append(i)

    def place(self, random: Random, clip: int) -> int:
        """Frames of the slot that a clip is placed in: room for slower speech, and some silence."""
        frames = self.clips[clip]["frames"]
        room = random.randint(40, 160) if random.random() < 0.12 else random.randint(2, 45)
        return min(max(int(frames * random.choice((1.0, 1.08, 1.16))) + room, SHORTEST), LONGEST)

    def content(self, random: Random, turn: Turn, share: float = SPOKEN_SHARE) -> Content:
        """A question as a person might send it: spoken where there is a clip and by chance, else typed."""
        if turn.task == "tool_answer":
            return Content(text=f"<tool_response>\n{turn.question}\n</tool_response>")
        found = self.of_text.get(turn.question) if turn.question or turn.task == "nothing" else None
        if found and random.random() < share:
            clip = random.choice(found)
            return Content(turn.scenes, clip, self.place(random, clip))
        return Content(turn.scenes, text=domain.typed(random, turn.question))

    def turn(self, random: Random) -> Turn:
        """A question by itself, mostly one that there is a clip of."""
        if not self.asked or random.random() < 0.25:
            return domain.turn(random)
        clip = self.clips[random.choice(self.asked)]
        return Turn(clip["task"], clip["text"], clip["reply"])


def spoken(random: Random, clips: Clips, count: int) -> Iterator[tuple[Conversation, list[Content]]]:
    """Questions that are spoken, each a clip by itself."""
    order = random.choices(clips.answered, k=count if clips.answered else 0)
    for clip in order:
        entry = clips.clips[clip]
        content = Content(clip=clip, frames=clips.place(random, clip))
        turn = Turn(entry["task"], entry["text"], entry["reply"])
        yield Conversation((turn,), domain.system_prompt(random)), [content]


def made(random: Random, clips: Clips, group: str, count: int) -> Iterator[tuple[Conversation, list[Content]]]:
    """Conversations of one of the other groups, with each of their questions typed or spoken."""
    for _ in range(count):
        if group == "typed":
            conversation = Conversation((domain.turn(random),), domain.system_prompt(random))
        elif group == "picture":
            conversation = domain.picture_conversation(random, clips.turn)
        elif group == "conversation":
            conversation = domain.conversation(random, clips.turn)
        else:
            conversation = domain.tool_conversation(random, clips.turn)
        share = 0.0 if group == "typed" else SPOKEN_SHARE
        yield conversation, [clips.content(random, turn, share) for turn in conversation.turns]


Arrays = dict[str, np.ndarray]


def label(scene: Scene) -> list[int]:
    """What stands in each of the five cells, 0 for nothing, and the two digits of a number, 0 for none."""
    cells = [0] * 5
    for cell, shape, colour in scene.shapes:
        cells[cell] = 1 + SHAPES.index(shape) * len(COLOURS) + list(COLOURS).index(colour)
    return cells + [1 + int(digit) for digit in scene.number.zfill(2)] if scene.number else cells + [0, 0]


class Builder:
    """Builds examples in parts, each from a seed of its own, so that many processes can."""

    def __init__(self, tokenizer: Tokenizer, clips: list[dict]):
        self.known, self.layout = Clips(clips), Layout(tokenizer)

    def part(self, job: tuple[str, int, int]) -> Arrays:
        """So many examples of one group, and their pictures; fewer where some are too long."""
        name, count, seed = job
        random = Random(seed)
        draws = spoken(random, self.known, count) if name == "spoken" else made(random, self.known, name, count)
        kept: list[Example] = []
        for conversation, contents in draws:
            example = self.layout.example(conversation, contents)
            size, media = len(example.ids), max(len(example.audio), len(example.scenes))
            if size <= MOST_TOKENS[name] and size - example.start <= MOST_REPLY and media <= MOST_MEDIA:
                kept.append(example)
        longest = MOST_TOKENS[name]
        arrays = {
            "ids": np.full((len(kept), longest), PAD, np.int16), "positions": np.zeros((len(kept), longest, 3), np.int16),
            "start": np.zeros(len(kept), np.int16), "length": np.zeros(len(kept), np.int16),
            "audio": np.full((len(kept), MOST_MEDIA, 3), -1, np.int32),
            "pictures": np.full((len(kept), MOST_MEDIA), -1, np.int32),
        }
        scenes: list[Scene] = []
        for row, example in enumerate(kept):
            length = len(example.ids)
            arrays["ids"][row, :length] = example.ids
            arrays["positions"][row, :length] = positions(example.ids)
            arrays["start"][row], arrays["length"][row] = example.start, length
            for i, entry in enumerate(example.audio):
                arrays["audio"][row, i] = entry
            for i, shown in enumerate(example.scenes):
                arrays["pictures"][row, i] = len(scenes)
                scenes.append(shown)
        drawn = [draw(scene, random.getrandbits(32), i % 2 == 0) for i, scene in enumerate(scenes)]
        arrays["drawn"] = np.stack(drawn) if drawn else np.zeros((0, SIZE, SIZE, 3), np.uint8)
        arrays["label"] = np.array([label(scene) for scene in scenes], np.int64).reshape(-1, 7)
        return arrays


def built(job: tuple[str, int, int]) -> Arrays:
    """A part by the builder that all processes share."""
    return BUILDER.part(job)


def build(tokenizer: Tokenizer, clips: list[dict], counts: dict[str, int], seed: int) -> dict[str, Arrays]:
    """All examples as padded arrays, by group, and the pictures of all.

    For each group `ids` [n, length], `positions` [n, length, 3], `start` and `length` [n]; `audio` [n, 3, 3] of clip, frames of
    10 ms and tokens, and `pictures` [n, 3], both -1 where there are none and in the order of their tokens; `drawn` and `label`
    of the pictures.
    """
    global BUILDER
    BUILDER = Builder(tokenizer, clips)
    jobs = [
        (name, min(PART, count - begin), seed * 1_000_003 + 1000 * group + begin // PART)
        for group, (name, count) in enumerate(counts.items())
        for begin in range(0, count, PART)
    ]
    with get_context("fork").Pool() as pool:
        parts = pool.map(built, jobs, chunksize=1)
    groups: dict[str, Arrays] = {}
    for name in counts:
        own = [part for part, (of, _, _) in zip(parts, jobs) if of == name]
        shown = 0
        for part in own:
            part["pictures"][part["pictures"] >= 0] += shown
            shown += len(part["drawn"])
        groups[name] = {key: np.concatenate([part[key] for part in own]) for key in own[0]} if own else {}
    return groups
