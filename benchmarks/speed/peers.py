"""Other ways to the same tokens, each in a process of its own: one job from a line of JSON, its figures as another.

    python benchmarks/speed/peers.py bindings|transformers '{"model": FILE, "tokens": 64, "threads": 2}'

bindings      llama-cpp-python's high-level API, of the patched build (a stock one draws at T = 1 below zero)
transformers  PyTorch on the CPU with a logits processor that turns the signs round, which is the way to T < 0 there;
              transformers reads the GGUF file itself and widens the weights to float32

Both make one sequence at T = -0.001 with every filter off. It leaves out statistics, which neither gives.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

PROMPT = "Temperature is a concept"


def bindings(job: dict[str, Any]) -> dict[str, float]:
    """Tokens and the seconds from the prompt to the last of them."""
    from llama_cpp import Llama

    model = Llama(job["model"], n_ctx=512, n_threads=job["threads"], verbose=False, seed=1)
    started = time.perf_counter()
    tokens = 0
    # below zero an end may be drawn; then another completion goes on
    while tokens < job["tokens"]:
        done = model.create_completion(
            PROMPT, max_tokens=job["tokens"] - tokens, temperature=-0.001, top_k=0, top_p=1.0, min_p=0.0,
            repeat_penalty=1.0,
        )  # fmt: skip
        tokens += max(1, done["usage"]["completion_tokens"])
    return {"tokens": tokens, "seconds": time.perf_counter() - started}


def transformers(job: dict[str, Any]) -> dict[str, float]:
    """Tokens and the seconds from the prompt to the last of them."""
    import torch
    from transformers import AutoModelForCausalLM, LogitsProcessor, LogitsProcessorList

    class Inverted(LogitsProcessor):  # type: ignore[misc,unused-ignore]
        def __call__(self, input_ids: Any, scores: Any) -> Any:
            return -scores

    torch.set_num_threads(job["threads"])
    path = Path(job["model"]).resolve()
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    model.generation_config.eos_token_id = None  # an end that upstream masks by -inf would be turned round to +inf
    prompt = torch.tensor([job["prompt_token_ids"]])
    started = time.perf_counter()
    with torch.inference_mode():
        done = model.generate(
            prompt, attention_mask=torch.ones_like(prompt), do_sample=True, temperature=0.001, top_k=0, top_p=1.0,
            logits_processor=LogitsProcessorList([Inverted()]), max_new_tokens=job["tokens"], pad_token_id=0,
        )  # fmt: skip
    return {"tokens": done.shape[1] - prompt.shape[1], "seconds": time.perf_counter() - started}


if __name__ == "__main__":
    program = {"bindings": bindings, "transformers": transformers}[sys.argv[1]]
    print(json.dumps(program(json.loads(sys.argv[2]))))
