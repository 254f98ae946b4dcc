"""
The page of all options, made from the classes that read them.

    python -m hybridconn.config.reference > docs/options.md
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import attrs

from hybridconn.config import listener, relay, sender
from hybridconn.config.kinds import Kind
from hybridconn.config.loader import key_of

_INTRODUCTION = """\
# Every option

<!-- Made by: python -m hybridconn.config.reference > docs/options.md -->

Each program reads one TOML file, named with `--config`. Times are seconds. File
names are looked up from the folder of the file they stand in. A file with keys or
connection strings, and a private key, must be readable by its owner only
(`chmod 600`). Unknown settings are mistakes; `hybridconn check FILE --role ROLE`
lists all mistakes at once, or says what the program would do.
"""

_FILES = (
    (
        "relay.toml",
        "For `twistd hcrelay --config relay.toml`.",
        relay.RelayConfig,
        relay.BUILDERS,
    ),
    (
        "listener.toml",
        "For `twistd hclistener --config listener.toml`.",
        listener.ListenerConfig,
        listener.BUILDERS,
    ),
    (
        "sender.toml",
        "For `twistd hcsender --config sender.toml`.",
        sender.SenderConfig,
        sender.BUILDERS,
    ),
)

_Builders = Mapping[type, tuple[type, Any]]

_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
}


def render() -> str:
    """The whole page, as Markdown."""
    parts = [_INTRODUCTION]
    for name, introduction, cls, builders in _FILES:
        parts.append(f"## {name}\n\n{introduction}\n")
        parts.extend(_sections(cls, builders, ""))
    return "\n".join(parts)


def _sections(cls: type, builders: _Builders, path: str) -> Iterator[str]:
    attrs.resolve_types(cls, include_extras=True)
    fields = attrs.fields(cls)
    rows = [_row(field) for field in fields if not field.metadata.get("table")]
    if rows:
        title = f"### `{path}`" if path else "### At the top, before any table"
        head = "| Option | Value | Default | Meaning |\n| --- | --- | --- | --- |"
        repeated = ["May be repeated."] if path.startswith("[[") else []
        yield "\n\n".join([title, *repeated, "\n".join([head, *rows])]) + "\n"
    bare = path.strip("[]")
    for field in fields:
        if field.metadata.get("table"):
            key = f"{bare}.{key_of(field)}" if bare else key_of(field)
            several = get_origin(field.type) is tuple
            item = get_args(field.type)[0] if several else field.type
            table = builders[item][0] if item in builders else item
            yield from _sections(
                table, builders, f"[[{key}]]" if several else f"[{key}]"
            )


def _row(field: attrs.Attribute[Any]) -> str:
    words = field.metadata.get("unit") or _words(field.type)
    cells = [f"`{key_of(field)}`", words, _default(field), field.metadata["help"]]
    return f"| {' | '.join(cells)} |"


def _words(type_: Any) -> str:
    if get_origin(type_) is Annotated:
        return next(extra.word for extra in get_args(type_) if isinstance(extra, Kind))
    if get_origin(type_) in (Union, UnionType):
        return _words(next(one for one in get_args(type_) if one is not type(None)))
    if get_origin(type_) is tuple:
        return f"list: {_words(get_args(type_)[0])}"
    return _WORDS[type_]


def _default(field: attrs.Attribute[Any]) -> str:
    if field.default is attrs.NOTHING:
        return "required"
    if field.default is None:
        return "none"
    if "shown" in field.metadata:
        return f"`{json.dumps(field.metadata['shown'])}`"
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return f"`{json.dumps(value)}`"


if __name__ == "__main__":
    print(render(), end="")
