"""Trains the codec: python -m stages.codec DATA OUT --seconds N [--from FOLDER] [--decoder-only]

First spectra alone teach encoder, codebooks and code2wav; then the codes are frozen, and discriminators teach code2wav
what speech sounds like. With --decoder-only that goes on from an earlier run, whose codes stay as they are.
"""
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from model.code2wav import FRAME, Codec
from model.models import GROUPS
from stages.discriminators import Discriminators
from model.sound import CodecMel, mel_filters
from stages.training import DEVICE, Captured, Clock, Trainer, arguments, autocast, compiled, load, save

# Shares of the time after which codes take the place of latents, the discriminators begin, and the codes are frozen. Codebooks
# that begin with an untrained encoder's latents, which are all alike, use few of their codes for long.
CODED, ADVERSE, FROZEN = 0.03, 0.55, 0.7
# Frames of a training piece, and samples of it that the discriminators hear.
PIECE, HEARD = 32, 24_000


class Replies:
    """All reply clips at 24 kHz on the device, each with a frame of silence behind it."""

    def __init__(self, data: Path):
        clips = torch.from_numpy(np.load(data / "reply.npy")).to(DEVICE)
        begin = torch.from_numpy(np.load(data / "reply_offsets.npy")).to(DEVICE)
        lengths = begin.diff()
        frames = (lengths + 1279) // 1280 + 1
        self.offsets = F.pad((frames * FRAME).cumsum(0), (1, 0))
        self.samples = torch.empty(int(self.offsets[-1]), dtype=torch.int16, device=DEVICE)
        for part in lengths.argsort().split(256):
            size = int(frames[part].max()) * 1280
            at, wide_at = torch.arange(size, device=DEVICE), torch.arange(size * 3 // 2, device=DEVICE)
            index = (begin[part][:, None] + at).clamp_max(len(clips) - 1)
            block = clips[index].float() * (at < lengths[part][:, None])
            # There is silence at the end, so the spectrum can be extended exactly.
            spectrum = F.pad(torch.fft.rfft(block), (0, size // 4))
            wide = (torch.fft.irfft(spectrum, size * 3 // 2) * 1.5).clamp(-32767, 32767).short()
            inside = wide_at < (frames[part] * FRAME)[:, None]
            self.samples[(self.offsets[part][:, None] + wide_at)[inside]] = wide[inside]

    def pieces(self, count: int) -> Tensor:
        """Pieces [count, 1920 PIECE] that begin on a frame, as clips do."""
        clip = torch.randint(0, len(self.offsets) - 1, (count,), device=DEVICE)
        frames = (self.offsets[clip + 1] - self.offsets[clip]) // FRAME
        start = (torch.rand(count, device=DEVICE) * (frames - PIECE + 2).clamp_min(1)).long()
        return self.cut(clip, start * FRAME, PIECE * FRAME)

    def cut(self, clip: Tensor, start: Tensor, length: int) -> Tensor:
        at = start[:, None] + torch.arange(length, device=DEVICE)
        inside = at < (self.offsets[clip + 1] - self.offsets[clip])[:, None]
        index = (self.offsets[clip][:, None] + at).clamp_max(len(self.samples) - 1)
        return self.samples[index].float() / 32768 * inside


class SpectralLoss:
    """Distance of spectra at five resolutions, and of mel spectra at two."""

    def __init__(self):
        self.windows = {size: torch.hann_window(size, device=DEVICE) for size in (2048, 1024, 512, 256, 128)}
        self.mels = {size: mel_filters(24_000, size, bins, 12_000).to(DEVICE) for size, bins in ((1024, 80), (2048, 100))}

    def __call__(self, made: Tensor, wanted: Tensor) -> Tensor:
        loss = made.new_zeros(())
        for size, window in self.windows.items():
            spectra = (torch.stft(x, size, size // 4, window=window, return_complex=True) for x in (made, wanted))
            a, b = (spectrum.abs().clamp_min(1e-5) for spectrum in spectra)
            norm = lambda x: x.square().sum((1, 2)).sqrt()
            loss = loss + 0.4 * (a.log() - b.log()).abs().mean() + (norm(a - b) / (norm(b) + 0.5)).mean()
            if size in self.mels:
                mel = lambda x: (self.mels[size] @ x.square()).clamp_min(1e-6).log()
                loss = loss + (mel(a) - mel(b)).abs().mean()
        return loss


def train(data: Path, out: Path, clock: Clock, begin: Path | None, decoder_only: bool, batch: int) -> None:
    replies, mel, spectral = Replies(data), CodecMel(DEVICE), SpectralLoss()
    print(f"{len(replies.samples) / 24_000:.0f} s of replies", flush=True)
    codec, judges = Codec().to(DEVICE), Discriminators().to(DEVICE)
    if begin:
        load(codec, begin, "codec")
        if list(begin.glob("discriminators.*")):
            load(judges, begin, "discriminators")
    encode, synthesise = compiled(codec.encoder), compiled(codec.code2wav)
    maker = Trainer([codec], clock, 4e-4 if decoder_only else 1e-3, 1e-3, (0.8, 0.95))
    judging = Trainer([judges], clock, 3e-4, 0.0, (0.8, 0.95))

    def step(coded: bool, adverse: bool, frozen: bool) -> dict[str, Tensor | None]:
        codec.quantiser.train(not frozen)
        pieces = replies.pieces(batch)
        with autocast():
            latents = encode(mel(pieces)).float()
        latents = latents.detach() if frozen else latents
        quantised, codes, commitment = latents, None, 0.01 * latents.square().mean()
        if coded:
            # One in four learns to do with fewer levels, so that the first ones carry the most.
            few = torch.rand(batch, device=DEVICE) < 0.25
            levels = torch.where(few, torch.randint(1, GROUPS, (batch,), device=DEVICE), GROUPS).repeat_interleave(PIECE)
            quantised, codes, commitment = codec.quantiser(latents.flatten(0, 1), None if frozen else levels)
        with autocast():
            made = synthesise(codec.expand(quantised.view(batch, PIECE, -1)))
        made = made.float()
        wanted = pieces[:, : made.shape[1]]
        loss = spectral(made, wanted) + (0.0 if frozen else commitment)
        judged = torch.zeros((), device=DEVICE)
        if adverse:
            at = torch.randint(0, made.shape[1] - HEARD, (1,), device=DEVICE) + torch.arange(HEARD, device=DEVICE)
            judged, fooled, alike = judges.judge(made.index_select(1, at), wanted.index_select(1, at), judging)
            loss = loss + fooled + alike
        maker.step(loss, 2.0)
        return {"loss": loss.detach(), "judges": judged, "codes": codes, "latents": latents.detach()}

    learn, coded = Captured(step), begin is not None
    for done in clock.ticks():
        frozen = decoder_only or clock.share > FROZEN
        # In the first step too, so that all is compiled in it.
        adverse = decoder_only or clock.share > ADVERSE or done == 0
        if not coded and clock.share > CODED:
            codec.quantiser.begin(latents)
            coded = True
        maker.schedule()
        judging.schedule()
        learned = learn(coded, adverse, frozen)
        latents = learned["latents"].flatten(0, 1)
        if coded and not frozen and done % 50 == 49:
            codec.quantiser.revive(latents)
        if clock.tells(200):
            used = [len(level.unique()) for level in learned["codes"].T] if coded else []
            clock.say("codec", loss=learned["loss"].item(), judges=learned["judges"].item(), used=used)
    codec.tabulate()
    save(codec, out, "codec")
    save(judges, out, "discriminators")


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--decoder-only", action="store_true")
    parser.add_argument("--batch", type=int, default=32)
    args = parser.parse_args()
    torch.manual_seed(11)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    train(args.data, args.out, Clock(args.seconds, args.steps), args.begin, args.decoder_only, args.batch)
