"""The files and the metadata of a Zarr store (versions 2 and 3), a folder or a zip archive, without reading a value.

The metadata are JSON texts that a stranger wrote: their sizes and numbers are limited, names that lead outside of the
store are refused, and codecs are taken only from a list, for some of those that exist run code from the data.
"""

import json
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from connector.errors import InvalidInput, TooLarge
from connector.formats.containers import folders
from connector.formats.description import Limits, short

V2: Final = 2
V3: Final = 3
MARKERS: Final = (".zgroup", ".zarray", ".zmetadata", "zarr.json")
DOCUMENT: Final = 64 << 20  # bytes of one metadata text; consolidated ones hold those of all arrays
AXES: Final = 32
RATIO: Final = 200  # how many times larger a member of an archive may be than what is stored
DEPTH: Final = 32
LARGEST: Final = 1 << 62


class Files(Protocol):
    """The files of a store by their paths."""

    def read(self, path: str, start: int = 0, length: int | None = None) -> bytes | None:
        """Return a file, or `length` bytes from `start` (from the end when negative); None when there is none."""
        ...

    def folders(self, path: str) -> list[str]:
        """Return the names of the folders directly in the folder `path`, sorted."""
        ...


class Folder:
    """A store that is a folder; every path is followed without a link."""

    def __init__(self, root: Path, limits: Limits) -> None:
        self.root = root
        self.limits = limits

    def read(self, path: str, start: int = 0, length: int | None = None) -> bytes | None:
        """Return a file or a piece of it; None when there is none."""
        try:
            with folders.open_inside(self.root, path) as file:
                file.seek(start, os.SEEK_END if start < 0 else os.SEEK_SET)
                most = DOCUMENT if length is None else length
                found = file.read(most + 1 if length is None else length)
        except FileNotFoundError:
            return None
        except OSError as error:  # a piece from before the beginning
            raise InvalidInput("A file of the Zarr store is cut off.", where=short(path)) from error
        return _not_too_long(found, path)

    def folders(self, path: str) -> list[str]:
        """Return the folders in a folder."""
        found = []
        with os.scandir(self.root / path) as entries:
            for count, entry in enumerate(entries):
                if count > self.limits.entries:
                    raise TooLarge(f"A folder of the store holds more than {self.limits.entries} files.")
                if stat.S_ISDIR(entry.stat(follow_symlinks=False).st_mode):
                    found.append(entry.name)
        return sorted(found)


class Archive:
    """A store in a zip archive. Members are read one at a time and never written anywhere."""

    def __init__(self, path: Path, limits: Limits) -> None:
        try:
            self.zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, RuntimeError) as error:
            raise InvalidInput(
                "The zip archive cannot be opened; it may be damaged or cut off.",
                fix="Fetch or pack the archive again, and compare its size with the original's.",
            ) from error
        members = self.zip.infolist()
        if len(members) > limits.entries:
            raise TooLarge(f"The archive holds more than {limits.entries} files.")
        for each in members:
            _safe(each)
        marked = [each.filename for each in members if each.filename.rpartition("/")[2] in MARKERS]
        if not marked:
            raise InvalidInput("The archive holds no Zarr store: there is no metadata file in it.")
        self.prefix = min((name.rpartition("/")[0] for name in marked), key=lambda name: (name.count("/"), name))
        self.prefix += "/" if self.prefix else ""
        self.members = {each.filename.removeprefix(self.prefix): each for each in members if not each.is_dir()}

    def read(self, path: str, start: int = 0, length: int | None = None) -> bytes | None:
        """Return a member or a piece of it; None when there is none."""
        member = self.members.get(path)
        if member is None:
            return None
        most = member.file_size if length is None else length
        try:
            with self.zip.open(member) as file:
                file.seek(max(0, member.file_size + start) if start < 0 else start)
                return _not_too_long(file.read(min(most, DOCUMENT + 1)), path)
        except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError) as error:
            raise InvalidInput("A member of the archive is damaged.", where=short(path)) from error

    def folders(self, path: str) -> list[str]:
        """Return the folders in a folder."""
        below = f"{path}/" if path else ""
        inner = (name.removeprefix(below) for name in self.members if name.startswith(below))
        return sorted({name.partition("/")[0] for name in inner if "/" in name})


def _safe(member: zipfile.ZipInfo) -> None:
    """Refuse members that lead outside, are links, are encrypted, or grow beyond measure."""
    parts = member.filename.rstrip("/").split("/")
    where = short(member.filename)
    if member.filename.startswith("/") or "\\" in member.filename or {"", ".", ".."} & set(parts):
        raise InvalidInput("A name in the archive leads outside of it.", where=where)
    if stat.S_ISLNK(member.external_attr >> 16):
        raise InvalidInput("The archive holds a link.", where=where)
    if member.flag_bits & 1:
        raise InvalidInput("The archive is encrypted.", where=where)
    if len(parts) > DEPTH or member.file_size > RATIO * max(4096, member.compress_size):
        raise TooLarge("A member of the archive grows too large or lies too deep.", where=where)


def _not_too_long(found: bytes, path: str) -> bytes:
    if len(found) > DOCUMENT:
        raise TooLarge(f"A file of the store has more than {DOCUMENT} bytes.", where=short(path))
    return found


@dataclass(frozen=True, slots=True)
class Node:
    """A group (without `array`) or an array; `array` is its metadata as its version writes them."""

    path: str
    attributes: Mapping[str, Any]
    array: Mapping[str, Any] | None = None


