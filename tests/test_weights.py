"""Tensors by rows against gguf-py's own dequantiser, in every type; splits; files that cannot be read."""

import ctypes
import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
from models import close, spm_vocabulary, write_llama
from numpy.typing import NDArray
from quantised import TYPES, WIDTH, quantise, quantised_copy

from negtemp.errors import ModelError
from negtemp.model import model_file
from negtemp.model.library import Library
from negtemp.model.weights.tensors import BIAS, NORM, Tensor, Weights

VOCABULARY = spm_vocabulary([b"a", b"b", b"c"])
UNKNOWN_TO_GGUF_PY = {"q1_0", "q2_0"}


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LLaMA in F32 whose rows every quantised type can hold."""
    return write_llama(tmp_path_factory.mktemp("wide") / "wide.gguf", VOCABULARY, width=WIDTH, layers=1)


def whole(tensor: Tensor) -> NDArray[np.float32]:
    """All rows, by the generator of blocks."""
    return np.concatenate([block.copy() for _, block in tensor.blocks()])


def expected(path: Path, name: str) -> NDArray[np.float32]:
    """The tensor as gguf-py reads and dequantises it, `[rows, dim]`."""
    tensor = next(t for t in gguf.GGUFReader(path).tensors if t.name == name)
    values: NDArray[np.float32] = gguf.dequantize(tensor.data, tensor.tensor_type)
    return values.reshape(-1, int(tensor.shape[0]))


@pytest.mark.parametrize("type_name", sorted(TYPES.keys() - UNKNOWN_TO_GGUF_PY))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # gguf-py's arithmetic overflows on scales such as these
def test_every_type_has_the_values_that_gguf_py_has(compiled: Library, tmp_path: Path, type_name: str) -> None:
    """Random bytes: every code of every type turns up, scales that are infinite or no number among them."""
    path, number = tmp_path / "random.gguf", gguf.GGMLQuantizationType(TYPES[type_name])
    writer = gguf.GGUFWriter(path, "llama")
    row_bytes = gguf.quant_shape_to_byte_shape((WIDTH,), number)[0]
    data = np.random.default_rng(0).integers(0, 256, (24, row_bytes), np.uint8)
    writer.add_tensor("token_embd.weight", data, raw_dtype=number)
    close(writer)
    with Weights(compiled, path) as weights:
        assert weights.embedding.type == type_name
        np.testing.assert_array_equal(whole(weights.embedding), expected(path, "token_embd.weight"))


@pytest.mark.parametrize("type_name", ["f16", "q4_0", "q6_K", "iq4_xs"])
def test_a_quantised_model_has_the_values_that_gguf_py_has(
    compiled: Library, wide: Path, tmp_path: Path, type_name: str
) -> None:
    path = quantised_copy(compiled, wide, tmp_path / "copy.gguf", type_name)
    with Weights(compiled, path) as weights:
        for name in weights.names:
            np.testing.assert_array_equal(whole(weights.tensor(name)), expected(path, name))


@pytest.mark.parametrize(
    ("type_name", "levels", "bits", "block"),
    [("q1_0", (-1, 1), 1, 128), ("q2_0", (-1, 0, 1, 2), 2, 64)],
    ids=["q1_0", "q2_0"],
)
def test_the_types_that_gguf_py_does_not_know(
    compiled: Library, wide: Path, tmp_path: Path, type_name: str, levels: tuple[int, ...], bits: int, block: int
) -> None:
    """A half-float scale, then one code of `bits` bits for each value of a block, lowest bits first."""
    original = expected(wide, "output.weight")
    raw = quantise(compiled, original, type_name).reshape(-1, 2 + block * bits // 8)
    scale = raw[:, :2].copy().view(np.float16).astype(np.float32)
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    codes = (raw[:, 2:, None] >> shifts & (2**bits - 1)).reshape(-1, block)
    with Weights(compiled, quantised_copy(compiled, wide, tmp_path / "copy.gguf", type_name)) as weights:
        values = np.array(levels, np.float32)[codes] * scale
        np.testing.assert_array_equal(whole(weights.unembedding), values.reshape(original.shape))


def test_every_type_of_the_library_is_tried(compiled: Library) -> None:
    compiled.ggml.ggml_type_name.restype = ctypes.c_char_p
    assert {compiled.ggml.ggml_type_name(number).decode(): number for number in TYPES.values()} == TYPES


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_share_the_rows_of_a_tensor_and_keep_their_order(compiled: Library, wide: Path, threads: int) -> None:
    with Weights(compiled, wide) as weights:
        parts = weights.embedding.map(lambda first, block: (first, block.sum(axis=1)), threads)
    assert [first for first, _ in parts] == sorted(first for first, _ in parts)
    sums = np.concatenate([sums for _, sums in parts])
    np.testing.assert_allclose(sums, expected(wide, "token_embd.weight").sum(axis=1), rtol=1e-5)


def test_rows_are_taken_by_index(compiled: Library, wide: Path) -> None:
    with Weights(compiled, wide) as weights:
        rows = weights.unembedding.take([5, 0, 5])
        np.testing.assert_array_equal(rows, expected(wide, "output.weight")[[5, 0, 5]])
        with pytest.raises(ModelError, match="no row 262"):
            weights.unembedding.take([262])


def test_what_the_head_says(compiled: Library, wide: Path) -> None:
    with Weights(compiled, wide) as weights:
        assert (weights.architecture, weights.tokens, weights.tied) == ("llama", len(VOCABULARY), False)
        assert weights.vector(BIAS) is None
        np.testing.assert_array_equal(weights.vector(NORM), np.ones(WIDTH))


def split(source_path: Path, folder: Path, parts: int) -> list[Path]:
    """The tensors of a file dealt out to several files, named and headed as llama.cpp's gguf-split does."""
    tensors = gguf.GGUFReader(source_path).tensors
    paths = [folder / f"m-{number:05}-of-{parts:05}.gguf" for number in range(1, parts + 1)]
    for number, path in enumerate(paths):
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_uint16("split.no", number)
        writer.add_uint16("split.count", parts)
        writer.add_int32("split.tensors.count", len(tensors))
        for tensor in tensors[number::parts]:
            writer.add_tensor(tensor.name, np.array(tensor.data))
        close(writer)
    return paths


