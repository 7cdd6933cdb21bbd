"""Tests of what the evaluation measures with: `python -m unittest tests.test_evaluate`."""

import unittest

import numpy as np
from evaluation.distort import (
    CONDITIONS,
    RATE_HZ,
    SPEECHLESS,
    between_silence,
    clipped,
    faster,
    quiet,
    reverberant,
    speech_level,
    speechless,
    telephone,
    with_noise,
)
from model.examples import audio_tokens
from evaluation.word_errors import error_rate, number_words, word_errors, words


def tone(frequency: float, seconds: float = 1.0) -> np.ndarray:
    """A sine at a usual level."""
    time = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return (0.1 * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


class WordErrors(unittest.TestCase):
    def test_numbers_and_signs_are_words(self):
        for written, wanted in (
            ("7 + 8 = 15.", "seven plus eight is fifteen"),
            ("12 - 5 is 7", "twelve minus five is seven"),
            ("6 × 7 = 42", "six times seven is forty two"),
            ("1, 2, 3", "one two three"),
            ("Twenty-four", "twenty four"),
            ("1,000 or 105", "one thousand or one hundred five"),
            ("one hundred and five", "one hundred five"),
            ("The colour is grey.", "the color is gray"),
            ("I'm fine, it's okay", "i am fine it is ok"),
            ("Goodbye!", "good bye"),
            ("It is 3 o'clock.", "it is three o'clock"),
            ("It is 3:00.", "it is three o'clock"),
            ("It's 3:42", "it is three forty two"),
            ("To.", "two"),
        ):
            self.assertEqual(words(written), words(wanted), written)
            self.assertEqual(word_errors(wanted, written)[0], 0)

    def test_what_can_be_read_in_two_ways_is_read_as_it_was_said(self):
        for written, wanted in (
            ("1-2-3-4", "one two three four"),
            ("Because 789.", "because seven eight nine"),
            ("7-3 is 4", "seven minus three is four"),
            ("It is 105", "it is one hundred five"),
        ):
            self.assertEqual(word_errors(wanted, written)[0], 0, written)
        self.assertEqual(word_errors("seven minus three", "7 + 3")[0], 1)

    def test_every_number_is_read_as_its_words(self):
        self.assertEqual(number_words(0), "zero")
        self.assertEqual(number_words(99), "ninety nine")
        self.assertEqual(number_words(340), "three hundred forty")
        self.assertEqual(number_words(21_012), "twenty one thousand twelve")

    def test_each_kind_of_error_counts_once(self):
        self.assertEqual(word_errors("a red house", "a red house"), (0, 3))
        self.assertEqual(word_errors("a red house", "a blue house"), (1, 3))
        self.assertEqual(word_errors("a red house", "a house"), (1, 3))
        self.assertEqual(word_errors("a red house", "a very red house"), (1, 3))
        self.assertEqual(word_errors("a red house", ""), (3, 3))
        self.assertEqual(word_errors("yes", "no no no"), (3, 1))
        self.assertAlmostEqual(error_rate([("a b", "a b"), ("a b", "a c")]), 0.25)


class Distortions(unittest.TestCase):
    def test_noise_is_as_far_below_as_said(self):
        sound = tone(440)
        for pink in (False, True):
            added = with_noise(sound, 3, pink) - sound
            ratio_db = 20 * np.log10(speech_level(sound) / np.sqrt(np.mean(added**2)))
            self.assertAlmostEqual(ratio_db, 10.0, delta=0.5)

    def test_reverberation_falls_by_60_db_in_its_time(self):
        click = np.zeros(RATE_HZ, np.float32)
        click[0] = 0.9
        wet = reverberant(click, 1).astype(np.float64)
        early, late = (np.mean(wet[start : start + 400] ** 2) for start in (400, 400 + RATE_HZ // 10))
        self.assertAlmostEqual(10 * np.log10(early / late), 20.0, delta=2.0)

    def test_telephone_keeps_its_band_only(self):
        inside, below, above = (np.std(telephone(tone(frequency))[1000:-1000]) for frequency in (1000, 60, 5000))
        self.assertGreater(inside, 0.06)
        self.assertLess(max(below, above), 0.005)

    def test_levels_and_lengths(self):
        sound = tone(440)
        self.assertEqual(len(faster(sound, 0.5)), 2 * len(sound))
        self.assertEqual(len(between_silence(sound)), len(sound) + 2 * RATE_HZ)
        self.assertAlmostEqual(20 * np.log10(speech_level(quiet(sound))), -40.0, delta=0.1)
        self.assertAlmostEqual(speech_level(clipped(sound)), speech_level(sound), delta=0.005)

    def test_the_same_seed_gives_the_same_sound(self):
        for name, change in CONDITIONS.items():
            one, other = change(tone(440), 5), change(tone(440), 5)
            self.assertTrue(np.array_equal(one, other), name)
            self.assertEqual(one.dtype, np.float32, name)
            self.assertLessEqual(np.abs(one).max(), 1.0, name)
        for kind in SPEECHLESS:
            clip = speechless(kind, 1.5, 2)
            self.assertEqual((len(clip), clip.dtype), (24_000, np.float32), kind)
            self.assertTrue(np.array_equal(clip, speechless(kind, 1.5, 2)))


class Tokens(unittest.TestCase):
    def test_a_clip_has_13_tokens_a_second(self):
        self.assertEqual([audio_tokens(n) for n in (0, 1, 8, 9, 99, 100, 101, 250)], [0, 1, 1, 2, 13, 13, 14, 33])


if __name__ == "__main__":
    unittest.main()
