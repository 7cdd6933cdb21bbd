"""Word errors between a text and what was heard: numbers, spellings and words that sound the same have one form."""

import re
from itertools import product

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
TENS = {2: "twenty", 3: "thirty", 4: "forty", 5: "fifty", 6: "sixty", 7: "seventy", 8: "eighty", 9: "ninety"}
# Two ways to write what sounds the same, or nearly; the second is kept.
SPELLINGS = {
    "color": "colour", "colors": "colours", "gray": "grey", "cannot": "can not", "can't": "can not", "okay": "ok",
    "goodbye": "good bye", "i'm": "i am", "it's": "it is", "that's": "that is", "what's": "what is", "don't": "do not",
    "you're": "you are", "mom": "mum", "meter": "metre", "center": "centre", "favorite": "favourite",
}  # fmt: skip
# Words that no ear tells apart; the first stands for all.
SAME_SOUND = """two to too; four for; one won; eight ate; red read; blue blew; sea see; sun son; week weak; bear bare;
hair hare; deer dear; no know; hear here; right write; meat meet; flower flour; bee be; night knight; tail tale;
pear pair; road rode; wood would; our hour; where wear; there their they're; i eye; by buy bye; neigh nay; rose rows;
new knew; horse hoarse; plane plain; mail male; sail sale; steel steal; root route; piece peace"""
SOUNDS_LIKE = {word: group.split()[0] for group in SAME_SOUND.split(";") for word in group.split()}


def number_words(number: int) -> str:
    """A number below a million as it is read out, without "and"."""
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10] + (f" {ONES[number % 10]}" if number % 10 else "")
    if number < 1000:
        rest = f" {number_words(number % 100)}" if number % 100 else ""
        return f"{ONES[number // 100]} hundred{rest}"
    if number < 1_000_000:
        rest = f" {number_words(number % 1000)}" if number % 1000 else ""
        return f"{number_words(number // 1000)} thousand{rest}"
    return " ".join(ONES[int(digit)] for digit in str(number))


def words(text: str, minus: bool = True, digits: bool = False) -> list[str]:
    """The words of a text in one form, lower case and without punctuation.

    A hyphen between numbers is read as "minus" or passed over; numbers of three digits and more whole or by digits.
    """
    text = text.lower().replace("’", "'")
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)  # 1,000
    text = re.sub(r"(\d):00\b", r"\1 o'clock", text)
    text = re.sub(r"(?<=\d)\s*[-−–]\s*(?=\d)", " minus " if minus else " ", text)
    text = re.sub(r"(?<=\d)\s*[x×*]\s*(?=\d)", " times ", text)
    text = text.replace("×", " times ").replace("+", " plus ").replace("=", " is ").replace("%", " percent ")

    def read(match: re.Match) -> str:
        number = match[0]
        apart = digits and len(number) > 2
        return f" {' '.join(ONES[int(digit)] for digit in number) if apart else number_words(int(number))} "

    text = re.sub(r"[-−–—/]", " ", re.sub(r"\d+", read, text))
    text = re.sub(r"[^a-z' ]", "", re.sub(r"\s", " ", text))
    text = " ".join(SPELLINGS.get(word, word) for word in text.split())
    text = re.sub(r"\bhundred and\b", "hundred", text)
    return [SOUNDS_LIKE.get(word, word).replace("'", "") for word in text.split()]


def distance(wanted: list[str], given: list[str]) -> int:
    """The fewest words to replace, leave out and put in that make one of the other."""
    above = list(range(len(given) + 1))
    for i, wanted_word in enumerate(wanted, 1):
        row = [i]
        for n, given_word in enumerate(given, 1):
            row.append(min(above[n] + 1, row[n - 1] + 1, above[n - 1] + (wanted_word != given_word)))
        above = row
    return above[-1]


def word_errors(wanted: str, given: str) -> tuple[int, int]:
    """Word errors, and how many words were wanted. What is given may be read in several ways; the nearest counts."""
    wanted_words = words(wanted)
    readings = (words(given, minus, digits) for minus, digits in product((True, False), (False, True)))
    return min(distance(wanted_words, reading) for reading in readings), len(wanted_words)


def error_rate(pairs: list[tuple[str, str]]) -> float:
    """Word error rate over pairs of what was wanted and what was given."""
    errors = [word_errors(wanted, given) for wanted, given in pairs]
    return sum(wrong for wrong, _ in errors) / max(1, sum(count for _, count in errors))
