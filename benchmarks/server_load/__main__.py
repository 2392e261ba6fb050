"""Load on the patched server, and a table of what came of it.

    cd benchmarks && python -m server_load [--seconds 120] [--clients 50] [--seed 1]

Starts llama-server on the bundled model, on loopback alone, and lets the clients at it for the given time: honest ones
of mixed sign, one that reads slowly, one that leaves mid-stream, one that sends garbage. Then it waits for idle slots,
asks the server to end and looks at its status. Memory is the greatest resident set in each quarter of the time.
"""

import argparse
import json
import sys

from server_load.load import run


def main() -> None:
    """Run it and print the table; status 1 where anything was not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=120.0, help="default: %(default)s")
    parser.add_argument("--clients", type=int, default=50, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    arguments = parser.parse_args()
    load = run(arguments.seconds, arguments.clients, arguments.seed)
    print(json.dumps({**load.counts, "memory_MiB": load.memory, "status": load.status, "wrong": len(load.wrong)}))
    for wrong in load.wrong[:20]:
        print(wrong, file=sys.stderr)
    sys.exit(bool(load.wrong or load.status))


if __name__ == "__main__":
    main()
