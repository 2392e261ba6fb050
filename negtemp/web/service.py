"""What the page's server answers: its own files, and six questions about the model below /api/.

    GET  /api/model        what is loaded, the axis, the state to begin with
    GET  /api/vocabulary   every token's bytes, view and category (`tables`)
    GET  /api/categories   categories by round trip, as soon as they are known
    GET  /api/map          a matrix in two dimensions (`frames`)
    POST /api/tokenize     a text's ids, and the text as a shell takes it
    POST /api/logits       all logits after some ids, float32
    POST /api/draw         tokens, one JSON line each as it is drawn

Whatever goes wrong is `{"error": one line}` with a status. It leaves out who may ask (`guard`) and the thread that
decodes (`worker`).
"""

import asyncio
import contextlib
import functools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from negtemp.errors import NegtempError
from negtemp.model.engine.engine import Engine
from negtemp.model.weights.tensors import Tensor, Weights
from negtemp.records import Completion, Step, to_line
from negtemp.theory import axis
from negtemp.version import __version__
from negtemp.web import asked, frames
from negtemp.web.decoding import Decoder
from negtemp.web.worker import Worker

Result = TypeVar("Result")

_PAGE = Path(__file__).parent / "page"
_TYPES = {
    ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}  # fmt: skip
_BINARY = "application/octet-stream"
_LINES = "application/x-ndjson"


@dataclass(frozen=True)
class CommandLine:
    """What the page's commands are made with: the words that select the model, how to quote, how flags are named."""

    model: str
    quoted: Callable[[str], str]
    with_flags: Callable[[str], str]


@dataclass(frozen=True)
class Beginning:
    """The state that the page opens with."""

    prompt: str
    beta: float
    seed: int


