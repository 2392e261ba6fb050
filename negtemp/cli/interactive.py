"""`negtemp run --interactive`: the model goes on line by line, at a temperature that can be changed between lines.

A line is put right after all that came before, and the model continues; with --chat a line is a message, and what came
before are messages and answers. Ctrl-C ends an answer and keeps it, Ctrl-D the session. Every turn is a completion in
the records. It leaves out a cache between turns: all that came before is read again.
"""

import contextlib
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from negtemp.cli import session
from negtemp.cli.messages import say
from negtemp.cli.output import Output, note
from negtemp.errors import NegtempError, UsageError
from negtemp.experiments.generate import SequenceSpec, requests
from negtemp.experiments.settings import Settings
from negtemp.model.engine.engine import Engine, Request
from negtemp.model.llama.chat import rendered
from negtemp.model.tokens.vocabulary import Vocabulary
from negtemp.records import Completion, Step
from negtemp.theory.temperature import Temperature
from negtemp.views import console

HELP = """\
/temp T    temperature, such as /temp -0.001     /beta B    1/T instead; 0 is uniform
/seed N    the seed of the next answers          /n N       tokens of an answer at most
/undo      take back the last line and answer    /new       begin anew
/text      all there is so far                   /quit      leave; so does Ctrl-D
An empty line goes on; a line that is to begin with / begins with //. Ctrl-C ends an answer and keeps it."""


@dataclass(frozen=True)
class Turn:
    """A line, what the model was given for it, and what it drew."""

    line: str
    prompt_token_ids: list[int]
    token_ids: list[int]


@dataclass
class State:
    """What holds for the next answer, and the turns so far."""

    at: Temperature
    seed: int
    settings: Settings
    turns: list[Turn] = field(default_factory=list)


