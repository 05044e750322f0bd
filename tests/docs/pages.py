"""Pages of the documentation, read as what a reader would do with them.

A page is a list of steps, in order. What an author writes:

| on the page | what the tests do with it |
|---|---|
| a `console` block | runs each `$ command`; lines below it are what it must print (`...` stands for anything) |
| a `sh` block | runs it as a script in the same shell |
| a `python` block | runs it, in one interpreter for the page; `>>>` examples must print what follows them |
| any other language | shows it only; a block without a language is refused |
| `<!-- file: NAME -->` before a block | writes the block to NAME first |
| `<!-- output -->` before a block | compares it with what the `sh` or `python` block before it printed |
| `<!-- exits: N -->` before a block | expects that exit status of its last command |
| `<!-- run: COMMAND -->` | runs a command that the page does not show |
| `<!-- first: PAGE -->` | does all of another page first, for a page that goes on where that one ended |
| `<!-- not run: WHY -->` before a block | leaves it out; only for what takes minutes or needs a container engine |

A command that ends in `&` stays in the background until the page ends; the next step begins when it listens.
Ports 8080 to 8099 stand for free ones.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from tests.architecture.project import ROOT

Kind = Literal["console", "sh", "python", "file", "output", "run", "first", "not run", "shown"]

RUN = ("console", "sh", "python")
SHOWN = frozenset({
    "text", "toml", "json", "jsonl", "yaml", "xml", "html", "http", "turtle", "sparql", "sql", "csv", "ini", "nginx",
    "caddy", "systemd", "diff", "markdown", "mermaid",
})  # fmt: skip

FENCE = re.compile(r"^(?P<indent> *)(?P<mark>```+)(?P<language>[^\s`]*)[^\n`]*$")
DIRECTIVE = re.compile(r"^ *<!-- *(?P<name>not run|file|output|exits|run|first)(?: *: *(?P<value>.*?))? *-->$")


class Step(NamedTuple):
    """Something to do, or to compare, or only to see."""

    kind: Kind
    line: int
    """Number of its first line on the page."""
    text: str
    """The block without its fences, or the value of the directive."""
    value: str = ""
    """The file's name, or the reason why it is not run."""
    exits: int = 0
    """The exit status expected of its last command."""


class Malformed(ValueError):  # noqa: N818 - named as our refusals are
    """A page that the tests cannot read."""


def pages() -> list[Path]:
    """Return the pages that a reader starts from: the read-me and the documentation."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def steps(text: str) -> Iterator[Step]:
    """Yield the steps of the page `text`.

    Raises:
        Malformed: a block without a language or an end, or a directive that stands before nothing.
    """
    lines = iter(enumerate(text.splitlines(), 1))
    pending: dict[str, str] = {}
    for number, line in lines:
        if found := DIRECTIVE.match(line):
            name, value = found["name"], found["value"] or ""
            if name == "run":
                yield Step("run", number, value)
            elif name == "first":
                yield Step("first", number, value)
            else:
                pending[name] = value
        elif fence := FENCE.match(line):
            body = _body(lines, fence, number)
            yield _step(fence["language"], number + 1, body, pending)
            pending = {}
        elif pending and line.strip():
            raise Malformed(f"line {number}: {sorted(pending)} stand before no block.")
    if pending:
        raise Malformed(f"the end: {sorted(pending)} stand before no block.")


def _body(lines: Iterator[tuple[int, str]], fence: re.Match[str], start: int) -> str:
    taken: list[str] = []
    for _, line in lines:
        if line.strip() == fence["mark"]:
            return "\n".join(taken) + "\n"
        taken.append(line.removeprefix(fence["indent"]))
    raise Malformed(f"line {start}: a block without an end.")


def _step(language: str, line: int, body: str, said: dict[str, str]) -> Step:
    if language not in SHOWN and language not in RUN:
        raise Malformed(f"line {line - 1}: a block must be one of {sorted({*RUN, *SHOWN})}, not {language!r}.")
    kind: Kind = _BEFORE.get(next(iter(said), ""), _LANGUAGES.get(language, "shown"))
    return Step(kind, line, body, said.get("not run") or said.get("file") or "", int(said.get("exits") or 0))


_LANGUAGES: dict[str, Kind] = {"console": "console", "sh": "sh", "python": "python"}
_BEFORE: dict[str, Kind] = {"not run": "not run", "file": "file", "output": "output"}


class Command(NamedTuple):
    """One command of a console block, and what it prints."""

    line: int
    text: str
    prints: str


def commands(step: Step) -> list[Command]:
    """Return the commands of a console block: `$ ` begins one, a backslash or `> ` goes on with it.

    Raises:
        Malformed: output that no command printed.
    """
    found: list[Command] = []
    for number, line in enumerate(step.text.splitlines(), step.line):
        if line.startswith("$ "):
            found.append(Command(number, line[2:], ""))
        elif not found:
            raise Malformed(f"line {number}: a console block begins with `$ `, not {line!r}.")
        elif not found[-1].prints and (found[-1].text.endswith("\\") or line.startswith("> ")):
            found[-1] = found[-1]._replace(text=f"{found[-1].text}\n{line.removeprefix('> ')}")
        else:
            found[-1] = found[-1]._replace(prints=f"{found[-1].prints}{line}\n")
    return found


def matches(expected: str, printed: str) -> bool:
    """Tell whether `printed` is what a page shows: `...` stands for anything, space at line ends for nothing."""
    patterns = [re.escape(part) for part in _trimmed(expected).split("...")]
    return re.fullmatch(".*".join(patterns), _trimmed(printed), re.DOTALL) is not None


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())
