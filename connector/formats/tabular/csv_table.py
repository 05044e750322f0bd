"""Tables as text (RFC 4180 and what goes by its name): delimiter, decimal comma and encoding are found out.

Runs in the child. Rows stream by in batches; a line, a cell and the number of columns have limits. SDMX-CSV is
another reader's.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from connector.errors import InvalidInput, TooLarge
from connector.formats.containers.budget import Budget
from connector.formats.coordinates.moments import MISSING, Moments
from connector.formats.description import Dimension, Facts, Limits, Variable, short
from connector.formats.registry import file_type_iri
from connector.formats.tabular.tables import Columns, Positions, propose, time_notes, times_of, unit_notes, unit_of

LINE: Final = 1 << 20  # characters
CELL: Final = 1 << 18
COLUMNS: Final = 2000
SAMPLE: Final = 200  # rows
BATCH: Final = 20_000
COMMENTS: Final = 200  # lines
COMMENT: Final = ("#", "sep=")  # the second tells a spreadsheet the delimiter
DELIMITERS: Final = ",;\t|"
NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
WITH_COMMA: Final = re.compile(r"[+-]?\d+,\d+")
RAGGED: Final = 0.01  # share of rows that may have another number of cells
TSV_MEDIA: Final = "text/tab-separated-values"
MARKS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


class Dialect(NamedTuple):
    """How a table is written; `skipped` lines of comment come before the header."""

    encoding: str
    delimiter: str
    skipped: int
    comma: bool
    header: bool


def read(path: Path, limits: Limits) -> Facts:
    """Describe the table at `path`.

    Raises:
        InvalidInput: it is no text, no table, or too many rows have another number of cells than the header.
        TooLarge: a line, a cell or the number of columns is.
    """
    csv.field_size_limit(CELL)
    budget = Budget(limits)
    encoding = _encoding(path)
    try:
        return _Table(path, _dialect(path, encoding), budget).read()
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise InvalidInput(f"The file is not {encoding} text.") from error
    # Any bytes are Latin-1; what says UTF-8 in its first megabyte may stop being it later.
    return _Table(path, _dialect(path, "cp1252"), budget).read()


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(1 << 16)
    for mark, encoding in MARKS:
        if head.startswith(mark):
            return encoding
    if b"\0" in head:
        raise InvalidInput("The file is no text: it is no table, whatever its name says.")
    return "utf-8"


def _lines(file: TextIOWrapper) -> Iterator[str]:
    """Yield the lines of a text.

    Raises:
        TooLarge: one is longer than a megabyte.
    """
    while line := file.readline(LINE + 1):
        if len(line) > LINE:
            raise TooLarge(f"A line of the table is longer than {LINE} characters.")
        yield line


def _open(path: Path, encoding: str) -> TextIOWrapper:
    errors = "replace" if encoding == "cp1252" else "strict"  # five bytes have no meaning in it
    return path.open(encoding=encoding, errors=errors, newline="")


def _dialect(path: Path, encoding: str) -> Dialect:
    with _open(path, encoding) as file:
        lines = list(islice(_lines(file), SAMPLE + COMMENTS))
    skipped = next(
        (place for place, line in enumerate(lines) if line.strip() and not line.startswith(COMMENT)), len(lines)
    )
    lines = lines[skipped : skipped + SAMPLE]
    if not lines:
        raise InvalidInput("The file holds no table: there is no line but comments.")
    delimiter, rows = _delimiter(lines)
    cells = [cell.strip() for row in rows[1:] for cell in row]
    comma = any(WITH_COMMA.fullmatch(cell) for cell in cells)
    return Dialect(encoding, delimiter, skipped, comma, _header(rows[0]))


def _delimiter(lines: Sequence[str]) -> tuple[str, list[list[str]]]:
    """Return the delimiter with which the most rows have as many cells as the first, and the rows it gives.

    Raises:
        InvalidInput: with none of them is it a table.
    """
    best: tuple[tuple[float, int], str, list[list[str]]] | None = None
    for delimiter in DELIMITERS:
        try:
            rows = [row for row in csv.reader(lines, delimiter=delimiter, strict=True) if row]
        except csv.Error as error:
            if "field larger" in str(error):
                raise TooLarge(f"A cell of the table is longer than {CELL} characters.") from error
            rows = _complete(lines, delimiter)
        if not rows:
            continue
        width = len(rows[0])
        alike = sum(len(row) == width for row in rows) / len(rows)
        rank = (round(alike, 1) if width > 1 else 0.0, width)
        if best is None or rank > best[0]:
            best = rank, delimiter, rows
    if best is None:
        raise InvalidInput("The file is no table: its quotation marks do not close.")
    return best[1], best[2]


def _complete(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """Return the rows up to the first that is not well-formed: the sample may end inside of quotation marks."""
    rows: list[list[str]] = []
    try:
        rows.extend(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error:
        return [row for row in rows if row]
    return rows


def _header(row: Sequence[str]) -> bool:
    """Whether a first row holds names: none of them a number, all of them different."""
    names = [cell.strip() for cell in row]
    return not any(NUMBER.fullmatch(name) or WITH_COMMA.fullmatch(name) for name in names if name) and any(names)


class _Table:
    """One reading of a table."""

    def __init__(self, path: Path, dialect: Dialect, budget: Budget) -> None:
        self._path = path
        self._dialect = dialect
        self._budget = budget
        self._rows = self._ragged = 0
        self._odd_row = self._last_ragged = 0
        self._types: list[set[str]] = []
        self._moments: Moments | None = None
        self._complete = True

    def read(self) -> Facts:
        """Read every row and return the facts."""
        with _open(self._path, self._dialect.encoding) as file:
            lines = islice(_lines(file), self._dialect.skipped, None)
            rows = csv.reader(lines, delimiter=self._dialect.delimiter, strict=True)
            try:
                names = self._names(rows)
                columns = propose(names)
                positions = self._positions(names, columns)
                self._types = [set() for _ in names]
                self._walk(rows, names, columns, positions)
            except csv.Error as error:
                if "field larger" in str(error):
                    raise TooLarge(f"A cell of the table is longer than {CELL} characters.") from error
                raise InvalidInput(
                    f"The table is damaged or cut off near line {rows.line_num + self._dialect.skipped}: "
                    "its quotation marks do not close."
                ) from error
        return self._facts(names, columns, positions)

    def _names(self, rows: Iterator[list[str]]) -> list[str]:
        if not self._dialect.header:
            with _open(self._path, self._dialect.encoding) as file:
                lines = islice(_lines(file), self._dialect.skipped, None)
                width = len(next(csv.reader(lines, delimiter=self._dialect.delimiter)))
            names = [f"column {index + 1}" for index in range(width)]
        else:
            names = [cell.strip() or f"column {index + 1}" for index, cell in enumerate(next(rows))]
        if len(names) > COLUMNS:
            raise TooLarge(f"The table has {len(names)} columns; {COLUMNS} are allowed.")
        if names[0].startswith(("<", "{", "[")) or (len(names) == 1 and " " in names[0]):
            raise InvalidInput("The file is text but no table: it has no header of column names.")
        return names

    def _positions(self, names: Sequence[str], columns: Columns) -> Positions | None:
        if columns.latitude is None or columns.longitude is None:
            return None
        return Positions(names[columns.latitude], names[columns.longitude])

    def _walk(
        self, rows: Iterator[list[str]], names: Sequence[str], columns: Columns, positions: Positions | None
    ) -> None:
        width = len(names)
        while batch := [row for row in islice(rows, BATCH) if row]:
            good = [row for row in batch if len(row) == width]
            if len(good) < len(batch):
                self._count_ragged(batch, width)
            self._rows += len(batch)
            if good:
                self._batch(list(zip(*good, strict=True)), names, columns, positions)
            if self._budget.spent():
                self._complete = next(rows, None) is None
                return

    def _count_ragged(self, batch: Sequence[Sequence[str]], width: int) -> None:
        odd = [place for place, row in enumerate(batch) if len(row) != width]
        self._odd_row = self._odd_row or self._rows + odd[0] + 1
        self._last_ragged = self._rows + odd[-1] + 1
        self._ragged += len(odd)

    def _batch(
        self,
        cells: Sequence[Sequence[str]],
        names: Sequence[str],
        columns: Columns,
        positions: Positions | None,
    ) -> None:
        if columns.times:
            texts, name = times_of([cells[index] for index in columns.times], [names[index] for index in columns.times])
            self._moments = self._moments or Moments(name)
            self._moments.add(texts)
        if positions is not None and columns.latitude is not None and columns.longitude is not None:
            positions.add_texts(cells[columns.latitude], cells[columns.longitude], comma=self._dialect.comma)
        for kinds, column in zip(self._types, cells, strict=True):
            kinds.update(_kind(cell.strip(), comma=self._dialect.comma) for cell in column[:SAMPLE])

    def _facts(self, names: Sequence[str], columns: Columns, positions: Positions | None) -> Facts:
        period = self._moments.period() if self._moments else None
        units = [(name, unit_of(name)) for name in names]
        notes = [*self._form(), *columns.notes]
        notes += positions.notes() if positions else []
        notes += [*time_notes(self._moments), *unit_notes(units)]
        place = positions.box(complete=self._complete) if positions else None
        standard = {columns.latitude: "latitude", columns.longitude: "longitude"} if place else {}
        tabs = self._dialect.delimiter == "\t"
        dimensions = [Dimension(name=short(names[index]) or "time", role="time") for index in columns.times if period]
        dimensions += [Dimension(name=short(names[index]) or "place") for index in standard if index is not None]
        return Facts(
            format="TSV" if tabs else "CSV",
            media_type=TSV_MEDIA if tabs else None,
            file_type=file_type_iri("TSV") if tabs else None,
            bbox=place,
            crs=positions.crs() if positions else None,
            period=period,
            temporal_resolution=self._moments.spacing() if self._moments and period else None,
            rows=self._rows if self._complete else None,
            variables=tuple(
                Variable(
                    name=short(name) or f"column {index + 1}",
                    standard_name=standard.get(index) or ("time" if period and columns.times == (index,) else None),
                    unit=unit,
                    dtype=_dtype(self._types[index]),
                )
                for index, (name, unit) in enumerate(units)
            ),
            dimensions=tuple(dimensions),
            notes=tuple(notes),
        )

    def _form(self) -> list[str]:
        """Return notes on how the table is written.

        Raises:
            InvalidInput: too many rows have another number of cells than the header.
        """
        notes = []
        if self._dialect.encoding == "cp1252":
            notes.append("The text is not UTF-8; it was read as Latin-1 (Windows-1252). Check its special characters.")
        if not self._dialect.header:
            notes.append("The first row holds values and no names: name the columns by hand.")
        if not self._rows:
            notes.append("The table has a header and no row.")
        if self._ragged > 1 and self._ragged > RAGGED * self._rows:
            raise InvalidInput(
                f"{self._ragged} of {self._rows} rows have another number of cells than the header; the first is row "
                f"{self._odd_row}."
            )
        if self._ragged == 1 and self._last_ragged == self._rows and self._complete:
            notes.append("The last row has another number of cells than the header: the file is damaged or truncated.")
        elif self._ragged:
            notes.append(
                f"The file is damaged: {self._ragged} rows have another number of cells than the header, the first is "
                f"row {self._odd_row}; their values were left out."
            )
        if not self._complete:
            notes.append(f"Only the first {self._rows} rows were read in the time allowed.")
        elif not self._ends():
            notes.append("The last line is not ended by a line break: it may be truncated.")
        return notes

    def _ends(self) -> bool:
        with self._path.open("rb") as file:
            file.seek(-2, 2)
            return any(mark in file.read(2) for mark in (b"\n", b"\r"))


def _kind(cell: str, *, comma: bool) -> str:
    if cell.lower() in MISSING:
        return ""
    if cell.lstrip("+-").isdecimal():
        return "integer"
    return "number" if NUMBER.fullmatch(cell) or (comma and WITH_COMMA.fullmatch(cell)) else "text"


def _dtype(kinds: set[str]) -> str | None:
    found = kinds - {""}
    if not found:
        return None
    return "text" if "text" in found else "number" if "number" in found else "integer"
