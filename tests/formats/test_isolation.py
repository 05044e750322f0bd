"""The wall around a reader: what it may not do, and what the parent says when it does not come back.

A probe takes the place of a reader. It is a plug-in like any third party's, so these tests also prove that entry
points of the group `connector.formats` are found in the parent and in the child.
"""

import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Final

import pytest

from connector.errors import Busy, InvalidInput, TooLarge
from connector.formats import Limits, describe
from connector.formats.sandbox import isolation
from tests.formats.probing import run

REPOSITORY: Final = Path(__file__).resolve().parents[2]


@pytest.mark.usefixtures("probe")
def test_the_file_lies_alone_in_a_clean_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader sees one file under a name of ours and no variable of the server's environment."""
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter2")
    (tmp_path / "sibling").touch()
    seen = run(tmp_path, "surroundings")
    assert seen.startswith("(['file'], 'file', [")
    assert seen.endswith("True)")
    assert "DATABASE_PASSWORD" not in seen
    assert "GDAL_DISABLE_READDIR_ON_OPEN" in seen


@pytest.mark.usefixtures("probe")
def test_a_folder_is_read_where_it_lies(tmp_path: Path) -> None:
    """A folder with the mark of a format is read in place; the reader itself is in an empty folder of its own."""
    (tmp_path / "many").mkdir()
    (tmp_path / "many" / "probe.txt").write_text("x")
    found = describe(tmp_path / "many")
    assert found.notes == ("(['probe.txt'], [], True)", str(tmp_path / "many"))
    assert (found.reader, found.byte_size) == ("probe", 1)


@pytest.mark.usefixtures("probe")
def test_the_limits_are_set_and_final(tmp_path: Path) -> None:
    """Processor time, file size, open files, memory and core dumps are limited as asked, and cannot be raised."""
    limits = Limits(cpu_seconds=7, open_files=50, memory_bytes=2 << 30)
    assert run(tmp_path, "limits", limits) == str([7, 0, 50, 2 << 30, 0])
    with pytest.raises(InvalidInput, match="stopped with ValueError"):
        run(tmp_path, "raise_limits")


@pytest.mark.usefixtures("probe")
def test_nothing_is_written(tmp_path: Path) -> None:
    """A reader that writes gets an error, and no folder of ours is left behind."""
    assert run(tmp_path, "write") == "File too large"


@pytest.mark.usefixtures("probe")
def test_no_server_is_reached(tmp_path: Path) -> None:
    """Where the system has user namespaces, the reader is in a network of its own, without even our loopback."""
    probe = "import ctypes,sys; sys.exit(ctypes.CDLL(None).unshare(0x50000000))"
    if subprocess.run([sys.executable, "-c", probe], check=False).returncode:
        pytest.skip("this system does not allow user namespaces: readers keep to files by their own guards there")
    assert run(tmp_path, "network 9") in {"OSError", "ConnectionRefusedError"}
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert run(tmp_path, f"network {server.getsockname()[1]}") != "connected"


@pytest.mark.usefixtures("probe")
def test_noise_does_not_spoil_the_answer(tmp_path: Path) -> None:
    """What a C library prints on standard output is not taken for the description."""
    assert run(tmp_path, "speak") == "spoken"


@pytest.mark.usefixtures("probe")
def test_a_refusal_arrives_whole(tmp_path: Path) -> None:
    """The reader's own refusal reaches the provider with its place, reasons and mend."""
    with pytest.raises(InvalidInput) as no:
        run(tmp_path, "refuse")
    assert (no.value.message, no.value.where, no.value.fix, no.value.reasons) == ("No.", "here", "mend", ("because",))


@pytest.mark.usefixtures("probe")
def test_the_text_of_an_error_stays_inside(tmp_path: Path) -> None:
    """The message of an unexpected exception may quote the file or the machine; only its kind is told."""
    with pytest.raises(InvalidInput, match="stopped with ValueError") as no:
        run(tmp_path, "stumble")
    assert "secret" not in str(no.value)


@pytest.mark.usefixtures("probe")
@pytest.mark.parametrize(
    ("command", "limits", "kind", "message"),
    [
        ("crash", Limits(), InvalidInput, r"crashes the reader \(SIGSEGV\)"),
        ("leave", Limits(), InvalidInput, "exit status 3"),
        ("sleep", Limits(wall_seconds=2), TooLarge, "longer than 2 seconds"),
        ("spin", Limits(cpu_seconds=1), InvalidInput, "more computing time"),
        ("memory", Limits(), TooLarge, "more memory"),
        ("flood", Limits(), TooLarge, "longer than 1048576 bytes"),
        ("lie", Limits(), InvalidInput, "no description"),
    ],
)
def test_a_reader_that_goes_wrong_is_a_refusal(
    command: str,
    limits: Limits,
    kind: type[InvalidInput],
    message: str,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever a file makes of its reader, the caller gets a sentence, nothing is left, and the next file is read."""
    staging, files = tmp_path_factory.mktemp("staging"), tmp_path_factory.mktemp("files")
    monkeypatch.setattr(tempfile, "tempdir", str(staging))
    with pytest.raises(kind, match=message):
        run(files, command, limits)
    assert list(staging.iterdir()) == []
    assert run(files, "speak") == "spoken"


@pytest.mark.usefixtures("probe")
def test_no_more_readers_than_memory_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all places taken a file waits for a while and is then put off, not refused for good."""
    monkeypatch.setattr(isolation, "_slots", threading.BoundedSemaphore(1))
    isolation._slots.acquire()
    with pytest.raises(Busy):
        run(tmp_path, "speak", Limits(wait_seconds=0.05))
    isolation._slots.release()
    assert run(tmp_path, "speak") == "spoken"


def test_a_file_beyond_the_size_limit_is_not_staged(tmp_path: Path) -> None:
    """The size is looked at before anything is linked, copied or read."""
    path = tmp_path / "big.nc"
    path.write_bytes(b"CDF\x01" + bytes(100))
    with pytest.raises(TooLarge, match="104 bytes; 50 are allowed"):
        describe(path, limits=Limits(file_bytes=50))


def test_the_parent_imports_no_reader() -> None:
    """The libraries with C parsers stay out of the server's process."""
    code = (
        "import sys; from pathlib import Path; from connector.formats import describe\n"
        "describe(Path(sys.argv[1]))\n"
        "print([name for name in ('netCDF4', 'h5py', 'rasterio', 'eccodes', 'gribapi', 'lxml', 'numpy') "
        "if name in sys.modules])"
    )
    data = REPOSITORY / "connector" / "demo" / "data" / "ncep_air_temperature_small.nc"
    done = subprocess.run(
        [sys.executable, "-c", code, str(data)], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_copy_is_staged_where_a_link_is_not_possible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file on another file system is copied, and read as well."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "x.csv"
    path.write_text("DATAFLOW,FREQ,TIME_PERIOD,OBS_VALUE\nA:B(1.0),A,2020,1\n")
    assert describe(path).statistics is not None
