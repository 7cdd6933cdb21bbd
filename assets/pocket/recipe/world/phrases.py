"""Number words, phrases and word lists to repeat, and how a person would type a spoken question."""
import json
import re
import zlib
from functools import cache
from pathlib import Path
from random import Random

from world import domain_tables as tables

ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen").split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
CLASSES = {
    "animal": tables.ANIMALS, "person": tables.PEOPLE, "family": tables.FAMILY, "thing": tables.THINGS,
    "food": tables.FOODS, "place": tables.PLACES, "quality": tables.QUALITIES, "feeling": tables.FEELINGS,
    "action": tables.ACTIONS, "time": tables.TIMES, "number": tuple(ONES[2:13]),
}
# Phrases to repeat. A phrase holds a function word ("the", "my", "can") where a list of words has none.
PHRASES = (
    "the [quality] [animal] can [action]", "my [family] has a [quality] [thing]", "the [thing] is [quality]",
    "the [person] will [action] [time]", "i like [food] and [food]", "a [quality] [thing]", "the [quality] [place]",
    "there is a [animal] in the [place]", "the [animal] and the [animal] are [feeling]", "we have [number] [thing:s]",
    "the [person] is in the [place]", "my [family] is [feeling] [time]", "the [food] is on the table",
    "our [place] is very [quality]", "i can [action] [time]", "the [person] has a [animal]",
    "we will [action] in the [place]", "please bring the [quality] [thing]", "where is the [quality] [thing]",
    "the [animal] likes [food]", "my [family] and my [family]", "a [animal] is not a [animal]",
    "they need a [thing] [time]", "you are very [feeling]", "the [thing] is under the table", "do you like [food]",
    "[number] [animal:s] in the [place]", "this [thing] is not [quality]", "she has a [thing] and a [thing]",
    "he can [action] and [action]", "the [quality] [thing] of my [family]", "we go to the [place] [time]",
    "give the [thing] to the [person]", "it is a [quality] [animal]",
)
FUNCTION_WORDS = frozenset("the a an in on at every after before again my our is are".split())
WORDS_FILE = Path(__file__).parents[1] / "voice" / "words.json"
# Classes of words.json whose words fit into phrases as well.
ALSO = {"animal": "animals", "person": "people", "food": "food", "place": "places"}
QUESTION_WORDS = ("what", "what's", "how", "who", "are", "do", "can", "where", "and", "is", "which", "does", "will",
                  "why")


