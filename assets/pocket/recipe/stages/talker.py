"""Trains talker and code predictor on the codec's codes of the replies: python -m stages.talker DATA OUT --seconds N --parts FOLDER

FOLDER holds thinker and codec. Each reply is spoken after the rows of some user's turn, as in the published model: those
rows, nine that begin the answer, and one of text and codes for each frame.
"""
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor

from world import domain
from model import examples
from model.code2wav import FRAME, Codec
from stages.codec import Replies
from model.models import CODEBOOK, CONFIG, GROUPS, SPEAKERS, TALKER, THINKER, Talker, Thinker, in_order
from model.sound import CodecMel
from stages.thinker import LONG, SHORT, Examples, rows_of
from stages.training import DEVICE, Captured, Clock, Trainer, arguments, autocast, compiled, load, read_json, save

# Rows of users' turns before an answer, at most.
BEFORE = 96
# Rows that begin an answer.
HEAD = 9
# Frames of a reply that the code predictor learns from, on average of a batch.
MOST_FRAMES = 36
# Shares of what the talker reads of its own that is wrong in training, as it will be later: whole frames, and single codes.
WRONG_FRAMES, WRONG_CODES = 0.08, 0.05


class Contexts:
    """What users said before an answer, as rows for the talker, aligned to their end."""

    @torch.no_grad()
    def __init__(self, thinker: Thinker, source: Examples, count: int, share: float):
        parts: list[tuple[Tensor, ...]] = []
        while sum(len(part[0]) for part in parts) < count:
            for size in (SHORT.scaled(share), LONG.scaled(share)):
                batch = source.batch(size)
                with autocast():
                    rows, deepstack, _, _ = rows_of(thinker, batch)
                    tap = TALKER["accept_hidden_layer"]
                    _, hidden = thinker.model(rows, batch["positions"], deepstack=deepstack, tap=tap)
                parts.append(self.gather(batch, hidden))
        self.ids, self.hidden, self.mask = (torch.cat([part[i] for part in parts]) for i in range(3))
        self.positions = torch.cat([part[3] for part in parts], dim=1)

    @staticmethod
    def gather(batch: dict, hidden: Tensor) -> tuple[Tensor, ...]:
        count = len(batch["ids"])
        ids = np.zeros((count, BEFORE), np.int64)
        index = np.zeros((count, BEFORE), np.int64)
        positions = np.zeros((3, count, BEFORE), np.int64)
        mask = np.zeros((count, BEFORE), bool)
        for row, (tokens, start) in enumerate(zip(batch["ids"].tolist(), batch["start"].tolist())):
            kept = examples.user_rows(tokens[: start - 3])[-BEFORE:]
            chosen = [tokens[i] for i in kept]
            place = slice(BEFORE - len(kept), BEFORE)
            ids[row, place], index[row, place], mask[row, place] = chosen, kept, True
            positions[:, row, place] = np.array(examples.positions(chosen)).T
        index = torch.from_numpy(index).to(DEVICE)
        rows = hidden.gather(1, index[..., None].expand(-1, -1, hidden.shape[2])).bfloat16()
        ids, mask, positions = (torch.from_numpy(array).to(DEVICE) for array in (ids, mask, positions))
        return ids, rows, mask, positions

    def take(self, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.ids[chosen], self.hidden[chosen], self.mask[chosen], self.positions[:, chosen]


class Said(NamedTuple):
    """Replies of a batch, all padded to the longest there is."""

    frames: Tensor
    codes: Tensor
    tokens: Tensor
    length: Tensor
    speaker: Tensor


class Spoken:
    """All replies as tokens, codes and speakers."""

    @torch.no_grad()
    def __init__(self, data: Path, codec: Codec, tokenizer: Tokenizer):
        said = read_json(data / "reply.json")
        clips, mel = Replies(data), CodecMel(DEVICE)
        frames = (clips.offsets[1:] - clips.offsets[:-1]) // FRAME
        longest = int(frames.max())
        codes = torch.zeros(len(said), longest, GROUPS, dtype=torch.int16, device=DEVICE)
        for begin in range(0, len(said), 256):
            clip = torch.arange(begin, min(begin + 256, len(said)), device=DEVICE)
            whole = clips.cut(clip, torch.zeros_like(clip), longest * FRAME)
            codes[clip] = codec.encode(mel(whole)).short()
        tokens = [tokenizer.encode(reply["text"]).ids for reply in said]
        width = max(map(len, tokens))
        self.all = Said(
            frames,
            codes,
            torch.tensor([ids + [0] * (width - len(ids)) for ids in tokens], device=DEVICE),
            torch.tensor([len(ids) for ids in tokens], device=DEVICE),
            torch.tensor([SPEAKERS[reply["speaker"]] for reply in said], device=DEVICE),
        )
        speakers = Counter(reply["text"] for reply in said)
        use = [domain.reply_weight(reply["text"]) / speakers[reply["text"]] ** 0.5 for reply in said]
        self.use = torch.tensor(use, device=DEVICE).double().cumsum(0)
        print(f"{len(said)} replies of up to {longest} frames and {width} tokens", flush=True)

    def draw(self, count: int) -> Said:
        """Replies by their use."""
        chosen = torch.searchsorted(self.use, self.use[-1] * torch.rand(count, device=DEVICE).double())
        return Said(*(field[chosen.clamp_max(len(self.use) - 1)] for field in self.all))


# What begins an answer, in tokens of the text and of the codec.
TEXT_MARKS = ("im_start_token_id", "assistant_token_id", "tts_pad_token_id", "tts_bos_token_id", "tts_eos_token_id")
CODE_MARKS = ("codec_nothink_id", "codec_think_bos_id", "codec_think_eos_id", "codec_pad_id", "codec_bos_id")


def marks() -> tuple[Tensor, Tensor]:
    """The ids of TEXT_MARKS with a new line, and of CODE_MARKS."""
    text, codes = [CONFIG[name] for name in TEXT_MARKS] + [examples.NEWLINE], [TALKER[name] for name in CODE_MARKS]
    return torch.tensor(text, device=DEVICE), torch.tensor(codes, device=DEVICE)


def begin_rows(
    talker: Talker, embed: torch.nn.Embedding, marked: tuple[Tensor, Tensor], text: Tensor, speaker: Tensor
) -> tuple[Tensor, ...]:
    """The nine rows that begin an answer, and the rows that follow its text: its end, and nothing."""
    project, table = talker.text_projection, talker.model.codec_embedding
    begin, role, pad, bos, end, newline = project(embed(marked[0]))
    nothink, think, thought, silent, go = table(marked[1])
    same = (begin, role, newline, pad + nothink, pad + think, pad + thought)
    rows = [row.expand(len(text), -1) for row in same]
    rows += [pad + table(speaker), (bos + silent).expand(len(text), -1), text[:, 0] + go]
    return torch.stack(rows, dim=1), end, pad


def spoil(codes: Tensor) -> Tensor:
    """Codes with some of them wrong."""
    frames = torch.rand(codes.shape[:2], device=codes.device)[..., None] < WRONG_FRAMES
    single = torch.rand(codes.shape, device=codes.device) < WRONG_CODES
    return torch.where(single, torch.randint_like(codes, CODEBOOK), torch.where(frames, codes.roll(1, 0), codes))


def losses(
    talker: Talker, embed: torch.nn.Embedding, marked: tuple[Tensor, Tensor], said: Said, context: tuple
) -> dict[str, Tensor]:
    """Of the first codes and of the others, teacher-forced, with the shares that are right."""
    codes, count, longest = said.codes.long(), len(said.codes), said.codes.shape[1]
    ids, hidden, mask, positions = context
    medium = (ids == THINKER["audio_token_id"]) | (ids == THINKER["image_token_id"])
    before = torch.where(medium[..., None], talker.hidden_projection(hidden.float()), talker.text_projection(embed(ids)))

    text = talker.text_projection(embed(said.tokens))
    head, end, pad = begin_rows(talker, embed, marked, text, said.speaker)
    # Frame k comes with the token after the next: the first one stands in the head.
    place = torch.arange(longest, device=ids.device)[None]
    index = (place + 1).clamp_max(text.shape[1] - 1).expand(count, -1)
    trailing = text.gather(1, index[..., None].expand(-1, -1, text.shape[2]))
    last = said.length[:, None] - 1
    trailing = torch.where((place < last)[..., None], trailing, torch.where((place == last)[..., None], end, pad))
    own = talker.embed_frames(spoil(codes)) + trailing
    x = torch.cat((before.to(own.dtype), head.to(own.dtype), own), dim=1)

    after = positions.amax((0, 2)) + 1
    after = torch.where(mask.any(1), after, 0)[:, None] + torch.arange(HEAD + longest, device=ids.device)
    positions = torch.cat((positions, after.expand(3, -1, -1)), dim=2)
    length = x.shape[1]
    there = torch.cat((mask, mask.new_ones(count, HEAD + longest)), dim=1)
    seen = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril() & there[:, None]
    # Padding sees itself, so that no row of the softmax is empty.
    seen = seen | torch.eye(length, dtype=torch.bool, device=ids.device)
    out, _ = talker.model(x, positions, mask=seen[:, None])
    out = out[:, mask.shape[1] + HEAD - 1 :]

    step = torch.arange(longest + 1, device=ids.device)[None]
    wanted = F.pad(codes[:, :, 0], (0, 1))
    wanted = torch.where(step == said.frames[:, None], TALKER["codec_eos_token_id"], wanted)
    told = step <= said.frames[:, None]
    first = talker.codec_head(out).float()
    first_loss = F.cross_entropy(first.flatten(0, 1), wanted.flatten(), reduction="none").view_as(wanted)
    inside = step[:, :-1] < said.frames[:, None]
    # The code predictor learns from the frames that are there, as many of them as there are on average, and some more.
    chosen = in_order(inside, max(count * MOST_FRAMES, longest))
    true, kept = codes.flatten(0, 1)[chosen], inside.flatten()[chosen]
    rest = talker.predict_rest(out[:, :-1].flatten(0, 1)[chosen], true).float()
    rest_loss = F.cross_entropy(rest.flatten(0, 1), true[:, 1:].flatten(), reduction="none").view(len(chosen), -1)
    mean = lambda value, where: (value * where).sum(0) / where.sum(0)
    return {
        "first": mean(first_loss.flatten(), told.flatten()),
        "rest": mean(rest_loss.mean(1), kept),
        "right": mean((first.argmax(-1) == wanted).float().flatten(), told.flatten()),
        "rest_right": mean((rest.argmax(-1) == true[:, 1:]).float(), kept[:, None]),
        "imbalance": talker.model.imbalance(),
    }


def train(data: Path, out: Path, parts: Path, clock: Clock, begin: Path | None, batch: int, scale: float, share: float) -> None:
    tokenizer = Tokenizer.from_file(str(data / "tokenizer.json"))
    source = Examples(data, tokenizer, 0.1 * scale, seed=5)
    thinker, codec, talker = Thinker().to(DEVICE).eval(), Codec().to(DEVICE).eval(), Talker().to(DEVICE)
    load(thinker, parts, "thinker")
    load(codec, parts, "codec")
    if begin:
        load(talker, begin, "talker")
    spoken = Spoken(data, codec, tokenizer)
    contexts = Contexts(thinker, source, int(6000 * scale) + 8, share)
    embed = thinker.model.embed_tokens.requires_grad_(False)
    trainer = Trainer([talker], clock, 8e-4 if begin else 1.5e-3, 0.02, (0.9, 0.98))
    compared, marked = compiled(losses), marks()

    def step() -> dict[str, Tensor]:
        context = contexts.take(torch.randint(0, len(contexts.ids), (batch,), device=DEVICE))
        with autocast():
            loss = compared(talker, embed, marked, spoken.draw(batch), context)
        trainer.step(loss["first"] + 2 * loss["rest"] + 0.01 * loss["imbalance"])
        return {name: part.detach() for name, part in loss.items()}

    learn = Captured(step)
    for _ in clock.ticks():
        trainer.schedule()
        loss = learn()
        if clock.tells(200):
            rest_right = [round(part, 2) for part in loss["rest_right"].tolist()]
            told = {name: loss[name].item() for name in ("first", "rest", "right")}
            clock.say("talker", **told, rest_right=rest_right)
    save(talker, out, "talker")


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--parts", type=Path, required=True, help="a folder with thinker and codec")
    parser.add_argument("--batch", type=int, default=192)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the examples")
    parser.add_argument("--share", type=float, default=1.0, help="share of the thinker's batches")
    args = parser.parse_args()
    torch.manual_seed(32 if args.begin else 31)
    clock = Clock(args.seconds, args.steps)
    train(args.data, args.out, args.parts, clock, args.begin, args.batch, args.scale, args.share)
