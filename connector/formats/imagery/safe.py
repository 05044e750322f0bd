"""Products of Sentinel-1, -2, -3 and -5P in the SAFE format, as a folder or a zip archive. Runs in the child.

What a product is says its manifest (`manifest.safe`, `xfdumanifest.xml`); of Sentinel-2 the cloud cover, the bands and
the grid stand in two files more (`MTD_*.xml`). All positions are written latitude first. No image is opened.
"""

import re
import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Final

from connector.errors import InvalidInput
from connector.formats.containers.members import Archive, Folder, Members, opened
from connector.formats.containers.xmlstream import Element, document, local
from connector.formats.coordinates import rings
from connector.formats.description import BBox, Facts, Limits, Period, Scene, Variable, clean, short
from connector.formats.imagery.safe_sentinel2 import Sentinel2, sentinel2

MANIFESTS: Final = ("manifest.safe", "xfdumanifest.xml")
DATA: Final = frozenset({".tif", ".tiff", ".jp2", ".nc", ".dat", ".bin"})
LARGEST: Final = 64 << 30  # radar products unpack to 8 GB; only their metadata are
LISTED: Final = 300
NOT_ALL: Final = 3  # how many missing files are named
MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?Z?")
NO_DATA: Final = "The product holds only its metadata: none of the images that its manifest names is there."


def read(path: Path, limits: Limits) -> Facts:
    """Describe the SAFE product at `path`, a folder or a zip archive.

    Raises:
        InvalidInput: it is damaged or cut off, a member leads out of it, or it holds no manifest, or several.
        TooLarge: it holds more than is allowed.
    """
    if path.is_dir():
        return _facts(Folder(path, limits), "folder", path.name)
    with opened(path, LARGEST) as archive:
        return read_zip(archive, limits)


def read_zip(archive: zipfile.ZipFile, limits: Limits) -> Facts:  # noqa: ARG001 - the archive was measured when opened
    """Describe the SAFE product in an archive.

    Raises:
        InvalidInput: it is damaged, or there is no manifest, or there are several.
        TooLarge: a file of metadata in it is too long.
    """
    roots = [each for each in archive.namelist() if PurePosixPath(each).name in MANIFESTS]
    if len(roots) > 1:
        raise InvalidInput(f"The archive holds {len(roots)} products.", fix="Give each of them alone.")
    root = roots[0].removesuffix(PurePosixPath(roots[0]).name) if roots else ""
    return _facts(Archive(archive, root), "zip", PurePosixPath(root).name)


def _facts(members: Members, container: str, name: str) -> Facts:
    manifest = next((each for each in MANIFESTS if each in members.sizes), None)
    if manifest is None:
        raise InvalidInput("The product has no manifest (manifest.safe or xfdumanifest.xml): it may be incomplete.")
    found = _Manifest(document(members.read(manifest), manifest))
    tiles = sentinel2(members)
    objects = list(found.objects())
    bare, notes = _complete(objects, members)
    period = _period(found.times(), tiles)
    bbox = found.bbox() or tiles.bbox
    cloud = tiles.cloud_cover if tiles.cloud_cover is not None else found.cloud_cover()
    return Facts(
        format=f"SAFE ({container}{', metadata only' if bare else ''})",
        kind="metadata" if bare else "dataset",
        title=found.title(),
        identifier=tiles.name or found.text("productName") or short(name),
        modified=tiles.made or found.text("creationTime"),
        conforms_to=found.version(),
        keywords=tuple(dict.fromkeys(filter(None, (found.platform(), *found.instruments(), *tiles.tiles)))),
        bbox=bbox,
        period=period,
        crs=tiles.crs,
        epsg=tiles.epsg,
        spatial_resolution_metres=tiles.resolution,
        variables=tiles.bands or _variables(objects, found.polarisations()),
        scene=Scene(
            platform=found.platform() or tiles.platform,
            instruments=found.instruments(),
            product=tiles.product or found.text("productType"),
            mode=found.text("mode"),
            tile=tiles.tiles[0] if len(tiles.tiles) == 1 else None,
            orbit=found.orbit(),
            cloud_cover=cloud,
            polarisations=found.polarisations(),
        ),
        notes=(
            *notes,
            *tiles.notes,
            *(["The manifest has no footprint that is a place on Earth."] if bbox is None else []),
            *(["The manifest names no time of acquisition that can be read."] if period is None else []),
        ),
    )


