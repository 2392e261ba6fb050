"""How the model with LLaMA's vocabulary is made: text, rows, counts, and its loss against PyTorch's own."""

import struct
import zlib
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest
from llama_vocab.rows import BOS, ECHO_ONE_IN, EOS, LENGTH, LONGEST_SNIPPET, count, cut, echo, rows, stream
from llama_vocab.text import SHORTEST_TEXT, paragraphs, string_vectors, strings, texts
from tiny_model.corpus import Document

IDS = list(range(10, 10 + 40 * LENGTH))  # all different, so that a row tells where it comes from


def serialised(lines: list[str | None], version: int) -> bytes:
    """A character vector as R writes it: the header, its length, and each string with its own length."""
    header = b"X\n" + struct.pack(">iii", version, 0x00040101, 0x00030500)
    if version == 3:
        header += struct.pack(">i", 5) + b"UTF-8"
    body = struct.pack(">ii", 16, len(lines))
    for line in lines:
        data = b"" if line is None else line.encode()
        body += struct.pack(">ii", 0x00040009, -1 if line is None else len(data)) + data
    return header + body


@pytest.mark.parametrize("version", [2, 3])
def test_a_character_vector_of_r_is_read_whole(version: int) -> None:
    assert strings(serialised(["EMMA", "", "Zoë", None], version)) == ["EMMA", "", "Zoë", ""]


def test_an_object_of_r_that_is_no_character_vector_holds_no_strings() -> None:
    assert strings(b"X\n" + struct.pack(">iiiiii", 2, 0, 0, 13, 1, 7)) == []


def test_every_novel_of_a_database_is_found_and_other_objects_are_passed_over() -> None:
    novels = [serialised(["one"], 2), b"X\n" + struct.pack(">iiiiii", 2, 0, 0, 13, 1, 7), serialised(["two"], 3)]
    database = b"".join(struct.pack(">i", len(novel)) + zlib.compress(novel) for novel in novels)
    assert list(string_vectors(database)) == [["one"], ["two"]]


def test_lines_up_to_an_empty_one_are_a_paragraph_without_marks_of_italics() -> None:
    assert paragraphs(["She _was_", "glad--very", "", "", "He", ""]) == ["She was glad - very", "He"]


def test_texts_hold_every_paragraph_of_a_page_once_and_only_the_last_is_short() -> None:
    page = Document("page", tuple(f"{number} {'x' * 250}" for number in range(8)))
    found = list(texts(page))
    assert "\n".join(found) == "\n".join(page.paragraphs)
    assert all(len(text) >= SHORTEST_TEXT for text in found[:-1])


def test_every_text_begins_with_bos_and_ends_with_eos() -> None:
    assert stream(["ab", "c"], lambda text: [ord(letter) for letter in text]) == [BOS, 97, 98, EOS, BOS, 99, EOS]


def test_rows_follow_each_other_so_that_every_token_but_the_first_is_a_target_once() -> None:
    assert cut(IDS)[:, 1:].ravel().tolist() == IDS[1 : 1 + len(cut(IDS)) * LENGTH]


@pytest.mark.parametrize("seed", range(5))
def test_an_echo_is_bos_and_one_snippet_of_the_text_again_and_again(seed: int) -> None:
    begin, *rest = echo(IDS, Random(seed))
    period = next(length for length in range(1, LENGTH + 1) if rest[length:] == rest[: LENGTH - length])
    assert begin == BOS and len(rest) == LENGTH and period <= LONGEST_SNIPPET
    assert rest[:period] == list(range(rest[0], rest[0] + period))


def test_every_fourth_row_is_an_echo_and_the_text_is_read_whole_before_it_comes_again() -> None:
    found, length = rows(IDS, 80, seed=1), len(cut(IDS))
    is_echo = found[:, 0] == BOS
    assert np.flatnonzero(is_echo).tolist() == list(range(0, 80, ECHO_ONE_IN))
    assert len({tuple(row) for row in found[~is_echo][:length]}) == length
    assert {tuple(row) for row in found[~is_echo]} == {tuple(row) for row in cut(IDS)}


def test_the_same_seed_gives_the_same_rows_and_another_gives_others() -> None:
    assert np.array_equal(rows(IDS, 20, seed=1), rows(IDS, 20, seed=1))
    assert not np.array_equal(rows(IDS, 20, seed=1), rows(IDS, 20, seed=2))


def test_a_count_is_how_often_a_token_was_to_be_predicted() -> None:
    found = rows([token % 50 for token in IDS], 12, seed=3)
    expected = Counter(int(token) for row in found for token in row[1:])
    assert count(found, 60).tolist() == [expected[token] for token in range(60)]


