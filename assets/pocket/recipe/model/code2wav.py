"""The codec: code2wav, which is part of the model, and the encoder with its quantiser, which only training needs."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.layers import Attention, GatedMLP, RMSNorm, rope
from model.models import CODE2WAV, CODEBOOK, GROUPS

RATE = 24_000
# Samples of a frame, and of those that the transposed convolutions lose at the end of a whole clip.
FRAME, LOST = 1920, 555
# Width of what is quantised.
LATENT = 64


class CausalConv(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int = 1, groups: int = 1):
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, dilation=dilation, groups=groups)
        self.past = (kernel - 1) * dilation

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (self.past, 0)))


class CausalTransposedConv(nn.Module):
    """Cut on both sides by what kernel and stride differ in: as published, which looks ahead a little."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int):
        super().__init__()
        self.conv = nn.ConvTranspose1d(inputs, outputs, kernel, stride)
        self.cut = kernel - stride

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x[..., self.cut : x.shape[-1] - self.cut]


class ConvNeXt(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.dwconv = CausalConv(width, width, 7, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.pwconv1, self.pwconv2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(0.1 * torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        inner = F.gelu(self.pwconv1(self.norm(self.dwconv(x).transpose(1, 2))))
        return x + (self.gamma * self.pwconv2(inner)).transpose(1, 2)


class SnakeBeta(nn.Module):
    """x + sin(e^alpha x)^2 / e^beta."""

    def __init__(self, width: int):
        super().__init__()
        self.alpha, self.beta = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        alpha = self.alpha.exp()[None, :, None].to(x.dtype)
        scale = (1 / (self.beta.exp() + 1e-9))[None, :, None].to(x.dtype)
        return x + scale * torch.sin(x * alpha).square()


class ResidualUnit(nn.Module):
    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.act1, self.act2 = SnakeBeta(width), SnakeBeta(width)
        self.conv1, self.conv2 = CausalConv(width, width, 7, dilation), CausalConv(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(self.act2(self.conv1(self.act1(x))))


class DecoderBlock(nn.Module):
    def __init__(self, inputs: int, rate: int):
        super().__init__()
        width = inputs // 2
        units = [ResidualUnit(width, dilation) for dilation in (1, 3, 9)]
        self.block = nn.ModuleList([SnakeBeta(inputs), CausalTransposedConv(inputs, width, 2 * rate, rate), *units])

    def forward(self, x: Tensor) -> Tensor:
        for part in self.block:
            x = part(x)
        return x


class LayerScale(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.scale = nn.Parameter(0.1 * torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class TransformerLayer(nn.Module):
    def __init__(self, config: dict):
        super().__init__()
        width, heads, eps = config["hidden_size"], config["num_attention_heads"], config["rms_norm_eps"]
        self.self_attn = Attention(width, heads, heads, width // heads, normed=False)
        self.mlp = GatedMLP(width, config["intermediate_size"])
        self.input_layernorm, self.post_attention_layernorm = RMSNorm(width, eps), RMSNorm(width, eps)
        self.self_attn_layer_scale, self.mlp_layer_scale = LayerScale(width), LayerScale(width)

    def forward(self, x: Tensor, turns: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        x = x + self.self_attn_layer_scale(self.self_attn(self.input_layernorm(x), turns, mask))
        return x + self.mlp_layer_scale(self.mlp(self.post_attention_layernorm(x)))


class Code2Wav(nn.Module):
    """Frames of codes to samples: a windowed transformer, two doublings, then strides 8, 5, 4 and 3."""

    def __init__(self, config: dict = CODE2WAV):
        super().__init__()
        width, channels = config["hidden_size"], config["decoder_dim"]
        self.window, self.theta = config["sliding_window"], config["rope_theta"]
        self.head = width // config["num_attention_heads"]
        self.code_embedding = nn.Embedding(CODEBOOK * GROUPS, width)
        self.pre_transformer = nn.Module()
        self.pre_transformer.layers = nn.ModuleList(TransformerLayer(config) for _ in range(config["num_hidden_layers"]))
        self.pre_transformer.norm = RMSNorm(width, config["rms_norm_eps"])
        doublings = config["upsampling_ratios"]
        self.upsample = nn.ModuleList(
            nn.ModuleList([CausalTransposedConv(width, width, rate, rate), ConvNeXt(width)]) for rate in doublings
        )
        rates = config["upsample_rates"]
        blocks = [DecoderBlock(channels >> i, rate) for i, rate in enumerate(rates)]
        last = channels >> len(rates)
        self.decoder = nn.ModuleList(
            [CausalConv(width, channels, 7), *blocks, SnakeBeta(last), CausalConv(last, 1, 7)]
        )

    def embed(self, codes: Tensor) -> Tensor:
        """The mean of a frame's embeddings: codes [batch, frames, groups] -> [batch, frames, width]."""
        return self.code_embedding(codes + torch.arange(GROUPS, device=codes.device) * CODEBOOK).mean(2)

    def forward(self, x: Tensor) -> Tensor:
        """Embedded frames [batch, frames, width] -> samples [batch, 1920 frames - 555], not clamped."""
        place = torch.arange(x.shape[1], device=x.device)
        turns = rope(place[None], self.head, self.theta)
        past = place[:, None] - place[None]
        mask = ((past >= 0) & (past < self.window))[None, None]
        for layer in self.pre_transformer.layers:
            x = layer(x, turns, mask)
        x = self.pre_transformer.norm(x).transpose(1, 2)
        for doubling, block in self.upsample:
            x = block(doubling(x))
        for part in self.decoder:
            x = part(x)
        return x[:, 0]


class EncoderUnit(nn.Module):
    def __init__(self, width: int, kernel: int):
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.mix = nn.Conv1d(width, width, kernel, padding=kernel // 2)
        self.out = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.out(F.gelu(self.mix(F.gelu(self.norm(x)))))


class Encoder(nn.Module):
    """Log-mel frames of 10 ms to latents of 80 ms.

    It sees a frame and 40 ms on both sides, no more: so the same sound has the same codes whatever is around it,
    which makes the codes easy to predict.
    """

    MELS = 128

    def __init__(self, width: int = 512):
        super().__init__()
        narrow = 192
        self.begin = nn.Conv1d(self.MELS, narrow, 3, padding=1)
        self.fine = nn.Sequential(EncoderUnit(narrow, 3), EncoderUnit(narrow, 3), EncoderUnit(narrow, 3))
        self.join = nn.Conv1d(narrow, width, 8, 8)
        self.coarse = nn.Sequential(EncoderUnit(width, 1), EncoderUnit(width, 1), EncoderUnit(width, 1))
        self.end = nn.Conv1d(width, LATENT, 1)

    def forward(self, mel: Tensor) -> Tensor:
        """mel [batch, 128, 8 frames] -> [batch, frames, latent]."""
        return self.end(self.coarse(self.join(self.fine(self.begin(mel))))).transpose(1, 2)


class ResidualQuantiser(nn.Module):
    """Each level's codebook, kept as moving averages, quantises what the levels before have left."""

    DECAY = 0.98

    def __init__(self):
        super().__init__()
        self.register_buffer("book", torch.zeros(GROUPS, CODEBOOK, LATENT))
        self.register_buffer("count", torch.ones(GROUPS, CODEBOOK))
        self.register_buffer("total", torch.zeros(GROUPS, CODEBOOK, LATENT))

    @torch.no_grad()
    def begin(self, latents: Tensor) -> None:
        """Fills the codebooks with latents [n, latent], and with what each level leaves of them."""
        left = latents
        for level, book in enumerate(self.book):
            book.copy_(left[torch.randint(0, len(left), (CODEBOOK,), device=left.device)])
            self.total[level] = book
            left = left - book[self.nearest(left, book)]

    @staticmethod
    def nearest(rows: Tensor, book: Tensor) -> Tensor:
        return (book.square().sum(1) - 2 * rows @ book.T).argmin(1)

    def forward(self, latents: Tensor, levels: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """latents [n, latent] -> quantised (straight through), codes [n, groups], commitment loss.

        In training the codebooks follow; `levels` [n] says how many are used for each row.
        """
        left, out, codes = latents, torch.zeros_like(latents), []
        commitment = latents.new_zeros(())
        for level in range(GROUPS):
            rows, book = left.detach(), self.book[level]
            code = self.nearest(rows, book)
            chosen = book[code]
            if self.training:
                self.follow(level, rows, code)
            used = 1.0 if levels is None else (levels > level).float()[:, None]
            commitment = commitment + ((left - chosen).square() * used).mean()
            out, left = out + chosen * used, left - chosen
            codes.append(code)
        return latents + (out - latents).detach(), torch.stack(codes, dim=1), commitment

    @torch.no_grad()
    def follow(self, level: int, rows: Tensor, code: Tensor) -> None:
        hot = F.one_hot(code, CODEBOOK).float()
        self.count[level].mul_(self.DECAY).add_(hot.sum(0), alpha=1 - self.DECAY)
        self.total[level].mul_(self.DECAY).add_(hot.T @ rows, alpha=1 - self.DECAY)
        self.book[level].copy_(self.total[level] / self.count[level][:, None].clamp_min(1e-3))

    @torch.no_grad()
    def revive(self, latents: Tensor, share: float = 0.08) -> int:
        """Gives codes that are hardly used one of the latents [n, latent], or what is left of it; says how many."""
        left, revived = latents, 0
        for level in range(GROUPS):
            dead = self.count[level] < share * self.count[level].mean()
            number = int(dead.sum())
            if number:
                rows = left[torch.randint(0, len(left), (number,), device=left.device)]
                weight = self.count[level].mean() * 0.5
                self.book[level][dead], self.count[level][dead] = rows, weight
                self.total[level][dead] = rows * weight
            book = self.book[level]
            left, revived = left - book[self.nearest(left, book)], revived + number
        return revived


class Codec(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.quantiser = Encoder(), ResidualQuantiser()
        self.expand = nn.Linear(LATENT, CODE2WAV["hidden_size"])
        self.code2wav = Code2Wav()

    @torch.no_grad()
    def tabulate(self) -> None:
        """Writes codebooks and the expansion into code2wav's table, the mean of whose rows is then the same."""
        rows = GROUPS * (self.quantiser.book @ self.expand.weight.T) + self.expand.bias
        self.code2wav.code_embedding.weight.copy_(rows.flatten(0, 1))

    @torch.no_grad()
    def encode(self, mel: Tensor) -> Tensor:
        """mel [batch, 128, 8 frames] -> codes [batch, frames, groups]."""
        latents = self.encoder(mel).float()
        return self.quantiser(latents.flatten(0, 1))[1].view(*latents.shape[:2], -1)