@dataclass(slots=True)
class Tree:
    """All nodes of a store, the root first."""

    version: int
    consolidated: bool
    nodes: list[Node] = field(default_factory=list)


def tree(files: Files, limits: Limits) -> Tree:
    """Return the groups and arrays of a store, by its consolidated metadata where it has them.

    Raises:
        InvalidInput: metadata are missing, damaged, or of a version other than 2 and 3.
        TooLarge: there are more nodes than allowed.
    """
    root = _document(files, "zarr.json")
    found = _version_2(files, limits) if root is None else _version_3(files, root, limits)
    if len(found.nodes) > limits.objects:
        raise TooLarge(f"The store has more than {limits.objects} groups and arrays.")
    return found


def _version_3(files: Files, root: Mapping[str, Any], limits: Limits) -> Tree:
    consolidated = root.get("consolidated_metadata")
    inner = consolidated.get("metadata") if isinstance(consolidated, dict) else None
    nodes = [_node_3("", root)]
    if isinstance(inner, dict):
        nodes += [_node_3(_inside(path), _mapping(each, path)) for path, each in inner.items()]
        return Tree(V3, consolidated=True, nodes=nodes)
    if nodes[0].array is None:
        for path in _walk(files, limits, ("zarr.json",)):
            nodes.append(_node_3(path, _mapping(_document(files, f"{path}/zarr.json"), path)))
    return Tree(V3, consolidated=False, nodes=nodes)


def _node_3(path: str, found: Mapping[str, Any]) -> Node:
    if found.get("zarr_format") != V3:
        raise InvalidInput(
            "The metadata of the Zarr store are of no version that is read (2 or 3).", where=path or None
        )
    kind = found.get("node_type")
    if kind not in {"group", "array"}:
        raise InvalidInput("The metadata say neither group nor array.", where=path or None)
    attributes = found.get("attributes")
    return Node(path, attributes if isinstance(attributes, dict) else {}, found if kind == "array" else None)


def _version_2(files: Files, limits: Limits) -> Tree:
    whole = _document(files, ".zmetadata")
    inner = whole.get("metadata") if whole is not None else None
    if isinstance(inner, dict):
        paths = dict.fromkeys(_inside(key).rpartition("/")[0] for key in inner)
        nodes = [_node_2(path, lambda name, path=path: inner.get(f"{path}/{name}" if path else name)) for path in paths]
        return Tree(V2, consolidated=True, nodes=sorted(nodes, key=lambda each: bool(each.path)))
    nodes = [_node_2("", lambda name: _document(files, name))]
    if nodes[0].array is None:
        for path in _walk(files, limits, (".zarray", ".zgroup")):
            nodes.append(_node_2(path, lambda name, path=path: _document(files, f"{path}/{name}")))
    return Tree(V2, consolidated=False, nodes=nodes)


def _node_2(path: str, document: Any) -> Node:
    array, group, attributes = (document(name) for name in (".zarray", ".zgroup", ".zattrs"))
    if array is None and group is None:
        raise InvalidInput(
            "The metadata of the Zarr store are missing: there is neither .zarray nor .zgroup nor zarr.json.",
            where=path or None,
            fix="Copy the whole store, the files whose names begin with a dot too.",
        )
    if _mapping(group if array is None else array, path).get("zarr_format") != V2:
        raise InvalidInput(
            "The metadata of the Zarr store are of no version that is read (2 or 3).", where=path or None
        )
    return Node(path, attributes if isinstance(attributes, dict) else {}, None if array is None else array)


def _walk(files: Files, limits: Limits, marks: tuple[str, ...]) -> Iterator[str]:
    """Yield the paths of all nodes below the root; folders in an array are its chunks."""
    waiting = [""]
    count = 0
    while waiting:
        below = waiting.pop(0)
        for name in files.folders(below):
            if name.startswith((".", "__")):  # left by desktops and notebooks
                continue
            count += 1
            if count > limits.objects:
                raise TooLarge(f"The store has more than {limits.objects} groups and arrays.")
            path = f"{below}/{name}" if below else name
            if path.count("/") > DEPTH:
                raise InvalidInput(f"The store has more than {DEPTH} groups within each other.", where=short(path))
            yield path
            document = _document(files, f"{path}/{marks[0]}")
            if document is None or document.get("node_type") == "group":
                waiting.append(path)


def _document(files: Files, path: str) -> Mapping[str, Any] | None:
    """Return a metadata text, None when there is none."""
    raw = files.read(path)
    if raw is None:
        return None
    try:
        return _mapping(json.loads(raw), path)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The metadata of the Zarr store are damaged or cut off.", where=short(path)) from error


def _mapping(found: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise InvalidInput("The metadata of the Zarr store are damaged: they are no JSON object.", where=short(path))
    return found


def _inside(path: str) -> str:
    if path.startswith("/") or "\\" in path or {"", ".", ".."} & set(path.split("/")):
        raise InvalidInput("A name in the metadata leads outside of the store.", where=short(path))
    return path


def sizes(found: Any, path: str) -> tuple[int, ...]:
    """Return a shape from the metadata.

    Raises:
        InvalidInput: it is no list of sizes.
    """
    sound = isinstance(found, list) and len(found) <= AXES
    if not sound or not all(isinstance(each, int) and 0 <= each < LARGEST for each in found):
        raise InvalidInput("The shape of an array is no list of sizes.", where=short(path))
    return tuple(found)
