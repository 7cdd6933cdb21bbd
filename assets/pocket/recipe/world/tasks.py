"""Questions and replies of the domain, one function for each task: `task(random) -> (spoken question, shown reply)`."""
from random import Random

from world import domain_tables as tables
from world.phrases import (article, counted, number, phrase, reserved, sentence, shown_phrase, spoken_list, word_list)

REFUSAL = "Sorry, I am only a small demonstration model. Please load the large model."
NOTHING = "I did not hear a question."
NO_PICTURE = "There is no picture."
NO_TIMER = "Sorry, the timer did not start."
Pair = tuple[str, str]


def either(random: Random, usual: tuple[str, ...], kept: tuple[str, ...], held_out: bool) -> str:
    """One of the usual wordings, or of those kept for measuring."""
    return random.choice(kept if held_out and kept else usual)


def calculate(first: int, operation: str, second: int) -> int:
    """The result of one of the three operations."""
    return {"plus": first + second, "minus": first - second, "times": first * second}[operation]


def result(first: int, operation: str, second: int) -> str:
    """The reply to a sum."""
    return sentence(f"{number(first)} {operation} {number(second)} is {number(calculate(first, operation, second))}")


def operands(random: Random) -> tuple[int, str, int]:
    """A sum inside of the domain: 0 to 20, or 0 to 10 for products."""
    operation = random.choice(("plus", "plus", "minus", "times"))
    limit = 10 if operation == "times" else 20
    first, second = random.randint(0, limit), random.randint(0, limit)
    if operation == "minus" and second > first and random.random() < 0.7:
        first, second = second, first
    return first, operation, second


def arithmetic(random: Random) -> Pair:
    first, operation, second = operands(random)
    wordings = ["what is {}", "what is {}", "how much is {}", "what's {}", "{}", "tell me what {} is", "calculate {}"]
    question = random.choice(wordings).format(f"{number(first)} {operation} {number(second)}")
    if operation == "plus" and random.random() < 0.1:
        question = f"please add {number(first)} and {number(second)}"
    return question, result(first, operation, second)


def capital_city(random: Random) -> Pair:
    country, city = random.choice(list(tables.CAPITALS.items()))
    wording = random.choice(("what is the capital of {}", "what's the capital of {}", "what is the capital city of {}",
                             "tell me the capital of {}", "which city is the capital of {}", "the capital of {}"))
    return wording.format(country).lower(), f"The capital of {country} is {city}."


def opposite(random: Random) -> Pair:
    first, second = random.sample(random.choice(tables.OPPOSITES), 2)
    wording = random.choice(("what is the opposite of {}", "what's the opposite of {}", "tell me the opposite of {}",
                             "the opposite of {}"))
    return wording.format(first), f"The opposite of {first} is {second}."


def colour(random: Random) -> Pair:
    thing, answer = random.choice(list(tables.COLOURS.items()))
    wording = random.choice(("what colour is {}", "what is the colour of {}", "which colour is {}",
                             "tell me the colour of {}"))
    return wording.format(thing), sentence(f"{thing} is {answer}")


def day_or_month(random: Random) -> Pair:
    kind, names = random.choice((("day", tables.DAYS), ("month", tables.MONTHS)))
    place, (side, step) = random.randrange(len(names)), random.choice((("after", 1), ("before", -1)))
    wording = random.choice((f"what {kind} comes {side} {{}}", f"what comes {side} {{}}",
                             f"which {kind} is {side} {{}}"))
    return wording.format(names[place]).lower(), f"{names[(place + step) % len(names)]} comes {side} {names[place]}."


def sound(random: Random) -> Pair:
    animal, reply = random.choice(list(tables.SOUNDS.items()))
    wording = random.choice(("what does {} say", "what sound does {} make", "which sound does {} make"))
    return wording.format(article(animal)), reply


def legs_reply(animal: str) -> str:
    return sentence(f"{article(animal)} has {counted(tables.LEGS[animal], 'leg')}")


def legs(random: Random) -> Pair:
    animal = random.choice(list(tables.LEGS))
    wording = random.choice(("how many legs does {} have", "how many legs has {}", "tell me how many legs {} has"))
    return wording.format(article(animal)), legs_reply(animal)


def count_reply(first: int, last: int) -> str:
    """The numbers from first to last, either way."""
    step = 1 if last >= first else -1
    return sentence(", ".join(number(n) for n in range(first, last + step, step)))


def count(random: Random) -> Pair:
    last = random.randint(2, 10)
    kind = random.random()
    if kind < 0.6:
        wording = random.choice(("count to {}", "please count to {}", "count from one to {}", "can you count to {}"))
        return wording.format(number(last)), count_reply(1, last)
    if kind < 0.8:
        wording = random.choice(("count down from {}", "please count down from {}"))
        return wording.format(number(last)), count_reply(last, 1)
    first = random.randint(2, 12)
    last = first + random.randint(2, 5)
    return f"count from {number(first)} to {number(last)}", count_reply(first, last)


def next_number(random: Random) -> Pair:
    value, (side, step) = random.randint(0, 99), random.choice((("after", 1), ("before", -1)))
    value = max(value, 1)
    wording = random.choice((f"what number comes {side} {{}}", f"which number comes {side} {{}}",
                             f"what comes {side} {{}}"))
    return wording.format(number(value)), sentence(f"{number(value + step)} comes {side} {number(value)}")