class _Manifest:
    """What stands in a manifest, by the local names of its elements: each mission has namespaces of its own."""

    def __init__(self, root: Element) -> None:
        if local(root) != "XFDU":
            raise InvalidInput("The manifest of the product is none: its outermost element is not XFDU.")
        self.root = root
        self.named: dict[str, list[Element]] = {}
        for each in root.iter():
            self.named.setdefault(local(each), []).append(each)

    def text(self, name: str, within: Element | None = None) -> str | None:
        """Return the text of the first element of a name."""
        candidates = within.iter() if within is not None else self.named.get(name, ())
        return next((text for each in candidates if local(each) == name and (text := short(each.text))), None)

    def times(self) -> tuple[str | None, str | None]:
        """Return start and stop of the acquisition; one that is missing is the other."""
        for each in self.named.get("acquisitionPeriod", ()):
            start, stop = moment(self.text("startTime", each)), moment(self.text("stopTime", each))
            if start or stop:
                return start or stop, stop
        return None, None

    def platform(self) -> str | None:
        """Return mission and satellite (Sentinel-2A): the family name and the number, however they are cut."""
        for each in self.named.get("platform", ()):
            family, number = (self.text(name, each) for name in ("familyName", "number"))
            if family:
                mission = re.sub("(?i)^sentinel", "Sentinel", family)
                return f"{mission}{'' if mission[-1:].isdigit() or not number else '-'}{number or ''}"
        return None

    def instruments(self) -> tuple[str, ...]:
        """Return the short names of the instruments."""
        every = (
            name for each in self.named.get("instrument", ()) for name in each.iter() if local(name) == "familyName"
        )
        found = (short(each.get("abbreviation")) or short(each.text) for each in every)
        return tuple(dict.fromkeys(filter(None, found)))

    def orbit(self) -> int | None:
        """Return the absolute orbit at the start."""
        text = self.text("orbitNumber") or ""
        return int(text) if text.isdecimal() and len(text) < 10 else None  # noqa: PLR2004 - no satellite lives longer

    def polarisations(self) -> tuple[str, ...]:
        """Return the polarisations of a radar."""
        every = self.named.get("transmitterReceiverPolarisation", [])[:LISTED]
        return tuple(dict.fromkeys(text for each in every if (text := short(each.text))))

    def cloud_cover(self) -> float | None:
        """Return the share of cloudy pixels in percent that Sentinel-3 states."""
        every = (each.get("percentage") for each in self.named.get("cloudyPixels", ()))
        return next((float(each) for each in every if each and re.fullmatch(r"\d{1,3}(?:\.\d+)?", each)), None)

    def bbox(self) -> BBox | None:
        """Return the box of all footprints."""
        every = (each for place in self.named.get("footPrint", ()) for each in place.iter())
        spans = (ring(each.text) for each in every if local(each) in {"coordinates", "posList"})
        return rings.box(filter(None, spans), "points")

    def title(self) -> str | None:
        """Return what the product calls itself."""
        units = self.named.get("contentUnit", ())
        return next((text for each in units if (text := clean(each.get("textInfo")))), None)

    def version(self) -> str | None:
        """Return the version of the format, which the outermost element has."""
        return short(self.root.get("version"))

    def objects(self) -> Iterator[tuple[str, int | None, str | None]]:
        """Yield (path, bytes, words) of each file with data that the manifest names."""
        for stream in self.named.get("byteStream", ()):
            for each in stream.iter():
                path = (each.get("href") or "").removeprefix("./")
                if local(each) == "fileLocation" and PurePosixPath(path).suffix.lower() in DATA:
                    size = stream.get("size", "")
                    words = short(each.get("textInfo")) or short(stream.get("textInfo"))
                    yield path, int(size) if size.isdecimal() and len(size) < 16 else None, words  # noqa: PLR2004


def ring(text: str | None) -> rings.Span | None:
    """Return the span of positions written latitude first, separated by blanks or commas; None for anything else."""
    try:
        values = [float(each) for each in re.split(r"[,\s]+", (text or "").strip()) if each]
    except ValueError:
        return None
    if len(values) % 2:
        return None
    return rings.span(list(zip(values[1::2], values[::2], strict=True)), short_way=True)


def moment(text: str | None) -> str | None:
    """Return a moment in UTC without its Z and without zeros at the end of its fraction; None for anything else."""
    if text is None or not MOMENT.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC).replace(tzinfo=None).isoformat()
    except ValueError:
        return None
    return found.rstrip("0") if "." in found else found


def _period(times: tuple[str | None, str | None], tiles: Sentinel2) -> Period | None:
    """Return the time of the acquisition; the manifest of Sentinel-2 has no end, which stands beside it."""
    start, stop = times[0] or moment(tiles.start), times[1] or moment(tiles.stop) or times[0] or moment(tiles.start)
    if start is None or stop is None or stop < start:
        return None
    return Period(begin=start, end=stop, first=start, last=stop, basis="attribute")


def _complete(objects: Sequence[tuple[str, int | None, str | None]], members: Members) -> tuple[bool, list[str]]:
    """Return whether none of the data is there, and notes on what is missing or has another size than it should."""
    missing = [path for path, _, _ in objects if path not in members.sizes]
    if objects and len(missing) == len(objects):
        return True, [NO_DATA]
    notes = []
    if missing:
        named = ", ".join(PurePosixPath(each).name for each in missing[:NOT_ALL])
        notes.append(f"{len(missing)} of {len(objects)} files of the product are missing, it is damaged: {named}.")
    other = [path for path, size, _ in objects if size and members.sizes.get(path, size) != size]
    if other:
        named = ", ".join(PurePosixPath(each).name for each in other[:NOT_ALL])
        notes.append(f"{len(other)} files are not as long as the manifest says, they may be truncated: {named}.")
    return False, [clean(note) or "" for note in notes]


def _variables(
    objects: Sequence[tuple[str, int | None, str | None]], polarisations: Sequence[str]
) -> tuple[Variable, ...]:
    """Return the polarisations of a radar, else the files with data: those of Sentinel-3 hold a quantity each."""
    if polarisations:
        return tuple(Variable(name=each, long_name=f"backscatter, polarisation {each}") for each in polarisations)
    named = {PurePosixPath(path).stem: words for path, _, words in objects[:LISTED]}
    return tuple(Variable(name=short(name) or "unnamed", long_name=words) for name, words in named.items())
