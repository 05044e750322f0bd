"""Policies that ship ready to use: each a file on the shelf `policies`, some with blanks to fill.

A file holds a title, a sentence, `parameters` (which operand each one is a value of), and the rules as on the wire.
A right operand that reads `{name}` is the blank of that parameter.
"""

import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from connector import library
from connector.errors import InvalidInput, NotFound
from connector.standards.odrl import terms, values
from connector.standards.odrl.intake import RULES, read, write
from connector.standards.odrl.operands import OPERANDS
from connector.standards.odrl.policy import Value


class Parameter(Struct, frozen=True, forbid_unknown_fields=True):
    """A blank: its title, the operand it is a value of, whether it takes a list, and an example."""

    title: str
    operand: str
    example: Any
    many: bool = False


class Template(Struct, frozen=True, forbid_unknown_fields=True):
    """A policy with blanks: what it is called, the sentence that says what it allows, its parameters, its rules."""

    title: str
    sentence: str
    name: str = ""
    parameters: dict[str, Parameter] = {}
    permission: list[dict[str, Any]] = []
    prohibition: list[dict[str, Any]] = []
    obligation: list[dict[str, Any]] = []


@cache
def templates() -> tuple[Template, ...]:
    """Return all templates, the least restrictive first."""
    listed = tomllib.loads(library.read("policies", "manifest.toml").decode())["policy"]
    found = []
    for entry in listed:
        text = library.read("policies", entry["file"]).decode()
        template = msgspec.convert(tomllib.loads(text), Template)
        found.append(msgspec.structs.replace(template, name=entry["name"]))
    return tuple(found)


def fill(name: str, /, **params: object) -> dict[str, Any]:
    """Return the offer that template `name` makes with `params`, in wire form, without id or target.

    Values are strings, whole numbers, dates and times, or lists of them where the parameter takes many.

    Raises:
        NotFound: there is no such template.
        InvalidInput: a parameter is missing, unknown, or not a value of its operand; says which and what is allowed.
    """
    template = next((one for one in templates() if one.name == name), None)
    if template is None:
        raise NotFound("policy template", name)
    missing = sorted(template.parameters.keys() - params.keys())
    unknown = sorted(params.keys() - template.parameters.keys())
    if missing or unknown:
        wrong = [f"{key!r} is missing" for key in missing] + [f"{key!r} is not one of them" for key in unknown]
        raise InvalidInput(
            f"The policy template {name!r} was given the wrong parameters: {', '.join(wrong)}.",
            where=(missing or unknown)[0],
            fix=_wanted(template),
        )
    wire = {key: _value(key, parameter, params[key]) for key, parameter in template.parameters.items()}
    rules = {key: _filled(part, wire) for key in RULES if (part := getattr(template, key))}
    return write(read({"@type": "Offer"} | rules))


def _wanted(template: Template) -> str:
    if not template.parameters:
        return f"The template {template.name!r} takes no parameters."
    blanks = ", ".join(f"{key}={parameter.example!r}" for key, parameter in template.parameters.items())
    return f"Give it {blanks}, with your own values."


def _value(key: str, parameter: Parameter, given: object) -> Any:
    """Return `given` in wire form after its operand has read it."""
    items = list(given) if isinstance(given, list | tuple | set | frozenset) else [given]
    if not items or (len(items) > 1 and not parameter.many):
        number = "at least one value" if parameter.many else "one value"
        raise InvalidInput(f"The parameter {key!r} takes {number}.", where=key, fix=f"Give e.g. {parameter.example!r}.")
    found = [values.write(_parsed(key, parameter, item)) for item in items]
    return found if parameter.many else found[0]


def _parsed(key: str, parameter: Parameter, item: object) -> Value:
    text = item.isoformat() if isinstance(item, datetime | date) else item
    term = values.term(text)
    try:
        if term is None:
            raise ValueError(f"{values.shown(item)} is neither a text, a whole number nor a date.")  # noqa: TRY301 - one way out
        return OPERANDS[terms.absolute(parameter.operand)].parse(term, terms.PREFIXES, lambda _: None)
    except ValueError as refusal:
        fix = f"Give e.g. {parameter.example!r}."
        raise InvalidInput(f"The parameter {key!r} ({parameter.title}): {refusal}", where=key, fix=fix) from refusal


def _filled(part: Any, wire: Mapping[str, Any]) -> Any:
    """Return `part` with every blank filled."""
    if isinstance(part, Mapping):
        return {key: _filled(value, wire) for key, value in part.items()}
    if isinstance(part, list):
        return [_filled(value, wire) for value in part]
    if isinstance(part, str) and part.startswith("{") and part.endswith("}"):
        return wire[part[1:-1]]
    return part
