"""A record's life in any order: versions never change, what is published is valid, an IRI is given once."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from connector.errors import Conflict, Gone, InvalidInput, NotFound
from connector.standards.dcat import shacl
from connector.standards.rdf import Format, fingerprint, parse
from connector.storage.tables import Agreement, Dataset, Negotiation
from tests.builders import NOON, OPERATOR, Still, still
from tests.capabilities.conftest import US
from tests.fixtures import Clock

KEYS = [f"https://us.example/datasets/{name}" for name in "abc"]
TITLES = st.sampled_from(["Rain", "Snow", ""])
JSON = "application/json"


@pytest.fixture(scope="module", autouse=True)
def template(sqlite_template: Path) -> Iterator[None]:
    """Give the machine an empty database to begin with."""
    Life.template = sqlite_template
    yield
    Life.template = None


def document(key: str, title: str) -> bytes:
    """Return a record; without a title it is not valid."""
    return json.dumps({"id": key, "title": {"en": title} if title else {}, "description": {"en": "-"}}).encode()


class Life(RuleBasedStateMachine):
    """Our own reading of the rules beside the connector."""

    template: Path | None = None
    drafts = Bundle("drafts")

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.versions: dict[str, list[str]] = {}
        self.state: dict[str, str] = {}
        self.agreed: set[str] = set()
        self.fingerprints: dict[tuple[str, int], str] = {}
        self.number = 0

    @initialize()
    def open(self) -> None:
        """Open a connector of this run's own."""
        folder = Path(self.stack.enter_context(TemporaryDirectory()))
        opened = still(folder / "house", US, Clock(NOON), template=self.template)
        self.house: Still = self.stack.enter_context(opened)

    def teardown(self) -> None:
        """Close it."""
        self.stack.close()

    # --- what people do ---------------------------------------------------------------------------------------------

    @rule(key=st.sampled_from(KEYS), title=TITLES)
    def register(self, key: str, title: str) -> None:
        """A valid record is a version, the same again is none; an invalid one, or a spent IRI, changes nothing."""
        self._register(key, title, lambda: self.house.connector.datasets.register(document(key, title), JSON, OPERATOR))

    @rule(target=drafts, key=st.sampled_from(KEYS), title=TITLES)
    def save(self, key: str, title: str) -> tuple[str, str, str]:
        """Any draft is kept."""
        return self.house.connector.drafts.save(document(key, title), JSON, OPERATOR, "dcat-ap").id, key, title

    @rule(draft=drafts)
    def publish(self, draft: tuple[str, str, str]) -> None:
        """Publishing is registering, and the draft is there afterwards."""
        pid, key, title = draft
        self._register(key, title, lambda: self.house.connector.drafts.publish(pid, 1, OPERATOR))
        assert self.house.connector.drafts.get(pid).content == document(key, title)

    @rule(draft=consumes(drafts))
    def discard(self, draft: tuple[str, str, str]) -> None:
        """A draft that is thrown away is gone; the record stays."""
        self.house.connector.drafts.discard(draft[0])

    @rule(key=st.sampled_from(KEYS))
    def withdraw(self, key: str) -> None:
        """What is published goes, and may come back."""
        if self.state.get(key) in {None, "erased"}:
            with pytest.raises(NotFound):
                self.house.connector.datasets.withdraw(key, OPERATOR)
            return
        self.house.connector.datasets.withdraw(key, OPERATOR)
        if self.state[key] == "published":
            self.state[key] = "withdrawn"

    @rule(key=st.sampled_from(KEYS))
    def agree(self, key: str) -> None:
        """Somebody gets an agreement on what is published."""
        if self.state.get(key) != "published":
            return
        self.number += 1
        about: dict[str, Any] = {"participant": US, "role": "provider", "peer": "did:web:you.example", "dataset": key}
        about |= {"policy": {}, "created": NOON}
        process: dict[str, Any] = {"callback": "", "state": "FINALIZED", "offer_id": "o", "updated": NOON}
        pid = f"urn:n:{self.number}"
        self.house.add(Negotiation(**about, **process, pid=pid))
        self.house.add(Agreement(**about, id=f"urn:a:{self.number}", negotiation=pid, state="active"))
        self.agreed.add(key)

    @rule(key=st.sampled_from(KEYS))
    def delete(self, key: str) -> None:
        """For good: erased where nobody agreed, kept where somebody did."""
        if self.state.get(key) in {None, "erased"}:
            with pytest.raises(NotFound):
                self.house.connector.datasets.delete(key, OPERATOR)
            return
        stone = self.house.connector.datasets.delete(key, OPERATOR)
        expected = "kept" if key in self.agreed else "erased"
        assert stone.kind == expected
        self.state[key] = expected

    def _register(self, key: str, title: str, act: Any) -> None:
        if not title:
            with pytest.raises(InvalidInput):
                act()
            return
        if self.state.get(key) in {"kept", "erased"}:
            with pytest.raises(Conflict):
                act()
            return
        known = self.versions.setdefault(key, [])
        same = self.state.get(key) == "published" and known[-1] == title
        done = act()
        if not same:
            known.append(title)
        assert (done.version, done.changed, done.created) == (len(known), not same, not same and len(known) == 1)
        self.state[key] = "published"

    # --- what holds -------------------------------------------------------------------------------------------------

    @invariant()
    def versions_stay(self) -> None:
        """Each version is there with the bytes it had, until it is erased."""
        for key, titles in self.versions.items():
            if self.state[key] == "erased":
                with pytest.raises(NotFound):
                    self.house.connector.datasets.versions(key)
                continue
            found = self.house.connector.datasets.versions(key)
            assert [each.title for each in found] == titles
            for each in found:
                before = self.fingerprints.setdefault((key, each.number), each.fingerprint)
                assert before == each.fingerprint == fingerprint(each.record)

    @invariant()
    def what_is_published_is_valid_and_the_newest(self) -> None:
        """And nothing else is published; what went says so."""
        if not hasattr(self, "house"):
            return
        published = {key for key, state in self.state.items() if state == "published"}
        assert {row.id for row in self.house.connector.datasets.all()} == published
        for key in published:
            row = self.house.row(Dataset, US, key)
            assert (row.version, row.title) == (len(self.versions[key]), self.versions[key][-1])
            assert shacl.check(parse(row.record, Format.N_TRIPLES)).conforms
            assert self.house.connector.datasets.tombstone(key) is None
        for key in self.state.keys() - published:
            with pytest.raises(Gone):
                self.house.connector.datasets.get(key)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=12, stateful_step_count=25)
