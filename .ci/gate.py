"""Judge a finished test run by its numbers: too few tests or too many skipped ones prove nothing.

Usage: gate.py JUNIT.XML. Exits 1 and says why when the run may not count as a proof.
"""

import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

MINIMUM = 300
"""Fewer tests than this means that a part of the suite was not collected."""

SKIPPED = 0.05
"""The share of tests that may be skipped, for example because a reference file is not at hand."""

NEVER_SKIPPED = ("postgres", "pgserver")
"""Words of a skip's reason or name that end the run: both engines are proved on every machine."""


def complaints(report: bytes) -> Iterator[str]:
    """Yield a sentence for each reason why the JUnit `report` of a passed run is no proof."""
    cases = list(ET.fromstring(report).iter("testcase"))  # noqa: S314 - our own pytest wrote it a moment ago
    skipped = [case for case in cases if case.find("skipped") is not None]
    if len(cases) < MINIMUM:
        yield f"Only {len(cases)} tests were collected; at least {MINIMUM} are expected."
    if cases and len(skipped) >= SKIPPED * len(cases):
        yield f"{len(skipped)} of {len(cases)} tests were skipped; less than {SKIPPED:.0%} may be."
    for case in skipped:
        name = f"{case.get('classname')}::{case.get('name')}"
        reason = "".join(f"{note.get('message')} {note.text or ''}" for note in case.iter("skipped"))
        if any(word in f"{name} {reason}".lower() for word in NEVER_SKIPPED):
            yield f"A PostgreSQL test was skipped: {name}: {reason.strip()}"


def main(path: str) -> int:
    """Print every complaint about the report at `path`; return the exit status."""
    found = list(complaints(Path(path).read_bytes()))
    for sentence in found:
        print(sentence, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
