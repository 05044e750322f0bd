"""A provider and a consumer, each a process of its own that can be killed and served again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.demo.cast import BUSINESS, WEATHER
from connector.demo.fleet import Fleet, Guard
from tests.client.pair import Pair


@pytest.fixture(scope="package")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Give the two connectors, with a dataset that everyone may use."""
    folder = tmp_path_factory.mktemp("pair")
    guard = Guard(folder)
    fleet = Fleet(folder, guard, {})
    try:
        fleet.start([WEATHER, BUSINESS])
        yield Pair(fleet, _acquainted(fleet))
    finally:
        fleet.end()
        guard.dismiss()


def _acquainted(fleet: Fleet) -> str:
    provider, consumer = fleet[WEATHER].space, fleet[BUSINESS].space
    provider.trust(consumer.identity(), "The consumer")
    consumer.trust(provider.identity(), "The provider")
    record = provider.draft(WEATHER.path).record
    dataset = str(provider.register(record)["id"])
    provider.offer(dataset, template="open", automation="accept")
    consumer.crawl(WEATHER.participant)
    return dataset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder to download into."""
    made = tmp_path / "downloads"
    made.mkdir()
    return made
