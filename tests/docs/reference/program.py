"""Reference of the program: settings, commands, events."""

import ast
import inspect
import json
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import typer

from connector import app, cli
from connector.settings import PREFIX, Settings
from connector.storage.events import Event, name_of
from tests.docs.reference.markdown import code, page, section, summary, table

# --- settings ---------------------------------------------------------------------------------------------------------


def settings() -> str:
    """Return the page of all settings."""
    parts: list[tuple[str, type[msgspec.Struct]]] = [("", Settings)]
    parts += [(name, kind) for name, kind in _types(Settings).items() if _is_part(kind)]
    sections = [
        section(
            f"`[{name}]`" if name else "Top of the file",
            "" if kind is Settings else summary(kind),
            table(["Key", "Kind", "Default", "Meaning", "Variable"], _keys(name, kind)),
        )
        for name, kind in parts
    ]
    return page(
        "Settings",
        """
        A connector reads `connector.toml` in its data folder once, when it starts. A variable of the environment wins
        over the file. A key that is not listed here stops the start with a sentence, so a typing error is noticed.

        `greendeal init` writes the file. Lists are written in a variable as in the file: `[443, 8443]`.
        """,
        *sections,
        section(
            "Variables of the command",
            table(
                ["Variable", "Meaning"],
                [
                    ["`GREENDEAL_DATA`", "The data folder of `init`, `serve` and the other commands on this machine."],
                    ["`GREENDEAL_URL`", "Address of the connector that a command speaks to."],
                    ["`GREENDEAL_API_KEY`", "Key to its API."],
                    ["`GREENDEAL_OUTPUT`", "How answers are written: `table`, `json`, `jsonl` or `yaml`."],
                ],
            ),
        ),
    )


def undocumented() -> list[str]:
    """Return the settings that say nothing about themselves."""
    kinds = [Settings, *(kind for kind in _types(Settings).values() if _is_part(kind))]
    return [f"{kind.__name__}.{name}" for kind in kinds for name, said in _said(kind).items() if not said]


def _keys(part: str, kind: type[msgspec.Struct]) -> Iterator[list[str]]:
    said = _said(kind)
    for field in msgspec.structs.fields(kind):
        if _is_part(field.type) or field.type is Path:
            continue
        default = "must be set" if field.required else code(_toml(field.default))
        variable = PREFIX + "__".join(word.upper() for word in (part, field.name) if word)
        yield [code(field.name), _kind(field.type), default, said[field.name], code(variable)]


def _said(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return what the text under each field of a struct says about it; nothing where there is none."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    last = ""
    for node in body.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            last = node.target.id
            found[last] = ""
        elif last and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found[last], last = " ".join(str(node.value.value).split()), ""
    return {name: text for name, text in found.items() if not _is_part(_types(kind)[name])}


def _types(kind: type[msgspec.Struct]) -> Mapping[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(kind)}


def _is_part(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _kind(kind: Any) -> str:
    """Return what a value is, in words."""
    if typing.get_origin(kind) is Literal:
        return " or ".join(code(value) for value in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        return f"list of {_kind(typing.get_args(kind)[0])}s"
    return {str: "text", int: "whole number", float: "number", bool: "`true` or `false`"}[kind]


def _toml(value: object) -> str:
    return json.dumps(value)


# --- commands ---------------------------------------------------------------------------------------------------------


def commands() -> str:
    """Return the page of all commands and their options."""
    root = typer.main.get_command(cli.app)
    sections = [_command(words, command) for words, command in _walk(root, ())]
    return page(
        "Commands",
        """
        `greendeal` followed by a noun and a verb. Answers go to standard output and can be piped; everything said to
        people, refusals too, goes to standard error. `greendeal NOUN VERB --help` says the same as this page.

        The commands on a data folder (`init`, `serve`, `reindex`, `ledger`, `key`, `db`) work on this machine. All
        others speak to a connector that runs, at `--url`, with the key `--api-key`.

        The exit codes are on the page of [refusals](errors.md#exit-codes).
        """,
        *sections,
    )


def _walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, each in command.commands.items():
        if hasattr(each, "commands"):
            yield from _walk(each, (*words, name))
        else:
            yield (*words, name), each


def _command(words: tuple[str, ...], command: Any) -> str:
    given = [_argument(each) for each in command.params if _is_argument(each)]
    usage = " ".join(["greendeal", *words, *given, *(["[OPTIONS]"] if len(given) < len(command.params) else [])])
    rows = [_option(each) for each in command.params]
    return section(
        f"`greendeal {' '.join(words)}`",
        summary(command.callback),
        code(usage),
        table(["Argument or option", "Default", "Meaning", "Variable"], rows) if rows else "",
    )


def _is_argument(parameter: Any) -> bool:
    return not parameter.opts[0].startswith("-")


def _argument(parameter: Any) -> str:
    name = parameter.name.upper() + ("..." if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def _option(parameter: Any) -> list[str]:
    names = [parameter.name.upper()] if _is_argument(parameter) else [*parameter.opts, *parameter.secondary_opts]
    default = "must be given" if parameter.required else _default(parameter.default)
    return [", ".join(map(code, names)), default, parameter.help or "", code(parameter.envvar or "")]


def _default(value: Any) -> str:
    match value:
        case None | "" | [] | ():
            return ""
        case bool():
            return "yes" if value else "no"
        case _:
            return code(getattr(value, "value", value))


# --- events -----------------------------------------------------------------------------------------------------------


def events() -> str:
    """Return the page of all events and who hears them."""
    kinds = sorted(_events(Event), key=name_of)
    rows = [[code(name_of(kind)), summary(kind), _fields(kind), _hearers(kind)] for kind in kinds]
    return page(
        "Events",
        """
        What happens inside a connector is announced once, in the transaction of the act, and heard later: one row in
        the outbox for each event and subscriber. It is delivered at least once, and in order for each pair of subject
        and subscriber. A delivery that fails is tried again with growing pauses; one that is given up stays visible
        with its reason at `GET /api/failures` and can be delivered again.

        `subject` is the id of what the event is about; every event has it.
        """,
        table(["Event", "Said when", "Other fields", "Heard by"], rows),
        section("What each subscriber does", table(["Subscriber", "What it does"], _subscribers())),
    )


def _events(kind: type[Event]) -> Iterator[type[Event]]:
    for each in kind.__subclasses__():
        if each.__module__.startswith("connector."):
            yield each
        yield from _events(each)


def _fields(kind: type[Event]) -> str:
    return ", ".join(code(field.name) for field in msgspec.structs.fields(kind) if field.name != "subject")


def _hearers(kind: type[Event]) -> str:
    return ", ".join(code(name) for name in app.SUBSCRIBERS.get(kind, ())) or "nobody in the program"


def _subscribers() -> Iterator[list[str]]:
    """Yield each name in the table of subscribers with what the method behind it says of itself."""
    hints = typing.get_type_hints(app.Connector)
    for name in sorted({name for names in app.SUBSCRIBERS.values() for name in names}):
        capability, _, method = name.partition(".")
        handler: types.FunctionType = getattr(hints[capability], method)
        yield [code(name), summary(handler)]
