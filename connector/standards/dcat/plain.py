"""The plain form as JSON: what API clients post and get. Refusals name the field and say what it takes."""

import re
from typing import Any, Final

import msgspec

from connector.errors import InvalidInput
from connector.standards.dcat.model import PATTERNS, Dataset, Node
from connector.standards.dcat.table import TABLE, Form
from connector.standards.rdf import LIMITS, Limits, read_json

_AT: Final = re.compile(r"(?P<what>.*?)(?: - at (?P<key>`key` in )?`\$(?P<where>.*)`)?", re.DOTALL)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(?P<name>.*)`")
_EXPECTED: Final = re.compile(r"Expected `(?P<want>[^`]*)`(?P<rest>.*?)(?:, got `?(?P<got>[^`]*)`?)?", re.DOTALL)
_JSON_WORDS: Final = {
    "object": "an object",
    "array": "a list",
    "str": "a text in quotes",
    "int": "a whole number",
    "float": "a number",
    "null": "nothing (null)",
    "bool": "true or false",
}
_TEXT_HINT: Final = '; a text is given per language, such as {"en": "…"}'


def from_plain(data: bytes, *, id: str | None = None, limits: Limits = LIMITS) -> Dataset:  # noqa: A002 - the field
    """Return the record that a JSON client posted.

    A text may be given without languages: `"title": "Rain"` is the same as `"title": {"": "Rain"}`.

    Args:
        data: the JSON, UTF-8.
        id: IRI of the dataset where the JSON gives none.
        limits: of its nesting.

    Raises:
        InvalidInput: it is no JSON, or a field is unknown, missing or of the wrong kind; `where` is the field's path.
    """
    document = read_json(data, limits)
    if not isinstance(document, dict):
        raise InvalidInput("A dataset is a JSON object.", fix='Post {"title": {"en": "…"}, …}.')
    if id is not None and document.get("id") is None:
        document = {**document, "id": id}
    try:
        return msgspec.convert(_spelt_out(document, Dataset), Dataset)
    except msgspec.ValidationError as error:
        raise _refusal(str(error)) from error


def to_plain(dataset: Dataset) -> bytes:
    """Return the record as JSON; fields that say nothing are left out."""
    return msgspec.json.encode(dataset)


def _spelt_out(document: dict[str, Any], kind: type[Node]) -> dict[str, Any]:
    """Return the object with each text as a mapping of languages, at every level."""
    result = dict(document)
    for row in TABLE[kind]:
        value = result.get(row.field)
        match row.form:
            case Form.TEXT if isinstance(value, str):
                result[row.field] = {"": value}
            case Form.TEXTS if isinstance(value, list):
                result[row.field] = {"": value}
            case Form.TEXTS if isinstance(value, dict):
                result[row.field] = {key: [each] if isinstance(each, str) else each for key, each in value.items()}
            case Form.NODE if row.node is not None:
                result[row.field] = _spelt_out_below(value, row.node)
            case _:
                pass
        if row.field in result and result[row.field] is None:
            del result[row.field]  # null says nothing, whatever the field takes
    return result


def _spelt_out_below(value: Any, kind: type[Node]) -> Any:
    if isinstance(value, list):
        return [_spelt_out(each, kind) if isinstance(each, dict) else each for each in value]
    return _spelt_out(value, kind) if isinstance(value, dict) else value


def _refusal(error: str) -> InvalidInput:
    """Return what msgspec found in words for a person, with the path of the field."""
    found = _AT.fullmatch(error)
    what, where = (found["what"], (found["where"] or "").removeprefix(".")) if found else (error, "")
    named = f"Each key of {where}" if found and found["key"] else where or "The dataset"
    if unknown := _UNKNOWN.fullmatch(what):
        place = f"{where}.{unknown['name']}" if where else unknown["name"]
        return InvalidInput(
            f"There is no field {unknown['name']!r} here.", where=place, fix=f"Use one of: {_fields_at(where)}."
        )
    if missing := _MISSING.fullmatch(what):
        place = f"{where}.{missing['name']}" if where else missing["name"]
        return InvalidInput(f"The field {missing['name']!r} is missing.", where=place)
    return InvalidInput(_in_words(what, named), where=where or None)


def _in_words(what: str, field: str) -> str:
    expected = _EXPECTED.fullmatch(what)
    if expected is None:
        return f"{field}: {what}."
    for pattern, words in PATTERNS.items():
        if expected["rest"].endswith(f"regex {pattern!r}"):
            return f"{field} must be {words}."
    wants = " or ".join(_JSON_WORDS.get(each.strip(), each.strip()) for each in expected["want"].split("|"))
    got = f", not {_JSON_WORDS.get(expected['got'], expected['got'])}" if expected["got"] else ""
    hint = _TEXT_HINT if expected["want"].startswith("object") and expected["got"] == "array" else ""
    return f"{field} must be {wants}{expected['rest']}{got}{hint}."


def _fields_at(where: str) -> str:
    """Return the names of the fields that the object at `where` has, such as those of `distribution[0].checksum`."""
    kind: type[Node] = Dataset
    for name in re.findall(r"[A-Za-z_]+", where):
        kind = next((row.node for row in TABLE[kind] if row.field == name and row.node is not None), kind)
    return ", ".join(sorted(kind.__struct_fields__))
