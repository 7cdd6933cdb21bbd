"""The closed domain: questions, replies, conversations, pictures and tools. No sound and no tokens here.

A draw takes `held_out=True` where it is for measuring: then refusals, small talk and fixed facts come in wordings, and
repeated or counted words in combinations, that no other draw gives. The remaining tasks are small closed sets.
"""
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random

from world import domain_tables as tables
from world import picture_questions
from world import refusals
from world import tasks
from world.follow_ups import SURE, TOO_SMALL, follow_up
from world.phrases import counted, number, sentence, typed
from world.pictures import Scene, number_scene, scene, shapes_scene
from world.tasks import NO_PICTURE, NO_TIMER, NOTHING, REFUSAL

__all__ = ["Conversation", "NOTHING", "REFUSAL", "Turn", "conversation", "picture_conversation", "reply_texts",
           "reply_weight", "tool_conversation", "turn", "typed"]
EVALUATION_SEED = 20_000_003
# Each task with its share of single questions, and how it is made.
TASKS: dict[str, tuple[float, Callable[..., tasks.Pair]]] = {
    "repeat": (25, tasks.repeat), "arithmetic": (13, tasks.arithmetic), "talk": (12, tasks.talk),
    "refuse": (14.5, refusals.refuse), "capital": (5, tasks.capital_city), "opposite": (4.5, tasks.opposite),
    "colour": (3.5, tasks.colour), "day_month": (4.5, tasks.day_or_month), "sound": (2, tasks.sound),
    "legs": (2.5, tasks.legs), "count": (4, tasks.count), "number": (4, tasks.next_number),
    "words": (4, tasks.how_many_words), "yes_no": (9, tasks.yes_or_no), "one_word": (7, tasks.one_word),
    "fact": (3, tasks.fact), "no_picture": (1, picture_questions.without_picture),
}
WITH_HELD_OUT = ("repeat", "words", "talk", "fact", "refuse")
SYSTEM_SHARE = 0.12


@dataclass(frozen=True)
class Turn:
    """A question and the reply to it."""

    task: str
    question: str  # as it is spoken: lower-case words; "" where nobody speaks; JSON where a tool answers
    reply: str  # shown and spoken
    scenes: tuple[Scene, ...] = ()  # pictures that come with the question


@dataclass(frozen=True)
class Conversation:
    """Turns of which the last is learned; those before are its history."""

    turns: tuple[Turn, ...]
    system: str | None = None
    tools: tuple[dict, ...] = ()


Draw = Callable[[Random], Turn]


def turn(random: Random, task: str | None = None, held_out: bool = False) -> Turn:
    """A single question; its task by weight where none is named ("nothing" comes only by name)."""
    if task == "nothing":
        return Turn(task, "", NOTHING)
    task = task or random.choices(list(TASKS), [weight for weight, _ in TASKS.values()])[0]
    make = TASKS[task][1]
    return Turn(task, *(make(random, held_out) if task in WITH_HELD_OUT else make(random)))


def system_prompt(random: Random) -> str | None:
    """One of the four short ones, now and then."""
    return random.choice(tables.SYSTEM_PROMPTS) if random.random() < SYSTEM_SHARE else None


def whole(random: Random, draw: Draw) -> Turn:
    """A draw that means the same whatever was said, shown or offered before."""
    while True:
        drawn = draw(random)
        leans = drawn.task == "refuse" and refusals.leans(drawn.question)
        if not leans and drawn.task not in ("no_picture", "nothing"):
            return drawn


def next_turn(random: Random, before: Turn, draw: Draw) -> Turn:
    """Mostly a follow-up, else something new."""
    if random.random() < 0.75:
        found = follow_up(random, before.task, before.question, before.reply)
        if found:
            return Turn(*found)
    return whole(random, draw)


def conversation(random: Random, draw: Draw = turn) -> Conversation:
    """Two or three turns; `draw` gives those that lean on nothing."""
    turns = [whole(random, draw)]
    while turns[0].task in ("repeat", "words", "refuse", "talk") and random.random() < 0.6:
        turns = [whole(random, draw)]  # the tasks with follow-ups of their own come first more often
    for _ in range(random.choice((1, 1, 2))):
        turns.append(next_turn(random, turns[-1], draw))
    return Conversation(tuple(turns), system_prompt(random))


