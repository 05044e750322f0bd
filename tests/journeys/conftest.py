"""Two connectors that trust each other, and datasets that one of them offers; one pair for each engine and module."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.running import Running, acquaint, running

DATA = Path(__file__).resolve().parents[2] / "connector" / "demo" / "data"
FILE = min(DATA.glob("*.csv"))
"""The file that is published where any file will do."""


@dataclass
class Pair:
    """A provider and a consumer."""

    provider: Running
    consumer: Running
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    record: dict[str, Any] = field(default_factory=dict)

    def publish(self, **offer: Any) -> tuple[str, str]:
        """Publish a dataset of its own at the provider, crawl it, and return the ids of dataset and offer."""
        space = self.provider.space
        if not self.record:
            self.record = space.draft(FILE).record
        number = next(self.numbers)
        key = f"{self.record['id']}-{number}"
        file = {**self.record["distribution"][0], "id": f"{key}#file"}
        record = {**self.record, "id": key, "title": {"en": f"Dataset {number}"}, "distribution": [file]}
        dataset = space.register(record)["id"]
        made = space.offer(dataset, **({"template": "open", "automation": "accept"} | offer))["id"]
        assert self.consumer.space.crawl(self.provider.participant)["crawl_state"] == "fresh"
        return dataset, made


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Give a provider and a consumer on each database engine."""
    folder = tmp_path_factory.mktemp("pair")
    urls = ["", ""]
    if request.param == "postgresql":
        shared = request.getfixturevalue("postgresql_shared")
        urls = [shared.make(empty=True), shared.make(empty=True)]
    with (
        running(folder / "p", "did:web:provider.example", "The provider", urls[0]) as provider,
        running(folder / "c", "did:web:consumer.example", "The consumer", urls[1]) as consumer,
    ):
        acquaint(provider, consumer)
        yield Pair(provider, consumer)
