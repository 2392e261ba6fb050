"""A trained member to a GGUF file in F32, from which llama.cpp's own quantiser makes the others.

A tied model is written as llama.cpp expects one: without `output.weight`.
"""

import gguf
import numpy as np
from numpy.typing import NDArray
from tiny_model.export import add_shape, tensor_name
from tiny_model.network import Network

from audit.family import Member
from audit.vocabularies import Extra, Tokenizer


def write_model(member: Member, network: Network, tokenizer: Tokenizer, extra: Extra = ()) -> None:
    """Write the member's F32 file, under another name until it is whole; `extra` names follow the tokenizer's."""
    unfinished = member.file().with_suffix(".part")
    writer = gguf.GGUFWriter(unfinished, "llama")
    writer.add_name(member.name)
    writer.add_license("MIT")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    add_shape(writer, network.shape)
    tokenizer.describe(writer, extra)
    for parameter, values in network.state_dict().items():
        if not (member.tied and parameter == "unembedding.weight"):
            array: NDArray[np.float32] = values.detach().float().numpy()
            writer.add_tensor(tensor_name(parameter), array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    unfinished.rename(member.file())
