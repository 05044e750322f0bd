"""What a run against somebody else's software found, kept so that the documents can say it.

A file of results is text: lines of `#` explain it, the first other line names the software that was on the other
side, and every further line is one case or step: id, `pass`, `fail` or `skip`, what it shows, and the reason where it
did not pass, with tabs between them. It has no date: running the same again writes the same file.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal, NamedTuple, cast

FOLDER: Final = Path(__file__).parent / "results"
HEAD: Final = """\
# What the last recorded run found; the page docs/reference/conformance.md is made of it.
# First the software on the other side, then a line for each case: id, result, what it shows, why not.
"""

Verdict = Literal["pass", "fail", "skip"]
VERDICTS: Final = ("pass", "fail", "skip")


class Result(NamedTuple):
    """How one case or step ended."""

    id: str
    verdict: Verdict
    shows: str
    reason: str = ""


def write(name: str, other: str, results: Iterable[Result]) -> None:
    """Keep the results of a whole run as `name`, such as `tck`, against the software `other`."""
    rows = ["\t".join(" ".join(part.split()) for part in result).rstrip() for result in results]
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.txt").write_text(HEAD + "\n".join([other, *rows]) + "\n", encoding="utf-8")


def read(name: str) -> tuple[str, list[Result]]:
    """Return the software on the other side and what the recorded run found.

    Raises:
        FileNotFoundError: no run was recorded.
        ValueError: a line is no result.
    """
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    other, *lines = [line for line in text.splitlines() if not line.startswith("#")]
    return other, [_result(line) for line in lines]


def _result(line: str) -> Result:
    parts = line.split("\t")
    if len(parts) not in {3, 4} or parts[1] not in VERDICTS:
        raise ValueError(f"{line!r} is no result.")
    return Result(parts[0], cast("Verdict", parts[1]), *parts[2:])
