"""A sweep as a Slurm batch script: an array with one shard for each task.

Two minutes before a task's time is up, Slurm signals the batch shell. The sweep then finishes what it has begun, saves
it, and the task queues itself again; one that Slurm requeues goes on where it was, too. Shards are named by the
script's own count, since Slurm's changes where only some tasks are submitted again.

Source: Slurm's sbatch(1) and job_array.html; the default of MaxArraySize in slurm.conf(5) allows indices below 1,001.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from negtemp.errors import UsageError

MOST_TASKS = 1000

_SCRIPT = """\
#!/bin/bash
# {tasks} shards of one sweep. Submit it with sbatch, again for what is missing, then: negtemp merge {folder}
# Add what your cluster asks for, such as --partition, --time, --mem or --gres=gpu:1.
#SBATCH --job-name=negtemp
#SBATCH --array=1-{tasks}{at_once}
#SBATCH --ntasks=1
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@120
trap 'again=yes; kill -USR1 "$sweep"' USR1
trap 'kill -TERM "$sweep"' TERM
{command} --shard "$SLURM_ARRAY_TASK_ID/{tasks}" &
sweep=$!
while kill -0 "$sweep" 2>/dev/null; do wait "$sweep"; done
wait "$sweep"
status=$?
if [ -n "${{again-}}" ] && [ "$status" = 130 ]; then
    scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID"
fi
exit "$status"
"""


@dataclass(frozen=True, slots=True)
class Array:
    """How many tasks, and how many of them at once; None for as many as fit."""

    tasks: int
    at_once: int | None = None

    @classmethod
    def of_text(cls, text: str) -> "Array":
        """`8`, or `100%16` as Slurm writes it. Raises UsageError."""
        found = re.fullmatch(r"(\d{1,9})(?:%(\d{1,9}))?", text.strip(), re.ASCII)
        if not found or not int(found[1]) or found[2] == "0":
            raise UsageError("--emit-sbatch takes a number of tasks, such as 8, or 100%16 for 16 of them at once")
        if int(found[1]) > MOST_TASKS:
            raise UsageError(
                f"--emit-sbatch is {found[1]} tasks, and Slurm's arrays hold {MOST_TASKS:,} unless MaxArraySize says "
                f"more; give at most {MOST_TASKS:,}"
            )
        return cls(int(found[1]), int(found[2]) if found[2] else None)


def script(array: Array, command: Sequence[str], folder: str) -> str:
    """The script that runs a sweep's command, less its own option, as an array."""
    return _SCRIPT.format(
        tasks=array.tasks, at_once="" if array.at_once is None else f"%{array.at_once}",
        command=shlex.join(_without_option(command)), folder=shlex.quote(folder),
    )  # fmt: skip


def _without_option(command: Sequence[str]) -> list[str]:
    kept, skipped = [], False
    for word in command:
        if skipped:
            skipped = False
        elif word == "--emit-sbatch":
            skipped = True
        elif not word.startswith("--emit-sbatch="):
            kept.append(word)
    return kept
