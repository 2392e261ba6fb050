"""Random weights in a real vocabulary: the file loads, and its numbers are what a trained model's are like."""

from pathlib import Path

import gguf
import numpy as np
import pytest
from models import spm_vocabulary, write_llama
from random_llama import Shape, Tensor, values, write

from negtemp.experiments.generate import generate
from negtemp.experiments.settings import Settings
from negtemp.model.engine.engine import Engine
from negtemp.model.library import Library
from negtemp.model.llama.model import Model
from negtemp.records import Step
from negtemp.theory.temperature import Temperature

SMALL = Shape(width=64, layers=2, feed_forward=96, heads=4, kv_heads=2)
PIECES = [b"word%d" % index for index in range(400)]


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to take the vocabulary from."""
    return write_llama(tmp_path_factory.mktemp("vocabulary") / "vocabulary.gguf", spm_vocabulary(PIECES))


def test_a_random_llama_generates_in_the_vocabulary_that_it_was_given(
    compiled: Library, vocabulary: Path, tmp_path: Path
) -> None:
    write(tmp_path / "random.gguf", SMALL, vocabulary)
    assert [path.name for path in tmp_path.iterdir()] == ["random.gguf"]
    with Model(compiled, tmp_path / "random.gguf") as model:
        assert model.vocabulary.size == len(spm_vocabulary(PIECES))
        assert model.vocabulary.piece(300) == spm_vocabulary(PIECES)[300][0]
        assert "Q4_0" in model.description
        records = generate(Engine(model), ["word1"], Temperature.of(-0.001), 1, Settings(n_predict=8, ignore_eos=True))
        path = [record for record in records if isinstance(record, Step)]
    assert len(path) == 8
    assert all(1 < step.entropy < 0.99 * np.log(model.vocabulary.size) for step in path)


@pytest.mark.parametrize("tokens", [300, 1000])
def test_a_vocabulary_is_cut_or_lengthened_to_the_tokens_asked_for(
    compiled: Library, vocabulary: Path, tmp_path: Path, tokens: int
) -> None:
    write(tmp_path / "random.gguf", SMALL, vocabulary, tokens=tokens)
    with Model(compiled, tmp_path / "random.gguf") as model:
        assert model.vocabulary.size == tokens
        pieces = {model.vocabulary.piece(token_id) for token_id in range(tokens)}
    assert len(pieces) == tokens


def test_the_same_seed_writes_the_same_file(vocabulary: Path, tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        write(tmp_path / name, SMALL, vocabulary, seed)
    one, again, other = ((tmp_path / name).read_bytes() for name in ("one", "again", "other"))
    assert one == again != other


def test_blocks_dequantise_to_the_deviation_asked_for_and_no_bias() -> None:
    """By gguf's own reading of Q4_0."""
    blocks = values(Tensor("any", 256, 1024, 0.5), np.random.default_rng(0))
    matrix = gguf.dequantize(blocks, gguf.GGMLQuantizationType.Q4_0)
    assert matrix.shape == (256, 1024)
    assert matrix.std() == pytest.approx(0.5, rel=0.02)
    assert abs(matrix.mean()) < 0.005
