"""A hub on this machine: the few answers of the hub's API that its client asks for, with ranges, as its servers give.

`refuse` answers everything with a status and the hub's own code for the reason; `cut_after` ends the first transfer
of so many bytes, and `held` is an event that every transfer waits for once it has sent some.
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "f" * 40
# more than the client keeps in memory before it writes
_SOME = 12_000_000


@dataclass
class Hub:
    """One repository, org/repo, and what was asked of it."""

    files: Mapping[str, bytes]
    refuse: tuple[int, str] | None = None
    corrupt: bool = False
    held: threading.Event | None = None
    started: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    ranges: list[str] = field(default_factory=list)
    address: str = ""


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """The hub on a free port of loopback, until the block ends."""

    class Handler(_Handler):
        served = hub

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            if hub.held:
                hub.held.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    served: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if self.served.refuse:
            status, code = self.served.refuse
            self._answer(status, b"{}", {"X-Error-Code": code, "X-Error-Message": "refused"} if code else {})
        elif match := re.fullmatch(r"/api/models/org/repo(?:/revision/(.+))?", path):
            self._about(match[1] or "main")
        elif match := re.fullmatch(r"/org/repo/resolve/([^/]+)/(.+)", path):
            self._file(match[2])
        else:
            self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def _about(self, revision: str) -> None:
        if revision not in ("main", COMMIT):
            self._answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            return
        siblings = [
            {
                "rfilename": name, "size": len(data), "blobId": hashlib.sha1(data).hexdigest(),
                "lfs": {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134},
            }
            for name, data in self.served.files.items()
        ]  # fmt: skip
        self._answer(200, json.dumps({"id": "org/repo", "sha": COMMIT, "siblings": siblings}).encode())

    def _file(self, name: str) -> None:
        data = self.served.files.get(name)
        if data is None:
            self._answer(404, b"{}", {"X-Error-Code": "EntryNotFound"})
            return
        digest = hashlib.sha256(data).hexdigest()
        about = {"X-Repo-Commit": COMMIT, "X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(data))}
        if self.command == "HEAD":
            self._answer(200, data, {**about, "ETag": f'"{digest}"', "Accept-Ranges": "bytes"})
            return
        asked = self.headers.get("Range") or ""
        self.served.ranges.append(asked)
        start = int(match[1]) if (match := re.fullmatch(r"bytes=(\d+)-", asked)) else 0
        if self.served.corrupt:
            data = data[:-1] + b"!"
        content = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if match else {}
        self._answer(206 if match else 200, data[start:], {**about, **content}, held=self.served.held)

    def _answer(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None, held: threading.Event | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(body[:_SOME])
        if held:
            self.wfile.flush()
            self.served.started.release()
            held.wait()
        self.wfile.write(body[_SOME:])
