"""The level of a trained network: its figures on a network small enough to do the same by hand."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from audit.level import Steps, clipped_gradient, measure, over_contexts
from tiny_model.network import Network, Shape

NEVER = np.array([False] * 12 + [True] * 4)


@pytest.fixture
def network() -> Network:
    torch.manual_seed(1)
    made = Network(Shape(vocab=16, dim=32, layers=1, heads=2, hidden=32, context=8))
    with torch.no_grad():
        made.unembedding.weight[12:] = -0.05
    made.eval()
    return made


def shown(rows: int) -> torch.Tensor:
    return torch.randint(0, 12, (rows, 6), generator=torch.Generator().manual_seed(2))


def test_p_is_the_networks_own_over_all_contexts(network: Network) -> None:
    rows = shown(3)
    log_p, hidden = over_contexts(network, rows, torch.tensor([12, 13]))
    assert (log_p.shape, hidden.shape) == ((15, 2), (15, 32))
    with torch.no_grad():
        expected = network(rows[:, :-1]).double().softmax(-1)[..., 12:14].reshape(15, 2)
    assert log_p.exp().numpy() == pytest.approx(expected.numpy(), rel=1e-5)
    logits = hidden @ network.unembedding.weight.double().T
    assert logits.log_softmax(-1)[:, 12:14].detach().numpy() == pytest.approx(log_p.numpy(), rel=1e-5)


def test_rows_that_coincide_have_no_spread_and_a_cosine_of_one(network: Network) -> None:
    found = measure(network, shown(40), NEVER, Steps(batch=1, clip=1.0, epsilon=1e-8, decay=0.5))
    assert found.tokens == 4
    assert found.spread == pytest.approx(0.0, abs=1e-5)
    assert found.cosine == pytest.approx(1.0)
    assert found.row == pytest.approx(0.05)


def test_the_push_on_a_row_that_is_never_a_target_is_the_mean_of_p_h(network: Network) -> None:
    rows, which = shown(2), torch.tensor([12, 13])
    log_p, hidden = over_contexts(network, rows, which)
    gradient, share = clipped_gradient(network, rows, which, clip=1e9)
    assert share == 1.0
    assert gradient.numpy() == pytest.approx((log_p.exp().T @ hidden / len(hidden)).numpy(), rel=1e-3, abs=1e-6)
    clipped, share = clipped_gradient(network, rows, which, clip=0.1)
    assert clipped.numpy() == pytest.approx(share * gradient.numpy(), rel=1e-4)