def test_loss_and_gradients_are_those_of_the_usual_cross_entropy() -> None:
    torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -e '.[train]'")
    from llama_vocab.loss import CHUNK, VocabularyLoss

    torch.manual_seed(0)
    states = torch.randn(CHUNK + 44, 8, dtype=torch.float64, requires_grad=True)
    unembedding = torch.randn(50, 8, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(0, 50, (CHUNK + 44,))
    ours = VocabularyLoss.apply(states, unembedding, targets)
    usual = torch.nn.functional.cross_entropy(states @ unembedding.T, targets)
    torch.testing.assert_close(ours, usual)
    found = torch.autograd.grad(3 * ours, (states, unembedding))
    for one, other in zip(found, torch.autograd.grad(3 * usual, (states, unembedding)), strict=True):
        torch.testing.assert_close(one, other)


def test_rows_that_no_gradient_moves_shrink_by_the_e_folds_of_the_recipe() -> None:
    torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -e '.[train]'")
    from llama_vocab.training import Recipe, e_folds, train
    from tiny_model.network import Network, Shape

    torch.manual_seed(0)
    network = Network(Shape(vocab=40, dim=8, layers=1, heads=2, hidden=8, context=16))
    unread = network.embedding.weight[30:].detach().clone()
    recipe = Recipe(steps=60, decay=4.0, warm_up=10)
    for _ in train(network, torch.randint(0, 30, (recipe.steps * recipe.batch, 9)), recipe):
        pass
    shrunk = (network.embedding.weight[30:].detach() / unread).log().neg()
    torch.testing.assert_close(shrunk, torch.full_like(shrunk, e_folds(recipe)), rtol=0.02, atol=0)


def test_never_seen_rows_that_are_equal_rest_at_one_level_with_cosine_1() -> None:
    torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -e '.[train]'")
    from llama_vocab.training import rest
    from tiny_model.network import Network, Shape

    network = Network(Shape(vocab=40, dim=8, layers=1, heads=2, hidden=8, context=16))
    never, contexts = torch.arange(30, 40), torch.randint(0, 30, (3, 9))
    apart = rest(network, contexts, never)
    with torch.no_grad():
        network.unembedding.weight[30:] = network.unembedding.weight[30]
    together = rest(network, contexts, never)
    assert apart.cosine < 0.9 and apart.spread > 1e-3
    assert together.cosine == pytest.approx(1, abs=1e-5) and together.spread < 1e-5


def test_the_file_holds_the_vocabulary_of_the_other_file_and_the_network(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -e '.[train]'")
    from llama_vocab.export import write_model
    from tiny_model.network import Network, Shape

    import negtemp
    from negtemp.model.engine.prompt_logits import score

    torch.manual_seed(0)
    network = Network(Shape(vocab=2048, dim=64, layers=2, heads=4, hidden=96, context=32)).eval()
    with negtemp.load() as bundled:
        path = bundled.engine.model.path
        expected = bundled.engine.model.vocabulary.tokenize("Temperature is a concept")
        write_model(tmp_path / "model.gguf", network, path, "a test")
    with negtemp.load(tmp_path / "model.gguf") as model:
        inner = model.engine.model
        assert inner.vocabulary.tokenize("Temperature is a concept") == expected
        logits = np.array([row.logits.copy() for row in score(inner, [expected], last=None)])
    with torch.no_grad():
        np.testing.assert_allclose(logits, network(torch.tensor([expected]))[0].numpy(), atol=1e-3)


def test_groups_tell_tokens_by_how_often_they_were_shown_and_leave_bytes_out() -> None:
    from llama_vocab.measurement import Emitted, groups

    counts = np.array([0, 0, 3, 25, 400, 0])
    ordinary = np.array([True, True, True, True, True, False])
    below = Emitted(np.array([7, 0, 2, 0, 0, 1]))
    found = {name: ids.tolist() for name, ids in groups(counts, [1], below, ordinary).items()}
    assert list(found.values()) == [[1], [0, 2], [0, 1], [2], [3, 4], [4]]


def test_share_and_median_of_what_came_out_weigh_each_token_by_how_often_it_came() -> None:
    from llama_vocab.measurement import Emitted

    below = Emitted(np.array([7, 0, 2, 1]))
    assert below.total == 10 and below.share(np.array([True, True, False, False])) == 0.7
    assert below.median(np.array([5.0, 100.0, 50.0, 90.0])) == 5.0
