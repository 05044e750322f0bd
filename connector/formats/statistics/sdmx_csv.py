"""SDMX-CSV 1.0 and 2.0: a table whose first columns name the dataflow. Runs in the child; standard library only.

Version 1.0 begins with DATAFLOW; version 2.0 with STRUCTURE, STRUCTURE_ID and perhaps ACTION. Dimensions come before
OBS_VALUE and attributes after it by convention of the format, not by its grammar, so they are called inferred.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from connector.errors import InvalidInput
from connector.formats.description import Facts, Limits, short
from connector.formats.statistics.sdmx_model import TIMES, VALUE, About, Gathered, Role, data_facts, inferred_role

LEADING: Final = frozenset(
    {"DATAFLOW", "STRUCTURE", "STRUCTURE_ID", "STRUCTURE_NAME", "ACTION", "SERIES_KEY", "OBS_KEY"}
)
IDENTIFIER: Final = re.compile(r"[A-Za-z_@$][A-Za-z0-9_@$\-]*")  # SDMX IDType; a label column has blanks in its name
NAMES: Final = "STRUCTURE_NAME"
DELETE: Final = "D"
OPEN_END: Final = "The last line of the file has no line break at its end: the file may be truncated."
FIELD_BYTES: Final = 1 << 16
COLUMNS: Final = 1_000


class Column(NamedTuple):
    """A column that counts, and whether its cells hold `code: label`."""

    place: int
    name: str
    role: Role
    labelled: bool


def read(path: Path, limits: Limits) -> Facts:  # noqa: ARG001 - the rows stream; time is what limits them
    """Describe the SDMX-CSV file at `path`.

    Raises:
        InvalidInput: it is not UTF-8, not a table, or a row has another number of cells than the header.
    """
    csv.field_size_limit(FIELD_BYTES)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _facts(csv.reader(file, delimiter=_delimiter(path), strict=True), whole=_ends_whole(path))
    except UnicodeDecodeError as error:
        raise InvalidInput("The file is not UTF-8 text.") from error
    except csv.Error as error:
        raise InvalidInput("The file is no well-formed CSV; it may be cut off.") from error


def _delimiter(path: Path) -> str:
    """Return what stands after the first column's name; regional settings make it a semicolon or tab."""
    with path.open("rb") as file:
        head = file.read(256).removeprefix(b"\xef\xbb\xbf").decode("ascii", "replace")
    found = re.match(r'"?[A-Z_]+(?:\[.\])?"?([,;\t|])', head)
    return found[1] if found else ","


def _ends_whole(path: Path) -> bool:
    """Whether the last line has its end; only then is the last cell sure to be all there."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 1))
        return file.read(1) in {b"\n", b"\r"}


def _facts(rows: Iterator[list[str]], *, whole: bool) -> Facts:
    header = next(rows, [])
    version, names = _version(header)
    columns = _columns(names)
    seen = Gathered()
    for column in columns:
        if column.role != "measure":
            seen.component(column.name, column.role, inferred=column.role == "dimension")
    place = {name: index for index, name in enumerate(names)}
    flow_at, updated_at = place["STRUCTURE_ID" if version == "2.0" else "DATAFLOW"], place.get("LAST UPDATE")
    action_at = place.get("ACTION")
    flows: dict[str, None] = {}
    updated, deleted = "", 0
    for number, row in enumerate(rows, start=2):
        if not row:
            continue
        if len(row) != len(header):
            raise InvalidInput(f"Row {number} has {len(row)} cells; the header has {len(header)}. Is the file cut off?")
        if len(flows) < COLUMNS:
            flows[row[flow_at].partition(": ")[0]] = None
        updated = row[updated_at] if updated_at is not None else ""
        deleted += action_at is not None and row[action_at] == DELETE
        _row(row, columns, seen)
    if not seen.observations:
        raise InvalidInput("The SDMX-CSV file has a header and no observation.")
    notes = [] if whole else [OPEN_END]
    if deleted:
        notes.append(f"{deleted} rows have the action D: they delete observations instead of holding them.")
    return data_facts(seen, _about(version, flows, updated, notes))


def _version(header: list[str]) -> tuple[str, list[str]]:
    """Return the version of the format and the names of the columns without what is written beside them."""
    if len(header) > COLUMNS:
        raise InvalidInput(f"The table has more than {COLUMNS} columns.")
    first = re.sub(r"\[.\]$", "", header[0]) if header else ""
    names = [first, *header[1:]]
    if first == "DATAFLOW":
        return "1.0", names
    if first == "STRUCTURE" and "STRUCTURE_ID" in names:
        return "2.0", names
    raise InvalidInput("The table does not begin with DATAFLOW or with STRUCTURE and STRUCTURE_ID, as SDMX-CSV does.")


def _columns(names: Sequence[str]) -> list[Column]:
    """Return the columns that hold components."""
    codes = [name.partition(":")[0].strip() for name in names]
    value_at = codes.index(VALUE) if VALUE in codes else None
    labels = _labels(codes)
    found = []
    for index, (name, code) in enumerate(zip(names, codes, strict=True)):
        if index == 0 or index in labels or code in LEADING or not IDENTIFIER.fullmatch(code):
            continue
        role: Role = "dimension"
        if code in {*TIMES, VALUE} or value_at is None:
            role = inferred_role(code)
        elif index > value_at:
            role = "attribute"
        found.append(Column(index, code, role, ":" in name))
    return found


def _labels(codes: Sequence[str]) -> set[int]:
    """Return the places of the columns that hold the names of the codes beside them.

    Where names were asked for, each component has its column of names after it; one of them at least is several words
    long, which no code is.
    """
    components = [index for index, code in enumerate(codes) if index and code not in LEADING]
    pairs, names = components[::2], components[1::2]
    paired = len(pairs) == len(names) and all(IDENTIFIER.fullmatch(codes[index]) for index in pairs)
    several_words = any(not IDENTIFIER.fullmatch(codes[index]) for index in names)
    return set(names) if NAMES in codes and paired and several_words else set()


def _row(row: list[str], columns: Sequence[Column], seen: Gathered) -> None:
    key = []
    value: str | None = None
    for column in columns:
        cell = row[column.place]
        if column.role == "measure":
            value = cell
            continue
        if column.labelled:
            cell = cell.partition(":")[0].strip()
        if column.role == "time":
            seen.time(cell, column.name)
        elif cell:
            seen.note(column.name, column.role, cell)
        if column.role == "dimension":
            key.append(cell)
    seen.observation(value)
    seen.key(tuple(key))


def _about(version: str, flows: dict[str, None], updated: str, notes: list[str]) -> About:
    names = tuple(text for flow in flows if (text := short(flow)))
    return About(
        format=f"SDMX-CSV {version}",
        conforms_to=f"SDMX-CSV {version}",
        message="SDMX-CSV",
        modified=updated,
        identifier=names[0] if len(names) == 1 else None,
        dataflow=names[0] if names else None,
        dataflows=names,
        notes=notes,
    )
