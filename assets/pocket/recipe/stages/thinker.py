"""Trains the thinker with its encoders: python -m stages.thinker DATA OUT --seconds N [--from FOLDER] [--keep-embeddings]

It learns the last reply of each conversation. Two helpers, which are not part of the model, teach its encoders: a scribe
behind the audio tower writes down the question, and an onlooker behind the vision tower names what stands where.
"""
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor, nn

from model import examples
from model.models import GRID, THINKER, VOCABULARY, Thinker, in_order
from model.sight import moved
from model.sound import Microphone
from stages.training import DEVICE, Clock, Trainer, arguments, autocast, compiled, load, read_json, save
from world.pictures import COLOURS, SHAPES

# Longest clip of a question.
SECONDS = 6
GROUPS = tuple(examples.COUNTS)
# Classes of a cell of a picture, and of a digit; five cells and two digits are named.
CELL, DIGIT = 1 + len(SHAPES) * len(COLOURS), 11


@dataclass(frozen=True)
class Size:
    """How large the tensors of a batch are, whatever is in it."""

    rows: tuple[int, ...]  # of each group
    clips: int
    seconds: int  # of all clips, each rounded up
    pictures: int

    @property
    def tokens(self) -> int:
        return max(examples.MOST_TOKENS[name] for name, rows in zip(GROUPS, self.rows) if rows)

    def scaled(self, share: float) -> "Size":
        more = lambda count: math.ceil(share * count) + (40 if share < 1 and count else 0)
        return Size(tuple(math.ceil(share * rows) for rows in self.rows), more(self.clips), more(self.seconds), more(self.pictures))


# Spoken, typed and with a picture; and of several turns and with tools, which are longer.
SHORT = Size((208, 32, 96, 0, 0), clips=336, seconds=992, pictures=144)
LONG = Size((0, 0, 0, 56, 24), clips=136, seconds=368, pictures=0)


