"""Discriminators that teach code2wav: samples folded by periods (HiFi-GAN), and complex spectra (as in EnCodec)."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from stages.training import Trainer, autocast, compiled

PERIODS = (2, 3, 5, 7, 11)
SPECTRA = (1024, 512, 256)


def convolution(inputs: int, outputs: int, kernel: tuple[int, int], stride: tuple[int, int], dilation: int = 1) -> nn.Module:
    padding = ((kernel[0] - 1) // 2 * dilation, (kernel[1] - 1) // 2)
    return weight_norm(nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation=(dilation, 1)))


def unlike(made: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """How far features are from those that are wanted, on average of all."""
    distance = lambda a, b: (a.float() - b.float()).abs().mean() / (b.float().abs().mean() + 1e-3)
    return torch.stack([distance(a, b) for a, b in zip(made, wanted)]).mean()


class Chain(nn.Module):
    """Convolutions whose outputs are all compared, and a last one that judges."""

    def __init__(self, layers: list[nn.Module], width: int):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.verdict = convolution(width, 1, (3, 3), (1, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        seen = []
        for layer in self.layers:
            # Channels last, as the convolutions on a GPU want them.
            x = F.leaky_relu(layer(x.contiguous(memory_format=torch.channels_last)), 0.1)
            seen.append(x)
        return self.verdict(x).float(), seen


class Discriminators(nn.Module):
    def __init__(self):
        super().__init__()
        widths = (1, 32, 64, 128, 256)
        self.periods = nn.ModuleList(
            Chain([convolution(a, b, (5, 1), (3, 1)) for a, b in zip(widths, widths[1:])], widths[-1]) for _ in PERIODS
        )
        self.spectra = nn.ModuleList()
        for _ in SPECTRA:
            first = convolution(2, 32, (3, 9), (1, 1))
            rest = [convolution(32, 32, (3, 9), (1, 2), dilation) for dilation in (1, 2, 4)]
            self.spectra.append(Chain([first, *rest], 32))
        self.look, self.compare = compiled(self.each), compiled(unlike)

    def views(self, samples: Tensor) -> list[Tensor]:
        """The samples as each discriminator sees them, all of about unit size."""
        views = []
        for period in PERIODS:
            whole = samples[:, : samples.shape[1] // period * period]
            views.append((8 * whole).view(len(samples), 1, -1, period))
        for size in SPECTRA:
            window = torch.hann_window(size, device=samples.device)
            spectrum = torch.stft(samples, size, size // 4, window=window, return_complex=True).transpose(1, 2)
            # Loud bins are compressed, or quiet ones would not be seen.
            spectrum = spectrum * (spectrum.abs() + 1e-3) ** -0.6
            views.append(torch.stack((spectrum.real, spectrum.imag), dim=1))
        return views

    def forward(self, samples: Tensor) -> tuple[list[Tensor], list[list[Tensor]]]:
        with autocast():
            judged = self.look(self.views(samples))
        return [verdict for verdict, _ in judged], [seen for _, seen in judged]

    def each(self, views: list[Tensor]) -> list[tuple[Tensor, list[Tensor]]]:
        return [chain(view) for chain, view in zip([*self.periods, *self.spectra], views)]

    def judge(self, made: Tensor, wanted: Tensor, trainer: Trainer) -> tuple[Tensor, Tensor, Tensor]:
        """Learns to tell them apart; then the losses of what was made: their own, how well it is told, how unlike it is."""
        self.requires_grad_(True)
        verdicts, both = self(torch.cat((made.detach(), wanted)))
        pairs = (verdict.chunk(2) for verdict in verdicts)
        own = torch.stack([F.relu(1 + a).mean() + F.relu(1 - b).mean() for a, b in pairs]).mean()
        real = [features.detach()[len(made) :] for seen in both for features in seen]
        trainer.step(own, 10.0)
        self.requires_grad_(False)
        verdicts, seen = self(made)
        fooled = -torch.stack([verdict.mean() for verdict in verdicts]).mean()
        alike = self.compare([features for each in seen for features in each], real)
        return own.detach(), 0.5 * fooled, 2.0 * alike
