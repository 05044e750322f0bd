"""What the command prints: tables for people, JSON and YAML for programs."""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Any, Final

import typer

from connector.errors import Refusal

WIDEST: Final = 60
"""Characters of a cell in a table; the whole value is in the other forms."""


class Form(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"


Output = Annotated[Form, typer.Option("--output", "-o", help="How the answer is written.", envvar="GREENDEAL_OUTPUT")]


def write(rows: Sequence[Mapping[str, Any]] | Mapping[str, Any], form: Form, columns: Sequence[str] = ()) -> None:
    """Print one thing or several; in a table only `columns`, where there are any."""
    several = [rows] if isinstance(rows, Mapping) else list(rows)
    match form:
        case Form.JSON:
            put(json.dumps(rows, indent=2, ensure_ascii=False, default=str))
        case Form.JSONL:
            for row in several:
                put(json.dumps(row, ensure_ascii=False, default=str))
        case Form.YAML:
            put("\n".join(_yaml(rows)))
        case Form.TABLE if isinstance(rows, Mapping):
            for name in columns or rows:
                put(f"{name}: {_cell(rows.get(name), None)}")
        case Form.TABLE:
            put("\n".join(table(several, columns)))


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> Iterable[str]:
    """Yield the lines of a table, its columns as wide as their widest cell."""
    names = list(columns or (rows[0] if rows else ()))
    cells = [names, *([_cell(row.get(name), WIDEST) for name in names] for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(names))]
    for line in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def put(text: str) -> None:
    """Print a line of the answer; a file name that is no UTF-8 is shown with escapes, which JSON reads back."""
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode() + "\n")


def say(text: str) -> None:
    """Tell a person how it goes, on standard error, so that the answer can be piped."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def problem(refusal: Refusal) -> str:
    """Return a refusal for standard error: words, or a problem document where JSON was asked for."""
    if os.environ.get("GREENDEAL_OUTPUT") in {"json", "jsonl"} or _wants_json():
        document = {
            "type": f"urn:greendeal:problem:{type(refusal).__name__}",
            "detail": refusal.message,
            "where": refusal.where,
            "fix": refusal.fix,
            "reasons": refusal.reasons,
        }
        return json.dumps({key: value for key, value in document.items() if value}) + "\n"
    return f"{refusal}\n"


def _wants_json() -> bool:
    words = sys.argv[1:]
    return any(name in {"-o", "--output"} and value in {"json", "jsonl"} for name, value in pairwise(words))


def _cell(value: Any, widest: int | None) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        text = ", ".join(_cell(each, None) for each in value)
    else:
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else str(value)
    text = " ".join(text.split())
    return text if widest is None or len(text) <= widest else text[: widest - 1] + "…"


def _yaml(value: Any, indent: str = "") -> Iterable[str]:
    """Yield the lines of a value as YAML; scalars as JSON, which is YAML."""
    pairs = value.items() if isinstance(value, Mapping) else ((None, each) for each in value)
    for key, each in pairs:
        mark = f"{indent}{json.dumps(str(key), ensure_ascii=False)}:" if key is not None else f"{indent}-"
        if isinstance(each, Mapping | list | tuple) and each:
            yield mark
            yield from _yaml(each, indent + "  ")
        else:
            empty = "{}" if isinstance(each, Mapping) else "[]" if isinstance(each, list | tuple) else None
            yield f"{mark} {empty or json.dumps(each, ensure_ascii=False, default=str)}"
