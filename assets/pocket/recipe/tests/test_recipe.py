"""Checks of the data: python -m tests.test_recipe [TOKENIZER.json] (needs jinja2; a few minutes)."""
import json
import sys
import time
from pathlib import Path
from random import Random

from world import domain
from world import domain_tables as tables
from model import examples
import jinja2
import numpy as np
from world import pictures
from world import refusal_tables
from model import tokenizer as tokens
from world.domain import Conversation
from world.pictures import Scene
from tokenizers import Tokenizer

MODEL = Path(__file__).parents[1] / "model"
TEMPLATE = json.loads((MODEL / "chat_template.json").read_text())["chat_template"]
GROUPS = list(examples.COUNTS)


def some_clips(random: Random, count: int = 3000) -> list[dict]:
    """Clips without sound: texts, replies and lengths."""
    clips = [{"text": "", "task": "nothing", "reply": domain.NOTHING,
              "frames": random.randint(60, 500)} for _ in range(60)]
    for n in range(count):
        turn = domain.turn(random)
        clips.append({"text": turn.question, "task": turn.task, "reply": turn.reply})
        made = (domain.picture_conversation, domain.conversation, domain.tool_conversation)[n % 3](random)
        clips += [{"text": turn.question, "task": turn.task, "reply": None}
                  for turn in made.turns if turn.task != "tool_answer"]
    for clip in clips:
        clip.setdefault("frames", 30 + 6 * len(clip["text"]))
    return clips


def rendered(conversation: Conversation, contents: list[examples.Content]) -> str:
    """The prompt as the chat template gives it, each placeholder as often as it has tokens."""
    messages: list[dict] = [{"role": "system", "content": conversation.system}] if conversation.system else []
    counts: list[int] = []
    for turn, content in zip(conversation.turns, contents):
        parts = [{"type": "image", "image": "x"}] * len(content.scenes)
        if content.clip >= 0:
            parts.append({"type": "audio", "audio": "x"})
            counts.append(examples.audio_tokens(content.frames))
        if turn.task == "tool_answer":
            messages.append({"role": "tool", "content": turn.question})
        else:
            text = [{"type": "text", "text": content.text}] if content.text else []
            messages.append({"role": "user", "content": parts + text if parts else content.text})
        if turn.task == "tool_call":
            function = json.loads(turn.reply.removeprefix("<tool_call>\n").removesuffix("\n</tool_call>"))
            messages.append({"role": "assistant", "content": "", "tool_calls": [{"function": function}]})
        else:
            messages.append({"role": "assistant", "content": turn.reply})
    environment = jinja2.Environment()
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    template = environment.from_string(TEMPLATE)
    text = template.render(messages=messages[:-1], tools=list(conversation.tools), add_generation_prompt=True)
    text = text.replace("<|image_pad|>", "<|image_pad|>" * 16)
    before, *rest = text.split("<|audio_pad|>")
    assert len(rest) == len(counts)
    return before + "".join("<|audio_pad|>" * count + part for count, part in zip(counts, rest))


def test_layout(tokenizer: Tokenizer) -> None:
    """Each kind of conversation has the tokens of the rendered template, and decodes to its reply."""
    random, kinds = Random(1), set()
    clips = examples.Clips(some_clips(random))
    layout = examples.Layout(tokenizer)
    for group in GROUPS:
        draws = examples.spoken(random, clips, 300) if group == "spoken" else examples.made(random, clips, group, 600)
        for conversation, contents in draws:
            example = layout.example(conversation, contents)
            prompt = rendered(conversation, contents)
            assert tokenizer.encode(prompt).ids == example.ids[:example.start], prompt
            last = conversation.turns[-1]
            assert tokenizer.encode(last.reply + "<|im_end|>").ids == example.ids[example.start:]
            assert tokenizer.decode(example.ids[example.start:-1], skip_special_tokens=True) == last.reply
            count = sum(token == examples.SOUND for token in example.ids)
            assert count == sum(entry[2] for entry in example.audio)
            assert sum(token == examples.PICTURE for token in example.ids) == 16 * len(example.scenes)
            spoken = ["spoken" if content.clip >= 0 else "typed" for content in contents]
            kinds.add((group, len(spoken), bool(conversation.system), bool(conversation.tools),
                       last.task == "tool_answer"))
    print(len(kinds), "kinds of layout equal the rendered template")
    assert {kind[1] for kind in kinds} == {1, 2, 3} and any(kind[2] and kind[3] for kind in kinds)


