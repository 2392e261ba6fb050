"""The second branch of the benchmark's family: its rows of tokens, its truth, its names."""

import math
from itertools import islice

import gguf
import numpy as np
import pytest

for package in ("babel", "sentencepiece"):
    pytest.importorskip(package, reason="training a model needs the extra negtemp[train]")

from audit.collapsed import Collapsed, members  # noqa: E402
from audit.streams import rows  # noqa: E402
from audit.vocabularies import unused_names  # noqa: E402

DOCUMENTS = (np.array([7, 8, 9, 5]), np.array([6, 6, 5]), np.array([9, 7, 8, 8, 5]))


def test_every_row_begins_with_bos_and_no_token_of_the_stream_comes_twice() -> None:
    found = rows(DOCUMENTS, beginning=1, length=2, most=100, seed=3)
    assert found.shape == (6, 3)
    assert (found[:, 0] == 1).all()
    stream = sorted(token for document in DOCUMENTS for token in document)
    assert len(found[:, 1:].ravel()) == len(stream)
    assert sorted(found[:, 1:].ravel()) == stream


def test_rows_hold_no_more_of_the_stream_than_asked_for() -> None:
    assert rows(DOCUMENTS, beginning=1, length=2, most=5, seed=3).shape == (2, 3)


def test_unused_rows_are_named_as_real_files_name_them() -> None:
    names = unused_names(2, 2, vocab=100)
    assert names == [
        ("<unused0>", gguf.TokenType.USER_DEFINED), ("<unused1>", gguf.TokenType.USER_DEFINED),
        ("[PAD98]", gguf.TokenType.UNUSED), ("[PAD99]", gguf.TokenType.UNUSED),
    ]  # fmt: skip


def test_a_name_says_what_a_member_is() -> None:
    assert Collapsed(True, 2.0, "spm", 2048).name == "spm-2k-tied-eps1e-8-decay2-s1"
    assert Collapsed(False, 0.001, "bpe", 8192, method="sgd").configuration == "bpe-8k-untied-sgd-decay0.001"
    assert Collapsed(True, 0.5, "spm", 2048, tokens=100_000).name == "spm-2k-tied-eps1e-8-decay0.5-t100k-s1"
    tuned = Collapsed(True, 0.5, "spm", 2048, 128, 2, 1e-10, efolds=20.0, tuned=True)
    assert tuned.name == "spm-2k-tied-eps1e-10-decay0.5-x20-w128-tuned-s2"
    assert tuned.parent.name == "spm-2k-tied-eps1e-10-decay0.5-x20-w128-s2"


def test_no_member_comes_twice_and_a_tuned_one_comes_after_its_parent() -> None:
    found = list(members(2))
    names = [member.name for member in found]
    assert len(set(names)) == len(names)
    for member in found:
        if member.tuned:
            assert names.index(member.parent.name) < names.index(member.name)


def test_a_cut_short_run_has_both_heads_and_both_regimes() -> None:
    first = list(islice(members(1), 6))
    assert {member.tied for member in first} == {True, False}
    assert len({(member.decay, member.epsilon) for member in first}) == 3


def test_e_folds_are_counted_from_the_last_time_that_a_token_was_a_target() -> None:
    torch = pytest.importorskip("torch")
    from audit.collapsing import since_target

    batches = (torch.tensor([[1, 2, 3]]), torch.tensor([[1, 2, 0]]), torch.tensor([[1, 0, 0]]))
    since = since_target(batches, np.array([1.0, 0.5, 0.25]), vocab=5)
    # token 1 stands first in every row and is never a target
    assert since == pytest.approx([0.0, math.inf, 0.25, 0.75, math.inf])


def test_the_rate_gives_the_e_folds_asked_for() -> None:
    pytest.importorskip("torch")
    from audit.collapsing import make_network, make_optimizer, peak_rate
    from tiny_model.training import Recipe, learning_rate

    member = Collapsed(True, 0.5, "spm", 128, 32, efolds=7.0)
    peak = peak_rate(member, steps=200)
    rates = [learning_rate(step, Recipe(steps=200, learning_rate=peak, warm_up=50)) for step in range(200)]
    assert 0.5 * sum(rates) == pytest.approx(7.0)
    network = make_network(member)
    outer = make_optimizer(network, member, peak).param_groups[0]
    assert (outer["peak"], outer["weight_decay"]) == (peak, 0.5)
    # tied: one matrix under both names
    assert len(outer["params"]) == 1
