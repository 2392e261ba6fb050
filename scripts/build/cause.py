"""Find the line of a log that says why a step of the build failed, and what to do about it, as one line.

pip, CMake and ninja report what failed last; the cause stands further up, often behind retries and summaries. So kinds
of causes are looked for in order, each before those that follow from it: a full disk before the compiler error that it
makes. A log in which none is found gives its last line. Usage: cause.py LOG
"""

import re
import sys
from pathlib import Path
from typing import NamedTuple

LONGEST = 300
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Cause(NamedTuple):
    """What a log says, and what helps: a pattern whose group, or all of it, is shown."""

    pattern: str
    remedy: str


NETWORK = "check the network and run it again"
PROXY = "check the proxy: https_proxy, PIP_PROXY"
INDEX = "check the index that pip uses: pip config list"

CAUSES = (
    Cause(r"No space left on device|Disk quota exceeded", "free some disk space and run it again"),
    Cause(r"Read-only file system: ?.*", "take a folder that can be written"),
    Cause(
        r".*Killed signal.*|.*virtual memory exhausted.*|.*Cannot allocate memory.*|^MemoryError.*",
        "most likely too little memory: run the build again with --jobs 1",
    ),
    Cause(
        r"hash mismatch.*|Expected sha256 .*\n.*Got .*",
        "what was fetched is not the pinned release, and is refused: run it again",
    ),
    Cause(r"The user requested (\(constraint\) .*)", "lift that constraint: pip config list, PIP_CONSTRAINT"),
    Cause(r".*ccache: error: .*", "run it again with CMAKE_ARGS=-DGGML_CCACHE=OFF"),
    Cause(r"^\S*sh: (?:(?:line )?\d+: )?(\S+: (?:command )?not found)", "install it, or put it on PATH"),
    Cause(r"^\S.*?:\d+:(?:\d+:)? (?:fatal )?error: .*", ""),
    Cause(r"^\S*(?:cc|\+\+|clang\S*|cc1\S*|nvcc|ld\S*)(?:-[\d.]+)?: (?:fatal )?(?:error: .*|cannot .*)", ""),
    Cause(r".*undefined reference to .*", ""),
    Cause(r"links to:\s+(CUDA::\w+)", "install the CUDA toolkit with its libraries (Debian, Ubuntu: libcublas-dev)"),
    Cause(r"^CMake Error at .*(?:\n\s*\S.*){1,2}|^CMake Error: .*", ""),
    Cause(r"^ninja: (?:error|fatal): .*", ""),
    # of a network that failed and then worked nothing follows: so these come after what was done with what it brought
    Cause(
        r"certificate verify failed(?:: [^'\")(]+)?",
        "name the certificates of your network: export PIP_CERT=/path/to/certificates.pem",
    ),
    Cause(r"SSL module is not available", "this Python was built without OpenSSL: name another with make PYTHON=PATH"),
    Cause(r"SSLError\(.*?'([^']+)'|\[SSL: [^\]]+\][^'\")(]*", NETWORK),
    Cause(r"Tunnel connection failed: [^'\")]+|407 Proxy Authentication Required", PROXY),
    Cause(r"Cannot connect to proxy[^'\"]*", PROXY),
    Cause(r"\d{3} (?:Client|Server) Error: .*", INDEX),
    Cause(
        r"Temporary failure in name resolution|Name or service not known|nodename nor servname provided[^'\")]*"
        r"|Failed to resolve '[^']+'|Network is unreachable|No route to host|Connection refused"
        r"|(?:Connect|Read)(?:Timeout| timed out|ion timed out)[^'\")]*|Connection to \S+ timed out"
        r"|Connection reset by peer|Remote end closed connection without response",
        f"pip reaches no package index: {NETWORK}",
    ),
    Cause(r"Could not find a version that satisfies the requirement [^(\n]*[^(\n ]", INDEX),
    Cause(r"\[Errno \d+\] .*", ""),
    Cause(r"^(?:error|ERROR): (?!subprocess-exited|Failed |Could not build|Exception:|.*metadata-generation).*", ""),
    Cause(r"^\w*(?:Error|Exception): .*", ""),
)


def plain(text: str) -> str:
    """Printable text of one line, without the passwords that an address may hold."""
    text = re.sub(r"//[^/@\s]+@", "//****@", text)
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def cause(log: str) -> str:
    """The first line of the most telling kind, and its remedy."""
    log = ESCAPE.sub("", log)
    # pip indents what a subprocess wrote
    log = re.sub(r"^[ \t│|╰─>×]+", "", log, flags=re.MULTILINE)
    for pattern, remedy in CAUSES:
        found = re.search(pattern, log, re.MULTILINE)
        if found:
            line = plain(next((group for group in found.groups() if group), found.group()))
            return f"{line}; {remedy}" if remedy else line
    lines = [line for line in map(plain, log.splitlines()) if line]
    return lines[-1] if lines else "it wrote nothing"


def main() -> None:
    """Print the cause in the log named by the one argument, and where the rest is."""
    path = Path(sys.argv[1])
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    print(f"{cause(path.read_text(encoding='utf-8', errors='replace'))}; all of it is in {path}")


if __name__ == "__main__":
    main()