class Service:
    """The questions about one model, answered."""

    def __init__(
        self, engine: Engine, decoder: Decoder, worker: Worker, command: CommandLine, beginning: Beginning
    ) -> None:
        self._engine, self._decoder, self._worker = engine, decoder, worker
        self._command, self._beginning = command, beginning
        self._kept: dict[str, asyncio.Future[bytes]] = {}

    def application(self) -> Starlette:
        """The routes, without a guard."""
        questions: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "model": self._model, "vocabulary": self._vocabulary, "categories": self._categories, "map": self._map,
        }  # fmt: skip
        orders = {"tokenize": self._tokenize, "logits": self._logits, "draw": self._draw}
        routes = [Route(f"/api/{name}", answer, methods=["GET"]) for name, answer in questions.items()]
        routes += [Route(f"/api/{name}", answer, methods=["POST"]) for name, answer in orders.items()]
        routes += [Route(path, answer) for path, answer in _files()]
        handlers: dict[Any, Any] = {NegtempError: self._refused, HTTPException: _wrong_way}
        return Starlette(routes=routes, exception_handlers=handlers)

    async def _model(self, _: Request) -> Response:
        model = self._engine.model
        vocabulary, beginning = model.vocabulary, self._beginning
        return JSONResponse(
            {
                "negtemp": __version__,
                "name": model.name,
                "description": model.description,
                "tokens": vocabulary.size,
                "context": self._decoder.ctx_size,
                "end_tokens": sorted(vocabulary.end_tokens),
                "matrices": await self._once("matrices", self._matrices, parse=True),
                "axis": {"linear": axis.LINEAR, "largest": axis.LARGEST},
                "command": self._command.model,
                "prompt": beginning.prompt,
                "beta": str(beginning.beta),
                "seed": beginning.seed,
            }
        )

    def _matrices(self) -> bytes:
        """Which matrices there are to map, as JSON; none where the file's cannot be read."""
        model = self._engine.model
        found = []
        with contextlib.suppress(NegtempError), Weights(model.library, model.path) as weights:
            for name in ("embedding",) if weights.tied else ("embedding", "unembedding"):
                _matrix(weights, name)
                found.append(name)
        return json.dumps(found).encode()

    async def _vocabulary(self, _: Request) -> Response:
        made = await self._once("vocabulary", functools.partial(frames.pieces, self._engine.model.vocabulary))
        return Response(made, media_type=_BINARY)

    async def _categories(self, _: Request) -> Response:
        made = await self._once("categories", functools.partial(frames.round_trip, self._engine.model.vocabulary))
        return Response(made, media_type=_BINARY)

    async def _map(self, request: Request) -> Response:
        name = request.query_params.get("matrix", "embedding")
        if name not in ("embedding", "unembedding"):
            return JSONResponse({"error": "there are two matrices: embedding and unembedding"}, 404)
        return Response(await self._once(name, functools.partial(self._projected, name)), media_type=_BINARY)

    def _projected(self, name: str) -> bytes:
        model = self._engine.model
        with Weights(model.library, model.path) as weights:
            return frames.projected(_matrix(weights, name).first(model.vocabulary.size), self._engine.threads)

    async def _once(self, name: str, make: Callable[[], bytes], parse: bool = False) -> Any:
        """What is the same for everybody: made in a thread at the first question, and kept."""
        if name not in self._kept:
            self._kept[name] = asyncio.ensure_future(asyncio.to_thread(make))
        made = await asyncio.shield(self._kept[name])
        return json.loads(made) if parse else made

    async def _tokenize(self, request: Request) -> Response:
        text = asked.text(await _body(request))
        ids = self._engine.model.vocabulary.tokenize(text)
        return JSONResponse({"ids": ids, "quoted": self._command.quoted(text)})

    async def _logits(self, request: Request) -> Response:
        ids = asked.token_ids(await _body(request), "ids", self._engine.model.vocabulary)
        logits = await _while_there(request, self._worker.ask(lambda: self._decoder.logits(ids)))
        if logits is None:
            return Response(status_code=499)
        return Response(logits.astype("<f4", copy=False).tobytes(), media_type=_BINARY)

    async def _draw(self, request: Request) -> Response:
        wanted = asked.draw(await _body(request), self._engine.model.vocabulary)
        lines = self._worker.stream(lambda: self._lines(wanted))
        first = await anext(lines)  # a request that cannot be answered is refused before anything is streamed
        return StreamingResponse(self._rest(first, lines), media_type=_LINES)

    def _lines(self, wanted: asked.Draw) -> Iterator[str]:
        """A line with the root's length, then a record each."""
        ids = wanted.root + wanted.drawn
        records: Iterator[Step | Completion]
        if len(wanted.at) == 1:
            root = self._decoder.open_run(wanted.root, wanted.drawn, wanted.at[0], wanted.seed, wanted.count)
            records = self._decoder.draw(wanted.count)
        else:
            root = len(ids)
            records = self._decoder.side_by_side(ids, wanted.at, wanted.seed, wanted.count)
        yield json.dumps({"root": root}) + "\n"
        for record in records:
            if isinstance(record, Step):
                yield to_line(record) + "\n"

    async def _rest(self, first: str, lines: AsyncIterator[str]) -> AsyncIterator[str]:
        yield first
        try:
            async for line in lines:
                yield line
        except NegtempError as error:
            yield json.dumps({"error": self._command.with_flags(str(error))}) + "\n"

    async def _refused(self, _: Request, error: Exception) -> Response:
        return JSONResponse({"error": self._command.with_flags(str(error))}, 400)


def _matrix(weights: Weights, name: str) -> Tensor:
    return weights.embedding if name == "embedding" else weights.unembedding


async def _wrong_way(_: Request, error: HTTPException) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code)


async def _body(request: Request) -> Any:
    """The JSON object that was sent. Raises UsageError, and HTTPException for more than anybody needs."""
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > asked.MOST_BYTES:
            raise HTTPException(413, f"a request may have {asked.MOST_BYTES} bytes")
    return asked.body(data)


async def _while_there(request: Request, work: Coroutine[Any, Any, Result]) -> Result | None:
    """The result, or None as soon as whoever asked has gone; then the work is not begun, if it was not."""
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        return await task if task.done() else None
    finally:
        task.cancel()
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _files() -> Iterator[tuple[str, Callable[[Request], Awaitable[Response]]]]:
    """A route for each file of the page, held in memory: nothing else can be asked for."""
    for path in sorted(_PAGE.iterdir()):
        if path.suffix in _TYPES:
            yield ("/" if path.name == "index.html" else f"/{path.name}"), _file(path.read_bytes(), _TYPES[path.suffix])


def _file(content: bytes, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_: Request) -> Response:
        return Response(content, media_type=media_type)

    return answer