def hold(engine: Engine, out: Output, first: Sequence[str], state: State, chat: bool, system: str | None) -> None:
    """Answer the lines of `first`, then those that are typed, until there are no more. Raises OutputError."""
    framed = chat or system is not None
    described = session.header_settings(engine, state.settings, [], [state.at], [state.seed], width=1)
    header = session.header("run", engine, described | {"interactive": True, "chat": framed, "system": system})
    out.begin(header)
    note(console.title(header, console.temperature(state.at) + " · /help says what can be typed"))
    for line in _lines(first):
        with _told():
            if line.startswith("/") and not line.startswith("//"):
                if _obey(line, state, engine.model.vocabulary):
                    return
            else:
                _answer(engine, out, state, line.removeprefix("/") if line.startswith("//") else line, framed, system)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What fails is said, and the session goes on."""
    try:
        yield
    except NegtempError as error:
        say(str(error))


def _lines(first: Sequence[str]) -> Iterator[str]:
    """The first ones, then what is typed; Ctrl-C takes back what stands in the line."""
    yield from first
    typed = sys.stdin.isatty() and sys.stdout.isatty()
    with _history() if typed else contextlib.nullcontext():
        while True:
            try:
                yield input("> " if typed else "")
            except EOFError:
                return
            except KeyboardInterrupt:
                print()


@contextlib.contextmanager
def _history() -> Iterator[None]:
    """Lines that can be edited and called back, from earlier sessions too, where this Python has readline."""
    try:
        import readline

        import platformdirs
    except ImportError:
        yield
        return
    kept = Path(platformdirs.user_state_dir("negtemp"), "history")
    with contextlib.suppress(OSError):
        readline.read_history_file(kept)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.touch(mode=0o600)  # what people type is theirs alone
            readline.set_history_length(1000)
            readline.write_history_file(kept)


def _answer(engine: Engine, out: Output, state: State, line: str, framed: bool, system: str | None) -> None:
    """Generate after a line, show each token, and keep the turn. Raises PromptError and what `requests` raises."""
    vocabulary = engine.model.vocabulary
    prompt = vocabulary.prompt_of(_asked(engine, state, line, framed, system))
    specs = [SequenceSpec(prompt, state.at, state.seed)]
    asked = requests(engine.model, specs, state.settings, first=len(state.turns))
    drawn: list[int] = []
    try:
        _show(engine, out, asked, drawn)
    except KeyboardInterrupt:
        note("interrupted; /undo takes it back")
    state.turns.append(Turn(line, list(prompt.token_ids), drawn))


def _asked(engine: Engine, state: State, line: str, framed: bool, system: str | None) -> list[int]:
    """Token ids that the model goes on from."""
    vocabulary = engine.model.vocabulary
    if framed:
        before = [(turn.line, _text(vocabulary, turn.token_ids)) for turn in state.turns]
        return vocabulary.tokenize(rendered(engine.model, line, system, before))
    if not state.turns:
        return vocabulary.tokenize(line)
    last = state.turns[-1]
    return last.prompt_token_ids + last.token_ids + (vocabulary.encode(line.encode("utf-8", "replace")) if line else [])


def _text(vocabulary: Vocabulary, token_ids: Sequence[int]) -> str:
    """An answer without the token that ended it."""
    kept = token_ids[:-1] if token_ids and vocabulary.is_end(token_ids[-1]) else token_ids
    return vocabulary.detokenize(kept).decode("utf-8", "replace")


def _show(engine: Engine, out: Output, asked: Sequence[Request], drawn: list[int]) -> None:
    """Each token as it comes, into `drawn` as well; its figures below."""
    screen, stream = console.stdout(), console.Stream(engine.model.vocabulary.size)
    try:
        for record in out.tee(engine.generate(asked)):
            if isinstance(record, Step):
                drawn.append(record.token_id)
                console.plain(screen, stream.add(record))
            elif isinstance(record, Completion):
                console.plain(screen, stream.end(record.stop))
                screen.print()
                note(console.figures(record, engine.model.vocabulary.size))
    except KeyboardInterrupt:
        console.plain(screen, stream.end())
        screen.print()
        raise


def _obey(line: str, state: State, vocabulary: Vocabulary) -> bool:
    """Do what a line that begins with / says; whether it is to leave. Raises UsageError for what it does not know."""
    name, _, value = line[1:].strip().partition(" ")
    if name in ("quit", "exit", "q"):
        return True
    if name in _SETTERS:
        _SETTERS[name](state, value.strip())
        note(f"{console.temperature(state.at)} · seed {state.seed} · at most {state.settings.n_predict} tokens")
    elif name in _COMMANDS:
        _COMMANDS[name](state, vocabulary)
    else:
        raise UsageError(f"/{name} is no command; /help lists them, and // begins a line that starts with /")
    return False


def _set_temperature(state: State, value: str) -> None:
    state.at = Temperature.of(_number("/temp", value))


def _set_beta(state: State, value: str) -> None:
    state.at = Temperature.of_beta(_number("/beta", value))


def _set_seed(state: State, value: str) -> None:
    from negtemp.cli.options import seed

    state.seed = seed(_whole("/seed", value))


def _set_length(state: State, value: str) -> None:
    state.settings = replace(state.settings, n_predict=_whole("/n", value))


def _number(command: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise UsageError(f"{command} takes a number, such as {command} -0.001, not {shlex.quote(value)}") from None


def _whole(command: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise UsageError(f"{command} takes a whole number, such as {command} 40, not {shlex.quote(value)}") from None


def _undo(state: State, vocabulary: Vocabulary) -> None:
    if not state.turns:
        raise UsageError("there is nothing to take back")
    state.turns.pop()
    note(f"taken back; {len(state.turns)} left")


def _begin_anew(state: State, vocabulary: Vocabulary) -> None:
    state.turns.clear()
    note("begun anew")


def _show_text(state: State, vocabulary: Vocabulary) -> None:
    screen = console.stdout()
    if state.turns:
        last = state.turns[-1]
        console.plain(screen, console.safe(vocabulary.detokenize(last.prompt_token_ids), "dim"))
        console.plain(screen, console.safe(vocabulary.detokenize(last.token_ids)))
    screen.print()


def _show_help(state: State, vocabulary: Vocabulary) -> None:
    console.stdout().print(HELP)


_SETTERS: dict[str, Callable[[State, str], None]] = {
    "temp": _set_temperature, "beta": _set_beta, "seed": _set_seed, "n": _set_length,
}  # fmt: skip
_COMMANDS: dict[str, Callable[[State, Vocabulary], None]] = {
    "undo": _undo, "new": _begin_anew, "text": _show_text, "help": _show_help,
}  # fmt: skip
