"""A model as two files, made as gguf-split makes them: half of the tensors in the first, beside all the keys."""

from pathlib import Path

import gguf
import numpy as np


def split(model: Path, folder: Path) -> list[Path]:
    """Both parts of a model, written into `folder` as m-00001-of-00002.gguf and m-00002-of-00002.gguf."""
    reader = gguf.GGUFReader(model)
    writer = gguf.GGUFWriter(folder / "m.gguf", "llama", split_max_tensors=len(reader.tensors) // 2 + 1)
    for field in reader.fields.values():
        if not field.name.startswith("GGUF.") and field.name != "general.architecture":
            inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=inner)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, np.array(tensor.data), raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return sorted(folder.glob("m-*-of-*.gguf"))
