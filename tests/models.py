"""Makes small real GGUF files for tests: a LLaMA of random weights over any vocabulary one cares to give.

What it makes is loaded by the compiled library like any user's file. It leaves out training: nothing here has meaning.
"""

from collections.abc import Sequence
from pathlib import Path

import gguf
import numpy as np

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6

Token = tuple[bytes, int]


def spm_vocabulary(pieces: Sequence[bytes]) -> list[Token]:
    """Control tokens, the 256 byte tokens and the given pieces, as a SentencePiece vocabulary has them."""
    special = [(b"<unk>", UNKNOWN), (b"<s>", CONTROL), (b"</s>", CONTROL)]
    return special + [(b"<0x%02X>" % value, BYTE) for value in range(256)] + [(piece, NORMAL) for piece in pieces]


def write_llama(
    path: Path, vocabulary: Sequence[Token], *, seed: int = 0, width: int = 32, layers: int = 2, context: int = 256,
    scale: float = 1.0, tokenizer: str = "llama", merges: Sequence[str] = (),
) -> Path:  # fmt: skip
    """A LLaMA with random F32 weights, untied. `scale` widens the logits; `merges` make it byte-level BPE."""
    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama")
    _hyperparameters(writer, width, layers, context, len(vocabulary))
    _tokenizer(writer, vocabulary, tokenizer, merges)

    def matrix(name: str, rows: int, columns: int, deviation: float) -> None:
        writer.add_tensor(name, rng.normal(0, deviation, (rows, columns)).astype(np.float32))

    matrix("token_embd.weight", len(vocabulary), width, 1.0)
    matrix("output.weight", len(vocabulary), width, scale)
    writer.add_tensor("output_norm.weight", np.ones(width, np.float32))
    for layer in range(layers):
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{norm}.weight", np.ones(width, np.float32))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            matrix(f"blk.{layer}.{name}.weight", width, width, 0.3)
        for name, rows, columns in (
            ("ffn_gate", 2 * width, width), ("ffn_up", 2 * width, width), ("ffn_down", width, 2 * width),
        ):  # fmt: skip
            matrix(f"blk.{layer}.{name}.weight", rows, columns, 0.3)
    _close(writer)
    return path


def _hyperparameters(writer: gguf.GGUFWriter, width: int, layers: int, context: int, vocab: int) -> None:
    writer.add_name("random")
    writer.add_vocab_size(vocab)
    writer.add_context_length(context)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(2 * width)
    writer.add_head_count(2)
    writer.add_rope_dimension_count(width // 2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def _tokenizer(writer: gguf.GGUFWriter, vocabulary: Sequence[Token], model: str, merges: Sequence[str]) -> None:
    writer.add_tokenizer_model("gpt2" if merges else model)
    writer.add_token_list([piece for piece, _ in vocabulary])
    writer.add_token_scores([-float(index) for index in range(len(vocabulary))])
    writer.add_token_types([kind for _, kind in vocabulary])
    if merges:
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_merges(merges)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)


def _close(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
