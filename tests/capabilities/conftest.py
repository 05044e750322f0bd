"""What the tests of the use cases share: connectors that stand still, one of them for each file."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders import NOON, Puppet, Still, puppet, still
from tests.fixtures import Clock, NewUrl

US = "did:web:us.example"
PEER = "did:web:peer.example"


@pytest.fixture(scope="module")
def houses(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Still]]:
    """Return a maker of connectors on SQLite; each has a clock of its own unless one is given."""
    with contextlib.ExitStack() as stack:
        numbers = itertools.count(1)

        def make(participant: str = US, clock: Clock | None = None, **changes: Any) -> Still:
            folder = tmp_path_factory.mktemp("house") / str(next(numbers))
            found = still(folder, participant, clock or Clock(NOON), template=sqlite_template, **changes)
            return stack.enter_context(found)

        yield make


@pytest.fixture(scope="module")
def house(houses: Callable[..., Still]) -> Still:
    """Return the connector of this file: tests keep to datasets, peers and processes of their own."""
    return houses()


@pytest.fixture(scope="module")
def peer(house: Still) -> Iterator[Puppet]:
    """Return the peer of this file, which the connector trusts."""
    with puppet(PEER) as made:
        house.trust(made)
        house.drain()
        yield made


@pytest.fixture(autouse=True)
def fresh_peer(request: pytest.FixtureRequest) -> None:
    """Let the peer forget what an earlier test told it to answer."""
    if "peer" in request.fixturenames:
        from tests.builders import acknowledge  # noqa: PLC0415 - beside its one use

        made: Puppet = request.getfixturevalue("peer")
        made.script = acknowledge
        made.heard.clear()


@pytest.fixture
def each_house(new_url: NewUrl, tmp_path: Path) -> Iterator[Still]:
    """Return a connector on each engine in turn, for what the engines could do differently."""
    with still(tmp_path / "house", US, Clock(NOON), url=new_url()) as made:
        yield made
