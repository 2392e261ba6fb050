"""Requests of random fields and values: each is answered, or refused in OpenAI's shape, and the server lives.

    cd benchmarks && python -m server_load.fuzz [--requests 3000] [--seed 1]

Fields are those of llama-server's own schema (tools/server/server-schema.cpp) and of the OpenAI API; values are of
every JSON type, at its edges more often than not. Request k of a seed is the same in every run, so that it can be sent
again.
"""

import argparse
import random
import sys
from typing import Any

from negtemp.model import model_file
from negtemp.server import Address, Server
from server_load.clients import Clients

PATHS = ("/completion", "/v1/completions", "/v1/chat/completions", "/v1/responses", "/v1/messages", "/infill",
         "/tokenize", "/detokenize", "/apply-template", "/v1/embeddings", "/rerank")  # fmt: skip
FIELDS = (
    "adaptive_decay", "adaptive_target", "add_generation_prompt", "backend_sampling", "best_of", "cache_prompt",
    "chat_format", "chat_parser", "chat_template_kwargs", "content", "continue_final_message", "documents",
    "dry_allowed_length", "dry_base", "dry_multiplier", "dry_penalty_last_n", "dry_sequence_breakers",
    "dynatemp_exponent", "dynatemp_range", "echo", "frequency_penalty", "generation_prompt", "grammar",
    "grammar_lazy", "grammar_triggers", "id_slot", "ignore_eos", "input", "input_extra", "input_prefix",
    "input_suffix", "json_schema", "logit_bias", "logprobs", "lora", "max_completion_tokens", "max_tokens",
    "messages", "min_keep", "min_p", "mirostat", "mirostat_eta", "mirostat_tau", "model", "n", "n_cache_reuse",
    "n_discard", "n_indent", "n_keep", "n_probs", "parallel_tool_calls", "parse_tool_calls",
    "post_sampling_probs", "presence_penalty", "preserved_tokens", "prompt", "query",
    "reasoning_budget_message", "reasoning_budget_tokens", "reasoning_format", "repeat_last_n",
    "repeat_penalty", "response_fields", "response_format", "return_progress", "return_tokens", "samplers",
    "seed", "stop", "stream", "stream_options", "suffix", "system", "t_max_predict_ms", "temperature",
    "timings_per_token", "tokens", "tool_choice", "tools", "top_k", "top_logprobs", "top_n_sigma", "top_p",
    "typical_p", "user", "verbose", "with_pieces", "xtc_probability", "xtc_threshold",
)  # fmt: skip
_TEXTS = ("", "x", "\0", "\U0001f600", "root ::= (", "temperature", "json_schema", "user", "a" * 2000, "</s>", "-1")
_NUMBERS = (0, 1, -1, 2, 0.5, -0.5, 1e-50, -1e-50, 1e38, -1e38, 2**31 - 1, -(2**31), 2**32, 2**63, -(2**63), 1e308)


def main() -> None:
    """Send them, and print how many were answered and refused; status 1 where one was neither, or the server died."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--requests", type=int, default=3000, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    arguments = parser.parse_args()
    with Server(model_file.bundled(), Address(port=0), ("--threads", "1", "--ctx-size", "512")) as server:
        server.wait_until_ready()
        clients = send(server, arguments.requests, arguments.seed)
    print(dict(clients.counts))
    print("\n".join(clients.wrong[:20]), file=sys.stderr)
    sys.exit(bool(clients.wrong))


def send(server: Server, requests: int, seed: int) -> Clients:
    """The counts after so many requests, each about 1 token long."""
    clients = Clients(server.address.port)
    for number in range(requests):
        clients.any(*request(f"{seed}:{number}"))
        if not server.alive:
            clients.wrong.append(f"the server died of request {seed}:{number}: {request(f'{seed}:{number}')}")
            break
    return clients


def request(seed: str) -> tuple[str, dict[str, Any]]:
    """A path and a body: a valid one with up to four fields that may be anything."""
    draw = random.Random(seed)
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "x"}], "tokens": [5], "documents": ["x"]}
    body |= dict.fromkeys(("prompt", "input", "content", "query", "input_prefix", "input_suffix"), "x")
    for field in draw.sample(FIELDS, draw.randint(1, 4)):
        body[field] = value(draw, 2)
    # takes precedence over max_tokens, whatever that is
    return draw.choice(PATHS), {**body, "n_predict": 1}


def value(draw: random.Random, depth: int) -> Any:
    """Any JSON value, nested at most so deep."""
    kind = draw.randrange(7 if depth else 5)
    if kind == 5:
        return [value(draw, depth - 1) for _ in range(draw.randrange(3))]
    if kind == 6:
        names = ("role", "content", "type", "function", "text", "5", "json_schema", "schema", "id", "scale", "word")
        return {draw.choice(names): value(draw, depth - 1) for _ in range(draw.randrange(3))}
    choices = (None, draw.random() < 0.5, draw.choice(_NUMBERS), draw.choice(_TEXTS), draw.randint(-5, 5))
    return choices[kind]


if __name__ == "__main__":
    main()