def fact(random: Random, held_out: bool = False) -> Pair:
    usual, kept, reply = random.choice(tables.FACTS)
    return either(random, usual, kept, held_out), reply


def talk(random: Random, held_out: bool = False) -> Pair:
    usual, kept, reply = random.choice(tables.TALK)
    return either(random, usual, kept, held_out), reply


def repeat(random: Random, held_out: bool = False) -> Pair:
    """A phrase or a list; one in twenty is kept for measuring."""
    before = random.choice(("repeat after me",) * 4 + ("say", "repeat", "please say", "please repeat", "say after me",
                                                       "can you say"))
    while True:
        if random.random() < 0.6:
            asked = phrase(random)
            said = shown_phrase(asked)
        else:
            items = word_list(random, random.choice((1, 2, 3, 3, 4, 4, 5)))
            asked, said = spoken_list(random, items), ", ".join(items)
        if reserved(said) == held_out:
            return before + random.choice((", ", " ")) + asked, f"You said {said}."


def how_many_words(random: Random, held_out: bool = False) -> Pair:
    before = random.choice(("how many words are these", "how many words are there", "count these words"))
    while True:
        items = word_list(random, random.choice((1, 2, 3, 4, 5, 6)))
        if reserved(" ".join(items)) == held_out:
            verb = "is" if len(items) == 1 else "are"
            return f"{before}, {spoken_list(random, items)}", f"There {verb} {counted(len(items), 'word')}."


def yes_or_no(random: Random) -> Pair:
    """A question with the reply `Yes.` or `No.`, each half of the time."""
    true = random.random() < 0.5
    reply = "Yes." if true else "No."
    kind = random.choice(("compare", "compare", "parity", "sum", "colour", "colour", "legs", "ability", "ability",
                          "kind", "capital", "capital", "order", "opposite"))
    if kind == "compare":
        small, large = sorted(random.sample(range(21), 2))
        word = random.choice(("more", "less", "larger", "smaller"))
        first, second = (large, small) if (word in ("more", "larger")) == true else (small, large)
        return f"is {number(first)} {word} than {number(second)}", reply
    if kind == "parity":
        value, word = random.randint(0, 20), random.choice(("odd", "even"))
        if ((value % 2 == 1) == (word == "odd")) != true:
            value += 1 if value < 20 else -1
        return f"is {number(value)} an {word} number", reply
    if kind == "sum":
        first, second = random.randint(0, 10), random.randint(0, 10)
        shown = first + second + (0 if true else random.choice((1, 2, 3)))
        wording = random.choice(("is {} plus {} equal to {}", "does {} plus {} make {}"))
        return wording.format(number(first), number(second), number(shown)), reply
    if kind == "colour":
        thing, right = random.choice(list(tables.COLOURS.items()))
        wrong = random.choice(sorted(set(tables.COLOURS.values()) - {right}))
        return f"is {thing} {right if true else wrong}", reply
    if kind == "legs":
        animal, right = random.choice([item for item in tables.LEGS.items() if item[1]])
        wrong = random.choice([n for n in (2, 4, 6, 8) if n != right])
        return f"does {article(animal)} have {number(right if true else wrong)} legs", reply
    if kind == "ability":
        animal, choices = random.choice(list(tables.ABILITIES.items()))
        return f"can {article(animal)} {random.choice(choices[0 if true else 1])}", reply
    if kind == "kind":
        right, other = random.sample(list(tables.KINDS), 2)
        word = random.choice(tables.KINDS[right])
        named = article(word) if right in ("an animal", "a fruit") else word
        return f"is {named} {right if true else other}".lower(), reply
    if kind == "capital":
        country, wrong = random.sample(list(tables.CAPITALS), 2)
        return f"is {tables.CAPITALS[country if true else wrong]} the capital of {country}".lower(), reply
    if kind == "order":
        names = random.choice((tables.DAYS, tables.MONTHS))
        place = random.randrange(len(names))
        side = "after" if true else "before"
        return f"does {names[(place + 1) % len(names)]} come {side} {names[place]}".lower(), reply
    first, second = random.sample(random.choice(tables.OPPOSITES), 2)
    other = random.choice([pair for pair in tables.OPPOSITES if first not in pair and second not in pair])[0]
    return f"is {second if true else other} the opposite of {first}", reply


def one_word(random: Random) -> Pair:
    """A question that asks for a bare answer."""
    kind = random.choice(("sum", "sum", "capital", "opposite", "colour", "day"))
    ending = random.choice(("one word", "in one word", "just one word", "one word please"))
    if kind == "sum":
        while True:
            first, operation, second = operands(random)
            result = calculate(first, operation, second)
            if result >= 0:
                break
        ending = random.choice(("just the number", "only the number", "just the number please", ending))
        return f"what is {number(first)} {operation} {number(second)}, {ending}", sentence(number(result))
    ask = {"capital": capital_city, "opposite": opposite, "colour": colour, "day": day_or_month}[kind]
    question, reply = ask(random)
    answer = reply.split(" comes ")[0] if kind == "day" else reply[:-1].rsplit(" is ", 1)[1]
    return f"{question}, {ending}", sentence(answer)
