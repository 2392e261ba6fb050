"""The network: a LLaMA decoder in PyTorch, as llama.cpp's architecture `llama` computes it.

    x += W_o attention(rope(W_q n(x)), rope(W_k n(x)), W_v n(x))
    x += W_down (silu(W_gate n(x)) * W_up n(x))
    logits = W_out n(x)

n is RMSNorm (Zhang and Sennrich 2019), the feed-forward SwiGLU (Shazeer 2020), positions RoPE (Su
et al. 2021) on neighbouring pairs of coordinates, which is llama.cpp's convention for this
architecture, so that no weight needs permuting. Embedding and unembedding are separate
matrices. No biases.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EMBEDDING_SPREAD = 0.05
DROPOUT = 0.1  # of what a layer adds to the stream, while training


@dataclass(frozen=True)
class Shape:
    """Sizes of the network. `dim` and `hidden` are multiples of 32, the block of Q8_0."""

    vocab: int = 2048
    dim: int = 160
    layers: int = 4
    heads: int = 5
    hidden: int = 416
    context: int = 512
    rope_base: float = 10_000.0
    norm_epsilon: float = 1e-5

    @property
    def head_dim(self) -> int:
        """Coordinates of one attention head."""
        return self.dim // self.heads


def rope_angles(shape: Shape) -> Tensor:
    """Unit complex numbers `exp(i position / base^(2k/head_dim))`: [context, head_dim / 2]."""
    exponents = torch.arange(0, shape.head_dim, 2, dtype=torch.float64) / shape.head_dim
    positions = torch.arange(shape.context, dtype=torch.float64)
    angles = torch.outer(positions, shape.rope_base**-exponents)
    return torch.polar(torch.ones_like(angles), angles).to(torch.complex64)


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Turns each pair of neighbours in x [batch, heads, length, head_dim] by its angle."""
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * angles).flatten(-2).type_as(x)


class Block(nn.Module):  # type: ignore[misc]
    """One layer: attention, then feed-forward, each after its norm and added to the stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.dropout = nn.Dropout(DROPOUT)
        self.attention_norm = nn.RMSNorm(shape.dim, shape.norm_epsilon)
        self.query = nn.Linear(shape.dim, shape.dim, bias=False)
        self.key = nn.Linear(shape.dim, shape.dim, bias=False)
        self.value = nn.Linear(shape.dim, shape.dim, bias=False)
        self.attention_out = nn.Linear(shape.dim, shape.dim, bias=False)
        self.feed_forward_norm = nn.RMSNorm(shape.dim, shape.norm_epsilon)
        self.gate = nn.Linear(shape.dim, shape.hidden, bias=False)
        self.up = nn.Linear(shape.dim, shape.hidden, bias=False)
        self.down = nn.Linear(shape.hidden, shape.dim, bias=False)

    def attend(self, x: Tensor, angles: Tensor) -> Tensor:
        """Causal self-attention over x [batch, length, dim]."""
        query, key, value = (
            projection(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for projection in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(rotate(query, angles), rotate(key, angles), value, is_causal=True)
        out: Tensor = self.attention_out(mixed.transpose(1, 2).flatten(-2))
        return out

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        """x [batch, length, dim] after this layer."""
        x = x + self.dropout(self.attend(self.attention_norm(x), angles))
        y = self.feed_forward_norm(x)
        out: Tensor = x + self.dropout(self.down(F.silu(self.gate(y)) * self.up(y)))
        return out


class Network(nn.Module):  # type: ignore[misc]
    """Token ids [batch, length] to logits [batch, length, vocab]."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocab, shape.dim)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.dim, shape.norm_epsilon)
        self.unembedding = nn.Linear(shape.dim, shape.vocab, bias=False)
        self.register_buffer("angles", rope_angles(shape), persistent=False)
        self.apply(initialise)
        nn.init.normal_(self.embedding.weight, std=EMBEDDING_SPREAD)
        for block in self.blocks:
            assert isinstance(block, Block)
            for last in (block.attention_out, block.down):
                nn.init.normal_(last.weight, std=0.02 / (2 * shape.layers) ** 0.5)

    def states(self, tokens: Tensor) -> Tensor:
        """What the unembedding reads, [batch, length, dim]; at most `context` tokens."""
        assert isinstance(self.angles, Tensor)
        angles = self.angles[: tokens.shape[-1]]
        x: Tensor = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, angles)
        normed: Tensor = self.norm(x)
        return normed

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits, in nats up to a constant; at most `context` tokens."""
        logits: Tensor = self.unembedding(self.states(tokens))
        return logits


def initialise(module: nn.Module) -> None:
    """Normal weights of GPT-2's width, 0.02."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
