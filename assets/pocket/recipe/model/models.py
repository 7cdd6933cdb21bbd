"""Thinker and talker as trained: encoders, decoders, heads. Sizes come from config.json, in the published form."""
import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.layers import Decoder, rotate

CONFIG = json.loads((Path(__file__).parent / "config.json").read_text())
THINKER, TALKER, CODE2WAV = CONFIG["thinker_config"], CONFIG["talker_config"], CONFIG["code2wav_config"]
VOCABULARY = THINKER["text_config"]["vocab_size"]
GROUPS, CODEBOOK = TALKER["num_code_groups"], CODE2WAV["codebook_size"]
SPEAKERS: dict[str, int] = TALKER["speaker_id"]

# Encoder tokens of a chunk of 100 mel frames, which is a second.
TOKENS_A_SECOND = 13
# The only size of picture that is trained: 8 x 8 patches of 16 pixels, merged to 4 x 4 tokens.
PICTURE, GRID = 128, 8


def in_order(there: Tensor, most: int | None = None) -> Tensor:
    """Flat indexes of what is there, in order, then of the rest; at most so many. Its size does not depend on values."""
    return (~there).flatten().to(torch.uint8).argsort(stable=True)[:most]


def placed(into: Tensor, place: Tensor, rows: Tensor) -> Tensor:
    """`rows` [n, width], in order, where `place` [batch, length] is true; elsewhere `into` [batch, length, width]."""
    flat = place.flatten()
    # Elsewhere a row is read and not used, each another one: gradients for one and the same would wait for each other.
    index = torch.where(flat, flat.cumsum(0) - 1, torch.arange(len(flat), device=flat.device) % len(rows))
    return torch.where(place[..., None], rows[index.clamp_max(len(rows) - 1).view(place.shape)].to(into.dtype), into)


class AudioAttention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.k_proj, self.v_proj, self.q_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        batch, length, width = x.shape
        split = lambda t: t.view(batch, length, self.heads, -1).transpose(1, 2)
        query, key, value = split(self.q_proj(x)), split(self.k_proj(x)), split(self.v_proj(x))
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.out_proj(mixed.transpose(1, 2).reshape(batch, length, width))


class AudioLayer(nn.Module):
    def __init__(self, width: int, heads: int, inner: int):
        super().__init__()
        self.self_attn = AudioAttention(width, heads)
        self.self_attn_layer_norm, self.final_layer_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + self.self_attn(self.self_attn_layer_norm(x), mask)
        return x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))


class AudioTower(nn.Module):
    """Mel frames to rows of the thinker: three strided convolutions over each second, then attention over the clip."""

    def __init__(self, config: dict):
        super().__init__()
        width, channels = config["d_model"], config["downsample_hidden_size"]
        self.conv2d1 = nn.Conv2d(1, channels, 3, 2, 1)
        self.conv2d2 = nn.Conv2d(channels, channels, 3, 2, 1)
        self.conv2d3 = nn.Conv2d(channels, channels, 3, 2, 1)
        self.conv_out = nn.Linear(channels * 16, width, bias=False)
        heads, inner = config["encoder_attention_heads"], config["encoder_ffn_dim"]
        self.layers = nn.ModuleList(AudioLayer(width, heads, inner) for _ in range(config["encoder_layers"]))
        self.ln_post = nn.LayerNorm(width)
        self.proj1, self.proj2 = nn.Linear(width, width), nn.Linear(width, config["output_dim"])
        frequencies = torch.exp(-math.log(10000) * torch.arange(width // 2) / (width // 2 - 1))
        angles = torch.arange(TOKENS_A_SECOND)[:, None] * frequencies
        self.register_buffer("places", torch.cat((angles.sin(), angles.cos()), dim=1), persistent=False)

    def forward(self, mel: Tensor, tokens: Tensor, most: int | None = None) -> Tensor:
        """mel [batch, 128, 100 seconds], zero after the clip; tokens [batch] -> [batch, 13 seconds, width].

        Clips are shorter than an attention window of eight seconds. With `most` no more seconds of sound than that, of the
        whole batch, go through the convolutions, the first ones.
        """
        batch, bins, frames = mel.shape
        seconds = frames // 100
        sounding = torch.arange(seconds, device=mel.device) * TOKENS_A_SECOND < tokens[:, None]
        chosen = in_order(sounding, most)
        x = mel.view(batch, bins, seconds, 100).permute(0, 2, 1, 3).reshape(batch * seconds, 1, bins, 100)[chosen]
        for conv in (self.conv2d1, self.conv2d2, self.conv2d3):
            x = F.gelu(conv(x))
        x = self.conv_out(x.permute(0, 3, 1, 2).reshape(len(chosen), TOKENS_A_SECOND, -1)) + self.places
        x = x.new_zeros(batch * seconds, *x.shape[1:]).index_copy(0, chosen, x)
        x = x.view(batch, TOKENS_A_SECOND * seconds, -1)
        mask = (torch.arange(x.shape[1], device=x.device) < tokens.clamp_min(1)[:, None])[:, None, None]
        for layer in self.layers:
            x = layer(x, mask)
        return self.proj2(F.gelu(self.proj1(self.ln_post(x))))


class VisionAttention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, width = x.shape
        query, key, value = self.qkv(x).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key = rotate(query, cos, sin).to(value.dtype), rotate(key, cos, sin).to(value.dtype)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.proj(mixed.transpose(1, 2).reshape(batch, length, width))


class VisionMLP(nn.Module):
    def __init__(self, width: int, inner: int):
        super().__init__()
        self.linear_fc1, self.linear_fc2 = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_fc2(F.gelu(self.linear_fc1(x), approximate="tanh"))


class VisionBlock(nn.Module):
    def __init__(self, config: dict):
        super().__init__()
        width = config["hidden_size"]
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn = VisionAttention(width, config["num_heads"])
        self.mlp = VisionMLP(width, config["intermediate_size"])

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x), cos, sin)
        return x + self.mlp(self.norm2(x))


