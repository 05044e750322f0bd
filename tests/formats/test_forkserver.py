"""The servers that fork readers: loaded once, alone in their process, and not to be taken along by a child."""

import gzip
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connector.errors import InvalidInput, TooLarge
from connector.formats import Limits, describe
from connector.formats.sandbox import forkserver, staging
from tests.conftest import REFERENCES
from tests.formats.probing import run

DEMO: Final = Path(__file__).resolve().parents[2] / "connector" / "demo" / "data"
SAMPLES: Final = sorted(
    path for path in (REFERENCES / "data").glob("*/**/*.*") if path.is_file() and "zarr" not in str(path)
)
FILES: Final = sorted(path for path in DEMO.glob("[!.]*") if path.suffix != ".toml")
SDMX: Final = DEMO / "MLO_CO2_monthly.sdmx2.csv"


def servers() -> dict[str, int]:
    """Return the process of every server that runs, by its family."""
    return {family: each._process.pid for (family, _), each in forkserver.servers._running.items()}


def gone(pid: int) -> bool:
    """Tell whether a process has ended, waiting a while for it."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        threading.Event().wait(0.02)
    return False


@pytest.mark.usefixtures("probe")
def test_readers_are_loaded_once(tmp_path: Path) -> None:
    """Files of one family are read by children of the same process."""
    assert run(tmp_path, "servers_process") == run(tmp_path, "servers_process") == str(servers()["plug-ins"])


def test_a_server_is_fit_to_fork(tmp_path: Path) -> None:
    """With all its readers loaded a server has one thread, and nothing of this process: no variable, no open file."""
    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "a.parquet")
    for path in (*FILES, tmp_path / "a.parquet"):
        describe(path)
    assert set(servers()) >= {"climate", "meteo", "eo", "server", "tabular"}
    for family, pid in servers().items():
        assert len(list(Path(f"/proc/{pid}/task").iterdir())) == 1, family
        names = {each.partition(b"=")[0].decode() for each in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")}
        assert names - {""} == {*forkserver.ENVIRONMENT, "PYTHONPATH", "HOME", "TMPDIR"}
        opened = [str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()]
        foreign = [name for name in opened if name.startswith("/") and not name.startswith(("/dev/null", "/memfd"))]
        assert all(name.endswith("proj.db") for name in foreign), f"{family}: {foreign}"


def test_files_of_all_kinds_are_read_side_by_side() -> None:
    """What is loaded before the fork works in many children, two at a time: each says what a lone one says."""
    alone = {path.name: describe(path) for path in FILES}
    with ThreadPoolExecutor(2) as readers:
        many = list(readers.map(describe, FILES * 5))
    assert many == [alone[path.name] for path in FILES] * 5


@pytest.mark.usefixtures("probe")
def test_a_child_has_no_handle_of_another(tmp_path: Path) -> None:
    """Its own two connections' ends apart, there is nothing of the server's for it to speak to."""
    (tmp_path / "slow").mkdir()
    with ThreadPoolExecutor(1) as other:
        slow = other.submit(run, tmp_path / "slow", "sleep", Limits(wall_seconds=2))
        found = run(tmp_path, "handles")
        assert isinstance(slow.exception(), TooLarge)
    assert found.count("socket") == 1, found


@pytest.mark.usefixtures("probe")
def test_a_killed_server_is_replaced(tmp_path: Path) -> None:
    """The next file is read by another server, and nobody notices."""
    assert run(tmp_path, "speak") == "spoken"
    pid = servers()["plug-ins"]
    os.kill(pid, signal.SIGKILL)
    assert gone(pid)
    assert run(tmp_path, "speak") == "spoken"
    assert servers()["plug-ins"] != pid


@pytest.mark.usefixtures("probe")
def test_a_child_that_kills_its_server_harms_nobody_else(tmp_path: Path) -> None:
    """Threat: a file that makes its reader kill the server. It is refused, and the next file is read."""
    with pytest.raises(InvalidInput, match="reading process was lost"):
        run(tmp_path, "kill_server")
    assert run(tmp_path, "speak") == "spoken"


@pytest.mark.usefixtures("probe")
def test_what_a_child_leaves_running_ends_with_it(tmp_path: Path) -> None:
    """Threat: a process that outlives the reading and waits for the next file."""
    assert gone(int(run(tmp_path, "leave_another")))


@pytest.mark.usefixtures("probe")
def test_a_job_that_nobody_waits_for_ends(tmp_path: Path) -> None:
    """A child that is over its time is gone before the refusal is raised: nothing reads a file that is no more."""
    run(tmp_path, "speak")
    with pytest.raises(TooLarge):
        run(tmp_path, "sleep", Limits(wall_seconds=1))
    pid = servers()["plug-ins"]
    assert Path(f"/proc/{pid}/task/{pid}/children").read_text().split() == []


@pytest.mark.usefixtures("probe")
def test_time_grows_with_the_size_of_a_file(tmp_path: Path) -> None:
    """What has to be read through is given a second more for each `bytes_per_second`."""
    assert run(tmp_path, "limits", Limits(cpu_seconds=7, bytes_per_second=4)).startswith("[10, ")  # 12 bytes


@pytest.mark.usefixtures("probe")
def test_long_readings_tell_how_far_they_are(tmp_path: Path) -> None:
    """The bytes that were read so far of all of them, growing."""
    path = tmp_path / "big.probe"
    path.write_bytes(b"PROBE read_slowly ".ljust(24 << 20, b" "))
    told: list[tuple[int, int]] = []
    describe(path, progress=lambda done, size: told.append((done, size)))
    assert told
    assert {size for _, size in told} == {24 << 20}
    assert [done for done, _ in told] == sorted(done for done, _ in told)


# --- files that are not simply there ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*FILES, *SAMPLES], ids=[path.name for path in (*FILES, *SAMPLES)])
def test_a_large_file_of_another_file_system_is_not_copied(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is handed to the child open, and every reader reads it so."""
    alone = describe(path)
    monkeypatch.setattr(staging, "_link", lambda *_: False)
    monkeypatch.setattr(staging, "COPIED", 0)
    monkeypatch.setattr("shutil.copyfileobj", None)
    assert describe(path) == alone


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_gzip_of_any_format_is_opened(path: Path, tmp_path: Path) -> None:
    """The facts are those of the file inside; the size is that of the file there is, and a note says how it comes."""
    packed = tmp_path / f"{path.name}.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    found, alone = describe(packed), describe(path)
    note = f"The file is compressed with gzip; {alone.byte_size} bytes come out of it."
    assert found.byte_size == packed.stat().st_size
    assert found.notes == (*alone.notes, note)
    assert (found.bbox, found.period, found.variables) == (alone.bbox, alone.period, alone.variables)