def picture_conversation(random: Random, draw: Draw = turn) -> Conversation:
    """A question about a picture or two, or a follow-up on it; at times after or with a question of another kind."""
    kind = random.random()
    if kind < 0.17:
        first = scene(random)
        alike = (lambda: number_scene(random, len(first.number))) if first.number else (lambda: shapes_scene(random))
        scenes = (first, alike() if random.random() < 0.8 else scene(random))
        turns = [Turn("picture", *picture_questions.question_on_two(random, *scenes), scenes)]
        if random.random() < 0.2:
            turns.append(Turn("picture", *picture_questions.question_on_two(random, *scenes)))
        return Conversation(tuple(turns), system_prompt(random))
    shown = scene(random)
    if kind < 0.21:
        asked = whole(random, draw)
        return Conversation((Turn(asked.task, asked.question, asked.reply, (shown,)),), system_prompt(random))
    asked = picture_questions.question(random, shown)
    turns = [whole(random, draw)] if kind < 0.26 else []
    turns.append(Turn("picture", *asked, (shown,)))
    if kind > 0.7:
        turns.append(Turn("picture", *picture_questions.follow_up(random, shown, asked[0])))
    if kind > 0.95:
        if random.random() < 0.5:
            shown = scene(random)
            turns.append(Turn("picture", *picture_questions.question(random, shown), (shown,)))
        else:
            turns.append(Turn("picture", *picture_questions.follow_up(random, shown, turns[-1].question)))
    return Conversation(tuple(turns), system_prompt(random))


def tool(name: str, description: str, parameters: dict[str, dict], required: bool = True) -> dict:
    """A tool in the published form."""
    schema: dict = {"type": "object", "properties": parameters}
    if required and parameters:
        schema["required"] = list(parameters)
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


def get_time(random: Random) -> dict:
    texts = ("Get the current time.", "Tells the time.", "The time now.", "Returns the local time.")
    return tool("get_time", random.choice(texts), {})


def set_timer(random: Random) -> dict:
    minutes = {"type": random.choice(("integer", "integer", "number"))}
    if random.random() < 0.2:
        minutes["description"] = "How long."
    texts = ("Set a timer.", "Starts a timer.", "Start a timer in minutes.", "Sets a timer for some minutes.")
    return tool("set_timer", random.choice(texts), {"minutes": minutes}, random.random() < 0.7)


def other_tool(random: Random) -> dict:
    """A tool that nobody asks for."""
    name, text, parameter = random.choice((
        ("get_weather", "Get the weather.", "city"), ("play_music", "Plays music.", "song"),
        ("add_note", "Adds a note.", "text"),
        ("switch_lamp", "Switch the lamp.", "room"), ("send_mail", "Sends a mail.", "text")))
    return tool(name, text, {parameter: {"type": "string"}}, random.random() < 0.7)


def call(name: str, arguments: dict) -> str:
    """A tool call as the chat template renders it."""
    text = json.dumps({"name": name, "arguments": arguments})
    return f"<tool_call>\n{text}\n</tool_call>"


def time_reply(hour: int, minute: int) -> str:
    """`It is three forty two.`"""
    word = number((hour - 1) % 12 + 1)
    if minute == 0:
        return f"It is {word} o'clock."
    if minute < 10:
        return f"It is {counted(minute, 'minute')} past {word}."
    return f"It is {word} {number(minute)}."


def timer_reply(minutes: int) -> str:
    return f"Your timer is set for {counted(minutes, 'minute')}."


def tool_exchange(random: Random, name: str, held_out: bool) -> tuple[Turn, Turn]:
    """The question that makes a call, and the tool's answer with what is said of it."""
    if name == "get_time":
        hour, minute = random.randrange(24), random.randrange(60)
        question = tasks.either(random, refusals.TIME_QUESTIONS, refusals.HELD_OUT_TIME_QUESTIONS, held_out)
        answer, reply, arguments = {"time": f"{hour:02d}:{minute:02d}"}, time_reply(hour, minute), {}
    else:
        minutes = random.choice((random.randint(1, 60), random.randint(1, 20), 5 * random.randint(1, 12)))
        question, works = refusals.timer_question(random, minutes, held_out), random.random() < 0.85
        answer, arguments = {"ok": works}, {"minutes": minutes}
        reply = timer_reply(minutes) if works else NO_TIMER
    return Turn("tool_call", question, call(name, arguments)), Turn("tool_answer", json.dumps(answer), reply)


