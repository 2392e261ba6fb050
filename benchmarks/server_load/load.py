"""One run: what is asked and what must come back, the clients at work, and the server's memory and end."""

import itertools
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from negtemp.experiments.generate import generate
from negtemp.experiments.settings import PROMPT, Settings
from negtemp.model import library, model_file
from negtemp.model.engine.engine import Engine
from negtemp.model.llama.model import Model
from negtemp.records import Step
from negtemp.server import Address, Server
from negtemp.theory.temperature import Temperature
from server_load.clients import Clients, Question

TEMPERATURES = (0.001, -0.001, -1e-6)
TOKENS = 12
_QUESTIONS = 5
# what has no text of its own does not survive JSON
_NO_TEXT = ("byte", "control", "unknown")
# requests share batches: a draw between tokens that are within ten times |T| of each other may go the other way
_CLOSE_NATS = 1e-3
# a cache of past prompts would grow up to its limit
_OPTIONS = ("--parallel", "8", "--ctx-size", "4096", "--slots", "--threads", "1", "--cache-ram", "0")
_LONG_TOKENS = 400


@dataclass(frozen=True)
class Load:
    """What was counted, what should not have been, the greatest memory in each quarter of the time in MiB, and the
    server's exit status.
    """

    counts: dict[str, int]
    wrong: list[str]
    memory: list[float]
    status: int


def run(seconds: float, honest: int, seed: int = 1) -> Load:
    """So many seconds of so many honest clients and the three others."""
    with Model(library.load(), model_file.bundled()) as model:
        engine = Engine(model, threads=1)
        banned = model.vocabulary.in_categories(_NO_TEXT)
        questions = [question(engine, number, banned) for number in range(_QUESTIONS * len(TEMPERATURES))]
    long = {"prompt": PROMPT, "temperature": -0.001, "n_predict": _LONG_TOKENS, "ignore_eos": True}
    with Server(model_file.bundled(), Address(port=0), _OPTIONS) as server:
        server.wait_until_ready()
        clients = Clients(server.address.port)
        work: list[Callable[[], None]] = [lambda: clients.slow(long), lambda: clients.leaving(long), clients.garbage]
        order = random.Random(seed)
        for _ in range(honest):
            asked = order.sample(questions, len(questions))
            work.append(lambda asked=asked: clients.honest(asked))  # type: ignore[misc]
        threads = [threading.Thread(target=job) for job in work]
        for thread in threads:
            thread.start()
        memory = _watch(server.pid, seconds)
        clients.over.set()
        for thread in threads:
            thread.join()
        _wait_until_idle(server)
        status = server.stop()
    return Load(dict(clients.counts), clients.wrong, memory, status)


def question(engine: Engine, number: int, banned: list[int]) -> Question:
    """The number-th question: its prompt and temperature, and what the engine alone draws, up to the first near tie."""
    temperature = TEMPERATURES[number % len(TEMPERATURES)]
    prompt, close = f"{PROMPT} {number}", max(_CLOSE_NATS, 10 * abs(temperature))
    settings = Settings(n_predict=TOKENS, ignore_eos=True, mask=_NO_TEXT)
    records = generate(engine, [prompt], Temperature.of(temperature), 1, settings)
    steps = itertools.takewhile(lambda step: step.gap > close, (r for r in records if isinstance(r, Step)))
    body: dict[str, Any] = {
        "prompt": prompt, "temperature": temperature, "n_predict": TOKENS, "seed": 1, "ignore_eos": True,
        "return_tokens": True, "logit_bias": [[token, False] for token in banned],
    }  # fmt: skip
    return Question(body, [step.token_id for step in steps])


def _watch(pid: int, seconds: float) -> list[float]:
    """The greatest resident set in each quarter of the time, in MiB."""
    start, quarters = time.monotonic(), [0.0] * 4
    while (now := time.monotonic() - start) < seconds:
        quarter = int(4 * now / seconds)
        quarters[quarter] = round(max(quarters[quarter], _resident_mib(pid)), 1)
        time.sleep(min(1.0, seconds / 20))
    return quarters


def _resident_mib(pid: int) -> float:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))


def _wait_until_idle(server: Server, limit_seconds: float = 120.0) -> None:
    deadline = time.monotonic() + limit_seconds
    while any(slot["is_processing"] for slot in server.ask("slots")):
        if time.monotonic() > deadline:
            raise TimeoutError("a slot is still busy after every client has gone")
        time.sleep(0.1)