def test_positions(tokenizer: Tokenizer) -> None:
    """Two pictures and a text: each picture is a grid, and what follows goes on behind its largest place."""
    picture = "<|vision_start|>" + "<|image_pad|>" * 16 + "<|vision_end|>"
    ids = tokenizer.encode(f"<|im_start|>user\n{picture}{picture}hi").ids
    found = examples.positions(ids)
    first = ids.index(examples.PICTURE)
    assert first == 4 and found[3] == (3, 3, 3)
    assert found[4:9] == [(4, 4, 4), (4, 4, 5), (4, 4, 6), (4, 4, 7), (4, 5, 4)] and found[19] == (4, 7, 7)
    assert found[20:22] == [(8, 8, 8), (9, 9, 9)] and found[22] == (10, 10, 10) and found[37] == (10, 13, 13)
    assert found[38] == (14, 14, 14) and [place[0] for place in found[38:]] == list(range(14, 14 + len(found) - 38))
    assert examples.user_rows([examples.BEGIN, 278, 1, examples.BEGIN, 277, 2, examples.BEGIN, 274]) == [3, 4, 5]
    assert [examples.audio_tokens(n) for n in (1, 8, 9, 99, 100, 101, 250)] == [1, 1, 2, 13, 13, 14, 33]


def test_tokenizer(tokenizer: Tokenizer) -> None:
    """Specials and roles where config.json expects them; replies in few tokens, and none of single odd bytes."""
    assert tokenizer.get_vocab_size() == 1277
    assert all(tokenizer.token_to_id(name) == examples.special(name) for name in tokens.SPECIALS)
    assert all(tokenizer.encode(role).ids == [place] for role, place in tokens.ROLES.items())
    assert tokenizer.encode("\n").ids == [examples.NEWLINE]
    settings = json.loads((MODEL / "config.json").read_text())
    for part in (settings, settings["thinker_config"], settings["talker_config"]):
        for key, name in tokens.CONFIG_IDS.items():
            assert part.get(key, tokenizer.token_to_id(name)) == tokenizer.token_to_id(name), key
    replies = domain.reply_texts(Random(4), 9000)
    lengths = [len(tokenizer.encode(reply).ids) for reply in replies]
    assert all(tokenizer.decode(tokenizer.encode(reply).ids) == reply for reply in replies)
    assert all(reply.isascii() for reply in replies)
    long = max(replies, key=lambda reply: len(reply.split()))
    print(f"{len(replies)} replies, {np.mean(lengths):.1f} tokens, at most {max(lengths)}; longest: {long}")
    assert max(len(reply.split()) for reply in replies) <= 13


def test_held_out() -> None:
    """What is kept for measuring is never drawn for training, and is drawn for measuring."""
    random = Random(6)
    for task in domain.WITH_HELD_OUT:
        kept = [domain.turn(random, task, held_out=True) for _ in range(4000)]
        usual = [domain.turn(random, task) for _ in range(40_000)]
        assert not {turn.question for turn in kept} & {turn.question for turn in usual}, task
        if task == "repeat":
            assert not {turn.reply for turn in kept} & {turn.reply for turn in usual}
        print(f"{task}: {len({turn.question for turn in kept})} of 4000 held-out questions are distinct")
    held = {wording for row in (*tables.TALK, *tables.FACTS) for wording in row[1]}
    assert not held & {wording for row in (*tables.TALK, *tables.FACTS) for wording in row[0]}
    for make in (domain.conversation, domain.picture_conversation, domain.tool_conversation):
        questions = {turn.question for _ in range(4000) for turn in make(random).turns}
        assert not questions & held and not questions & set(refusal_tables.HELD_OUT_FRAGMENTS)