def test_a_split_model_is_read_from_all_its_files(compiled: Library, wide: Path, tmp_path: Path) -> None:
    paths = split(wide, tmp_path, 3)
    with Weights(compiled, paths[0]) as weights:
        assert sorted(weights.names) == sorted(t.name for t in gguf.GGUFReader(wide).tensors)
        for name in ("token_embd.weight", "output.weight", "blk.0.ffn_down.weight"):
            np.testing.assert_array_equal(whole(weights.tensor(name)), expected(wide, name))


def test_a_missing_split_is_named(compiled: Library, wide: Path, tmp_path: Path) -> None:
    paths = split(wide, tmp_path, 3)
    paths[1].unlink()
    with pytest.raises(ModelError, match=r"00002-of-00003.*missing"):
        Weights(compiled, paths[0])


def test_a_file_without_embeddings(compiled: Library, wide: Path, tmp_path: Path) -> None:
    path = split(wide, tmp_path, 2)[1].rename(tmp_path / "half.gguf")
    with Weights(compiled, path) as weights, pytest.raises(ModelError, match="no tensor token_embd"):
        _ = weights.embedding


def one_tensor(path: Path, type_number: int) -> Path:
    """A GGUF file of one tensor of 64 values, of any type number, with 256 bytes of data."""
    name = b"token_embd.weight"
    info = struct.pack("<Q", len(name)) + name + struct.pack("<IQQiQ", 2, 32, 2, type_number, 0)
    head = struct.pack("<4sIQQ", b"GGUF", 3, 1, 0) + info
    path.write_bytes(head + bytes(-len(head) % 32) + bytes(256))
    return path


@pytest.mark.parametrize(
    ("type_number", "said"), [(99, "invalid ggml type 99"), (4, "type 4"), (26, "i32"), (9, "q8_1")], ids=str
)
def test_a_type_that_the_library_does_not_know(compiled: Library, tmp_path: Path, type_number: int, said: str) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        _ = Weights(compiled, one_tensor(tmp_path / "odd.gguf", type_number)).embedding
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kept", [0.2, 0.9, 0.999])
def test_a_truncated_file(compiled: Library, tmp_path: Path, kept: float) -> None:
    data = model_file.bundled().read_bytes()
    path = tmp_path / "cut.gguf"
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(ModelError, match="cut off") as caught:
        Weights(compiled, path)
    assert "\n" not in str(caught.value)


def test_a_file_cut_off_while_it_is_open(compiled: Library, wide: Path, tmp_path: Path) -> None:
    path = tmp_path / "shrinking.gguf"
    path.write_bytes(wide.read_bytes())
    with Weights(compiled, path) as weights:
        embedding = weights.embedding
        with path.open("r+b") as file:
            file.truncate(20_000)
        with pytest.raises(ModelError, match="cut off"):
            whole(embedding)
