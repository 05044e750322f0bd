"""Comparing the printed line of a file with the facts expected of it; shared by the demo's and further files."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from connector.errors import InvalidInput
from connector.formats import registry
from tests.formats.facts import same

LINE: Final = (
    *("file", "kind", "title", "bbox", "crs", "temporal", "temporalResolution", "spatialResolution", "variables"),
    *("dimensions", "rows", "format", "mediaType", "byteSize", "checksum", "licence", "warnings", "sources"),
)
USUAL: Final = {"standard", "gregorian", "proleptic_gregorian"}


def known(path: Path) -> bool:
    """Tell whether a file or folder is of a format that is read."""
    try:
        if path.is_dir():
            registry.detect_folder([each.name for each in path.iterdir()], path.name)
        else:
            with path.open("rb") as file:
                registry.detect(file.read(registry.HEAD_BYTES), path.name)
    except InvalidInput:
        return False
    return True


def mistakes(line: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """Return a sentence for every printed fact that is not as expected, and for every one that is not accounted for."""
    if "error" in line:
        return [f"refused: {line['error']['what']}"]
    wrong = [
        f"{name}: expected {want!r}, printed {got!r}"
        for name, got, want in _pairs(line, expected)
        if not same(got, want)
    ]
    if tuple(line) != LINE:
        wrong.append(f"the line has {list(line)}")
    open_facts = {name for name in ("bbox", "temporal", "licence", "title") if line[name] is None}
    if open_facts and not line["warnings"]:
        wrong.append(f"{open_facts} are null and nobody is told")
    given = {name for name in ("title", "bbox", "crs", "temporal", "rows", "licence") if line[name] is not None}
    if given - set(line["sources"]):
        wrong.append(f"nothing says where {given - set(line['sources'])} are from")
    return wrong


def _pairs(line: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    yield "byteSize", line["byteSize"], expected["bytes"]
    yield "checksum", line["checksum"], None
    if "bbox" in expected:
        yield "bbox", line["bbox"], expected["bbox"]
    if expected.get("time"):
        yield "temporal", line["temporal"], _temporal(expected["time"])
    elif "cog" in expected or "codelists" in expected:
        yield "temporal", line["temporal"], None
    if "epsg" in expected and "cog" in expected:
        yield "crs", line["crs"], f"EPSG:{expected['epsg']}"
    if "crs" in expected:
        yield "crs", line["crs"], expected["crs"]
    for name in ("rows", "features"):
        if name in expected:
            yield "rows", line["rows"], expected[name]
    if expected.get("obs"):
        yield "rows", line["rows"], expected["obs"]
    if "dimensions" in expected:
        yield "dimensions", line["dimensions"], expected["dimensions"]
    yield from _variables(line["variables"], expected)


def _temporal(time: Mapping[str, Any]) -> dict[str, str]:
    start, end = time.get("bounds") or (time["first"], time.get("last", time["first"]))
    calendar = time.get("calendar", "standard")
    return {"start": start, "end": end} | ({} if calendar in USUAL else {"calendar": calendar})


def _variables(printed: list[dict[str, Any]], expected: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    if expected.get("variables"):
        wanted = [{name: each[name] for name in ("name", "standard_name", "units")} for each in expected["variables"]]
        yield "variables", printed, wanted
    for name in ("columns", "fields"):
        missing = set(expected.get(name, ())) - {each["name"] for each in printed} - {"geometry", "bbox"}
        yield name, sorted(missing), []
