"""A record as the fields of a JSON object and back, by the types of its own fields: the one codec of all records.

    int, str, bool, Literal     as they are
    float                       null where it is not finite; null is read as NaN, in `float | None` as None
    LogProbability              null is read as -inf
    Extended                    infinities are the strings "inf" and "-inf"
    Temperature                 two keys, `temperature` and `beta`, both Extended
    bytes                       two keys: of a field `raw` the safe view, `piece`, and the truth in hexadecimal,
                                `bytes`; of a field `said_raw` they are `said_piece` and `said_bytes`
    tuple, Mapping              a list, an object
    a part, a NamedTuple        an object of its fields

A key that is missing takes the field's default; keys that no field has are passed over. So a field is added to a record
in one line, with a default; one of the type `Known[float]` is left out of the line where it is None. A value of another
type is refused. It leaves out lines and kinds (`lines`).
"""

import functools
import math
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    Self,
    TypeVar,
    Union,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
)

from negtemp.printable import printable
from negtemp.records.values import (
    OMITTED,
    PLAIN,
    As,
    exactly,
    finite,
    mistyped,
    number,
    read_extended,
    read_object,
)
from negtemp.theory.temperature import Temperature

Json = dict[str, Any]

Class = TypeVar("Class", bound=type[Any])
Function = TypeVar("Function", bound=Callable[..., Any])


def written(after: str) -> Callable[[Function], Function]:
    """A property that stands in the line too, behind the field `after`; it is computed again when read back."""

    def mark(function: Function) -> Function:
        function.__dict__["written_after"] = after
        return function

    return mark


class Part:
    """What records are made of, and a record itself: a frozen dataclass made by `part` or `lines.record`."""

    __slots__ = ()

    def to_dict(self) -> Json:
        """The fields of a JSON object."""
        cls: Any = type(self)
        return _layout(cls).to_dict(self)

    @classmethod
    def from_dict(cls, line: Json) -> Self:
        """The same read back. Raises KeyError for a field that is missing, TypeError or ValueError for a wrong one."""
        kind: Any = cls
        made: Self = _layout(kind).from_dict(line)
        return made


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def part(cls: Class) -> Class:
    """Class decorator: a frozen dataclass that takes its fields by name only."""
    return cast(Class, dataclass(frozen=True, slots=True, kw_only=True)(cls))


class _Key(NamedTuple):
    """One key of the object: where its value is found, and how it is written."""

    name: str
    path: str
    write: Callable[[Any], Any] | None


class _Argument(NamedTuple):
    """One argument of the class: the key that it is read from, "" for the whole object, and how."""

    name: str
    key: str
    read: Callable[[Any], Any]
    required: bool


class _Layout:
    """How one class stands in JSON."""

    def __init__(self, cls: Any, keys: Sequence[_Key], arguments: Sequence[_Argument], omitted: Sequence[str]) -> None:
        self._cls, self._arguments, self._omitted = cls, arguments, omitted
        self._written = _compiled(keys)

    def to_dict(self, record: Any) -> Json:
        found = self._written(record)
        for name in self._omitted:
            if found[name] is None:
                del found[name]
        return found

    def from_dict(self, line: Any) -> Any:
        if type(line) is not dict:
            raise mistyped("an object", line)
        given = {}
        for name, key, read, required in self._arguments:
            if not key:
                given[name] = read(line)
            elif required or key in line:
                try:
                    given[name] = read(line[key])
                except (TypeError, ValueError) as error:
                    raise type(error)(f"{key}: {error}") from None
        return self._cls(**given)


def _compiled(keys: Sequence[_Key]) -> Callable[[Any], Json]:
    """One expression that makes the object, compiled as in `dataclasses`: a loop over the keys takes a third longer."""
    names: dict[str, Any] = {"finite": math.isfinite, **{f"write_{key.name}": key.write for key in keys}}
    values = {
        key.name: f"r.{key.path}"
        if key.write is None
        else f"x if (x := r.{key.path}) is not None and finite(x) else None"
        if key.write is finite
        else f"write_{key.name}(r.{key.path})"
        for key in keys
    }
    made: Callable[[Any], Json] = eval(
        f"lambda r: {{{', '.join(f'{n!r}: {value}' for n, value in values.items())}}}", names
    )
    return made


@functools.cache
def _layout(hint: Any) -> _Layout:
    """The layout of a class, which may be a generic one with its arguments."""
    cls = get_origin(hint) or hint
    meant = dict(zip(getattr(cls, "__parameters__", ()), get_args(hint), strict=True))
    declared = [(name, meant.get(kind, kind), required) for name, kind, required in _declared(cls)]
    keys = [key for name, kind, _ in declared for key in _keys(name, kind)]
    for name, kind, after in _written(cls):
        place = next(i for i, key in enumerate(keys) if key.name == after)
        keys[place + 1 : place + 1] = _keys(name, kind)
    if hasattr(cls, "kind"):
        keys.insert(0, _Key("kind", "kind", None))
    omitted = [name for name, kind, _ in declared if OMITTED in getattr(kind, "__metadata__", ())]
    return _Layout(cls, keys, [_argument(*one) for one in declared], omitted)


