"""Chooses the words of the domain: those that a recogniser understands in each of the three reply voices.

    python -m voice.words --recogniser "recognise" --output words.json

The recogniser is a command that takes WAV files and prints a line "file | text" for each. Every candidate is spoken in
lists of four, in each voice and in two different lists; it goes on when it is misheard at most once of the six times (a
neighbour may be the cause). Those words are spoken once more in new lists; words that were never misheard are kept.
"""
from __future__ import annotations

import argparse
import json
import random as random_module
import shlex
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy

from voice.voices import REPLY_VOICES, reply
from evaluation.word_errors import words as spoken_words

CANDIDATES = {
    "nouns": """
        apple arrow baby bag ball balloon banana basket battery bed bell bicycle blanket boat body bone book bottle
        box branch brick bridge brush bucket bus butterfly button camera candle car card carpet castle chain chair
        chalk church circle clock cloud coat coffee coin computer corner cotton cup curtain desk diamond door dream
        dress drum dust engine envelope family feather fence finger fire flag floor flower fork friend game garage
        garden gate ghost glass glove gold grass guitar hammer hand hat heart helicopter helmet holiday house ice
        iron jacket jar jewel key kitchen knife ladder lamp leaf leather letter lock machine magnet map market match
        metal mirror money moon morning motor mountain music nail needle newspaper night number ocean office oil
        orchestra packet page paint paper parcel party pencil petrol phone photograph piano picture pillow pipe
        planet plastic plate pocket postcard present problem puzzle question radio rain rainbow rocket roof rope
        rose salt scissors shelf shirt shoe shoulder silver smoke snow soap sock sofa song spoon spring stamp star
        station stick stone storm story street string summer sun table telephone television tent thunder ticket
        tomorrow tower town toy tractor traffic train tree triangle truck trumpet umbrella uniform vase video
        village violin voice wagon wallet water weather wheel whistle window winter wire wood world yesterday""",
    "animals": """
        dog cat bird fish horse lion tiger rabbit monkey elephant giraffe zebra camel goat sheep pig duck chicken
        snake turtle frog spider mouse wolf fox eagle owl penguin dolphin shark whale kangaroo crocodile donkey
        squirrel swan pigeon parrot beetle butterfly lizard octopus hamster panda leopard lobster crab salmon bee
        cow""",
    "people": """
        mother father brother sister uncle daughter doctor teacher farmer driver soldier captain king queen prince
        princess artist actor baker butcher dentist engineer fisherman gardener hunter judge lawyer manager mechanic
        musician nurse painter pilot police president sailor scientist secretary singer student waiter writer woman
        man child cousin husband visitor""",
    "food": """
        bread butter cake cheese chocolate corn egg fruit honey juice lemon meat milk orange pepper potato rice
        salad sandwich sausage soup sugar tomato vegetable onion mushroom strawberry cherry grape peach pineapple
        coconut biscuit pancake pasta pizza yoghurt garlic ginger carrot cabbage pumpkin cucumber melon omelette
        hamburger mustard coffee breakfast dinner supper""",
    "places": """
        school hospital airport library museum restaurant hotel city river lake forest island beach desert valley
        bridge palace theatre cinema factory farm field park playground post office shop supermarket stadium street
        university harbour jungle volcano waterfall""",
    "adjectives": """
        hot cold big small happy sad fast slow open closed old young rich poor hard soft wet dry high low long short
        early late full empty good bad light dark strong weak near far clean dirty loud quiet sweet bitter thick
        thin warm cool first last angry beautiful brave busy careful cheap clever common dangerous different
        difficult easy expensive famous fresh friendly funny gentle gold heavy hungry important kind lazy little
        lonely lovely lucky modern narrow nervous nice noisy normal perfect polite popular possible pretty quick
        ready round serious sharp shiny silent silver simple special square straight strange stupid sudden tall
        tired ugly useful wild wonderful wooden""",
    "verbs": """
        run walk jump swim read speak listen look find give take bring hold push pull turn carry catch throw eat
        drink sleep wake play work learn teach think know want need love help tell call wait stop start answer begin
        believe borrow break build buy choose climb close collect cook count cover cross cry cut dance decide
        deliver destroy discover draw drive fall feel fight fill finish follow forget hurry hide imagine invite kick
        laugh leave lift live lose make mix move open order paint pay plant promise remember repeat rest return ride
        shout shut sing sit smell smile spell stand stay study suggest thank touch travel understand visit watch win
        wish wonder worry""",
    "colours": "red blue green yellow purple brown pink orange black white grey",
    "numbers": """
        zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
        seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred""",
    "days": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "months": "January February March April May June July August September October November December",
}
CAPITALS = {
    "France": "Paris", "Germany": "Berlin", "Italy": "Rome", "Spain": "Madrid", "England": "London",
    "Ireland": "Dublin", "Portugal": "Lisbon", "Austria": "Vienna", "Poland": "Warsaw", "Hungary": "Budapest",
    "Greece": "Athens", "Russia": "Moscow", "Norway": "Oslo", "Sweden": "Stockholm", "Finland": "Helsinki",
    "Denmark": "Copenhagen", "Belgium": "Brussels", "Holland": "Amsterdam", "Scotland": "Edinburgh",
    "Wales": "Cardiff", "Egypt": "Cairo", "Kenya": "Nairobi", "Japan": "Tokyo", "China": "Beijing", "India": "Delhi",
    "Canada": "Ottawa", "Cuba": "Havana", "Peru": "Lima", "Chile": "Santiago", "Australia": "Canberra",
    "Thailand": "Bangkok", "Vietnam": "Hanoi", "Iraq": "Baghdad", "Iran": "Tehran", "Israel": "Jerusalem",
    "Jamaica": "Kingston", "Lebanon": "Beirut", "Syria": "Damascus", "Romania": "Bucharest", "Bulgaria": "Sofia",
    "Serbia": "Belgrade", "Ukraine": "Kiev", "Morocco": "Rabat", "America": "Washington",
}
# Always whole in their class, as one number or day left out would be a hole; in `words` only those that are clear.
FIXED = ("numbers", "days", "months", "colours")
# Words that sound like another word that a recogniser may as well write.
HOMOPHONES = set("""
    sun son meat meet week weak rows knight flour flower write right hair hare sea see bee be buy by know no mail
    male pair pear plane plain read road rode sail sale tail tale wait weight wood would hole whole bear bare deer
    dear ate eight won for too to blew nose knows hour our made maid pain pane peace piece steel steal wear where
    which witch break brake cent sent find fined hoarse quay jam cellar seller wine whine""".split())