class Examples:
    """All examples on the device, and batches of them with sound and pictures."""

    def __init__(self, data: Path, tokenizer: Tokenizer, scale: float = 1.0, seed: int = 3):
        clips = read_json(data / "question.json")
        offsets = np.load(data / "question_offsets.npy")
        for i, clip in enumerate(clips):
            clip["frames"] = int(offsets[i + 1] - offsets[i]) // 160
        counts = {name: int(count * scale) for name, count in examples.COUNTS.items()}
        built = examples.build(tokenizer, clips, counts, seed)
        self.groups = [
            {name: torch.from_numpy(array).to(DEVICE) for name, array in built[group].items()} for group in GROUPS
        ]
        samples = torch.from_numpy(np.load(data / "question.npy"))
        self.microphone = Microphone(samples, torch.from_numpy(offsets), DEVICE, SECONDS)
        spoken = [" " + clip["text"].replace(",", "") if clip["text"] else "" for clip in clips]
        said = [tokenizer.encode(text).ids for text in spoken]
        self.said_length = torch.tensor([len(ids) for ids in said], device=DEVICE)
        longest = max(len(ids) for ids in said)
        self.said = torch.tensor([ids + [0] * (longest - len(ids)) for ids in said], device=DEVICE)
        print("examples of each kind:", [len(group["ids"]) for group in self.groups], flush=True)

    def check(self, size: Size) -> None:
        """There is room in a batch of this size for all that is in it, but for one in millions."""
        for what, room, count in (
            ("clips", size.clips, lambda group: (group["audio"][..., 0] >= 0).sum(1)),
            ("seconds of clips", size.seconds, lambda group: ((group["audio"][..., 1] + 99) // 100).clamp_min(0).sum(1)),
            ("pictures", size.pictures, lambda group: (group["pictures"] >= 0).sum(1)),
        ):
            drawn = [(rows, count(group).float()) for rows, group in zip(size.rows, self.groups) if rows]
            mean = sum(rows * found.mean().item() for rows, found in drawn)
            spread = math.sqrt(sum(rows * found.var().item() for rows, found in drawn))
            if mean + 5 * spread > room:
                raise SystemExit(f"a batch has {mean:.0f} and more {what}, but room for {room}")

    @torch.no_grad()
    def batch(self, size: Size) -> dict[str, Tensor | None]:
        parts = []
        for rows, group in zip(size.rows, self.groups):
            if rows:
                chosen = torch.randint(0, len(group["ids"]), (rows,), device=DEVICE)
                names = ("ids", "positions", "start", "length", "audio", "pictures")
                parts.append({name: group[name][chosen].long() for name in names})
        longest = size.tokens
        fit = lambda x, value: F.pad(x, (0, 0) * (x.dim() - 2) + (0, longest - x.shape[1]), value=value)
        ids = torch.cat([fit(part["ids"], examples.PAD) for part in parts])
        positions = torch.cat([fit(part["positions"], 0) for part in parts]).permute(2, 0, 1)
        start, length = (torch.cat([part[name] for part in parts]) for name in ("start", "length"))
        audio = torch.cat([part["audio"] for part in parts]).flatten(0, 1)
        audio = audio[in_order(audio[:, 0] >= 0, size.clips)]
        there = audio[:, 0] >= 0
        clip, frames = audio[:, 0].clamp_min(0), audio[:, 1].clamp_min(examples.SHORTEST)
        batch = {
            "ids": ids, "positions": positions, "start": start, "length": length, "clip": clip, "there": there,
            "tokens": torch.where(there, audio[:, 2], 0), "pictures": None, "label": None,
            "mel": self.microphone.features(clip, frames),
        }
        if size.pictures:
            group = self.groups[GROUPS.index("picture")]
            shown = torch.cat([part["pictures"] for part in parts]).flatten()
            shown = shown[in_order(shown >= 0, size.pictures)].clamp_min(0)
            batch |= {"pictures": moved(group["drawn"][shown].float()), "label": group["label"][shown]}
        return batch


def rows_of(thinker: Thinker, batch: dict, most_seconds: int | None = None) -> tuple:
    """What goes into the thinker's layers, what the audio tower made of each clip, and the vision tower of each picture."""
    heard = thinker.audio_tower(batch["mel"], batch["tokens"], most_seconds)
    rows, deepstack, seen = thinker.embed(batch["ids"], heard, batch["tokens"], batch["pictures"])
    return rows, deepstack, heard, seen


class Helpers(nn.Module):
    def __init__(self):
        super().__init__()
        width = THINKER["audio_config"]["output_dim"]
        self.scribe = nn.Linear(width, VOCABULARY)
        self.onlooker = nn.Linear(width * GRID * GRID // 4, 5 * CELL + 2 * DIGIT)

    def unlike(self, seen: Tensor, label: Tensor) -> Tensor:
        """How far what the onlooker names is from what stands there."""
        named = self.onlooker(seen.flatten(1)).float()
        cells = F.cross_entropy(named[:, : 5 * CELL].reshape(-1, CELL), label[:, :5].flatten())
        digits = F.cross_entropy(named[:, 5 * CELL :].reshape(-1, DIGIT), label[:, 5:].flatten())
        return cells + digits


def study(thinker: Thinker, helpers: Helpers, batch: dict, most_seconds: int) -> tuple[Tensor, ...]:
    """Losses of the answers, of what the onlooker names and of unequal experts; what the scribe writes; which rows are wrong."""
    ids, start, length = batch["ids"], batch["start"], batch["length"]
    rows, deepstack, heard, seen = rows_of(thinker, batch, most_seconds)
    hidden, _ = thinker.model(rows, batch["positions"], deepstack=deepstack)
    place = start[:, None] - 1 + torch.arange(examples.MOST_REPLY, device=ids.device)
    learned = place < length[:, None] - 1
    place = place.clamp_max(ids.shape[1] - 2)
    logits = thinker.lm_head(hidden.gather(1, place[..., None].expand(-1, -1, hidden.shape[2]))).float()
    wanted = ids.gather(1, place + 1)
    loss = F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none").view_as(wanted)
    wrong = ((logits.argmax(-1) != wanted) & learned).any(1)
    written = helpers.scribe(heard).float().log_softmax(-1)
    unlike = loss.new_zeros(()) if seen is None else helpers.unlike(seen, batch["label"])
    return (loss * learned).sum() / learned.sum(), unlike, thinker.model.imbalance(), written, wrong


def hearing(source: Examples, batch: dict, written: Tensor) -> Tensor:
    """How far what the scribe writes is from what was said."""
    said, lengths = source.said[batch["clip"]], source.said_length[batch["clip"]]
    tokens = batch["tokens"].clamp_min(1)
    loss = F.ctc_loss(
        written.transpose(0, 1), said, tokens, lengths, blank=VOCABULARY - 1, reduction="none", zero_infinity=True
    )
    return (loss / lengths.clamp_min(1) * batch["there"]).sum() / batch["there"].sum()


def train(data: Path, out: Path, clock: Clock, begin: Path | None, keep_embeddings: bool, scale: float, share: float) -> None:
    tokenizer = Tokenizer.from_file(str(data / "tokenizer.json"))
    source = Examples(data, tokenizer, scale, seed=4 if begin else 3)
    thinker, helpers = Thinker().to(DEVICE), Helpers().to(DEVICE)
    if begin:
        load(thinker, begin, "thinker")
        load(helpers, begin, "helpers")
    fixed = tuple(thinker.model.embed_tokens.parameters()) if keep_embeddings else ()
    trainer = Trainer([thinker, helpers], clock, 8e-4 if begin else 1.5e-3, 0.03, (0.9, 0.98), fixed)
    sizes = [size.scaled(share) for size in (SHORT, LONG)]
    for size in sizes:
        source.check(size)
    parts = [sum(size.rows) / sum(sizes[0].rows) for size in sizes]
    learn = compiled(study)
    for _ in clock.ticks():
        loss, told, exact = 0.0, {}, []
        for size, part, name in zip(sizes, parts, ("short", "long")):
            batch = source.batch(size)
            with autocast():
                answer, unlike, imbalance, written, wrong = learn(thinker, helpers, batch, size.seconds)
            heard = hearing(source, batch, written)
            helped = (0.3 if clock.share < 0.7 else 0.1) * (heard + unlike)
            loss = loss + part * (answer + helped + 0.01 * imbalance)
            if clock.tells(250):
                told |= {name: answer.item(), f"{name}_heard": heard.item()} | ({"unlike": unlike.item()} if size.pictures else {})
                exact += [round(1 - group.float().mean().item(), 3) for group in wrong.split([n for n in size.rows if n])]
        trainer.schedule()
        trainer.step(loss)
        if clock.tells(250):
            clock.say("thinker", **told, exact=exact)
    save(thinker, out, "thinker")
    save(helpers, out, "helpers")


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--keep-embeddings", action="store_true", help="for a talker that was trained with them")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the examples")
    parser.add_argument("--batch", type=float, default=1.0, help="share of a batch")
    args = parser.parse_args()
    torch.manual_seed(22 if args.begin else 21)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    clock = Clock(args.seconds, args.steps)
    train(args.data, args.out, clock, args.begin, args.keep_embeddings, args.scale, args.batch)
