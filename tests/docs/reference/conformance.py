"""Reference of what was tried with other people's software, from the recorded runs."""

from collections import Counter
from collections.abc import Mapping

from tests.conformance import recorded
from tests.conformance.recorded import Result, Verdict
from tests.docs.reference.markdown import code, page, section, table

WORDS: Mapping[Verdict, str] = {"pass": "passed", "fail": "failed", "skip": "left out"}

KIT = """
    The official conformance kit of the protocol plays the counterparty in both roles, checks every message against
    the published schemas, expands it as JSON-LD, and watches the states. `make tck` runs it against this version, and
    so does the merge check where Java and Maven are. The same conversations, and the two that the kit leaves out, are
    tests in Python that need neither: `make test TESTS=tests/conformance`.
"""
EDC = """
    A real Eclipse EDC connector, assembled from its published artifacts, is the counterparty in both roles. `make edc`
    walks both through every step and prints each.
"""


def conformance() -> str:
    """Return the page of results."""
    parts = [
        section(title, intro, *_results(name))
        for name, title, intro in (
            ("tck", "Conformance kit of the Dataspace Protocol", KIT),
            ("edc", "Eclipse EDC as counterparty", EDC),
        )
        if (recorded.FOLDER / f"{name}.txt").is_file()
    ]
    return page(
        "Conformance",
        """
        What was found when somebody else's software was on the other side of the wire. The tables are those of the
        last recorded run: `make tck RECORD=1` and `make edc RECORD=1` record one, `make docs` writes it here.
        """,
        *parts,
    )


def _results(name: str) -> list[str]:
    other, results = recorded.read(name)
    counts = Counter(result.verdict for result in results)
    said = ", ".join(f"{counts[verdict]} {words}" for verdict, words in WORDS.items() if counts[verdict])
    rows = [[code(result.id), result.shows, _outcome(result)] for result in results]
    return [f"On the other side: {other}. Found: {said}.", table(["Case", "What it shows", "Result"], rows)]


def _outcome(result: Result) -> str:
    words = WORDS[result.verdict]
    return f"{words}: {result.reason}" if result.reason else words
