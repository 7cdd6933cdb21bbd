"""Layers that the model's parts share, with the published names of their tensors.

Twins of the modules in Hugging Face transformers, over padded batches: the same arithmetic, written for training.
"""
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RMSNorm(nn.Module):
    """Root mean square norm with a plain weight, in float32."""

    def __init__(self, width: int, eps: float = 1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x.float(), (x.shape[-1],), self.weight.float(), self.eps).to(x.dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding that pairs the first half of a head with the second."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


def rope(positions: Tensor, head: int, theta: float, sections: list[int] | None = None) -> tuple[Tensor, Tensor]:
    """Cosines and sines [batch, 1, length, head] of positions [batch, length], or of [3, batch, length] with `sections`.

    With three axes the frequencies take turns: time, height, width, as long as `sections` has some left.
    """
    frequencies = theta ** -(torch.arange(0, head, 2, device=positions.device).float() / head)
    if positions.dim() == 3:
        axis = torch.zeros(head // 2, dtype=torch.long, device=positions.device)
        if sections:
            axis[1 : 3 * sections[1] : 3] = 1
            axis[2 : 3 * sections[2] : 3] = 2
        angles = positions.permute(1, 2, 0).float()[..., axis] * frequencies
    else:
        angles = positions.float()[..., None] * frequencies
    angles = torch.cat((angles, angles), dim=-1)[:, None]
    return angles.cos(), angles.sin()


class Attention(nn.Module):
    """Grouped-query attention without biases; queries and keys are normed per head where `normed`."""

    def __init__(self, width: int, heads: int, groups: int, head: int, normed: bool = True, eps: float = 1e-6):
        super().__init__()
        self.heads, self.groups, self.head = heads, groups, head
        self.q_proj = nn.Linear(width, heads * head, bias=False)
        self.k_proj = nn.Linear(width, groups * head, bias=False)
        self.v_proj = nn.Linear(width, groups * head, bias=False)
        self.o_proj = nn.Linear(heads * head, width, bias=False)
        self.q_norm = RMSNorm(head, eps) if normed else nn.Identity()
        self.k_norm = RMSNorm(head, eps) if normed else nn.Identity()

    def forward(self, x: Tensor, turns: tuple[Tensor, Tensor], mask: Tensor | None) -> Tensor:
        """x [batch, length, width]; causal without a mask."""
        batch, length, _ = x.shape
        cos, sin = (turn.to(x.dtype) for turn in turns)
        query = self.q_norm(self.q_proj(x).view(batch, length, self.heads, self.head)).transpose(1, 2)
        key = self.k_norm(self.k_proj(x).view(batch, length, self.groups, self.head)).transpose(1, 2)
        value = self.v_proj(x).view(batch, length, self.groups, self.head).transpose(1, 2)
        query, key = rotate(query, cos, sin).to(value.dtype), rotate(key, cos, sin).to(value.dtype)
        if self.groups != self.heads:
            key, value = (t.repeat_interleave(self.heads // self.groups, dim=1) for t in (key, value))
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=mask is None)
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, length, -1))


class GatedMLP(nn.Module):
    """down(silu(gate x) * up x)."""

    def __init__(self, width: int, inner: int):
        super().__init__()
        self.gate_proj = nn.Linear(width, inner, bias=False)
        self.up_proj = nn.Linear(width, inner, bias=False)
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Experts(nn.Module):
    """All experts' matrices, stacked as transformers 5 stacks them: gate rows before up rows."""

    def __init__(self, count: int, width: int, inner: int):
        super().__init__()
        self.gate_up_proj = nn.Parameter(torch.randn(count, 2 * inner, width) * width**-0.5 * 0.7)
        self.down_proj = nn.Parameter(torch.randn(count, width, inner) * inner**-0.5 * 0.5)


class MixtureOfExperts(nn.Module):
    """The best few experts by router, weights renormalised; plus a gated shared expert where `shared` is given.

    Every expert is computed for every row: they are tiny, and one dense product is faster than gathering.
    """

    def __init__(self, width: int, experts: int, chosen: int, inner: int, shared: int = 0):
        super().__init__()
        self.count, self.chosen, self.inner = experts, chosen, inner
        self.gate = nn.Linear(width, experts, bias=False)
        self.experts = Experts(experts, width, inner)
        self.shared_expert = GatedMLP(width, shared) if shared else None
        self.shared_expert_gate = nn.Linear(width, 1, bias=False) if shared else None
        self.imbalance: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        share = F.softmax(self.gate(rows).float(), dim=-1)
        best, index = share.topk(self.chosen, dim=-1)
        weight = torch.zeros_like(share).scatter(1, index, best / best.sum(-1, keepdim=True))
        # Least where all experts are chosen equally often; added to the loss.
        self.imbalance = self.count * ((weight > 0).float().mean(0) * share.mean(0)).sum() / self.chosen
        both = F.linear(rows, self.experts.gate_up_proj.flatten(0, 1)).view(-1, self.count, 2, self.inner)
        inner = F.silu(both[:, :, 0]) * both[:, :, 1] * weight[..., None].to(both.dtype)
        out = F.linear(inner.flatten(1), self.experts.down_proj.permute(1, 0, 2).flatten(1))
        if self.shared_expert is not None:
            out = out + torch.sigmoid(self.shared_expert_gate(rows)) * self.shared_expert(rows)
        return out.view(x.shape)


class DecoderLayer(nn.Module):
    """Attention and a feed-forward part, each behind a norm."""

    def __init__(self, width: int, attention: Attention, mlp: nn.Module):
        super().__init__()
        self.self_attn, self.mlp = attention, mlp
        self.input_layernorm, self.post_attention_layernorm = RMSNorm(width), RMSNorm(width)

    def forward(self, x: Tensor, turns: tuple[Tensor, Tensor], mask: Tensor | None) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), turns, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    """Layers of a text config: the thinker's, the talker's, or (dense) the code predictor's."""

    def __init__(self, config: dict):
        super().__init__()
        width = config["hidden_size"]
        self.head, self.theta = config["head_dim"], config["rope_theta"]
        self.sections = (config.get("rope_scaling") or {}).get("mrope_section")
        self.layers = nn.ModuleList()
        for _ in range(config["num_hidden_layers"]):
            heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
            attention = Attention(width, heads, groups, self.head, eps=config["rms_norm_eps"])
            if "num_experts" in config:
                mlp = MixtureOfExperts(
                    width,
                    config["num_experts"],
                    config["num_experts_per_tok"],
                    config["moe_intermediate_size"],
                    config.get("shared_expert_intermediate_size", 0),
                )
            else:
                mlp = GatedMLP(width, config["intermediate_size"])
            self.layers.append(DecoderLayer(width, attention, mlp))
        self.norm = RMSNorm(width, config["rms_norm_eps"])

    def forward(
        self,
        x: Tensor,
        positions: Tensor,
        mask: Tensor | None = None,
        deepstack: list[Tensor] | None = None,
        tap: int | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """The normed output, and what goes into layer `tap`. `deepstack[i]` is added after layer i."""
        turns = rope(positions, self.head, self.theta, self.sections)
        tapped = None
        for i, layer in enumerate(self.layers):
            if i == tap:
                tapped = x
            x = layer(x, turns, mask)
            if deepstack and i < len(deepstack):
                x = x + deepstack[i].to(x.dtype)
        return self.norm(x), tapped

    def imbalance(self) -> Tensor:
        """How unequally the experts are used, over all layers."""
        return sum(layer.mlp.imbalance for layer in self.layers)
