"""What the first bytes of a file show of its inside: the keys of a JSON text, the first name in a zip archive.

Runs in the parent, on the few kilobytes that are read to choose a format. So nothing is parsed here, only scanned, in
time that grows with the length alone; what is cut off in the middle is no mistake.
"""

import re
from typing import Final, Literal

JSONKind = Literal["stac", "sdmx", "geojson"]

BOM: Final = b"\xef\xbb\xbf"
BLANK: Final = b" \t\r\n"
DEPTH: Final = 4  # how deep keys are collected; no format is told apart further down
TOKEN: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"\s*+(:?)|([{}\[\]])|(,)', re.DOTALL)
GEOMETRIES: Final = frozenset(
    {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection"}
)
FEATURES: Final = frozenset({"Feature", "FeatureCollection"})
STAC_KEYS: Final = frozenset({"stac_version", "features[].stac_version"})
SDMX_SCHEMAS: Final = ("meta.schema", "$schema", "header.schema")
SDMX_PARTS: Final = (
    *("dataSets", "dataflows", "dataStructures", "codelists", "conceptSchemes", "categorySchemes", "metadataSets"),
    *("agencySchemes", "contentConstraints", "dataConstraints", "metadataStructures", "provisionAgreements"),
)
SDMX_KEYS: Final = frozenset(
    {*(f"data.{part}" for part in SDMX_PARTS), "dataSets", "data.structures", "data.structure", "structure.dimensions"}
)
ZIP: Final = b"PK\x03\x04"
ZIP_HEADER: Final = 30  # bytes before the name of the first member
ZIP_NAME_LENGTH: Final = slice(26, 28)


def json_keys(head: bytes) -> dict[str, str]:
    """Return the keys of a JSON object that `head` shows, as paths, with their value where it is a string.

    `{"type": "Feature", "a": {"b": [{"c": 1` gives `type` (Feature), `a`, `a.b` and `a.b[].c` (all empty text); only
    the first element of an array is looked at. A text that is no JSON object gives nothing.
    """
    text = head.removeprefix(BOM).lstrip(BLANK).decode("utf-8", "replace")
    scan = _Scan()
    if text.startswith("{"):
        for token in TOKEN.finditer(text):
            scan.take(*token.groups())
            if not scan.path:
                break
    return scan.found


class _Scan:
    """Where in a JSON text the scan is. `path` is what is open: "" for the outermost object, `key` or `key[]` below."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self.path: list[str] = []
        self.key = ""
        self.over: set[int] = set()  # depths of open arrays whose first element is over

    def take(self, string: str | None, colon: str | None, bracket: str | None, comma: str | None) -> None:
        """Take a string with its colon, a bracket or a comma."""
        if bracket in {"{", "["}:
            # An object in an array continues the array's step.
            self.path.append(f"{self.key}[]" if bracket == "[" else self.key)
            self.key = ""
        elif bracket:
            self.over.discard(len(self.path))
            del self.path[-1:]
            self.key = ""
        elif comma:
            self.key = ""
            if self.path[-1].endswith("[]"):
                self.over.add(len(self.path))
        elif string is not None and len(self.path) <= DEPTH and not self.over:
            self._string(string, key=bool(colon))

    def _string(self, string: str, *, key: bool) -> None:
        if key:
            self.key = string
        if key or (self.key and not self.path[-1].endswith("[]")):
            self.found[".".join(filter(None, [*self.path, self.key]))] = "" if key else string


def json_kind(head: bytes) -> JSONKind | None:
    """Return which kind of JSON document begins with `head`, None when its keys do not say.

    A STAC item is a GeoJSON feature too, and is told by its `stac_version`, be it its own or that of the first item of
    a collection of features.
    """
    keys = json_keys(head)
    if STAC_KEYS & keys.keys():
        return "stac"
    if SDMX_KEYS & keys.keys() or any("sdmx" in keys.get(each, "").lower() for each in SDMX_SCHEMAS):
        return "sdmx"
    kind = keys.get("type")
    if kind in FEATURES or (kind in GEOMETRIES and ({"coordinates", "geometries"} & keys.keys())):
        return "geojson"
    # The type may stand after members that are longer than what is shown here.
    if keys.get("features[].type") == "Feature" or keys.get("geometry.type") in GEOMETRIES:
        return "geojson"
    return None


def zip_name(head: bytes) -> str | None:
    """Return the name of the first member of a zip archive, None when `head` does not begin one."""
    if not head.startswith(ZIP):
        return None
    length = int.from_bytes(head[ZIP_NAME_LENGTH], "little")
    return head[ZIP_HEADER : ZIP_HEADER + length].decode("utf-8", "replace")


def looks_tabular(head: bytes) -> bool:
    """Whether a text begins as a table: a header of names, and a row with as many cells as it."""
    lines = [line for line in head.removeprefix(BOM).splitlines() if line.strip() and not line.startswith(b"#")][:2]
    if len(lines) < 2 or b"\0" in head:  # noqa: PLR2004 - a header and a row
        return False
    return any(
        lines[0].count(mark) == lines[1].count(mark) > 0 and all(name.strip() for name in lines[0].split(mark))
        for mark in (b";", b"\t", b"|", b",")
    )


def zip_names(head: bytes) -> list[str]:
    """Return the names of those members of a zip archive that `head` shows, in their order."""
    if not head.startswith(ZIP):
        return []
    starts = [found.start() for found in re.finditer(re.escape(ZIP), head)]
    return [name for name in map(zip_name, (head[start:] for start in starts)) if name]
