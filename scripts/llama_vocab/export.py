"""The model to a GGUF file in F32, with the vocabulary of another GGUF file as it stands there.

F32, so that the rest of never-seen rows can be measured; `llama-quantize` makes every other type from it.
"""

from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray
from tiny_model.export import add_shape, tensor_name
from tiny_model.network import Network


def copy_vocabulary(writer: gguf.GGUFWriter, vocabulary: Path) -> None:
    """Every key of the tokenizer, in the file's own types."""
    for name, field in gguf.GGUFReader(vocabulary).fields.items():
        if name.startswith("tokenizer."):
            inner = field.types[1] if len(field.types) > 1 else None
            writer.add_key_value(name, field.contents(), field.types[0], inner)


def write_model(path: Path, network: Network, vocabulary: Path, name: str) -> None:
    """Writes the file, under another name until it is whole."""
    unfinished = path.with_suffix(".part")
    writer = gguf.GGUFWriter(unfinished, "llama")
    writer.add_name(name)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    add_shape(writer, network.shape)
    copy_vocabulary(writer, vocabulary)
    for parameter, values in network.state_dict().items():
        array: NDArray[np.float32] = values.detach().float().numpy()
        writer.add_tensor(tensor_name(parameter), array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    unfinished.rename(path)