def test_replies() -> None:
    """A question has one reply, and every reply that is drawn often is among those that speech must learn."""
    random, replies = Random(8), {}
    known = set(domain.reply_texts(random, 1))
    for _ in range(60_000):
        turn = domain.turn(random)
        assert replies.setdefault(turn.question, turn.reply) == turn.reply, turn
        assert turn.reply in known or turn.reply.startswith("You said "), turn.reply
    for make in (domain.conversation, domain.tool_conversation, domain.picture_conversation):
        for _ in range(6000):
            for turn in make(random).turns:
                free = turn.reply.startswith(("You said ", "<tool_call>")) or " and a" in turn.reply
                assert free or turn.reply in known or turn.task == "arithmetic", turn
    assert len(domain.reply_texts(random, 5000)) == 5000
    assert domain.reply_weight("Yes.") > domain.reply_weight("You said nothing at all.") == 1
    questions = {task: len({domain.turn(random, task).question for _ in range(20_000)}) for task in domain.TASKS}
    print(len(known), "fixed replies; distinct questions in 20,000 draws:", questions)


def test_pictures() -> None:
    """Pictures are repeatable, differ by seed, and are fast."""
    random = Random(9)
    scenes = [pictures.scene(random) for _ in range(300)]
    assert len({hash(scene) for scene in scenes}) > 200
    for photographed in (False, True):
        first = pictures.draw(scenes[0], 1, photographed)
        assert first.shape == (128, 128, 3) and first.dtype == np.uint8
        assert (first == pictures.draw(scenes[0], 1, photographed)).all()
        assert (first != pictures.draw(scenes[0], 2, photographed)).any()
        begin = time.process_time()
        for i, scene in enumerate(scenes):
            pictures.draw(scene, i, photographed)
        spent = (time.process_time() - begin) / len(scenes) * 1000
        print(f"{'photographed' if photographed else 'plain'}: {spent:.1f} ms a picture")


def test_build(tokenizer: Tokenizer) -> None:
    """The arrays hold what was laid out, in the order of the tokens."""
    counts = {name: 400 for name in GROUPS}
    begin = time.process_time()
    groups = examples.build(tokenizer, some_clips(Random(2)), counts, 3)
    print(f"{sum(len(group['ids']) for group in groups.values())} examples in {time.process_time() - begin:.1f} s")
    assert list(groups) == GROUPS
    for name, arrays in groups.items():
        assert len(arrays["ids"]) > 380 and arrays["ids"].shape[1] == examples.MOST_TOKENS[name]
        for row in range(len(arrays["ids"])):
            ids, audio = arrays["ids"][row, :arrays["length"][row]], arrays["audio"][row]
            assert ids[arrays["start"][row] - 1] == examples.NEWLINE and ids[-1] == examples.END
            assert len(ids) - arrays["start"][row] <= examples.MOST_REPLY
            assert (ids == examples.SOUND).sum() == audio[audio[:, 0] >= 0][:, 2].sum()
            assert (ids == examples.PICTURE).sum() == 16 * (arrays["pictures"][row] >= 0).sum()
            assert audio[:, 1].max() <= examples.LONGEST
        assert arrays["pictures"].max() == len(arrays["drawn"]) - 1 == len(arrays["label"]) - 1
    again = examples.build(tokenizer, some_clips(Random(2)), counts, 3)
    assert all((groups[name][field] == again[name][field]).all() for name in groups for field in groups[name])


def test_label() -> None:
    """Every cell and digit of a picture has a class of its own."""
    shown = Scene(shapes=((0, "circle", "red"), (3, "cross", "black")))
    assert examples.label(shown) == [1, 0, 0, 42, 0, 0, 0] and examples.label(Scene()) == [0] * 7
    assert [examples.label(Scene(number=number))[5:] for number in ("7", "40")] == [[1, 8], [5, 1]]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        trained = Tokenizer.from_file(sys.argv[1])
    else:
        trained = tokens.train()
        assert trained.to_str() == tokens.train().to_str()
    for check in (test_layout, test_positions, test_tokenizer, test_build):
        check(trained)
    for check in (test_held_out, test_replies, test_pictures, test_label):
        check()
    print("all good")
