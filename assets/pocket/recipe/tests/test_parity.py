"""The modules that are trained compute what Hugging Face transformers computes: python -m unittest tests.test_parity.

With random weights, through a checkpoint as it is exported: a question with sound and picture, its answer, and the codes and
samples of the answer's speech.
"""
import shutil
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer

from evaluation.paths import Question, Transformers, write_sound
from model import examples, tokenizer
from model.code2wav import Codec
from model.models import CODEBOOK, SPEAKERS, TALKER, Talker, Thinker
from model.sound import SpeechMel
from stages import export, talker as talking, training

SECONDS, FRAMES = 2, 150


def assert_near(test: unittest.TestCase, ours: torch.Tensor, theirs: torch.Tensor) -> None:
    test.assertEqual(ours.shape, theirs.shape)
    test.assertLess((ours - theirs).abs().max().item(), 2e-3 * theirs.abs().max().item())


class Parity(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        torch.manual_seed(5)
        cls.folder = Path(tempfile.mkdtemp())
        cls.thinker, cls.talker, cls.codec = Thinker().eval(), Talker().eval(), Codec().eval()
        torch.nn.init.normal_(cls.codec.quantiser.book, std=0.5)
        cls.codec.tabulate()
        # Ids that are no codes are never said, and untrained heads do not know that.
        cls.talker.codec_head.weight.data[CODEBOOK:] = 0
        for module, name in ((cls.thinker, "thinker"), (cls.talker, "talker"), (cls.codec, "codec")):
            training.save(module, cls.folder / "parts", name)
            training.load(module, cls.folder / "parts", name)
        tokenizer.train().save(str(cls.folder / "tokenizer.json"))
        export.export(cls.folder / "checkpoint", cls.folder / "parts", cls.folder / "tokenizer.json")
        cls.theirs = Transformers(str(cls.folder / "checkpoint"))
        cls.tokenizer = Tokenizer.from_file(str(cls.folder / "tokenizer.json"))
        random = np.random.default_rng(1)
        cls.sound = (random.standard_normal(FRAMES * 160) * 0.1).astype(np.float32)
        cls.picture = random.integers(0, 256, (128, 128, 3), dtype=np.uint8)
        write_sound(cls.folder / "sound.wav", cls.sound, 16_000)
        Image.fromarray(cls.picture).save(cls.folder / "picture.png")

    @classmethod
    def tearDownClass(cls) -> None:
        shutil.rmtree(cls.folder)

    def question(self) -> Question:
        parts = [
            {"type": "image", "path": str(self.folder / "picture.png")},
            {"type": "audio", "path": str(self.folder / "sound.wav")},
        ]
        return Question([{"role": "user", "content": parts}], voice="ethan")

    @torch.no_grad()
    def rows(self, ids: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        samples = torch.round(torch.from_numpy(self.sound) * 32768) / 32768
        padded = torch.zeros(1, SECONDS * 16_000)
        padded[0, : len(samples)] = samples
        # The clip's end is mirrored for its last frame, as for a clip of its own.
        padded[0, len(samples) : len(samples) + 200] = samples[-201:-1].flip(0)
        mel = SpeechMel("cpu")(padded, torch.tensor([FRAMES]))
        tokens = torch.tensor([examples.audio_tokens(FRAMES)])
        heard = self.thinker.audio_tower(mel, tokens)
        return self.thinker.embed(ids, heard, tokens, torch.from_numpy(self.picture)[None])[:2]

    @torch.no_grad()
    def test_an_answer_and_its_speech(self) -> None:
        inputs = self.theirs.inputs(self.question())
        ids = inputs["input_ids"]
        theirs = self.theirs.model.thinker(**inputs).logits
        place = torch.tensor(examples.positions(ids[0].tolist())).T[:, None]
        rows, deepstack = self.rows(ids)
        hidden, tapped = self.thinker.model(rows, place, deepstack=deepstack, tap=TALKER["accept_hidden_layer"])
        assert_near(self, self.thinker.lm_head(hidden), theirs)

        self.theirs.sampling = {"talker_max_new_tokens": 12}
        answer = self.theirs.answer(self.question())
        self.assertGreater(len(answer.codes), 5)
        # Without an end the last token is not spoken.
        said = answer.tokens[:-1]
        codes = torch.tensor(answer.codes)[None]
        spoken = talking.Said(
            frames=torch.tensor([codes.shape[1]]),
            codes=codes.short(),
            tokens=torch.tensor([said]),
            length=torch.tensor([len(said)]),
            speaker=torch.tensor([SPEAKERS["ethan"]]),
        )
        before = {"ids": ids, "start": torch.tensor([ids.shape[1]])}
        context = talking.Contexts.gather(before, tapped)
        wrong, talking.spoil = talking.spoil, lambda true: true
        found = talking.losses(self.talker, self.thinker.model.embed_tokens, talking.marks(), spoken, context)
        talking.spoil = wrong
        # All but what follows the last frame, which the limit has cut.
        self.assertAlmostEqual(found["right"].item(), codes.shape[1] / (codes.shape[1] + 1), places=5)
        self.assertEqual(found["rest_right"].tolist(), [1.0] * (codes.shape[2] - 1))

        made = self.codec.code2wav(self.codec.code2wav.embed(codes)).clamp(-1, 1)
        assert_near(self, made[0], self.theirs.model.code2wav(codes.transpose(1, 2)).flatten())


if __name__ == "__main__":
    unittest.main()
