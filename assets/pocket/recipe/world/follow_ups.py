"""What may be asked after a question was answered: `follow_up(random, task, question, reply)`."""
import re
from random import Random

from world import domain_tables as tables
from world import tasks
from world.phrases import VALUES, article, number, sentence

SURE = "Yes, I am sure."
TOO_SMALL = "I am too small for that."
Answer = tuple[str, str, str]  # task, spoken question, shown reply


def calculation(random: Random, value: int) -> Answer | None:
    """Goes on from a result."""
    operation = random.choice(("plus", "plus", "minus", "times"))
    other = random.randint(1, 10)
    result = tasks.calculate(value, operation, other)
    if not 0 <= value <= 60 or not 0 <= result <= 100 or (operation == "times" and value > 10):
        return None
    wording = random.choice(("and {0} {1}", "{0} {1}", "now {0} {1}", "and what is that {0} {1}", "and then {0} {1}"))
    reply = sentence(f"{number(value)} {operation} {number(other)} is {number(result)}")
    return "arithmetic", wording.format(operation, number(other)), reply


def another(random: Random, task: str) -> Answer | None:
    """The same question about something else."""
    if task == "capital":
        country, city = random.choice(list(tables.CAPITALS.items()))
        wording = random.choice(("and of {}", "and {}", "what about {}", "and the capital of {}", "and what about {}"))
        return task, wording.format(country).lower(), f"The capital of {country} is {city}."
    if task == "opposite":
        first, second = random.sample(random.choice(tables.OPPOSITES), 2)
        wording = random.choice(("and of {}", "and the opposite of {}", "what about {}"))
        return task, wording.format(first), f"The opposite of {first} is {second}."
    if task == "colour":
        thing, answer = random.choice(list(tables.COLOURS.items()))
        wording = random.choice(("and {}", "what about {}", "and what about {}"))
        return task, wording.format(thing), sentence(f"{thing} is {answer}")
    if task in ("legs", "sound"):
        animal = random.choice(list(tables.LEGS if task == "legs" else tables.SOUNDS))
        reply = tables.SOUNDS[animal] if task == "sound" else tasks.legs_reply(animal)
        return task, random.choice(("and {}", "what about {}", "and what about {}")).format(article(animal)), reply
    if task == "count":
        last = random.randint(2, 10)
        wording = random.choice(("and to {}", "now to {}", "and now to {}"))
        return task, wording.format(number(last)), tasks.count_reply(1, last)
    if task == "number":
        value, (side, step) = random.randint(1, 98), random.choice((("after", 1), ("before", -1)))
        wording = random.choice(("and {0} {1}", "and what comes {0} {1}"))
        reply = sentence(f"{number(value + step)} comes {side} {number(value)}")
        return task, wording.format(side, number(value)), reply
    if task == "day_month":
        names, (side, step) = random.choice((tables.DAYS, tables.MONTHS)), random.choice((("after", 1), ("before", -1)))
        place = random.randrange(len(names))
        wording = random.choice(("and {0} {1}", "and what comes {0} {1}"))
        reply = f"{names[(place + step) % len(names)]} comes {side} {names[place]}."
        return task, wording.format(side, names[place]).lower(), reply
    return None


def onwards(random: Random, task: str, reply: str) -> Answer | None:
    """A question that needs the reply before it."""
    if task in ("arithmetic", "one_word"):
        value = VALUES.get(reply[:-1].rsplit(" is ", 1)[-1].lower())
        if value is None or value < 0:
            return None
        if " is " in reply and random.random() < 0.15:
            return "one_word", random.choice(("just the number", "only the number please")), sentence(number(value))
        return calculation(random, value)
    found = re.fullmatch(r"(.+) comes (after|before) (.+)\.", reply)
    if found and task in ("number", "day_month"):
        here, side = found[1], random.choice(("after", "before"))
        step = 1 if side == "after" else -1
        question = random.choice((f"and what comes {side} that", f"and {side} that"))
        if side == "after" and random.random() < 0.3:
            question = "and the next one"
        if task == "number":
            value = VALUES[here.lower()] + step
            if not 0 <= value <= 100:
                return None
            return task, question, sentence(f"{number(value)} comes {side} {here.lower()}")
        names = tables.DAYS if here in tables.DAYS else tables.MONTHS
        return task, question, f"{names[(names.index(here) + step) % len(names)]} comes {side} {here}."
    found = re.fullmatch(r"The opposite of (\w+) is (\w+)\.", reply)
    if found:
        wording = random.choice(("and the opposite of that", "and what is its opposite", "and back again"))
        return "opposite", wording, f"The opposite of {found[2]} is {found[1]}."
    if task in ("capital", "colour", "opposite"):
        answer = reply[:-1].rsplit(" is ", 1)[-1]
        return "one_word", random.choice(("in one word", "just one word", "one word please")), sentence(answer)
    if task == "count" and reply.startswith("One, two"):
        last = VALUES[reply[:-1].rsplit(", ", 1)[1]]
        return task, random.choice(("and now down", "now backwards", "and back down")), tasks.count_reply(last, 1)
    return None


def follow_up(random: Random, task: str, question: str, reply: str) -> Answer | None:
    """A question that leans on the turn before; None where there is none."""
    kind = random.random()
    if kind < 0.12:
        wordings = ("say that again", "please say that again", "once more please", "repeat that")
        return task, random.choice(wordings), reply
    if kind < 0.2:
        farewells = ("You are welcome.", "Goodbye, until next time.")
        usual, _, answer = random.choice([row for row in tables.TALK if row[2] in farewells])
        return "talk", random.choice(usual), answer
    if task == "refuse":
        return "talk", random.choice(("why", "why not", "why can you not do that")), TOO_SMALL
    if kind < 0.25 and task not in ("talk", "repeat", "nothing"):
        return "talk", random.choice(("are you sure", "is that right", "really")), SURE
    if kind < 0.3 and task == "talk":
        return "talk", "what is your name", "My name is Pocket."
    makers = [lambda: onwards(random, task, reply), lambda: another(random, task)]
    if random.random() < 0.4:
        makers.reverse()
    return makers[0]() or makers[1]()
