"""A process that dies while the projections are made anew: the next one begins again and misses nothing."""

import json
from pathlib import Path

import pytest

from connector import app
from connector.capabilities.search import Search
from connector.storage.index import SearchRequest
from connector.storage.tables import Dataset
from connector.storage.work import Work
from tests.builders import NOON, OPERATOR, Still, still
from tests.fixtures import Clock

US = "did:web:us.example"
TITLES = ("Rain", "Snow", "Sun")
QUERY = "SELECT ?title { ?dataset <http://purl.org/dc/terms/title> ?title }"


class _Killed(BaseException):
    """What ends a process at once."""


def _register(house: Still) -> None:
    for title in TITLES:
        record = {"id": f"https://us.example/datasets/{title}", "title": {"en": title}, "description": {"en": "-"}}
        house.connector.datasets.register(json.dumps(record).encode(), "application/json", OPERATOR)
    house.drain()


def _found(house: Still) -> tuple[list[str], list[str]]:
    """Return the titles that a search finds, and those that a query finds."""
    page = house.connector.search.find(SearchRequest())
    rows = json.loads(house.connector.search.sparql(QUERY, "application/sparql-results+json").body)
    asked = [row["title"]["value"] for row in rows["results"]["bindings"]]
    return sorted(hit.title for hit in page.hits), sorted(asked)


@pytest.mark.parametrize("survive", range(len(TITLES) + 1))
def test_a_reindex_that_was_killed_is_begun_again(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survive: int
) -> None:
    """However many records were projected before the process died, the next start does not take them for all."""
    monkeypatch.setattr("connector.capabilities.search.BATCH", 1)
    whole = Search._put
    done: list[str] = []

    def put(self: Search, work: Work, row: Dataset) -> None:
        if len(done) == survive:
            raise _Killed
        done.append(row.id)
        whole(self, work, row)

    with still(tmp_path / "house", US, Clock(NOON), template=sqlite_template) as house:
        _register(house)
        with monkeypatch.context() as patch:
            patch.setattr(Search, "_put", put)
            if survive < len(TITLES):
                with pytest.raises(_Killed):
                    house.connector.search.reindex()
            else:
                house.connector.search.reindex()
        assert house.connector.triples.needs_reindex == (survive < len(TITLES))
    with still(tmp_path / "house", US, Clock(NOON)) as again:
        app._prepare(again.connector)
        assert _found(again) == (sorted(TITLES), sorted(TITLES))
        assert not again.connector.triples.needs_reindex
