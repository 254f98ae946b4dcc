"""
From a TOML file to frozen classes, with every mistake found at once.

A table of the file is an attrs class.  Its fields' types say what may stand
there (plain types, those of L{hybridconn.config.kinds}, other tables, tuples of
any), C{metadata["help"]} says what it means, C{metadata["key"]} how it is called
in the file when that is not the field's name, C{metadata["table"]} that it is a
table or an array of tables.  A static method
C{check(table, source)} of the class may yield a L{Mistake} for what fields say
together; it gets the table as it was read, whatever is in it.
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn, override

from hybridconn.config.kinds import Kind
from hybridconn.config.mistakes import (
    ConfigError,
    Mistake,
    Place,
    did_you_mean,
    in_file_order,
    place_in_options,
    place_in_toml,
    shown,
)
from hybridconn.config.secrets import (
    MOST_BYTES,
    TOO_BIG,
    Source,
    carries_secrets,
    open_mistake,
    permission_mistake,
)

_T = TypeVar("_T")
_Builders = Mapping[type, tuple[type, Callable[[Any, Source], Any]]]

_SCALARS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
}


def key_of(field: attrs.Attribute[Any]) -> str:
    """How a field is called in the file."""
    key: str = field.metadata.get("key", field.name)
    return key


def load_file(
    file: str | os.PathLike[str],
    cls: type[_T],
    builders: _Builders,
    environ: Mapping[str, str],
    unseal: Callable[[str], str] | None = None,
    note: Callable[[Path], object] | None = None,
) -> _T:
    """
    Read a TOML file.

    @param cls: the class of the whole file.
    @param builders: for values that are no table themselves: the table class
        that describes each, and the function that makes the value of it.
    @param environ: the environment variables that the file may refer to.
    @param unseal: as L{Source} has it.
    @param note: called with each file that this one names, before it is read.
    @raise ConfigError: with all that is wrong.
    """
    path = Path(file)
    source = Source(os.fspath(file), path.parent, environ, unseal)
    if note is not None:
        source = attrs.evolve(source, note=note)
    try:
        with path.open("rb") as opened:
            open_to_others = permission_mistake(opened, path, environ)
            content = opened.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise _only(source, TOO_BIG)
        text = content.decode("utf-8-sig")
        raw = tomllib.loads(text)
    except OSError as error:
        raise _only(source, open_mistake(error, source.name, path)) from None
    except UnicodeDecodeError as error:
        raise _only(source, f"is not UTF-8 text (byte {error.start + 1}).") from None
    except tomllib.TOMLDecodeError as error:
        raise _only(source, _syntax(error, text)) from None
    except RecursionError:
        raise _only(source, "is nested too deeply to be a configuration.") from None
    except ValueError:  # Python reads no whole number of more than 4300 digits
        raise _only(source, "has a number with too many digits; mend it.") from None
    first = [open_to_others] if open_to_others and carries_secrets(raw) else []
    return _structure(raw, cls, builders, source, place_in_toml, first)


def load_options(
    options: Mapping[str, Any],
    cls: type[_T],
    builders: _Builders,
    environ: Mapping[str, str],
) -> _T:
    """
    The same for values that came from a command line; file names are looked up
    from the current folder.

    @raise ConfigError: with all that is wrong.
    """
    source = Source("command line", Path(), environ)
    return _structure(options, cls, builders, source, place_in_options, ())


def _only(source: Source, text: str) -> ConfigError:
    return ConfigError(source.name, [f"{source.name}: {text}"])


def _syntax(error: tomllib.TOMLDecodeError, text: str) -> str:
    # Python 3.11 to 3.13 put the position into the message only.
    message = str(error)
    match = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", message)
    if match is None:
        return f"is no TOML: {message}."
    what = message[: match.start()]
    line, column = match[1], match[2]
    if line is None:
        lines = text.split("\n")
        line, column = str(len(lines)), str(len(lines[-1]) + 1)
    return f"line {line}, column {column}: is no TOML: {what}; mend it there."


def _structure(
    raw: Mapping[str, Any],
    cls: type[_T],
    builders: _Builders,
    source: Source,
    place: Place,
    first: Iterable[str],
) -> _T:
    lines = [f"{source.name}: {text}" for text in first]
    try:
        value = make_converter(builders, source).structure(raw, cls)
    except (Mistake, ExceptionGroup) as error:
        found = dict.fromkeys(_mistakes(error, ()))
        for path, text in sorted(found, key=lambda one: in_file_order(one[0], raw)):
            lines.append(": ".join(filter(None, [source.name, place(path, raw), text])))
    if lines:
        raise ConfigError(source.name, lines)
    return value


def make_converter(builders: _Builders, source: Source) -> Converter:
    """A converter that reads tables and raises L{Mistake}s, in groups."""
    converter = Converter(forbid_extra_keys=True, detailed_validation=True)
    for scalar, words in _SCALARS.items():
        converter.register_structure_hook(scalar, _scalar_hook(scalar, words))
    converter.register_structure_hook_factory(
        attrs.has, lambda cls: _table_hook(cls, converter, source)
    )
    converter.register_structure_hook_factory(
        lambda type_: _origin(type_) is tuple,
        lambda type_: _list_hook(get_args(type_)[0], converter),
    )
    converter.register_structure_hook_factory(
        lambda type_: _kind(type_) is not None,
        lambda type_: _kind_hook(type_, converter, source),
    )
    for cls, (table, build) in builders.items():
        converter.register_structure_hook(
            cls, _build_hook(table, build, converter, source)
        )
    return converter


def _origin(type_: Any) -> Any:
    return get_origin(type_)


def _kind(type_: Any) -> Kind | None:
    if get_origin(type_) is Annotated:
        for extra in get_args(type_)[1:]:
            if isinstance(extra, Kind):
                return extra
    return None


def _scalar_hook(scalar: type, words: str) -> Callable[[Any, Any], Any]:
    def structure(raw: Any, _: Any) -> Any:
        if isinstance(raw, bool) and scalar is not bool:
            raise Mistake(f"must be {words}, not {shown(raw)}.")
        if scalar is float and isinstance(raw, (int, float)):
            try:
                number = float(raw)
            except OverflowError:
                number = math.inf
            if math.isfinite(number):
                return number
        elif isinstance(raw, scalar):
            return raw
        raise Mistake(f"must be {words}, not {shown(raw)}.")

    return structure


def _kind_hook(
    type_: Any, converter: Converter, source: Source
) -> Callable[[Any, Any], Any]:
    kind = _kind(type_)
    assert kind is not None
    hidden = kind.word == "key"

    def structure(raw: Any, _: Any) -> Any:
        if hidden and not isinstance(raw, kind.raw):
            raise Mistake(f"must be {_SCALARS[kind.raw]}.")
        return kind.read(converter.structure(raw, kind.raw), source)

    return structure


def _table_hook(
    cls: type, converter: Converter, source: Source
) -> Callable[[Any, Any], Any]:
    # Fields are annotated by name where a module postpones that.
    attrs.resolve_types(cls, include_extras=True)
    overrides: dict[str, Any] = {
        field.name: override(
            rename=key_of(field),
            struct_hook=_checked_hook(field, converter) if field.validator else None,
        )
        for field in attrs.fields(cls)
    }
    fill: Callable[[Any, Any], Any] = make_dict_structure_fn(
        cls,
        converter,
        _cattrs_forbid_extra_keys=True,
        _cattrs_detailed_validation=True,
        **overrides,
    )
    check: Callable[..., Iterator[Mistake]] = getattr(cls, "check", _no_mistakes)
    # A table that is left out is an empty one: its defaults are checked too.
    empty: dict[str, Any] = {
        key_of(field): {}
        for field in attrs.fields(cls)
        if field.metadata.get("table") and get_origin(field.type) is not tuple
    }

    def structure(raw: Any, _: Any) -> Any:
        if isinstance(raw, list) and raw and isinstance(raw[0], dict):
            raise Mistake("is there once only; write its name in single brackets.")
        if not isinstance(raw, Mapping):
            raise Mistake(f"must be a table, not {shown(raw)}.")
        found: list[Exception] = []
        try:
            value = fill(empty | dict(raw), cls)
        except ClassValidationError as error:
            found.append(error)
        found.extend(check(raw, source))
        if found:
            raise ExceptionGroup("mistakes", found)
        return value

    return structure


def _checked_hook(
    field: attrs.Attribute[Any], converter: Converter
) -> Callable[[Any, Any], Any]:
    # The class would validate too, but stop at its first wrong field.
    def structure(raw: Any, type_: Any) -> Any:
        value = converter.structure(raw, type_)
        try:
            if field.validator is not None:
                field.validator(None, field, value)
        except ValueError as error:
            text = str(error).removeprefix(field.name).strip()
            listed = f"[{', '.join(map(shown, raw))}] " if isinstance(raw, list) else ""
            raise Mistake(f"{listed}{text}.") from None
        return value

    return structure


def _no_mistakes(raw: Any, source: Source) -> Iterator[Mistake]:
    return iter(())


def _list_hook(item: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    tables = isinstance(item, type) and attrs.has(item)

    def structure(raw: Any, type_: Any) -> Any:
        if not isinstance(raw, list):
            mend = (
                "write its name in double brackets" if tables else "write [ ] around it"
            )
            raise Mistake(f"must be a list, not {shown(raw)}; {mend}.")
        values, found = [], []
        for index, one in enumerate(raw):
            try:
                values.append(converter.structure(one, item))
            except (Mistake, ExceptionGroup) as error:
                error.add_note(IterableValidationNote("", index, item))
                found.append(error)
        if found:
            raise IterableValidationError("mistakes", found, type_)
        return tuple(values)

    return structure


def _build_hook(
    table: type,
    build: Callable[[Any, Source], Any],
    converter: Converter,
    source: Source,
) -> Callable[[Any, Any], Any]:
    def structure(raw: Any, _: Any) -> Any:
        return build(converter.structure(raw, table), source)

    return structure


def _mistakes(
    error: Exception, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """
    Flatten what a converter raised.

    @return: pairs of the path from the top, and the text.
    """
    if isinstance(error, Mistake):
        yield (*path, *error.path), error.text
    elif isinstance(error, ForbiddenExtraKeysError):
        known = [key_of(field) for field in attrs.fields(error.cl)]
        for key in sorted(error.extra_fields):
            yield (*path, key), f"there is no such setting{did_you_mean(key, known)}"
    elif isinstance(error, ExceptionGroup):
        for inner in error.exceptions:
            yield from _mistakes(inner, (*path, *_step(error, inner)))
    elif isinstance(error, KeyError) and path and error.args == (path[-1],):
        yield path, "is missing; add it."
    else:
        raise error


def _step(outer: ExceptionGroup[Exception], inner: Exception) -> tuple[str | int, ...]:
    notes = getattr(inner, "__notes__", ())
    for note in notes:
        if isinstance(outer, IterableValidationError):
            if isinstance(note, IterableValidationNote):
                return (note.index,)
        elif isinstance(outer, ClassValidationError) and isinstance(
            note, AttributeValidationNote
        ):
            return (key_of(getattr(attrs.fields(outer.cl), note.name)),)
    return ()
