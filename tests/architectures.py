"""Makes small GGUF files of architectures whose memory is no plain KV cache, with random weights.

    mamba     recurrent: a state for each sequence, which cannot be cut or shared in part
    lfm2      hybrid: such a state in one layer, a KV cache in the other
    gemma3    attention over the last WINDOW tokens only

It leaves out training, as `models` does, and every architecture that differs from LLaMA in its layers alone.

Source: llama.cpp, src/models/mamba.cpp, lfm2.cpp and gemma3.cpp, for the names and shapes of tensors.
"""

from collections.abc import Sequence
from pathlib import Path

import gguf
import numpy as np
from models import EPSILON, add_tokenizer, close
from vocabularies import Token

ARCHITECTURES = ("mamba", "lfm2", "gemma3")
WINDOW = 16

_WIDTH, _HEADS, _INNER, _STATE, _CONVOLUTION, _RANK = 32, 2, 64, 8, 4, 2
_LAYERS = 2

Shapes = dict[str, tuple[int, ...]]


def write(path: Path, architecture: str, vocabulary: Sequence[Token], *, context: int = 4096) -> Path:
    """A model of one of ARCHITECTURES."""
    rng = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, architecture)
    _hyperparameters(writer, architecture, context, len(vocabulary))
    add_tokenizer(writer, vocabulary)
    outside: Shapes = {
        "token_embd.weight": (len(vocabulary), _WIDTH), "output.weight": (len(vocabulary), _WIDTH),
        "token_embd_norm.weight" if architecture == "lfm2" else "output_norm.weight": (_WIDTH,),
    }  # fmt: skip
    layers = [{f"blk.{n}.{name}": shape for name, shape in _layer(architecture, n).items()} for n in range(_LAYERS)]
    for name, shape in [item for shapes in (outside, *layers) for item in shapes.items()]:
        writer.add_tensor(name, _values(rng, name, shape))
    close(writer)
    return path


def _values(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Norms of 1, and decays below 0, as a state needs that is not to grow."""
    if "norm" in name:
        return np.ones(shape, np.float32)
    drawn = rng.normal(0, 0.3, shape).astype(np.float32)
    return -np.abs(drawn) if name.endswith("ssm_a") else drawn


def _hyperparameters(writer: gguf.GGUFWriter, architecture: str, context: int, vocab: int) -> None:
    writer.add_name("random")
    writer.add_vocab_size(vocab)
    writer.add_context_length(context)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_layer_norm_rms_eps(EPSILON)
    if architecture == "mamba":
        writer.add_feed_forward_length(0)
        writer.add_head_count(0)
        writer.add_ssm_conv_kernel(_CONVOLUTION)
        writer.add_ssm_inner_size(_INNER)
        writer.add_ssm_state_size(_STATE)
        writer.add_ssm_time_step_rank(_RANK)
        return
    writer.add_feed_forward_length(2 * _WIDTH)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv([0, _HEADS] if architecture == "lfm2" else _HEADS)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    if architecture == "lfm2":
        writer.add_shortconv_l_cache(_CONVOLUTION)
    else:
        writer.add_sliding_window(WINDOW)


def _layer(architecture: str, number: int) -> Shapes:
    if architecture == "mamba":
        return _recurrent()
    feed_forward: Shapes = {
        "attn_norm.weight": (_WIDTH,), "ffn_norm.weight": (_WIDTH,), "ffn_gate.weight": (2 * _WIDTH, _WIDTH),
        "ffn_up.weight": (2 * _WIDTH, _WIDTH), "ffn_down.weight": (_WIDTH, 2 * _WIDTH),
    }  # fmt: skip
    if architecture == "gemma3":
        feed_forward |= {"post_attention_norm.weight": (_WIDTH,), "post_ffw_norm.weight": (_WIDTH,)}
    return feed_forward | (_convolution() if architecture == "lfm2" and number == 0 else _attention())


def _attention() -> Shapes:
    matrices: Shapes = {f"attn_{name}.weight": (_WIDTH, _WIDTH) for name in ("q", "k", "v", "output")}
    return matrices | {"attn_q_norm.weight": (_WIDTH // _HEADS,), "attn_k_norm.weight": (_WIDTH // _HEADS,)}


def _convolution() -> Shapes:
    return {
        "shortconv.in_proj.weight": (3 * _WIDTH, _WIDTH), "shortconv.conv.weight": (_WIDTH, _CONVOLUTION),
        "shortconv.out_proj.weight": (_WIDTH, _WIDTH),
    }  # fmt: skip


def _recurrent() -> Shapes:
    return {
        "attn_norm.weight": (_WIDTH,), "ssm_in.weight": (2 * _INNER, _WIDTH),
        "ssm_conv1d.weight": (_INNER, _CONVOLUTION), "ssm_conv1d.bias": (_INNER,),
        "ssm_x.weight": (_RANK + 2 * _STATE, _INNER), "ssm_dt.weight": (_INNER, _RANK), "ssm_dt.bias": (_INNER,),
        "ssm_a": (_INNER, _STATE), "ssm_d": (_INNER,), "ssm_out.weight": (_WIDTH, _INNER),
    }  # fmt: skip
