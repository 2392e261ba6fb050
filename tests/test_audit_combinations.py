"""How a ranking is chosen: by its greatest shortfall, on models that it was not chosen on, and never the default."""

import numpy as np
import pytest
from audit.combinations import candidates, leave_one_out, shortfalls

COUNTS = np.array([0, 0, 2, 2, 100, 100])
PERFECT = np.array([6.0, 5.0, 4.0, 3.0, 2.0, 1.0])


def test_candidates_are_all_means_of_up_to_three_and_the_default_last() -> None:
    found = candidates(["a", "b", "score"])
    assert found == [("a",), ("b",), ("a", "b"), ("score",)]
    assert len(candidates(list("abcde"))) == 5 + 10 + 10 + 1


def test_the_shortfall_is_that_of_the_worse_band_behind_the_best_single_indicator() -> None:
    # "a" is right about the never seen, and puts one of the two rare tokens behind one of the two seen ones
    wrong = np.array([6.0, 5.0, 4.0, 1.5, 2.0, 1.0])
    found = shortfalls({"a": wrong, "b": PERFECT, "score": PERFECT}, COUNTS, [("a",), ("b",), ("score",)])
    assert found == pytest.approx([0.25, 0.0, 0.0])


def test_the_default_sets_no_standard_for_the_others() -> None:
    wrong = np.array([6.0, 5.0, 4.0, 1.5, 2.0, 1.0])
    found = shortfalls({"a": wrong, "score": PERFECT}, COUNTS, [("a",), ("score",)])
    assert found[0] == 0.0 and found[1] <= 0.0


def test_a_choice_is_judged_where_it_was_not_made() -> None:
    choices = [("a",), ("b",), ("score",)]
    table = np.array([[0.0, 0.1, 0.0], [0.0, 0.2, 0.0], [0.5, 0.1, 0.0]])
    found = leave_one_out(table, ["x", "x", "y"], choices)
    # without x only the last row speaks, for b; without y the first two, for a
    assert [(choice.left_out, choice.names, choice.shortfall) for choice in found] == [
        ("x", ("b",), 0.2),
        ("y", ("a",), 0.5),
    ]
