"""Writes a LLaMA of random Q4_0 weights and a real vocabulary: the shape of a model whose weights cannot be had here.

    python benchmarks/random_llama.py --output FILE [--shape 1b|7b] [--vocabulary FILE] [--seed N]

Speed depends on the shape and on the types of the tensors, not on what they say. The vocabulary is the 32,000-token
SentencePiece file that the source distribution carries. Every matrix is Q4_0, the output among them (llama-quantize
would make that one Q6_K); norms are ones in F32. It leaves out any meaning: the text that comes out is noise, but its
logits spread over about 20 nats as those of a trained model do, and that is what the draw's cost hangs on.

Source: ggml's `block_q4_0`: 32 values `d (q - 8)` as a half-precision d and 32 nibbles q. Shapes: TinyLlama-1.1B and
LLaMA-7B (Touvron et al. 2023, table 2).
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

VOCABULARY = Path(__file__).resolve().parent.parent / "vendor/llama.cpp/models/ggml-vocab-llama-spm.gguf"

_BLOCK, _BLOCK_BYTES = 32, 18
_NIBBLE_DEVIATION = 4.61  # of a uniform nibble
_CONTEXT = 2048
_LOGIT_DEVIATION = 2.5


@dataclass(frozen=True)
class Shape:
    """Width, layers, feed-forward width, attention heads and key-value heads."""

    width: int
    layers: int
    feed_forward: int
    heads: int
    kv_heads: int

    @property
    def kv_width(self) -> int:
        return self.width // self.heads * self.kv_heads


SHAPES = {"1b": Shape(2048, 22, 5632, 32, 4), "7b": Shape(4096, 32, 11008, 32, 32)}


@dataclass(frozen=True)
class Tensor:
    """One tensor to write: `deviation` None is a norm of ones `[columns]`, else a Q4_0 matrix `[rows, columns]`."""

    name: str
    rows: int
    columns: int
    deviation: float | None

    @property
    def bytes(self) -> int:
        return self.columns * 4 if self.deviation is None else self.rows * self.columns // _BLOCK * _BLOCK_BYTES


def tensors(shape: Shape, vocab: int) -> Iterator[Tensor]:
    """Every tensor in the order of the file. Residual branches keep the variance of what they read."""
    width = shape.width
    yield Tensor("token_embd.weight", vocab, width, 1.0)
    for layer in range(shape.layers):
        for name, rows, columns in (
            ("attn_q", width, width), ("attn_k", shape.kv_width, width), ("attn_v", shape.kv_width, width),
            ("attn_output", width, width), ("ffn_gate", shape.feed_forward, width),
            ("ffn_up", shape.feed_forward, width), ("ffn_down", width, shape.feed_forward),
        ):  # fmt: skip
            yield Tensor(f"blk.{layer}.{name}.weight", rows, columns, columns**-0.5)
        yield from (Tensor(f"blk.{layer}.{norm}.weight", 1, width, None) for norm in ("attn_norm", "ffn_norm"))
    yield Tensor("output_norm.weight", 1, width, None)
    yield Tensor("output.weight", vocab, width, _LOGIT_DEVIATION * width**-0.5)


def values(tensor: Tensor, rng: np.random.Generator) -> NDArray[np.generic]:
    """The tensor's data: ones `[columns]`, or the bytes of its Q4_0 rows `[rows, columns / 32 * 18]`."""
    if tensor.deviation is None:
        return np.ones(tensor.columns, np.float32)
    blocks = np.frombuffer(bytearray(rng.bytes(tensor.bytes)), np.uint8).reshape(-1, _BLOCK_BYTES)
    # the sign of the scale is random, so that the odd range of a nibble, -8 to 7, gives no bias
    sign = np.where(blocks[:, 0] & 1, np.float16(1), np.float16(-1))
    scale = sign * np.float16(tensor.deviation / _NIBBLE_DEVIATION)
    blocks[:, :2] = scale.astype("<f2").view(np.uint8).reshape(-1, 2)
    return blocks.reshape(tensor.rows, -1)


def write(
    path: Path, shape: Shape, vocabulary: Path = VOCABULARY, seed: int = 0, tokens: int | None = None
) -> None:  # fmt: skip
    """Write the model to `path`, one tensor in memory at a time; it appears under its name when it is whole.

    `tokens`: cut the vocabulary to so many, or lengthen it by tokens without meaning.
    """
    partial = path.with_name(f"{path.name}.partial")
    writer = gguf.GGUFWriter(partial, "llama")
    vocab = _copy_vocabulary(gguf.GGUFReader(vocabulary), writer, tokens)
    _hyperparameters(writer, shape, vocab)
    for tensor in tensors(shape, vocab):
        _announce(writer, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    rng = np.random.default_rng(seed)
    for tensor in tensors(shape, vocab):
        writer.write_tensor_data(values(tensor, rng))
    writer.close()
    partial.replace(path)


def _announce(writer: gguf.GGUFWriter, tensor: Tensor) -> None:
    if tensor.deviation is None:
        writer.add_tensor_info(tensor.name, [tensor.columns], np.dtype(np.float32), tensor.bytes)
        return
    byte_shape = [tensor.rows, tensor.columns // _BLOCK * _BLOCK_BYTES]
    kind = gguf.GGMLQuantizationType.Q4_0
    writer.add_tensor_info(tensor.name, byte_shape, np.dtype(np.uint8), tensor.bytes, kind)


def _hyperparameters(writer: gguf.GGUFWriter, shape: Shape, vocab: int) -> None:
    writer.add_name("random LLaMA shape")
    writer.add_vocab_size(vocab)
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)


def _copy_vocabulary(reader: gguf.GGUFReader, writer: gguf.GGUFWriter, tokens: int | None) -> int:
    """Copy every `tokenizer.` field, of so many tokens; the number of tokens."""
    size = len(reader.fields["tokenizer.ggml.tokens"].data)
    for name, field in reader.fields.items():
        if name.startswith("tokenizer."):
            kind, *item = field.types
            contents = field.contents()
            if tokens and isinstance(contents, list) and len(contents) == size:
                contents = [*contents[:tokens], *(_meaningless(contents[-1], index) for index in range(size, tokens))]
            writer.add_key_value(name, contents, kind, item[-1] if item else None)
    return tokens or size


def _meaningless(last: str | float, index: int) -> str | float:
    """A piece that no text holds, or the score or type that the last token of the file has."""
    return f"\ue000{index}" if isinstance(last, str) else last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the GGUF file to write")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="1b", help="default: %(default)s")
    parser.add_argument("--vocabulary", type=Path, default=VOCABULARY, metavar="FILE", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    options = parser.parse_args()
    if not options.vocabulary.is_file():
        parser.error(f"no vocabulary at {options.vocabulary}: run scripts/build_llama.sh first")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    write(options.output, SHAPES[options.shape], options.vocabulary, options.seed)


if __name__ == "__main__":
    main()
