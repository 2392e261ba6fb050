"""Makes small real GGUF files for tests: models of random or given weights over any vocabulary one cares to give.

What it makes is loaded by the compiled library like any user's file. It leaves out training: nothing here has meaning.
Vocabularies are in `vocabularies`, matrices whose geometry is known in closed form in `planted`, quantised copies in
`quantised`.

With `mixing=0` the layers add nothing, and a model is a formula: after a token t, with embedding E, unembedding U and
head bias b, the logits are U h + b, h = e_t / sqrt(mean(e_t²) + 1e-5); a soft-cap c makes them c tanh(U h / c).
"""

from collections.abc import Sequence
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray
from vocabularies import BYTE, CONTROL, NORMAL, UNKNOWN, UNUSED, USER_DEFINED, Token, spm_vocabulary

__all__ = [
    "BYTE", "CONTROL", "NORMAL", "UNKNOWN", "UNUSED", "USER_DEFINED", "Token", "add_tokenizer", "close",
    "spm_vocabulary", "write_llama",
]  # fmt: skip

Matrix = NDArray[np.float32]

EPSILON = 1e-5


def write_llama(
    path: Path, vocabulary: Sequence[Token], *, seed: int = 0, width: int = 32, layers: int = 2, context: int = 256,
    scale: float = 1.0, mixing: float = 0.3, tokenizer: str = "llama", merges: Sequence[str] = (),
    embedding: Matrix | None = None, unembedding: Matrix | None = None, tied: bool = False, bias: Matrix | None = None,
    softcap: float | None = None, chat_template: str | None = None, short_context: int | None = None,
    space_prefix: bool = True, scores: Sequence[float] = (),
) -> Path:  # fmt: skip
    """A LLaMA in F32; weights that are not given are random.

    scale       deviation of a random unembedding: it widens the logits
    mixing      deviation of the layers' weights
    merges      make the tokenizer byte-level BPE
    embedding   `[rows, width]`; more rows than tokens stay in the file, but llama.cpp loads only its vocabulary then
    tied        no unembedding
    bias        of the head, `[vocab]`: the file is a Qwen2, the same but for that
    softcap     of the logits: the file is a Gemma2, tied, its embeddings scaled as it goes in
    short_context   LongRoPE: a cache of more tokens than this turns its keys and queries by other angles
    space_prefix, scores   of SentencePiece: a space before every text; which neighbours it joins first (default: by id)
    """
    rng = np.random.default_rng(seed)
    architecture = "gemma2" if softcap is not None else "qwen2" if bias is not None else "llama"
    width = width if embedding is None else embedding.shape[1]
    writer = gguf.GGUFWriter(path, architecture)
    _hyperparameters(writer, width, layers, context, len(vocabulary))
    if softcap is not None:
        _gemma(writer, width, softcap)
    if short_context is not None:
        _longrope(writer, width // 4, short_context)
    add_tokenizer(writer, vocabulary, tokenizer, merges, chat_template, scores)
    if not space_prefix:
        writer.add_add_space_prefix(False)

    def matrix(name: str, rows: int, columns: int, deviation: float, given: Matrix | None = None) -> None:
        drawn = rng.normal(0, deviation, (rows, columns)) if given is None else given
        writer.add_tensor(name, np.ascontiguousarray(drawn, np.float32))

    matrix("token_embd.weight", len(vocabulary), width, 1.0, embedding)
    if not tied and softcap is None:
        matrix("output.weight", len(vocabulary), width, scale, unembedding)
    if bias is not None:
        writer.add_tensor("output.bias", np.ascontiguousarray(bias, np.float32))
    writer.add_tensor("output_norm.weight", np.ones(width, np.float32))
    norms = ("attn_norm", "ffn_norm") + (("post_attention_norm", "post_ffw_norm") if softcap is not None else ())
    for layer in range(layers):
        for norm in norms:
            writer.add_tensor(f"blk.{layer}.{norm}.weight", np.ones(width, np.float32))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            matrix(f"blk.{layer}.{name}.weight", width, width, mixing)
        for name, rows, columns in (
            ("ffn_gate", 2 * width, width), ("ffn_up", 2 * width, width), ("ffn_down", width, 2 * width),
        ):  # fmt: skip
            matrix(f"blk.{layer}.{name}.weight", rows, columns, mixing)
    close(writer)
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
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def _gemma(writer: gguf.GGUFWriter, width: int, softcap: float) -> None:
    """What Gemma2 has besides: the soft-cap of its logits, heads of a size of their own, a sliding window."""
    writer.add_final_logit_softcapping(softcap)
    writer.add_attn_logit_softcapping(50.0)
    writer.add_key_length(width // 2)
    writer.add_value_length(width // 2)
    writer.add_sliding_window(4096)


def _longrope(writer: gguf.GGUFWriter, angles: int, short_context: int) -> None:
    """What Phi-3 has for long contexts: angles that are divided by 1, or by 8 in a cache of more tokens."""
    writer.add_rope_scaling_type(gguf.RopeScalingType.LONGROPE)
    writer.add_rope_scaling_orig_ctx_len(short_context)
    for name, factor in (("short", 1.0), ("long", 8.0)):
        writer.add_tensor(f"rope_factors_{name}.weight", np.full(angles, factor, np.float32))


def add_tokenizer(
    writer: gguf.GGUFWriter, vocabulary: Sequence[Token], model: str = "llama", merges: Sequence[str] = (),
    template: str | None = None, scores: Sequence[float] = (),
) -> None:  # fmt: skip
    """The vocabulary and what tokenizes into it."""
    writer.add_tokenizer_model("gpt2" if merges else model)
    writer.add_token_list([piece for piece, _ in vocabulary])
    writer.add_token_scores(list(scores) or [-float(index) for index in range(len(vocabulary))])
    writer.add_token_types([kind for _, kind in vocabulary])
    if merges:
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_merges(merges)
    if template is not None:
        writer.add_chat_template(template)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)


def close(writer: gguf.GGUFWriter) -> None:
    """Write the file out."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