def errors(wanted: list[str], heard: list[str]) -> tuple[int, list[bool]]:
    """Word edits from wanted to heard, and for each wanted word whether it was heard."""
    costs = numpy.zeros((len(wanted) + 1, len(heard) + 1), int)
    costs[:, 0], costs[0] = range(len(wanted) + 1), range(len(heard) + 1)
    for i in range(1, len(wanted) + 1):
        for n in range(1, len(heard) + 1):
            costs[i, n] = min(costs[i - 1, n] + 1, costs[i, n - 1] + 1,
                              costs[i - 1, n - 1] + (wanted[i - 1] != heard[n - 1]))
    right, i, n = [False] * len(wanted), len(wanted), len(heard)
    while i and n:
        if costs[i, n] == costs[i - 1, n - 1] + (wanted[i - 1] != heard[n - 1]):
            i, n = i - 1, n - 1
            right[i] = wanted[i] == heard[n]
        elif costs[i, n] == costs[i - 1, n] + 1:
            i -= 1
        else:
            n -= 1
    return int(costs[-1, -1]), right


def recognise(clips: dict[str, numpy.ndarray], command: str) -> dict[str, str]:
    """What the recogniser hears in each clip."""
    with tempfile.TemporaryDirectory() as folder:
        for name, samples in clips.items():
            with wave.open(f"{folder}/{name}.wav", "wb") as file:
                file.setparams((1, 2, 16000, 0, "NONE", ""))
                silence = numpy.zeros(3200, numpy.int16)
                file.writeframes(numpy.concatenate([silence, samples, silence]).tobytes())
        files = [f"{folder}/{name}.wav" for name in clips]
        output = subprocess.run(shlex.split(command) + files, capture_output=True, text=True, check=True).stdout
    lines = [line.split("|", 1) for line in output.splitlines() if "|" in line]
    return {Path(file.strip()).stem: text.strip() for file, text in lines}


def word_classes(table: dict[str, list[str]], pairs: dict[str, str]) -> list[str]:
    """Every single word of the classes and of the capitals."""
    names = [name for pair in pairs.items() for name in pair if " " not in name]
    return sorted({word for words in table.values() for word in words} | set(names), key=str.lower)


def lists_of(words: list[str], size: int, generator: random_module.Random) -> list[list[str]]:
    """All words in random order, in lists of equal size (a few words twice)."""
    order = words[:]
    generator.shuffle(order)
    order += order[:-len(order) % size]
    return [order[i:i + size] for i in range(0, len(order), size)]


