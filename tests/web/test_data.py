"""The bytes over HTTP, from the connector's own process and from its data worker: the same answers from both."""

import hashlib
import json
import os
import random
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.standards.ranges import repr_digest
from connector.web.worker.permits import FRESH
from tests.web.serving import Answer, Fetch, Serving, request, serving

CONTENT = random.Random(7).randbytes(300_000)  # noqa: S311 - content, not a secret
LARGE = bytes(32 * 1024 * 1024)
"""More than the buffers of two ends of a connection hold."""

DOORS = pytest.mark.parametrize("door", ["connector", "worker"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Give a connector with a data worker."""
    with serving(tmp_path_factory.mktemp("bytes")) as made:
        yield made


@pytest.fixture(scope="module")
def rain(place: Serving) -> Fetch:
    """Give a transfer of one file."""
    return place.share(CONTENT)


def plain(found: Answer) -> dict[str, str]:
    """Return the headers that say something about the file."""
    return {name: value for name, value in found.headers.items() if name not in {"date", "connection", "server"}}


@DOORS
def test_a_file_comes_whole(place: Serving, rain: Fetch, door: str) -> None:
    """Its bytes, their number, their digest, their type and their name."""
    found = place.ask(door, rain)
    assert (found.status, found.body, found.whole) == (200, CONTENT, True)
    assert plain(found) == {
        "content-type": "text/csv",
        "content-length": str(len(CONTENT)),
        "etag": f'"{hashlib.sha256(CONTENT).hexdigest()}"',
        "repr-digest": repr_digest(hashlib.sha256(CONTENT).hexdigest()),
        "accept-ranges": "bytes",
        "cache-control": "private, no-store",
        "content-disposition": 'attachment; filename="rain-0.csv"',
        "x-content-type-options": "nosniff",
    }


@DOORS
def test_head_has_the_headers_of_get_and_nothing_else(place: Serving, rain: Fetch, door: str) -> None:
    """For the one file, by its name, and with a range that HEAD has no use for."""
    whole = plain(place.ask(door, rain))
    for more, fields in (("", {}), ("/files/rain-0.csv", {}), ("", {"Range": "bytes=1-2"})):
        found = place.ask(door, rain, "HEAD", more, **fields)
        assert (found.status, plain(found)) == (200, whole)


@DOORS
@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"Range": "bytes=0-0"}, 206, "bytes 0-0/300000"),
        ({"Range": "bytes=299990-"}, 206, "bytes 299990-299999/300000"),
        ({"Range": "bytes=-7"}, 206, "bytes 299993-299999/300000"),
        ({"Range": "bytes=70000-900000"}, 206, "bytes 70000-299999/300000"),
        ({"Range": "bytes=300000-"}, 416, "bytes */300000"),
        ({"Range": "bytes=0-1,5-6"}, 416, "bytes */300000"),
        ({"Range": "lines=0-1"}, 200, None),
        ({"Range": "bytes=0-1", "If_Range": '"other"'}, 200, None),
        ({"Range": "bytes=900000-", "If_Range": "Sun, 01 Mar 2026 12:00:00 GMT"}, 200, None),
        ({"If_None_Match": "*"}, 304, None),
        ({"If_Match": '"other"'}, 412, None),
    ],
)
def test_parts_are_exact(
    place: Serving, rain: Fetch, door: str, fields: dict[str, str], status: int, said: str | None
) -> None:
    """What is asked for comes, to the byte, and what cannot be had is refused with the size that there is."""
    found = place.ask(door, rain, **fields)
    assert (found.status, found.headers.get("content-range"), found.whole) == (status, said, True)
    if status == 206 and said:
        start, end = said.split()[1].partition("/")[0].split("-")
        assert found.body == CONTENT[int(start) : int(end) + 1]
    else:
        assert found.body == (CONTENT if status == 200 else b"")


@DOORS
@given(parts=st.lists(st.tuples(st.integers(0, 300_000), st.integers(0, 70_000)), min_size=1, max_size=4))
def test_parts_one_after_the_other_are_the_file(
    place: Serving, rain: Fetch, door: str, parts: list[tuple[int, int]]
) -> None:
    """On one connection, also when several are asked for before the first has come: each answer has its own bytes."""
    with place.connect(door) as connection:
        asked = [(start, start + length) for start, length in parts]
        connection.sendall(b"".join(request(rain, Range=f"bytes={start}-{end}") for start, end in asked))
        for start, end in asked:
            found = _exactly(connection)
            assert found.status == (416 if start > 299_999 else 206)
            assert found.body == CONTENT[start : end + 1]


def _exactly(connection: socket.socket) -> Answer:
    """Read one answer and not a byte more, since the next one may have come with it."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    lines = head.decode().lower().split("\r\n")
    size = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length:"))
    body = b""
    while len(body) < size:
        body += connection.recv(size - len(body))
    return Answer(int(lines[0].split()[1]), {}, body, whole=True)


@DOORS
def test_an_empty_file_is_a_file(place: Serving, door: str) -> None:
    """It is given, in no bytes, and has no part."""
    fetch = place.share(b"")
    found = place.ask(door, fetch)
    assert (found.status, found.headers["content-length"], found.body) == (200, "0", b"")
    assert place.ask(door, fetch, Range="bytes=0-").headers["content-range"] == "bytes */0"


@DOORS
def test_of_several_files_each_has_its_name(place: Serving, door: str) -> None:
    """They are listed, also when they are very many, and fetched one by one."""
    fetch = place.share(*[b"file %d" % (number % 5) for number in range(700)])
    found = place.ask(door, fetch)
    listed = json.loads(found.body)["files"]
    assert (found.status, found.headers["content-type"], len(listed)) == (200, "application/json", 700)
    assert place.ask(door, fetch, more="/files/rain-432.csv").body == b"file 2"
    assert plain(place.ask(door, fetch, "HEAD")) == plain(found)


@DOORS
def test_without_a_grant_there_is_nothing(place: Serving, rain: Fetch, door: str) -> None:
    """t28: no grant, nonsense, another transfer's, no such file, no running transfer: each refused in words."""
    other, waiting = place.share(b"other"), place.share(b"waits", state="SUSPENDED")
    missing = place.ask(door, rain, Authorization="")
    assert (missing.status, missing.headers["www-authenticate"]) == (401, "Bearer")
    for grant in ("Bearer x", f"Bearer {other.grant}", "nonsense", "Basic eDp5"):
        assert place.ask(door, rain, Authorization=grant).status == 401
    assert place.ask(door, rain, more="/files/none").status == 404
    refused = place.ask(door, waiting)
    assert (refused.status, refused.headers["content-type"]) == (403, "application/problem+json")
    assert "SUSPENDED" in json.loads(refused.body)["detail"]
    assert place.ask(door, rain, Authorization=rain.grant).status == 200


@DOORS
def test_another_method_is_refused(place: Serving, rain: Fetch, door: str) -> None:
    """Files are read and never written."""
    for method in ("PUT", "DELETE", "PATCH"):
        found = place.ask(door, rain, method)
        assert found.status == 405
        assert "GET" in found.headers["allow"]


@DOORS
@pytest.mark.parametrize("state", ["SUSPENDED", "COMPLETED", "TERMINATED"])
def test_t28_an_ended_transfer_stops_in_the_middle(place: Serving, door: str, state: str) -> None:
    """A taker in the middle of a file gets no end of it, and sees that it broke off; nor does a new request help."""
    fetch = place.share(LARGE)
    with place.connect(door, buffer=65536) as connection:
        connection.sendall(request(fetch))
        head = connection.recv(4096)
        assert b" 200 " in head
        place.move(fetch, state)
        left = len(LARGE)
        # This one takes nothing for as long as a look at the agreement may hold, and then all that it can get.
        threading.Event().wait(FRESH)
        try:
            while piece := connection.recv(1 << 20):
                left -= len(piece)
        except ConnectionError:
            pass
        assert left > 0


@DOORS
def test_a_file_that_is_cut_meanwhile_is_never_filled_up(place: Serving, door: str) -> None:
    """What is missing is missing: the connection ends early, and nothing is made up."""
    fetch = place.share(b"x" * (16 << 20) + door.encode())
    with place.connect(door, buffer=65536) as connection:
        connection.sendall(request(fetch))
        assert connection.recv(16)
        fetch.path.chmod(0o600)
        os.truncate(fetch.path, 9 << 20)
        got, clean = 0, set(b"x")
        try:
            while piece := connection.recv(1 << 20):
                assert got < 1000 or set(piece) == clean
                got += len(piece)
        except ConnectionError:
            pass
    assert got < (9 << 20) + 1000


def test_nginx_is_led_to_the_file(tmp_path: Path) -> None:
    """Where the operator lets nginx send, the answer names the file and leaves length, range and tag to nginx."""
    with serving(tmp_path / "accel", data={"accel": "/shelf/"}) as made:
        fetch = made.share(b"rain")
        digest = hashlib.sha256(b"rain").hexdigest()
        found = made.ask("connector", fetch, Range="bytes=0-1")
        assert (found.status, found.body) == (200, b"")
        assert found.headers["x-accel-redirect"] == f"/shelf/{digest[:2]}/{digest}"
        assert found.headers["repr-digest"] == repr_digest(digest)
        assert not {"etag", "content-range"} & found.headers.keys()
        assert made.ask("connector", fetch, Authorization="Bearer x").status == 401
        made.move(fetch, "SUSPENDED")
        assert made.ask("connector", fetch).status == 403


def test_a_worker_that_is_killed_is_replaced(place: Serving, rain: Fetch) -> None:
    """Nobody is turned away meanwhile: the port stays open, and who comes waits a moment."""
    for _ in range(2):
        (worker,) = _workers()
        worker.kill()
        worker.wait(10)
        assert place.ask("worker", rain).body == CONTENT


def test_the_worker_knows_no_secret(place: Serving, rain: Fetch) -> None:
    """Of the environment it is given nothing that could be a password, and of files nothing but what it sends."""
    assert place.ask("worker", rain).status == 200
    (worker,) = _workers()
    assert not [name for name in worker.environ() if "PASS" in name or name.startswith(("GREENDEAL", "PG"))]
    opened = {each.readlink().name for each in Path(f"/proc/{worker.pid}/fd").iterdir()}
    assert not opened & {"key.json", "connector.db", "connector.db-wal"}


def test_a_worker_does_not_outlive_its_connector(place: Serving) -> None:
    """It ends when its line to the connector does, however that ended."""
    (worker,) = _workers()
    line = place.counter._line
    assert line is not None
    line.shutdown(socket.SHUT_RDWR)
    worker.wait(10)
    assert not worker.is_running()


def _workers() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if "connector.web.worker" in each.cmdline()]