def _declared(cls: Any) -> Iterator[tuple[str, Any, bool]]:
    """Each field, its type, and whether it must be given."""
    if is_dataclass(cls):
        for f in fields(cls):
            yield f.name, f.type, f.default is MISSING and f.default_factory is MISSING
    else:
        for name in cls._fields:  # of a NamedTuple
            yield name, cls.__annotations__[name], name not in cls._field_defaults


def _written(cls: Any) -> Iterator[tuple[str, Any, str]]:
    """Properties that stand in the line, the last first, so that several behind one field keep their order."""
    for name, found in reversed(vars(cls).items()):
        after = getattr(found.fget, "written_after", None) if isinstance(found, property) else None
        if after:
            yield name, found.fget.__annotations__["return"], after


def _keys(name: str, kind: Any) -> list[_Key]:
    if kind is bytes:
        prefix = name.removesuffix("raw")
        return [_Key(f"{prefix}piece", name, printable), _Key(f"{prefix}bytes", name, bytes.hex)]
    if kind is Temperature:
        return [_Key(axis, f"{name}.{axis}", number) for axis in ("temperature", "beta")]
    return [_Key(name, name, _as(kind).write)]


def _argument(name: str, kind: Any, required: bool) -> _Argument:
    if kind is bytes:
        return _Argument(name, f"{name.removesuffix('raw')}bytes", bytes.fromhex, required)
    if kind is Temperature:
        return _Argument(name, "", _temperature, required)
    return _Argument(name, name, _as(kind).read, required)


def _temperature(line: Json) -> Temperature:
    return Temperature(read_extended(line["temperature"]), read_extended(line["beta"]))


@functools.cache
def _as(kind: Any) -> As:
    """How values of a type stand in JSON."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return next((found for found in kind.__metadata__ if isinstance(found, As)), None) or _as(arguments[0])
    if origin in (Union, types.UnionType):
        return _or_none(_as(next(one for one in arguments if one is not types.NoneType)))
    if origin is Literal:
        return As(None, functools.partial(_one_of, arguments))
    if origin is tuple:
        return _list(arguments)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(_as(arguments[1]))
    if kind in PLAIN:
        return PLAIN[kind]
    layout = _layout(kind)
    return As(layout.to_dict, layout.from_dict)


def _or_none(inner: As) -> As:
    write, read = inner
    as_it_is = write is None or write is finite  # both take None
    return As(
        write if as_it_is else lambda value: None if value is None else write(value),  # type: ignore[misc]
        lambda value: None if value is None else read(value),
    )


def _one_of(allowed: Sequence[str], value: Any) -> Any:
    if value not in allowed:
        raise mistyped(f"one of {', '.join(allowed)}", value)
    return value


def _list(kinds: Sequence[Any]) -> As:
    """A tuple of one type and any length, or of one type for each place."""
    if kinds[-1] is Ellipsis:
        write, read = _as(kinds[0])
        return As(
            _each(write),
            lambda values: tuple(map(read, exactly(list, "a list")(values))),
        )
    places = [_as(kind) for kind in kinds]
    return As(
        lambda values: [
            value if one.write is None else one.write(value) for one, value in zip(places, values, strict=True)
        ],
        lambda values: tuple(one.read(value) for one, value in zip(places, values, strict=True)),
    )


def _mapping(inner: As) -> As:
    write, read = inner
    return As(
        _each_of_mapping(write),
        lambda values: {name: read(value) for name, value in read_object(values).items()},
    )


def _each(write: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    """How a tuple is written; many figures in a row are looked at one by one only where one of them is not finite."""
    if write is None:
        return list
    if write is finite:
        return lambda values: list(values) if _all_finite(values) else list(map(finite, values))
    return lambda values: [write(value) for value in values]


def _each_of_mapping(write: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    if write is None:
        return dict

    def one_by_one(values: Mapping[str, Any]) -> Json:
        return {name: write(value) for name, value in values.items()}

    if write is finite:
        return lambda values: dict(values) if _all_finite(values.values()) else one_by_one(values)
    return one_by_one


def _all_finite(values: Iterable[float | None]) -> bool:
    """Whether none is NaN, infinite or None: NaN and infinity pass into the sum."""
    try:
        return math.isfinite(sum(values))  # type: ignore[arg-type]
    except TypeError:
        return False
