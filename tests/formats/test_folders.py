"""Datasets that are folders: what is listed, what is refused, and that no link leads out of one."""

import hashlib
import os
from pathlib import Path
from typing import Final

import pytest

from connector.errors import InvalidInput, NotFound, TooLarge
from connector.formats import Limits, describe
from connector.formats.containers import folders

LIMITS: Final = Limits()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a folder with a file and a file in a folder."""
    (tmp_path / "store" / "b").mkdir(parents=True)
    (tmp_path / "store" / "z").write_bytes(b"zz")
    (tmp_path / "store" / "b" / "0.0").write_bytes(b"abc")
    return tmp_path / "store"


def test_a_folder_is_listed_whole(store: Path) -> None:
    """Every file comes with its size, in the order of the paths; the names of the folder itself stand apart."""
    found = folders.survey(store, "store", LIMITS)
    assert found.names == ("b", "z")
    assert found.files == (("b/0.0", 3), ("z", 2))
    assert found.size == 5


def test_a_folder_has_one_checksum(store: Path) -> None:
    """It is that of the lines that `sha256sum` writes of the sorted paths: any change of a file or a name shows."""
    lines = "".join(f"{hashlib.sha256(raw).hexdigest()}  {name}\n" for name, raw in (("b/0.0", b"abc"), ("z", b"zz")))
    first = folders.checksum(store, folders.survey(store, "store", LIMITS))
    assert first == hashlib.sha256(lines.encode()).hexdigest()
    (store / "z").rename(store / "y")
    assert folders.checksum(store, folders.survey(store, "store", LIMITS)) != first


@pytest.mark.parametrize("kind", ["file-link", "folder-link", "pipe"])
def test_a_folder_with_a_link_or_a_pipe_is_refused(kind: str, store: Path, tmp_path: Path) -> None:
    """Threat: a chunk of a store that is a link to another file of this machine, or blocks whoever opens it."""
    (tmp_path / "passwd").write_text("secret")
    at = store / "b" / "0.1"
    if kind == "pipe":
        os.mkfifo(at)
    else:
        at.symlink_to(tmp_path / "passwd" if kind == "file-link" else tmp_path)
    with pytest.raises(InvalidInput, match="link or a special file") as no:
        describe(store)
    assert (no.value.where, "secret" in str(no.value)) == ("store/b/0.1", False)


def test_a_link_to_a_folder_is_no_folder(store: Path, tmp_path: Path) -> None:
    """The dataset itself may not be a link either."""
    (tmp_path / "link").symlink_to(store)
    with pytest.raises(InvalidInput, match="cannot be opened"):
        describe(tmp_path / "link")


def test_a_link_put_in_afterwards_is_not_followed(store: Path, tmp_path: Path) -> None:
    """Threat: a file or a folder exchanged for a link after the listing; every step of the path is looked at again."""
    (tmp_path / "passwd").write_text("secret")
    (store / "link").symlink_to(tmp_path / "passwd")
    (store / "way").symlink_to(tmp_path)
    for inner in ("link", "way/passwd", "../passwd", "b/../../passwd", "/etc/passwd", "b//0.0", ""):
        with pytest.raises(InvalidInput, match="leads"), folders.open_inside(store, inner):
            pass
    with folders.open_inside(store, "b/0.0") as file:
        assert file.read() == b"abc"
    with pytest.raises(FileNotFoundError), folders.open_inside(store, "b/0.7"):
        pass


@pytest.mark.parametrize(
    ("limits", "reason"), [(Limits(entries=2), "more than 2 files"), (Limits(file_bytes=4), "more than 4 bytes")]
)
def test_a_folder_beyond_the_limits_is_not_read(limits: Limits, reason: str, store: Path) -> None:
    """Numbers and bytes are counted while listing, and the listing stops there."""
    with pytest.raises(TooLarge, match=reason):
        describe(store, limits=limits)


def test_folders_that_are_no_dataset_are_refused(store: Path, tmp_path: Path) -> None:
    """A folder of nothing in particular, one that goes too deep, one that has gone."""
    with pytest.raises(InvalidInput, match="formats that consist of many files"):
        describe(store)
    (store / "/".join("d" * 40)).mkdir(parents=True)
    with pytest.raises(InvalidInput, match="within each other"):
        describe(store)
    with pytest.raises(NotFound):
        folders.survey(tmp_path / "gone", "gone", LIMITS)
