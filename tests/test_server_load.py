"""The server under load and under what is no request: every answer is the one given alone, every refusal a 400."""

import pytest
from server_load import fuzz, garbage
from server_load.clients import Clients
from server_load.load import run

from negtemp.server import Server


@pytest.mark.parametrize(("path", "body"), garbage.REFUSED, ids=lambda value: repr(value)[:60])
def test_what_is_no_request_is_400_in_openais_shape(server: Server, path: str, body: bytes) -> None:
    clients = Clients(server.address.port)
    clients.refused(path, body)
    assert clients.wrong == []


def test_under_load_every_answer_is_the_one_given_alone_and_the_end_is_clean(server: Server) -> None:
    load = run(seconds=10, honest=12)
    assert (load.wrong, load.status) == ([], 0)
    assert load.memory[-1] < load.memory[1] + 64
    assert min(load.counts[kind] for kind in ("whole", "streamed", "slow reads", "left", "refused", "no HTTP")) > 0


def test_any_fields_of_any_type_are_answered_or_refused_in_openais_shape(server: Server) -> None:
    clients = fuzz.send(server, 300, seed=2)
    assert clients.wrong == []
    assert {"status 200", "status 400"} <= clients.counts.keys()
