"""Features of sound, and what happens to it between a mouth and the model, for batches on any device."""
import math

import torch
import torch.nn.functional as F
from torch import Tensor

QUESTION_RATE = 16_000


def mel_filters(rate: int, window: int, bins: int, highest: float) -> Tensor:
    """Triangles on Slaney's mel scale, each of the same area: [bins, window / 2 + 1]."""
    step = math.log(6.4) / 27
    to_mel = lambda hz: hz * 3 / 200 if hz < 1000 else 15 + math.log(hz / 1000) / step
    mels = torch.linspace(0, to_mel(highest), bins + 2, dtype=torch.float64)
    edges = torch.where(mels < 15, mels * 200 / 3, 1000 * torch.exp((mels - 15) * step))
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    hz = torch.linspace(0, rate / 2, window // 2 + 1, dtype=torch.float64)
    triangles = torch.minimum((hz - low) / (centre - low), (high - hz) / (high - centre)).clamp_min(0)
    return (triangles * 2 / (high - low)).float()


class SpeechMel:
    """The audio tower's features: Whisper's, at 16 kHz, relative to the loudest of the clip."""

    def __init__(self, device: str):
        self.filters = mel_filters(QUESTION_RATE, 400, 128, 8000).to(device)
        self.window = torch.hann_window(400, device=device)

    def __call__(self, samples: Tensor, frames: Tensor) -> Tensor:
        """samples [batch, n], frames [batch] of 10 ms -> [batch, 128, n / 160], zero behind a clip's frames."""
        spectrum = torch.stft(samples, 400, 160, window=self.window, return_complex=True)[..., :-1]
        mel = (self.filters @ spectrum.abs().square()).clamp_min(1e-10).log10()
        inside = (torch.arange(mel.shape[-1], device=mel.device) < frames[:, None])[:, None]
        loudest = mel.masked_fill(~inside, -99).amax((1, 2), keepdim=True)
        return (torch.maximum(mel, loudest - 8) + 4) / 4 * inside


class CodecMel:
    """The codec encoder's features: log-mel at 24 kHz, eight of 10 ms to a frame."""

    def __init__(self, device: str):
        self.filters = mel_filters(24_000, 1024, 128, 12_000).to(device)
        self.window = torch.hann_window(1024, device=device)

    def __call__(self, samples: Tensor) -> Tensor:
        """samples [batch, 1920 frames] -> [batch, 128, 8 frames]."""
        padded = F.pad(samples, (392, 392))
        spectrum = torch.stft(padded, 1024, 240, window=self.window, center=False, return_complex=True)
        return (self.filters @ spectrum.abs().square()).clamp_min(1e-7).log10() * 0.5 + 1.5


def chance(count: int, device: str, share: float) -> Tensor:
    """[count, 1], one with this probability and zero else."""
    return (torch.rand(count, 1, device=device) < share).float()


def between(count: int, device: str, low: float, high: float) -> Tensor:
    """[count, 1], even between the two."""
    return low + (high - low) * torch.rand(count, 1, device=device)


def band(spectrum: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Keeps a band of a spectrum [batch, bins] between two frequencies in hertz [batch, 1], with soft edges."""
    hz = torch.linspace(0, QUESTION_RATE / 2, spectrum.shape[1], device=spectrum.device)
    return spectrum * torch.sigmoid((hz - low) / 40) * torch.sigmoid((high - hz) / 80)


def noise(count: int, length: int, device: str) -> Tensor:
    """Noise of level one, each of another colour: its spectrum falls by 0 to 9 dB an octave."""
    spectrum = torch.fft.rfft(torch.randn(count, length, device=device))
    hz = torch.linspace(0, QUESTION_RATE / 2, spectrum.shape[1], device=device).clamp_min(40)
    samples = torch.fft.irfft(spectrum * (hz / 500) ** -between(count, device, 0, 1.5), length)
    return samples / samples.square().mean(1, keepdim=True).sqrt()


class Microphone:
    """Clips as a microphone gives them: placed in a slot, faster or slower, in a room, with noise, over a telephone."""

    def __init__(self, clips: Tensor, offsets: Tensor, device: str, seconds: int):
        """clips int16, all joined, at 16 kHz; offsets [n + 1] of each."""
        self.clips, self.offsets, self.device = clips.to(device), offsets.to(device), device
        self.length = seconds * QUESTION_RATE
        self.mel = SpeechMel(device)

    @torch.no_grad()
    def features(self, clip: Tensor, frames: Tensor) -> Tensor:
        """Mel features [n, 128, 100 seconds] of clips [n] in slots of so many frames of 10 ms [n]."""
        samples = self.distort(*self.place(clip, frames))
        inside = torch.arange(self.length, device=self.device) < frames[:, None] * 160
        return self.mask(self.mel(samples * inside, frames), frames)

    def place(self, clip: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Puts each clip somewhere in its slot, at 0.85 to 1.2 of its speed: samples, and how many are spoken [n, 1]."""
        count, device = len(clip), self.device
        begin = self.offsets[clip][:, None]
        length = (self.offsets[clip + 1] - self.offsets[clip])[:, None].float()
        slot = frames[:, None] * 160.0
        speed = torch.maximum(between(count, device, 0.85, 1.2), length / slot)
        spoken = length / speed
        start = torch.rand(count, 1, device=device) * (slot - spoken).clamp_min(0)
        at = (torch.arange(self.length, device=device) - start) * speed
        inside = (at >= 0) & (at < length - 1)
        whole = at.floor().clamp_min(0)
        part = (at - whole) * inside
        index = torch.minimum(whole, length - 2).clamp_min(0).long() + begin
        samples = self.clips[index].float() * (1 - part) + self.clips[index + 1].float() * part
        return samples / 32768 * inside, spoken

    def distort(self, samples: Tensor, spoken: Tensor) -> Tensor:
        """A room, noise, a telephone, an overdriven or a distant microphone: each for some of the clips."""
        count, device, length = len(samples), self.device, self.length
        level = (samples.square().sum(1, keepdim=True) / spoken).sqrt().clamp_min(1e-5)
        tail = 4800
        decay = torch.exp(-torch.arange(tail, device=device) / QUESTION_RATE / between(count, device, 0.02, 0.09))
        room = torch.randn(count, tail, device=device) * decay * between(count, device, 0, 0.08)
        room = room * chance(count, device, 0.45)
        room[:, 0] = 1
        size = length + tail
        spectrum = torch.fft.rfft(samples, size) * torch.fft.rfft(room, size)
        # Microphones differ: a tilt of up to 6 dB over the whole range, and a telephone's band for some.
        hz = torch.linspace(0, 1, spectrum.shape[1], device=device)
        spectrum = spectrum * 10 ** (between(count, device, -0.3, 0.3) * (hz - 0.3))
        telephone = chance(count, device, 0.15)
        low, high = between(count, device, 200, 350), between(count, device, 3000, 3800)
        spectrum = torch.where(telephone > 0, band(spectrum, low, high), spectrum)
        samples = torch.fft.irfft(spectrum, size)[:, :length]
        loudness = 10 ** (-between(count, device, 5, 40) / 20)
        samples = samples + noise(count, length, device) * level * loudness * chance(count, device, 0.75)
        peak = samples.abs().amax(1, keepdim=True).clamp_min(1e-5)
        limit = peak * between(count, device, 0.1, 0.6)
        samples = torch.where(chance(count, device, 0.1) > 0, samples.clamp(-limit, limit), samples)
        return samples * 10 ** between(count, device, -1.8, 0.4) / peak.clamp_min(0.05)

    def mask(self, mel: Tensor, frames: Tensor) -> Tensor:
        """Other vocal tracts and missing stretches: bends the mel scale and drops bands and moments."""
        count, device = len(mel), self.device
        bend = torch.where(chance(count, device, 0.75) > 0, between(count, device, 0.86, 1.16), torch.ones(count, 1, device=device))
        place = (torch.arange(128, device=device) * bend).clamp_max(126.99)
        lower, part = place.floor().long(), (place - place.floor())[..., None]
        row = lambda index: mel.gather(1, index[..., None].expand(-1, -1, mel.shape[2]))
        mel = row(lower) * (1 - part) + row(lower + 1) * part
        bins = torch.arange(128, device=device)
        moments = torch.arange(mel.shape[2], device=device)
        for _ in range(2):
            begin, width = between(count, device, 0, 128), between(count, device, 0, 16) * chance(count, device, 0.35)
            mel = mel * (1 - ((bins >= begin) & (bins < begin + width)).float())[..., None]
            begin = torch.rand(count, 1, device=device) * frames[:, None]
            width = between(count, device, 0, 8) * chance(count, device, 0.3)
            mel = mel * (1 - ((moments >= begin) & (moments < begin + width)).float())[:, None]
        return mel
