"""Trains the thinker with its encoders: python -m stages.thinker DATA OUT --seconds N [--from FOLDER] [--keep-embeddings]

It learns the last reply of each conversation. A helper behind the audio tower, which is not part of the model, learns to
write down the question: it teaches the tower to hear.
"""
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor, nn

from model import examples
from world import pictures
from model.models import THINKER, VOCABULARY, Thinker
from model.sound import Microphone
from stages.training import DEVICE, Clock, Trainer, arguments, autocast, load, read_json, save

# Longest clip of a question.
SECONDS = 6
# Examples of a batch: spoken, typed, with a picture, of several turns, with tools.
BATCH = (208, 32, 48, 40, 24)


def draw(job: tuple[pictures.Scene, int, bool]) -> np.ndarray:
    return pictures.draw(*job)


class Examples:
    """All examples on the device, and batches of them with sound and pictures."""

    def __init__(self, data: Path, tokenizer: Tokenizer, clock: Clock, scale: float = 1.0, seed: int = 3):
        self.clock = clock
        clips = read_json(data / "question.json")
        offsets = np.load(data / "question_offsets.npy")
        samples = torch.from_numpy(np.load(data / "question.npy"))
        self.microphone = Microphone(samples, torch.from_numpy(offsets), DEVICE, SECONDS)
        for i, clip in enumerate(clips):
            clip["frames"] = int(offsets[i + 1] - offsets[i]) // 160
        counts = {name: int(count * scale) for name, count in examples.COUNTS.items()}
        built, scenes = examples.build(tokenizer, clips, counts, seed)
        jobs = [(scene, i, i % 2 == 0) for i, scene in enumerate(scenes)]
        with Pool() as pool:
            drawn = pool.map(draw, jobs, chunksize=64) if jobs else []
        self.pictures = torch.from_numpy(np.stack(drawn)).to(DEVICE) if drawn else None
        self.fields = {name: torch.from_numpy(field).to(DEVICE) for name, field in built.items()}
        groups = self.fields["group"]
        self.groups = [torch.nonzero(groups == i)[:, 0] for i in range(len(BATCH))]
        spoken = [" " + clip["text"].replace(",", "") if clip["text"] else "" for clip in clips]
        said = [tokenizer.encode(text).ids for text in spoken]
        self.said_length = torch.tensor([len(ids) for ids in said], device=DEVICE)
        longest = max(len(ids) for ids in said)
        self.said = torch.tensor([ids + [0] * (longest - len(ids)) for ids in said], device=DEVICE)
        print("examples of each kind:", [len(group) for group in self.groups], flush=True)

    def batch(self, sizes: tuple[int, ...], distort: bool = True) -> dict[str, Tensor | None]:
        rows = torch.cat([
            group[torch.randint(0, len(group), (size,), device=DEVICE)]
            for group, size in zip(self.groups, sizes)
            if size and len(group)
        ])
        take = {name: field[rows].long() for name, field in self.fields.items() if name != "positions"}
        length = -(-int(take["length"].max()) // 8) * 8
        audio = take["audio"].flatten(0, 1)
        audio = audio[audio[:, 0] >= 0]
        shown = take["pictures"].flatten()
        shown = shown[shown >= 0]
        return {
            **take,
            "ids": take["ids"][:, :length],
            "positions": self.fields["positions"][:, rows, :length].long(),
            "clip": audio[:, 0],
            "tokens": audio[:, 2],
            "mel": self.microphone.features(audio[:, 0], audio[:, 1], distort) if len(audio) else None,
            "shown": self.pictures[shown] if len(shown) else None,
        }


def rows_of(thinker: Thinker, batch: dict) -> tuple[Tensor, list[Tensor] | None, Tensor | None]:
    """What goes into the thinker's layers, and what the audio tower made of each clip."""
    heard, sound = None, None
    if batch["mel"] is not None:
        heard = thinker.audio_tower(batch["mel"], batch["tokens"])
        sound = heard[torch.arange(heard.shape[1], device=DEVICE) < batch["tokens"][:, None]]
    rows, deepstack = thinker.embed(batch["ids"], sound, batch["shown"])
    return rows, deepstack, heard


def study(thinker: Thinker, scribe: nn.Linear, source: Examples, batch: dict) -> tuple[Tensor, Tensor, list[float]]:
    """Losses of the answers and of what the scribe writes down, and the share of exact answers of each kind."""
    ids, length = batch["ids"], batch["ids"].shape[1]
    place = torch.arange(length - 1, device=DEVICE)
    learned = (place >= batch["start"][:, None] - 1) & (place < batch["length"][:, None] - 1)
    wanted = ids[:, 1:][learned]
    with autocast():
        rows, deepstack, heard = rows_of(thinker, batch)
        hidden, _ = thinker.model(rows, batch["positions"], deepstack=deepstack)
        logits = thinker.lm_head(hidden[:, :-1][learned]).float()
    answer, hearing = F.cross_entropy(logits, wanted), logits.new_zeros(())
    if heard is not None:
        with autocast():
            written = scribe(heard).float().log_softmax(-1).transpose(0, 1)
        said, lengths = source.said[batch["clip"]], source.said_length[batch["clip"]]
        hearing = F.ctc_loss(written, said, batch["tokens"], lengths, blank=VOCABULARY - 1, zero_infinity=True)
    exact: list[float] = []
    if source.clock.tells(250):
        row = torch.nonzero(learned)[:, 0]
        wrong = torch.zeros(len(ids), device=DEVICE).index_add(0, row, (logits.argmax(-1) != wanted).float())
        of_kind = [wrong[batch["group"] == i] == 0 for i in range(len(BATCH))]
        exact = [round(right.float().mean().item(), 3) for right in of_kind if len(right)]
    return answer, hearing, exact


def train(data: Path, out: Path, clock: Clock, begin: Path | None, keep_embeddings: bool, scale: float) -> None:
    tokenizer = Tokenizer.from_file(str(data / "tokenizer.json"))
    source = Examples(data, tokenizer, clock, scale)
    thinker = Thinker().to(DEVICE)
    scribe = nn.Linear(THINKER["audio_config"]["output_dim"], VOCABULARY).to(DEVICE)
    if begin:
        load(thinker, begin, "thinker")
        load(scribe, begin, "scribe")
    thinker.model.embed_tokens.requires_grad_(not keep_embeddings)
    trainer = Trainer([thinker, scribe], clock, 8e-4 if begin else 1.5e-3, 0.03, (0.9, 0.98))
    sizes = BATCH if scale >= 1 else (4, 2, 2, 2, 2)
    # Prompts with tools are four times as long as others: apart, they do not make the others' padding as long.
    share = sizes[-1] / sum(sizes)
    for _ in clock.ticks():
        answer, hearing, exact = study(thinker, scribe, source, source.batch((*sizes[:-1], 0)))
        imbalance = thinker.model.imbalance()
        with_tools, heard_with_tools, exact_with_tools = study(thinker, scribe, source, source.batch((0, 0, 0, 0, sizes[-1])))
        heard = hearing + share * heard_with_tools
        trainer.step(answer + share * with_tools + (0.3 if clock.share < 0.7 else 0.1) * heard + 0.01 * imbalance)
        if clock.tells(250):
            exact += exact_with_tools
            clock.say("thinker", answer=answer.item(), tools=with_tools.item(), hearing=hearing.item(), exact=exact)
    save(thinker, out, "thinker")
    save(scribe, out, "scribe")


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--keep-embeddings", action="store_true", help="for a talker that was trained with them")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the examples")
    args = parser.parse_args()
    torch.manual_seed(21)
    train(args.data, args.out, Clock(args.seconds, args.steps), args.begin, args.keep_embeddings, args.scale)
