"""The network and its vocabulary to and from a GGUF file, matrices in Q8_0, norms in F32."""

from collections.abc import Sequence
from pathlib import Path

import gguf
import numpy as np
import torch
from numpy.typing import NDArray
from sentencepiece import SentencePieceProcessor
from torch import Tensor

from .network import Network, Shape

BLOCK_NAMES = {
    "attention_norm": "attn_norm",
    "query": "attn_q",
    "key": "attn_k",
    "value": "attn_v",
    "attention_out": "attn_output",
    "feed_forward_norm": "ffn_norm",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
}
EXTRA_SCORE = -10000.0  # what llama.cpp's converter gives padding
OUTER_NAMES = {"embedding": "token_embd", "norm": "output_norm", "unembedding": "output"}


def tensor_name(parameter: str) -> str:
    """llama.cpp's name of a parameter of `Network`."""
    match parameter.removesuffix(".weight").split("."):
        case ["blocks", number, part]:
            return f"blk.{number}.{BLOCK_NAMES[part]}.weight"
        case [part]:
            return f"{OUTER_NAMES[part]}.weight"
    raise ValueError(f"no tensor name for the parameter {parameter}")


def token_type(tokenizer: SentencePieceProcessor, token: int) -> gguf.TokenType:
    """The type llama.cpp gives a token."""
    if tokenizer.is_unknown(token):
        return gguf.TokenType.UNKNOWN
    if tokenizer.is_control(token):
        return gguf.TokenType.CONTROL
    return gguf.TokenType.BYTE if tokenizer.is_byte(token) else gguf.TokenType.NORMAL


def add_vocabulary(
    writer: gguf.GGUFWriter, tokenizer: SentencePieceProcessor, extra: Sequence[tuple[str, gguf.TokenType]] = ()
) -> None:
    """Pieces, scores, types, and which tokens begin and end a text; `extra` names follow the pieces."""
    ids = range(tokenizer.vocab_size())
    pieces = [tokenizer.id_to_piece(i) for i in ids] + [name for name, _ in extra]
    scores = [tokenizer.get_score(i) for i in ids] + [EXTRA_SCORE for _ in extra]
    types = [token_type(tokenizer, i) for i in ids] + [kind for _, kind in extra]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([piece.encode() for piece in pieces])
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_unk_token_id(tokenizer.unk_id())
    writer.add_bos_token_id(tokenizer.bos_id())
    writer.add_eos_token_id(tokenizer.eos_id())
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(True)


def add_shape(writer: gguf.GGUFWriter, shape: Shape) -> None:
    """The sizes llama.cpp builds its graph from."""
    writer.add_vocab_size(shape.vocab)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.dim)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)


def add_description(writer: gguf.GGUFWriter) -> None:
    """Who made the file and under which licence."""
    writer.add_name("negtemp tiny")
    writer.add_author("negtemp")
    writer.add_description("A small LLaMA whose vocabulary holds words it never saw; see tiny.card.md")
    writer.add_license("MIT")
    writer.add_languages(["en"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def write_gguf(path: Path, network: Network, tokenizer: SentencePieceProcessor) -> None:
    """Writes the model file; the same network and vocabulary give the same bytes."""
    writer = gguf.GGUFWriter(path, "llama")
    add_description(writer)
    add_shape(writer, network.shape)
    add_vocabulary(writer, tokenizer)
    for parameter, values in network.state_dict().items():
        array: NDArray[np.float32] = values.detach().float().numpy()
        kind = gguf.GGMLQuantizationType.Q8_0 if array.ndim > 1 else gguf.GGMLQuantizationType.F32
        data = gguf.quants.quantize(array, kind)
        writer.add_tensor(tensor_name(parameter), data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read_network(path: Path, shape: Shape) -> Network:
    """The network with the weights as the file holds them, rounded and back; without `output.weight` it is tied."""
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    network = Network(shape)
    state: dict[str, Tensor] = {}
    for parameter in network.state_dict():
        tensor = tensors.get(tensor_name(parameter), tensors["token_embd.weight"])
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        state[parameter] = torch.from_numpy(np.array(values, dtype=np.float32))
    network.load_state_dict(state)
    network.eval()
    return network