def cut(raw: bytes) -> bytes:
    """Take the end off."""
    return raw[:-100]


def bend(raw: bytes) -> bytes:
    """Change a byte in the middle."""
    return raw[:200] + bytes([raw[200] ^ 0xFF]) + raw[201:]


@pytest.mark.parametrize(
    ("make", "limits", "kind", "message"),
    [
        (cut, Limits(), InvalidInput, "truncated"),
        (bend, Limits(), InvalidInput, "damaged"),
        (gzip.compress, Limits(), InvalidInput, "compressed twice"),
        (bytes, Limits(unpacked_bytes=10_000), TooLarge, "more than 10000 bytes"),
    ],
)
def test_a_bad_archive_is_refused(
    make: Callable[[bytes], bytes], limits: Limits, kind: type[InvalidInput], message: str, tmp_path: Path
) -> None:
    """What is damaged, compressed again or too large is refused in a sentence, and nothing of it stays."""
    path = tmp_path / "co2.csv.gz"
    path.write_bytes(make(gzip.compress(SDMX.read_bytes())))
    with pytest.raises(kind, match=message):
        describe(path, limits=limits)


def test_a_bomb_stops_at_its_ratio(tmp_path: Path) -> None:
    """Threat: a megabyte that becomes a thousand. It is stopped long before."""
    path = tmp_path / "zeros.nc.gz"
    path.write_bytes(gzip.compress(bytes(300 << 20)))
    with pytest.raises(TooLarge, match="bytes come out of it"):
        describe(path)