def number(value: int) -> str:
    """The words for -100 to 100."""
    if value < 0:
        return "minus " + number(-value)
    if value < 20:
        return ONES[value]
    if value > 100:
        raise ValueError(f"{value} is outside of the domain")
    if value == 100:
        return "one hundred"
    return TENS[value // 10 - 2] + ("" if value % 10 == 0 else " " + ONES[value % 10])


VALUES = {number(value): value for value in range(-100, 101)}


def capital(text: str) -> str:
    """The text with its first letter large."""
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """The text as a shown sentence."""
    return capital(text) + "."


def article(noun: str) -> str:
    """`a tiger`, `an apple`."""
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def plural(noun: str) -> str:
    """The plural of a noun of the tables."""
    special = {"wolf": "wolves", "fish": "fish", "woman": "women", "policeman": "policemen"}
    if noun in special:
        return special[noun]
    if noun.endswith(("x", "ch", "sh", "s")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def counted(count: int, noun: str) -> str:
    """`one circle`, `three circles`, `no circles`."""
    return f"{number(count) if count else 'no'} {noun if count == 1 else plural(noun)}"


def reserved(text: str) -> bool:
    """Whether a text is kept out of training: one in twenty, by its letters and digits alone."""
    return zlib.crc32("".join(filter(str.isalnum, text.lower())).encode()) % 20 == 0


@cache
def clear_words() -> dict[str, list[str]]:
    """words.json: `words`, and classes of them; empty where the words have not been chosen yet."""
    return json.loads(WORDS_FILE.read_text()) if WORDS_FILE.exists() else {}


@cache
def words() -> tuple[str, ...]:
    """The words of lists to repeat: the clear ones, or those of the tables."""
    known = clear_words().get("words")
    if not known:
        known = [word for group in CLASSES.values() for word in group if " " not in word]
        known += [*tables.LIST_ONLY, *tables.DAYS, *tables.MONTHS]
    return tuple(dict.fromkeys(known))


@cache
def word_class(name: str) -> tuple[str, ...]:
    """The members of a class that are made of words of `words()`; all of them where too few are."""
    known = {word.lower() for word in words()} | FUNCTION_WORDS
    clear = [entry for entry in CLASSES[name] if all(word.lower() in known for word in entry.split())]
    clear += clear_words().get(ALSO.get(name, ""), [])
    return tuple(dict.fromkeys(clear)) if len(clear) >= 4 else CLASSES[name]


@cache
def proper() -> dict[str, str]:
    """Names by their small letters, and `I`."""
    names = [*tables.CAPITALS, *tables.CAPITALS.values(), *tables.DAYS, *tables.MONTHS, "I"]
    return {name.lower(): name for name in (*names, *(word for word in words() if word[0].isupper()))}


def phrase(random: Random) -> str:
    """A short phrase of a grammatical template: `the green tiger can swim`."""
    used: set[str] = set()

    def fill(match: re.Match) -> str:
        name, _, ending = match[1].partition(":")
        choice = random.choice([entry for entry in word_class(name) if entry not in used] or word_class(name))
        used.add(choice)
        return plural(choice) if ending else choice

    text = re.sub(r"\[([a-z:]+)\]", fill, random.choice(PHRASES))
    return re.sub(r"\ba (?=[aeiou])", "an ", text)


def word_list(random: Random, count: int) -> list[str]:
    """Words without a link between them."""
    return random.sample(words(), count)


def spoken_list(random: Random, items: list[str]) -> str:
    """How a list is asked for: mostly with short pauses."""
    return (", " if random.random() < 0.8 else " ").join(items).lower()


def shown_phrase(text: str) -> str:
    """A phrase inside of a reply: names and `I` get their large letters."""
    return re.sub(r"[\w']+", lambda match: proper().get(match[0], match[0]), text)


def with_digits(random: Random, text: str) -> str:
    """Number words as digits and, mostly, the signs of arithmetic."""
    pattern = "|".join(sorted((word for word, value in VALUES.items() if value >= 0), key=len, reverse=True))
    beside = "plus|minus|times|than|after|before|number|from|by|minute|hour"
    single = re.search(rf"\b({beside}) one\b|\bone ({beside})\b", text)

    def digits(match: re.Match) -> str:
        return str(VALUES[match[1]]) if match[1] != "one" or single else "one"

    text = re.sub(rf"\b({pattern})\b", digits, text)
    if random.random() < 0.6:
        for word, sign in (("plus", "+"), ("minus", "-"), ("times", random.choice("*x"))):
            text = re.sub(rf"(?<=\d) {word} (?=\d)", f" {sign} " if random.random() < 0.6 else sign, text)
    return text


def typed(random: Random, question: str) -> str:
    """What a person would type for a spoken question."""
    text = question
    listed = any(part in text for part in ("repeat", "say", "words are"))
    if not listed and random.random() < 0.45:
        text = with_digits(random, text)
    if listed and random.random() < 0.5:
        text = text.replace(",", random.choice((":", "")), 1)
    if random.random() < 0.3:
        text = text.replace("colour", "color")
    if random.random() < 0.15:
        text = re.sub(r"\bwhat is\b", random.choice(("what's", "whats")), text)
    if random.random() < 0.8:
        text = shown_phrase(text).replace("Mexico city", "Mexico City")
    if random.random() < 0.7:
        text = capital(text)
    if random.random() < 0.65:
        asks = question.split(" ")[0] in QUESTION_WORDS
        text += "?" if asks else random.choice((".", "!", ".", ""))
    return text
