"""Holds the paths at T = +0.001 and -0.001 on the GPU against those on the CPU, and prints tokens/s.

    python scripts/compare_paths.py [--no-device-sampling] MODEL...

Each path is made three times: by negtemp on the CPU, by negtemp with every layer on the GPU, and by llama-completion on
the GPU with device sampling switched on (`-bs`), unless that is left out. Two paths agree up to the first step whose
`gap` is below 0.05 nats. Exits 1 where one does not. `scripts/check_gpu.sh` calls it.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import negtemp
from negtemp.experiments.settings import PROMPT
from negtemp.records import Completion, Step

TOKENS = 64
CLOSE_NATS = 0.05


def path(model: str, temperature: float, layers: int) -> tuple[list[Step], float]:
    """Steps of one generation and its tokens/s."""
    with negtemp.load(model, n_gpu_layers=layers) as loaded:
        records = list(
            loaded.generate(PROMPT, temperature=temperature, n_predict=TOKENS, ctx_size=512, ignore_eos=True)
        )
    speed = next(record.tokens_per_second for record in records if isinstance(record, Completion))
    return [record for record in records if isinstance(record, Step)], speed or 0.0


def certain(steps: Sequence[Step]) -> int:
    """How many steps come before the first whose choice hangs on rounding."""
    return next((index for index, step in enumerate(steps) if step.gap < CLOSE_NATS), len(steps))


def completion_text(model: str, temperature: float) -> bytes:
    """What llama-completion prints with the sampler graph on the device."""
    program = Path(sys.executable).with_name("llama-completion")
    filters = ["--top-k", "0", "--top-p", "1", "--min-p", "0", "--ignore-eos", "--special"]
    command = [str(program), "-m", model, "-p", PROMPT, "-n", str(TOKENS), "--temp", str(temperature), *filters, "-bs"]
    options = ["-ngl", "99", "-c", "512", "-no-cnv", "--no-display-prompt", "--seed", "1"]
    return subprocess.run([*command, *options], capture_output=True, check=True).stdout


def agrees(model: str, temperature: float, device_sampling: bool) -> bool:
    """Compare the paths of one model and temperature, and print a line."""
    cpu, cpu_speed = path(model, temperature, 0)
    gpu, gpu_speed = path(model, temperature, -1)
    count = certain(cpu)
    same = [step.token_id for step in cpu[:count]] == [step.token_id for step in gpu[:count]]
    found = [f"GPU {'same' if same else 'DIFFERENT'}"]
    if device_sampling:
        expected = b"".join(step.raw for step in cpu[:count])
        as_expected = completion_text(model, temperature).strip().startswith(expected.strip())
        found.append(f"device sampling {'same' if as_expected else 'DIFFERENT'}")
    speeds = f"{cpu_speed:.0f} tokens/s CPU, {gpu_speed:.0f} GPU"
    print(f"{Path(model).name} T={temperature:+g}: {count} certain steps, {', '.join(found)}; {speeds}")
    return not any("DIFFERENT" in one for one in found)


def main(arguments: Sequence[str]) -> int:
    """The exit status: 0 where every path agrees."""
    models = [argument for argument in arguments if argument != "--no-device-sampling"]
    device_sampling = len(models) == len(arguments)
    results = [agrees(model, temperature, device_sampling) for model in models for temperature in (0.001, -0.001)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