def misheard(words: list[str], contexts: int, command: str, seed: int) -> tuple[dict[str, dict[str, int]], dict]:
    """How often each word is not understood, by speaker, in so many lists; and all lists with what was heard."""
    generator = random_module.Random(seed)
    clips, wanted = {}, {}
    for context in range(contexts):
        for i, group in enumerate(lists_of(words, 8, generator)):
            halves = [f"You said {', '.join(half)}." for half in (group[:4], group[4:])]
            for speaker in REPLY_VOICES:
                clips[f"{speaker}_{context}_{i}"] = numpy.concatenate([reply(half, speaker) for half in halves])
                wanted[f"{speaker}_{context}_{i}"] = group
    heard = recognise(clips, command)
    result = {word: dict.fromkeys(REPLY_VOICES, 0) for word in words}
    for name, group in wanted.items():
        right = errors(spoken_words(f"you said {' '.join(group[:4])} you said {' '.join(group[4:])}"),
                       spoken_words(heard.get(name, "")))[1]
        for word, good in zip(group, right[2:6] + right[8:12]):
            result[word][name.split("_")[0]] += not good
    return result, {name: [" ".join(wanted[name]), heard.get(name, "")] for name in wanted}


def clear_pairs(command: str) -> tuple[dict[str, str], list[list[str]]]:
    """The capitals that are understood in "The capital of France is Paris." by most voices, and what was heard."""
    clips = {f"{country}_{speaker}": reply(f"The capital of {country} is {capital}.", speaker)
             for country, capital in CAPITALS.items() for speaker in REPLY_VOICES}
    heard = recognise(clips, command)
    result = {}
    for country, capital in CAPITALS.items():
        texts = [spoken_words(heard.get(f"{country}_{speaker}", "")) for speaker in REPLY_VOICES]
        if sum({country.lower(), capital.lower()} <= set(text) for text in texts) >= 2:
            result[country] = capital
    return result, [[name, text] for name, text in heard.items()]


def choose(first: dict, second: dict, pairs: dict[str, str], most: int) -> dict:
    """words.json: the classes, `capitals`, and all `words` for lists, of which there are at most so many."""
    good = [word for word in second if not sum(first[word].values()) + sum(second[word].values())]
    random_module.Random(3).shuffle(good)
    closed = {word for name in FIXED for word in CANDIDATES[name].split()}
    names = {name for pair in CAPITALS.items() for name in pair if name in pairs or name in pairs.values()}
    good = [word for word in good if word in names or word not in {*CAPITALS, *CAPITALS.values()}]
    good.sort(key=lambda word: word not in closed | names)   # these first, as they are said anyway
    good = good[:most]
    result: dict = {name: [word for word in dict.fromkeys(text.split()) if word in good or name in FIXED]
                    for name, text in CANDIDATES.items()}
    return result | {"capitals": pairs, "words": sorted(good, key=str.lower)}


def main() -> None:
    parser = argparse.ArgumentParser(description="choose the words that are clear to the ear")
    parser.add_argument("--recogniser", required=True, help='command that prints "file | text" for each WAV file')
    parser.add_argument("--output", type=Path, default=Path("words.json"))
    parser.add_argument("--most", type=int, default=400, help="words to keep")
    parser.add_argument("--limit", type=int, help="only so many words, for a trial")
    parser.add_argument("--report", type=Path, help="where to write what was heard")
    arguments = parser.parse_args()
    classes = {name: [word for word in dict.fromkeys(text.split()) if word not in HOMOPHONES]
               for name, text in CANDIDATES.items()}
    words = word_classes(classes, CAPITALS)[:arguments.limit]
    first, first_heard = misheard(words, 2, arguments.recogniser, 1)
    passed = [word for word in words if sum(first[word].values()) <= 1]
    second, second_heard = misheard(passed, 1, arguments.recogniser, 2)
    pairs, pairs_heard = clear_pairs(arguments.recogniser)
    if arguments.report:
        report = {"first": first, "second": second, "pairs": pairs, "heard": [first_heard, second_heard, pairs_heard]}
        arguments.report.write_text(json.dumps(report))
    result = choose(first, second, pairs, arguments.most)
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    for speaker in REPLY_VOICES:
        all_words, some_words = (sum(counts[speaker] for counts in table.values()) for table in (first, second))
        print(f"{speaker}: misheard {all_words / len(words) / 2:.3f} of the candidates, "
              f"then {some_words / len(passed):.3f} of those that passed")
    print(len(words), "candidates,", len(passed), "passed,", len(result["words"]), "kept,", len(pairs), "capitals")


if __name__ == "__main__":
    main()
