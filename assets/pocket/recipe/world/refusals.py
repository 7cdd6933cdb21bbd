"""Questions outside of the domain, and those for which a tool is needed."""
from random import Random

from world import refusal_tables
from world.phrases import counted, number, reserved, words
from world.tasks import REFUSAL, Pair, either

TIME_QUESTIONS = ("what time is it", "what is the time", "what's the time", "tell me the time", "what time is it now",
                  "do you know what time it is", "how late is it", "please tell me the time", "the time please")
HELD_OUT_TIME_QUESTIONS = ("can you tell me the time", "what is the time now")
TIMER_QUESTIONS = ("set a timer for {}", "start a timer for {}", "please set a timer for {}", "timer for {}",
                   "set the timer to {}", "i want a timer for {}", "set a {-} timer", "start a {-} timer")
HELD_OUT_TIMER_QUESTIONS = ("can you set a timer for {}", "please start a timer for {}")


def timer_question(random: Random, minutes: int, held_out: bool = False) -> str:
    """How a timer is asked for."""
    wording = either(random, TIMER_QUESTIONS, HELD_OUT_TIMER_QUESTIONS, held_out)
    if minutes == 30 and "{}" in wording and random.random() < 0.4:
        return wording.format("half an hour")
    if minutes == 60 and "{}" in wording and random.random() < 0.7:
        return wording.format("one hour")
    return wording.replace("{-}", number(minutes) + " minute").replace("{}", counted(minutes, "minute"))


def time_or_timer(random: Random, held_out: bool = False) -> str:
    """A question that needs a tool."""
    if random.random() < 0.5:
        return either(random, TIME_QUESTIONS, HELD_OUT_TIME_QUESTIONS, held_out)
    return timer_question(random, random.randint(1, 60), held_out)


def leans(question: str) -> bool:
    """Whether a refused question would have an answer after other turns, with a picture or with a tool."""
    fragments = refusal_tables.FRAGMENTS + refusal_tables.HELD_OUT_FRAGMENTS
    return question in fragments or any(part in question for part in ("time", "how late is it"))


def large_sum(random: Random) -> str:
    """A sum that the domain leaves out: a large operand, or another operation."""
    def large() -> str:
        return number(random.randint(21, 99)) + random.choice(("", "", " hundred", " thousand"))
    kind = random.random()
    if kind < 0.3:
        task = f"{large()} {random.choice(('plus', 'minus', 'times'))} {large()}"
    elif kind < 0.55:
        first, second = large(), number(random.randint(2, 20))
        if random.random() < 0.5:
            first, second = second, first
        task = f"{first} {random.choice(('plus', 'minus', 'times'))} {second}"
    elif kind < 0.75:
        task = f"{number(random.randint(11, 20))} times {number(random.randint(11, 20))}"
    else:
        task = f"{number(random.randint(2, 90))} divided by {number(random.randint(2, 12))}"
    return random.choice(("what is {}", "how much is {}", "what's {}", "{}", "calculate {}")).format(task)


def word_salad(random: Random) -> str:
    """Words in no order, without a request."""
    small = ("the", "of", "and", "to", "with", "was", "not", "for", "by", "that", "until", "or", "his", "these", "from")
    known = [word.lower() for word in words()]
    return " ".join(random.choice(small if random.random() < 0.3 else known) for _ in range(random.randint(3, 8)))


def refuse(random: Random, held_out: bool = False) -> Pair:
    """A question outside of the domain; some templates and fillers are kept for measuring."""
    kind = random.random()
    if kind < 0.04:
        return either(random, refusal_tables.FRAGMENTS, refusal_tables.HELD_OUT_FRAGMENTS, held_out), REFUSAL
    if kind < 0.09:
        return either(random, refusal_tables.WHOLE, refusal_tables.HELD_OUT_WHOLE, held_out), REFUSAL
    if kind < 0.15:
        return time_or_timer(random, held_out), REFUSAL
    if kind < 0.30:
        make = large_sum if kind < 0.22 else word_salad
        while True:
            question = make(random)
            if reserved(question) == held_out:
                return question, REFUSAL
    templates, fillers = random.choice(list(refusal_tables.KINDS.values()))
    templates_kept, fillers_kept = refusal_tables.HELD_OUT_TEMPLATES, refusal_tables.HELD_OUT_FILLERS
    choices = [(templates[:-templates_kept], fillers[:-fillers_kept])]
    if held_out:
        choices = [(templates[-templates_kept:], fillers), (templates[:-templates_kept], fillers[-fillers_kept:])]
    some_templates, some_fillers = random.choice(choices)
    return random.choice(some_templates).format(random.choice(some_fillers)), REFUSAL