class Merger(nn.Module):
    """Four neighbouring patches to one row of the thinker; `grouped` norms them together, as deepstack does."""

    def __init__(self, width: int, out: int, grouped: bool):
        super().__init__()
        self.grouped = grouped
        self.ln_q = nn.LayerNorm(4 * width if grouped else width, eps=1e-6)
        self.mlp = nn.ModuleList([nn.Linear(4 * width, 4 * width), nn.GELU(), nn.Linear(4 * width, out)])

    def forward(self, x: Tensor) -> Tensor:
        batch, patches, width = x.shape
        x = x if self.grouped else self.ln_q(x)
        x = x.reshape(batch, patches // 4, 4 * width)
        x = self.ln_q(x) if self.grouped else x
        for part in self.mlp:
            x = part(x)
        return x


class Patches(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.proj = nn.Conv3d(3, width, (2, 16, 16), (2, 16, 16))


class Visual(nn.Module):
    """Pictures of 128 x 128 pixels to 16 rows of the thinker, and as many for each deepstack layer."""

    def __init__(self, config: dict):
        super().__init__()
        width, out, heads = config["hidden_size"], config["out_hidden_size"], config["num_heads"]
        # The table has a place for each patch, so that nothing is interpolated.
        assert config["num_position_embeddings"] == GRID * GRID
        self.deepstack = config["deepstack_visual_indexes"]
        self.patch_embed = Patches(width)
        self.pos_embed = nn.Embedding(GRID * GRID, width)
        self.blocks = nn.ModuleList(VisionBlock(config) for _ in range(config["depth"]))
        self.merger = Merger(width, out, grouped=False)
        self.merger_list = nn.ModuleList(Merger(width, out, grouped=True) for _ in self.deepstack)
        half = range(GRID // 2)
        order = torch.tensor([(2 * a + i, 2 * b + j) for a in half for b in half for i in (0, 1) for j in (0, 1)])
        head = width // heads
        frequencies = 10000.0 ** (-torch.arange(0, head // 2, 2).float() / (head // 2))
        angles = torch.cat((order[:, :1] * frequencies, order[:, 1:] * frequencies), dim=1).repeat(1, 2)
        for name, value in (("order", order), ("cos", angles.cos()), ("sin", angles.sin())):
            self.register_buffer(name, value, persistent=False)

    def forward(self, pictures: Tensor) -> tuple[Tensor, list[Tensor]]:
        """pictures uint8 [batch, 128, 128, 3] -> rows [batch, 16, width], and one such for each deepstack layer."""
        x = pictures.float() / 127.5 - 1
        x = x.view(-1, GRID, 16, GRID, 16, 3).permute(0, 1, 3, 5, 2, 4)[:, self.order[:, 0], self.order[:, 1]]
        # A picture is two equal frames.
        x = x[:, :, :, None].expand(-1, -1, -1, 2, -1, -1).flatten(2)
        place = self.order[:, 0] * GRID + self.order[:, 1]
        x = F.linear(x, self.patch_embed.proj.weight.flatten(1), self.patch_embed.proj.bias) + self.pos_embed(place)
        deep = []
        for i, block in enumerate(self.blocks):
            x = block(x, self.cos, self.sin)
            if i in self.deepstack:
                deep.append(self.merger_list[self.deepstack.index(i)](x))
        return self.merger(x), deep


class Thinker(nn.Module):
    def __init__(self):
        super().__init__()
        width = THINKER["text_config"]["hidden_size"]
        self.model = Decoder(THINKER["text_config"])
        self.model.embed_tokens = nn.Embedding(VOCABULARY, width)
        nn.init.normal_(self.model.embed_tokens.weight, std=0.5)
        self.lm_head = nn.Linear(width, VOCABULARY, bias=False)
        self.audio_tower = AudioTower(THINKER["audio_config"])
        self.visual = Visual(THINKER["vision_config"])

    def embed(
        self, ids: Tensor, heard: Tensor | None, tokens: Tensor | None, pictures: Tensor | None
    ) -> tuple[Tensor, list[Tensor] | None, Tensor | None]:
        """Rows of tokens [batch, length], where sound and pictures stand at their placeholders; and what was seen.

        `heard` [clips, longest, width] is what the audio tower made, of which each clip has so many `tokens`.
        """
        x = self.model.embed_tokens(ids)
        if heard is not None:
            order = in_order(torch.arange(heard.shape[1], device=ids.device) < tokens[:, None])
            x = placed(x, ids == THINKER["audio_token_id"], heard.flatten(0, 1)[order])
        if pictures is None:
            return x, None, None
        place = ids == THINKER["image_token_id"]
        seen, deep = self.visual(pictures)
        deepstack = [placed(torch.zeros_like(x), place, rows.flatten(0, 1)) for rows in deep]
        return placed(x, place, seen.flatten(0, 1)), deepstack, seen


class Projection(nn.Module):
    def __init__(self, width: int, inner: int, out: int):
        super().__init__()
        self.linear_fc1, self.linear_fc2 = nn.Linear(width, inner), nn.Linear(inner, out)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_fc2(F.silu(self.linear_fc1(x)))


class CodePredictor(nn.Module):
    """The codes of a frame after the first, one after the other."""

    def __init__(self, config: dict):
        super().__init__()
        width = config["hidden_size"]
        self.model = Decoder(config)
        self.model.codec_embedding = nn.ModuleList(nn.Embedding(CODEBOOK, width) for _ in range(GROUPS - 1))
        self.lm_head = nn.ModuleList(nn.Linear(width, CODEBOOK, bias=False) for _ in range(GROUPS - 1))
        for table in self.model.codec_embedding:
            nn.init.normal_(table.weight, std=0.15)


class Talker(nn.Module):
    def __init__(self):
        super().__init__()
        config = TALKER["text_config"]
        width, vocabulary = config["hidden_size"], config["vocab_size"]
        self.model = Decoder(config)
        self.model.codec_embedding = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.model.codec_embedding.weight, std=0.3)
        self.codec_head = nn.Linear(width, vocabulary, bias=False)
        thinker, inner = TALKER["thinker_hidden_size"], config["intermediate_size"]
        self.text_projection = Projection(thinker, inner, width)
        self.hidden_projection = Projection(thinker, inner, width)
        self.code_predictor = CodePredictor(TALKER["code_predictor_config"])

    def embed_frames(self, codes: Tensor) -> Tensor:
        """The sum of a frame's code embeddings: codes [..., groups] -> [..., width]."""
        rows = self.model.codec_embedding(codes[..., 0])
        for i, table in enumerate(self.code_predictor.model.codec_embedding):
            rows = rows + table(codes[..., i + 1])
        return rows

    def predict_rest(self, state: Tensor, codes: Tensor) -> Tensor:
        """Logits [n, groups - 1, codebook] of the later codes of frames, each given the true ones before it."""
        predictor = self.code_predictor
        rows = [state, self.model.codec_embedding(codes[:, 0]).to(state.dtype)]
        for i, table in enumerate(predictor.model.codec_embedding[:-1]):
            rows.append(table(codes[:, i + 1]).to(state.dtype))
        x = torch.stack(rows, dim=1)
        positions = torch.arange(x.shape[1], device=x.device).expand(x.shape[0], -1)
        out, _ = predictor.model(x, positions)
        return torch.stack([head(out[:, i + 1]) for i, head in enumerate(predictor.lm_head)], dim=1)
