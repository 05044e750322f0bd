"""Markdown of the generated pages: tables, lists, and the words above them."""

import inspect
from collections.abc import Iterable, Sequence

NOTE = "<!-- Written by `make docs` from the code; change the code, not this page. -->"


def page(title: str, intro: str, *parts: str) -> str:
    """Return a whole page."""
    return "\n\n".join([f"# {title}", NOTE, inspect.cleandoc(intro), *parts]) + "\n"


def section(title: str, *parts: str) -> str:
    """Return a section with its heading."""
    return "\n\n".join([f"## {title}", *(inspect.cleandoc(part) for part in parts if part)])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; bars and line breaks in cells are harmless."""
    lines = [list(head), ["---"] * len(head), *(list(row) for row in rows)]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def block(language: str, text: str) -> str:
    """Return a block that is shown and not run."""
    return f"```{language}\n{text.rstrip()}\n```"


def code(text: object) -> str:
    """Return text in code letters; nothing for nothing."""
    return f"`{text}`" if str(text) else ""


def summary(thing: object) -> str:
    """Return the first paragraph of a docstring, in one line.

    Raises:
        LookupError: there is no docstring, so a reader would learn nothing.
    """
    text = inspect.getdoc(thing)
    if not text:
        raise LookupError(f"{thing!r} has no docstring.")
    return " ".join(text.split("\n\n")[0].split())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