def tool_conversation(random: Random, draw: Draw = turn, held_out: bool = False) -> Conversation:
    """Tools are offered: a call, what is said of the answer, or a question that needs none of them."""
    offered = random.choice((("get_time",), ("set_timer",), ("get_time", "set_timer"), ("get_time", "set_timer")))
    makers = {"get_time": get_time, "set_timer": set_timer}
    tools = [makers[name](random) for name in offered]
    if random.random() < 0.25:
        tools.append(other_tool(random))
    random.shuffle(tools)
    name, kind = random.choice(offered), random.random()
    asked, answered = tool_exchange(random, name, held_out)
    missing = [other for other in makers if other not in offered]
    if kind < 0.36:
        turns = [asked]
    elif kind < 0.66:
        turns = [asked, answered]
    elif kind < 0.76 and missing:
        turns = [Turn("refuse", tool_exchange(random, missing[0], held_out)[0].question, REFUSAL)]
    elif kind < 0.88:
        turns = [whole(random, draw)]
    elif kind < 0.94:
        turns = [asked, answered, next_turn(random, Turn("talk", "", answered.reply), draw)]
    else:
        turns = [Turn("talk", *tasks.talk(random)), asked]
    system = system_prompt(random) if random.random() < 0.5 else None
    return Conversation(tuple(turns), system, tuple(tools))


def fixed_replies() -> list[str]:
    """Every reply of the closed tasks; those to pictures with two things are drawn instead."""
    replies = [REFUSAL, NOTHING, NO_PICTURE, NO_TIMER, SURE, TOO_SMALL, "Yes.", "No."]
    replies += [row[2] for row in (*tables.TALK, *tables.FACTS)] + list(tables.SOUNDS.values())
    replies += [tasks.legs_reply(animal) for animal in tables.LEGS]
    replies += [f"The capital of {country} is {city}." for country, city in tables.CAPITALS.items()]
    replies += [f"{city}." for city in tables.CAPITALS.values()]
    for pair in tables.OPPOSITES:
        replies += [sentence(word) for word in pair]
        replies += [f"The opposite of {first} is {second}." for first, second in (pair, pair[::-1])]
    for thing, colour in tables.COLOURS.items():
        replies += [sentence(f"{thing} is {colour}"), sentence(colour)]
    for names in (tables.DAYS, tables.MONTHS):
        for before, after in zip(names, (*names[1:], names[0])):
            replies += [f"{after} comes after {before}.", f"{before} comes before {after}.", f"{before}."]
    for last in range(2, 11):
        replies += [tasks.count_reply(1, last), tasks.count_reply(last, 1)]
    replies += [tasks.count_reply(first, first + more) for first in range(2, 13) for more in range(2, 6)]
    replies += [f"There {'is' if n == 1 else 'are'} {counted(n, 'word')}." for n in range(1, 7)]
    replies += [timer_reply(minutes) for minutes in range(1, 61)] + picture_questions.single_replies()
    replies += [time_reply(hour, minute) for hour in range(1, 13) for minute in range(60)]
    for value in range(101):
        replies.append(sentence(number(value)))
        for side, other in (("after", value + 1), ("before", value - 1)):
            if 0 <= other <= 100:
                replies.append(sentence(f"{number(other)} comes {side} {number(value)}"))
    for operation, limit in (("plus", 20), ("minus", 20), ("times", 10)):
        for first in range(limit + 1):
            replies += [tasks.result(first, operation, second) for second in range(limit + 1)]
    return list(dict.fromkeys(replies))


def drawn_reply(random: Random) -> str:
    """A reply as often as it is heard."""
    group = random.random()
    if group < 0.7:
        return turn(random).reply
    make = picture_conversation if group < 0.84 else conversation if group < 0.94 else tool_conversation
    made = make(random).turns[-1]
    return turn(random).reply if made.task == "tool_call" else made.reply


def reply_texts(random: Random, count: int) -> list[str]:
    """Distinct replies that speech must be able to say: every fixed one, and drawn ones up to `count`."""
    texts = dict.fromkeys(fixed_replies())
    while len(texts) < count:
        texts[drawn_reply(random)] = None
    return list(texts)


@cache
def reply_counts() -> Counter[str]:
    """How often each reply comes in many draws."""
    random = Random(1)
    return Counter(drawn_reply(random) for _ in range(60_000))


def reply_weight(text: str) -> float:
    """How often a reply is heard, for drawing replies by use: at least 1, and more slowly than its count."""
    return max(1.0, reply_counts()[text]) ** 0.5
