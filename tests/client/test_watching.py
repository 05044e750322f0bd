"""A watched folder: new files become datasets once, whatever happens to the one who watches."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from connector.client.watching import JOURNAL, Outcome, Template, Watch, completed
from connector.errors import InvalidInput
from tests.running import Running, running

REPOSITORY: Final = Path(__file__).resolve().parents[2]
DATA: Final = REPOSITORY / "connector" / "demo" / "data"
FILES: Final = sorted(path for path in DATA.glob("[!.]*") if path.suffix != ".toml")
CC_BY: Final = "http://publications.europa.eu/resource/authority/licence/CC_BY_4_0"
CONTACT: Final = [{"name": {"en": "Desk"}, "email": "desk@weather.example"}]
TEMPLATE: Final = Template(record={"contact_point": CONTACT}, licence=CC_BY, offer={"template": "open"})


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a connector of the test's own."""
    with running(tmp_path_factory.mktemp("house"), "did:web:watch.example", "Us") as house:
        yield house


def watched(served: Running, folder: Path, template: Template = TEMPLATE) -> list[Outcome]:
    """Look twice, as a fresh program, and return what was done."""
    with Watch(served.space, folder, template) as watching:
        return [*watching.look(), *watching.look()]


def offers(served: Running) -> list[dict[str, Any]]:
    """Return all offers."""
    found: list[dict[str, Any]] = served.space.connection.get("/api/offers")
    return found


def test_new_files_become_datasets_with_what_the_template_adds(served: Running, tmp_path: Path) -> None:
    """Registered and offered once; what the template says stands in the record; a second program has nothing to do."""
    shutil.copy(FILES[0], tmp_path / "first")
    (tmp_path / "sub").mkdir()
    shutil.copy(FILES[1], tmp_path / "sub" / "second")
    done = watched(served, tmp_path)
    assert [(each.file, each.version, each.error) for each in done] == [("first", 1, None), ("sub/second", 1, None)]
    assert {each["id"] for each in served.space.datasets()} == {each.id for each in done}
    assert sorted(each["id"] for each in offers(served)) == sorted(str(each.offer) for each in done)
    record = served.connector.datasets.get(str(done[0].id)).record.decode()
    assert CC_BY in record
    assert "desk@weather.example" in record
    assert watched(served, tmp_path) == []


def test_a_file_that_still_grows_is_left_alone(served: Running, tmp_path: Path) -> None:
    """It is taken when two looks saw the same; hidden files, links and empty ones are never taken."""
    raw = FILES[0].read_bytes()
    path = tmp_path / "growing"
    (tmp_path / ".part").write_bytes(raw)
    (tmp_path / "link").symlink_to(FILES[0])
    (tmp_path / "empty").touch()
    with Watch(served.space, tmp_path, TEMPLATE) as watching:
        for end in (100, 200, len(raw)):
            path.write_bytes(raw[:end])
            assert list(watching.look()) == []
        assert [each.file for each in watching.look()] == ["growing"]


def test_a_file_that_cannot_be_read_is_told_once_and_tried_again_when_it_changes(
    served: Running, tmp_path: Path
) -> None:
    """The others come; the mended file is taken."""
    (tmp_path / "bad.nc").write_bytes(b"CDF\x01 and nothing more")
    shutil.copy(FILES[0], tmp_path / "good")
    bad, good = watched(served, tmp_path)
    assert (bad.file, good.file, good.error) == ("bad.nc", "good", None)
    assert bad.error is not None
    assert bad.error["what"]
    assert watched(served, tmp_path) == []
    shutil.copy(FILES[1], tmp_path / "bad.nc")
    (mended,) = watched(served, tmp_path)
    assert (mended.version, mended.error) == (1, None)


def test_a_changed_file_is_a_new_version(served: Running, tmp_path: Path) -> None:
    """The dataset stays, with its address; the file behind it is the new one."""
    path = tmp_path / "a.csv"
    path.write_text("DATAFLOW,FREQ,TIME_PERIOD,OBS_VALUE\nA:B(1.0),A,2020,1\n")
    (first,) = watched(served, tmp_path)
    path.write_text(path.read_text() + "A:B(1.0),A,2021,1\n")
    (second,) = watched(served, tmp_path)
    assert (second.id, second.version) == (first.id, 2)
    assert len(served.space.datasets()) == len(offers(served)) == 1
    (asset,) = served.connector.datasets.files(str(first.id))
    assert asset.size == path.stat().st_size


