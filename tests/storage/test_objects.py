"""Files by their content: whole or not there, under their own digest, and never by way of a foreign name."""

import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.errors import InvalidInput, NotFound, TooLarge
from connector.storage.objects import CHUNK, Objects

EMPTY = hashlib.sha256(b"").hexdigest()


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    """Return an empty store."""
    return Objects(tmp_path / "objects")


def files(folder: Path) -> list[Path]:
    """Return every file below a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


@given(pieces=st.lists(st.binary(max_size=50), max_size=6))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_put_is_what_is_read(objects: Objects, pieces: list[bytes]) -> None:
    """However it comes, in pieces, as a file or by path, the same bytes get the same name, size and content."""
    content = b"".join(pieces)
    expected = (hashlib.sha256(content).hexdigest(), len(content))
    path = objects._folder.parent / "source"
    path.write_bytes(content)
    for source in (pieces, io.BytesIO(content), path):
        assert objects.put(source) == expected
    with objects.receive() as incoming:
        for piece in pieces:
            incoming.write(piece)
    assert (incoming.digest, incoming.size) == expected
    with objects.open(expected[0]) as file:
        assert file.read() == content
    assert objects.path(expected[0]).read_bytes() == content
    assert objects.size(expected[0]) == len(content)
    assert expected[0] in objects


def test_equal_files_are_kept_once(objects: Objects) -> None:
    """The same content twice is one file; different contents are two; all are listed."""
    digests = sorted({objects.put([content])[0] for content in (b"a", b"b", b"a")})
    assert list(objects) == digests
    assert len(files(objects._folder)) == 2


def test_a_file_larger_than_a_piece_is_streamed(objects: Objects) -> None:
    """Reading goes piece by piece: no source is asked for everything at once."""

    class Source(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            assert size == CHUNK
            return super().read(size)

    content = bytes(CHUNK) * 2 + b"end"
    assert objects.put(Source(content)) == (hashlib.sha256(content).hexdigest(), len(content))


@given(limit=st.integers(0, 20), size=st.integers(0, 40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_more_than_the_limit_is_not_kept(objects: Objects, limit: int, size: int) -> None:
    """A file of exactly the limit is kept; one byte more is refused, as soon as it is seen, and leaves nothing."""
    content = os.urandom(size)
    taken: list[int] = []

    def pieces() -> Iterator[bytes]:
        for at in range(size):
            taken.append(at)
            yield content[at : at + 1]

    if size <= limit:
        assert objects.put(pieces(), limit=limit)[1] == size
    else:
        with pytest.raises(TooLarge, match=f"{limit} bytes"):
            objects.put(pieces(), limit=limit)
        assert len(taken) == limit + 1
        assert hashlib.sha256(content).hexdigest() not in objects
    assert files(objects._incoming) == []


def test_a_source_that_breaks_leaves_nothing(objects: Objects) -> None:
    """An upload that ends in an error is not there at all."""

    def pieces() -> Iterator[bytes]:
        yield b"beginning"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        objects.put(pieces())
    assert files(objects._folder) == []


def test_a_file_is_on_the_disk_before_it_has_its_name(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flush, rename, flush the folder, in this order: after a power cut a name never stands for half a file."""
    steps: list[str] = []
    flush, rename = os.fsync, Path.replace

    def note_flush(handle: int) -> None:
        steps.append(f"flush {Path(f'/proc/self/fd/{handle}').readlink().parent.name}")
        flush(handle)

    def note_rename(path: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", note_flush)
    monkeypatch.setattr(Path, "replace", note_rename)
    objects.put([b"first"])
    assert steps[0] == "flush incoming"
    assert steps[-2:] == ["rename", "flush objects"]
    steps.clear()
    digest, _ = objects.put([b"first"])
    objects.delete(digest)
    assert steps == ["flush incoming", "rename", "flush objects", "flush objects"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../x",
        "/etc/passwd",
        EMPTY[:-1],
        EMPTY + "0",
        EMPTY.upper(),
        "..\x00",
        f"../{EMPTY}",
        EMPTY + "\n",
        "٣" * 64,
    ],
)
def test_only_a_digest_is_a_name(objects: Objects, name: str) -> None:
    """Nothing from outside becomes a path: whatever is not 64 hexadecimal digits is simply not kept."""
    objects.put([b""])
    assert name not in objects
    for use in (objects.path, objects.open, objects.size, objects.delete):
        with pytest.raises(NotFound):
            use(name)


def test_what_is_not_kept_is_not_found(objects: Objects) -> None:
    """An unknown digest is a refusal that names it; deleting it says that there was nothing."""
    for use in (objects.path, objects.open, objects.size):
        with pytest.raises(NotFound, match=EMPTY):
            use(EMPTY)
    assert not objects.delete(EMPTY)
    assert EMPTY not in objects
    assert 7 not in objects


def test_deleting_disturbs_no_reader(objects: Objects) -> None:
    """Who has the file open reads it to the end; who comes later does not find it."""
    digest, _ = objects.put([b"content"])
    with objects.open(digest) as file:
        assert objects.delete(digest)
        assert digest not in objects
        assert file.read() == b"content"


def test_links_and_odd_files_are_refused(objects: Objects, tmp_path: Path) -> None:
    """Neither a link given as source nor one planted in the store leads anywhere; pipes and folders are no files."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (tmp_path / "link").symlink_to(secret)
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "objects"):
        with pytest.raises(InvalidInput):
            objects.put(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        objects.put(tmp_path / "missing")
    planted = objects._place(EMPTY)
    planted.parent.mkdir()
    planted.symlink_to(secret)
    for use in (objects.open, objects.path):
        with pytest.raises(NotFound):
            use(EMPTY)
    assert objects.put([b""]) == (EMPTY, 0)
    with objects.open(EMPTY) as file:
        assert file.read() == b""
    assert secret.read_bytes() == b"secret"


def test_kept_files_are_not_writable(objects: Objects) -> None:
    """What is named by its content must not change: nobody but its owner's delete touches it."""
    digest, _ = objects.put([b"content"])
    assert objects.path(digest).stat().st_mode & 0o777 == 0o440


def test_what_killed_writers_left_is_swept(objects: Objects) -> None:
    """Half written files of killed processes are removed at the start, and kept files are not."""
    digest, _ = objects.put([b"content"])
    (objects._incoming / "left").write_bytes(b"half")
    again = Objects(objects._folder)
    assert again.sweep() == 1
    assert again.sweep() == 0
    assert list(again) == [digest]
