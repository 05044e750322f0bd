"""Drafts over HTTP: of an uploaded file, and of files on the connector's machine in folders that were opened."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from connector.errors import InvalidInput, NotFound
from tests.running import Running, running

DATA: Final = Path(__file__).resolve().parents[2] / "connector" / "demo" / "data"
FILE: Final = DATA / "MLO_CO2_monthly.sdmx2.csv"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Path]]:
    """Give a connector with an open folder, and that folder."""
    base = tmp_path_factory.mktemp("drafts")
    folder = base / "open"
    (folder / "sub").mkdir(parents=True)
    for name in ("MLO_CO2_monthly.sdmx2.csv", "sub/rmnp_dem.tif", "sub/landsat_rmnp_rgb_cog.tif"):
        shutil.copy(DATA / Path(name).name, folder / name)
    (base / "secret.csv").write_text("DATAFLOW,FREQ,TIME_PERIOD,OBS_VALUE\nA:B(1.0),A,2020,1\n")
    (folder / "link.csv").symlink_to(base / "secret.csv")
    (folder / "way").symlink_to(base)
    with running(base / "house", "did:web:drafts.example", "Us", drafting={"folders": [str(folder)]}) as served:
        yield served, folder


def test_an_upload_is_answered_with_the_record_and_the_printed_facts(opened: tuple[Running, Path]) -> None:
    """Both come together: the record to complete, the facts with their sources to check it by."""
    found = opened[0].space.draft(FILE)
    assert found.draft["temporal"] == {"start": "1958-03", "end": "2001-12"}
    assert found.draft["file"] == FILE.name
    assert found.notes == tuple(found.draft["warnings"])
    assert found.draft["checksum"] == "sha256:" + found.record["distribution"][0]["checksum"]["value"]


def test_a_file_of_an_open_folder_is_drafted_where_it_lies(opened: tuple[Running, Path]) -> None:
    """By its whole path or from the folder on; the facts are those of an upload, without a checksum."""
    served, folder = opened
    for named in (str(folder / FILE.name), FILE.name):
        found = served.space.draft_there(named)
        assert found.draft | {"checksum": None} == served.space.draft(FILE).draft | {"checksum": None}
        assert "checksum" not in found.record["distribution"][0]
    kept = sorted((folder.parent / "house").rglob("*"))
    series = served.space.draft_there("sub")
    assert (series.draft["kind"], series.record["kind"]) == ("series", "series")
    assert sorted((folder.parent / "house").rglob("*")) == kept, "nothing is copied"


OUTSIDE: Final = (
    "../secret.csv",
    "sub/../../secret.csv",
    "/etc/passwd",
    "way/secret.csv",
    "link.csv",
    "no.csv",
    "a\0b",
)


@pytest.mark.parametrize("named", OUTSIDE)
def test_nothing_outside_is_read_or_told(named: str, opened: tuple[Running, Path]) -> None:
    """Threat: a path or a link that leads out. What lies outside and what does not exist look the same."""
    with pytest.raises((InvalidInput, NotFound)) as no:
        opened[0].space.draft_there(named)
    assert "A:B" not in str(no.value)
    assert isinstance(no.value, NotFound) or "link" in str(no.value) or "no path" in str(no.value)


def test_without_an_open_folder_no_path_is_taken(tmp_path: Path) -> None:
    """That is the setting a connector starts with; the refusal says how to open one."""
    with running(tmp_path / "shut", "did:web:shut.example", "Us") as served, pytest.raises(InvalidInput) as no:
        served.space.draft_there(str(FILE))
    assert "drafting.folders" in str(no.value)


def lines(served: Running, body: Any) -> list[dict[str, Any]]:
    """Return the lines of the answer to a client that wants to know how far it is."""
    headers = {"authorization": f"Bearer {served.api_key}", "accept": "application/jsonl"}
    answer = httpx2.post(f"{served.url}/api/drafts", json=body, headers=headers, timeout=60)
    return [json.loads(line) for line in answer.text.splitlines()]


def test_long_readings_tell_how_far_they_are(opened: tuple[Running, Path]) -> None:
    """Lines with the bytes read of all, and at last the draft; a refusal is a line too."""
    served, folder = opened
    with (folder / "long.csv").open("w") as out:
        out.write("DATAFLOW,FREQ,TIME_PERIOD,OBS_VALUE\n" + "A:B(1.0),A,2020,1\n" * 600_000)
    *told, last = lines(served, {"path": "long.csv"})
    assert told
    assert all(set(line) == {"read", "of"} and line["read"] <= line["of"] for line in told)
    assert last["draft"]["rows"] == 600_000
    (error,) = lines(served, {"path": "nothing.csv"})
    assert set(error) == {"file", "error"}


@pytest.mark.parametrize("body", [{}, {"path": 1}, {"path": "x", "more": 1}, [], {"path": "x" * 20_000}])
def test_a_body_that_names_no_file_is_refused(body: Any, opened: tuple[Running, Path]) -> None:
    """The refusal says what to send."""
    served, _ = opened
    headers = {"authorization": f"Bearer {served.api_key}"}
    answer = httpx2.post(f"{served.url}/api/drafts", json=body, headers=headers)
    assert answer.status_code in {400, 413, 422}, answer.text
    assert "?filename=" in answer.text