def test_a_crash_before_it_was_written_down_changes_nothing(
    served: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst moment: registered and offered, and nothing knows of it."""
    shutil.copy(FILES[0], tmp_path / "first")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Watch, "_write", crash)
        with pytest.raises(KeyboardInterrupt):
            watched(served, tmp_path)
    assert len(served.space.datasets()) == 1
    (again,) = watched(served, tmp_path)
    assert again.version == 1
    assert len(served.space.datasets()) == len(offers(served)) == 1


def test_a_line_that_a_crash_left_half_is_cut_off(served: Running, tmp_path: Path) -> None:
    """Its file is taken again, which changes nothing; the journal is whole afterwards."""
    shutil.copy(FILES[0], tmp_path / "first")
    watched(served, tmp_path)
    journal = tmp_path / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-20])
    (again,) = watched(served, tmp_path)
    assert (again.version, len(served.space.datasets())) == (1, 1)
    assert [json.loads(line)["file"] for line in journal.read_text().splitlines()] == ["first"]


def test_two_do_not_watch_one_folder(served: Running, tmp_path: Path) -> None:
    """The second is told; it may when the first has ended."""
    with Watch(served.space, tmp_path, TEMPLATE), pytest.raises(InvalidInput, match="watched already"):
        Watch(served.space, tmp_path, TEMPLATE)
    assert watched(served, tmp_path) == []


def test_the_new_id_stands_wherever_the_old_one_stood() -> None:
    """Addresses below it change with it, others that begin alike do not."""
    record = {
        "id": "u:a",
        "distribution": [{"id": "u:a#file", "access_url": ["u:a"], "licence": "x"}],
        "page": ["u:ab"],
    }
    made = completed(record, Template(licence="y", record={"theme": ["t"]}), "u:n")
    assert made == {
        "id": "u:n",
        "distribution": [{"id": "u:n#file", "access_url": ["u:n"], "licence": "x"}],
        "page": ["u:ab"],
        "theme": ["t"],
    }


# --- the command, killed ----------------------------------------------------------------------------------------------


def command(served: Running, folder: Path, *words: str) -> subprocess.Popen[str]:
    """Start `greendeal dataset watch`."""
    template = folder.parent / "template.json"
    template.write_text(json.dumps({"licence": CC_BY, "offer": {"template": "open"}}))
    environment = {"PYTHONPATH": str(REPOSITORY), "GREENDEAL_URL": served.url, "GREENDEAL_API_KEY": served.api_key}
    run = [sys.executable, "-m", "connector", "dataset", "watch", str(folder), "--template", str(template)]
    return subprocess.Popen(
        [*run, "--every", "0.1", *words], env=os.environ | environment, stdout=subprocess.PIPE, text=True
    )


def test_a_watch_killed_again_and_again_registers_every_file_once(served: Running, tmp_path: Path) -> None:
    """Each time it is killed by force at its next line, while files come in; in the end there is one dataset a file."""
    folder = tmp_path / "incoming"
    folder.mkdir()
    waiting = list(FILES)
    for _ in range(3):
        for path in waiting[:3]:
            shutil.copy(path, folder)
        del waiting[:3]
        with command(served, folder) as watching:
            assert watching.stdout is not None
            assert watching.stdout.readline()
            watching.send_signal(signal.SIGKILL)
    with command(served, folder, "--once") as last:
        last.communicate()
        assert last.returncode == 0
    assert not waiting
    found = served.space.datasets()
    assert len(found) == len(offers(served)) == len(FILES)
    assert {each["version"] for each in found} == {1}
    lines = [json.loads(line) for line in (folder / JOURNAL).read_text().splitlines()]
    assert sorted(line["file"] for line in lines) == sorted(path.name for path in FILES)
