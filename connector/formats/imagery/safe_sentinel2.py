"""What Sentinel-2 says of itself beside the manifest: product metadata and the metadata of its tiles."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from connector.formats.containers.members import Members
from connector.formats.containers.xmlstream import Element, document, local
from connector.formats.coordinates import rings
from connector.formats.description import BBox, Variable, clean, short

OGC_EPSG: Final = "http://www.opengis.net/def/crs/EPSG/0/"
PRODUCT: Final = re.compile(r"(?:MTD_MSIL\w{2}|S2\w_OPER_MTD_SAFL\w+)\.xml")
TILE: Final = re.compile(r"GRANULE/[^/]+/(?:MTD_TL|S2\w_OPER_MTD_L\w+)\.xml")
TILE_ID: Final = re.compile(r"_(T\d{2}[A-Z]{3})(?:_|$)")
CODE: Final = re.compile(r"EPSG:(\d{4,6})")
IMAGE: Final = re.compile(r"(?:^|_)(B\d{2}|B8A|AOT|SCL|TCI|WVP|DEM|CLD|SNW)(?:_(\d{2,3})m)?$")
TILES_READ: Final = 30
NUMBER: Final = re.compile(r"\d{1,9}(?:\.\d{1,12})?")


class Sentinel2(NamedTuple):
    """All of it; empty for products of other missions. `resolution` in metres, `cloud_cover` in percent."""

    name: str | None = None
    product: str | None = None
    platform: str | None = None
    start: str | None = None
    stop: str | None = None
    made: str | None = None
    cloud_cover: float | None = None
    bbox: BBox | None = None
    bands: tuple[Variable, ...] = ()
    resolution: float | None = None
    tiles: tuple[str, ...] = ()
    epsg: int | None = None
    crs: str | None = None
    notes: tuple[str, ...] = ()


def sentinel2(members: Members) -> Sentinel2:
    """Return what the product and tile metadata say.

    Raises:
        InvalidInput: one of them is no well-formed XML.
        TooLarge: one of them is longer than can be read at once.
    """
    main = next((name for name in members.sizes if PRODUCT.fullmatch(name)), None)
    granules = [name for name in members.sizes if TILE.fullmatch(name)]
    if main is None and not granules:
        return Sentinel2()
    root = document(members.read(main), main) if main else None
    found: dict[str, str] = {}
    for each in root.iter() if root is not None else ():
        if text := clean(each.text):
            found.setdefault(local(each), text)
    tiles, systems = _tiles(members, granules)
    notes = []
    if len(systems) > 1:
        notes.append(f"The tiles lie in {len(systems)} reference systems: {', '.join(sorted(systems))}.")
    if len(granules) > TILES_READ:
        notes.append(f"Only {TILES_READ} of {len(granules)} tiles were looked at for the reference system.")
    code = CODE.fullmatch(systems.pop()) if len(systems) == 1 else None
    sizes = _sizes(root)
    cover = found.get("Cloud_Coverage_Assessment", "")
    return Sentinel2(
        name=short(found.get("PRODUCT_URI")),
        product=short(found.get("PRODUCT_TYPE")),
        platform=short(found.get("SPACECRAFT_NAME")),
        start=found.get("PRODUCT_START_TIME"),
        stop=found.get("PRODUCT_STOP_TIME"),
        made=short(found.get("GENERATION_TIME")),
        cloud_cover=float(cover) if NUMBER.fullmatch(cover) and float(cover) <= 100 else None,  # noqa: PLR2004 - percent
        bbox=_box(found.get("EXT_POS_LIST")),
        bands=tuple(_bands(root)),
        resolution=min(sizes, default=None),
        tiles=tiles,
        epsg=int(code[1]) if code else None,
        crs=f"{OGC_EPSG}{code[1]}" if code else None,
        notes=tuple(notes),
    )


def _box(text: str | None) -> BBox | None:
    """Return the box of positions written latitude first, some of them with heights left out."""
    values = [float(each) for each in re.findall(r"-?\d+(?:\.\d+)?", text or "")]
    found = rings.span(list(zip(values[1::2], values[::2], strict=False)), short_way=True)
    return rings.box([found], "points") if found else None


def _tiles(members: Members, granules: list[str]) -> tuple[tuple[str, ...], set[str]]:
    """Return the tiles, and the reference systems of those looked at."""
    tiles: dict[str, None] = {}
    systems = set()
    for name in granules:
        found = TILE_ID.search(PurePosixPath(name).parts[1])
        if found:
            tiles[found[1]] = None
    for name in granules[:TILES_READ]:
        for each in document(members.read(name), name).iter():
            text = short(each.text)
            if local(each) == "HORIZONTAL_CS_CODE" and text:
                systems.add(text)
            elif local(each) == "TILE_ID" and (found := TILE_ID.search(text or "")):
                tiles[found[1]] = None
    return tuple(tiles), systems


def _images(root: Element | None) -> Iterator[tuple[str, int | None]]:
    """Yield (band, pixel size in metres where the name has it) of every image that the product lists."""
    for each in root.iter() if root is not None else ():
        if local(each) in {"IMAGE_FILE", "IMAGE_ID"}:
            found = IMAGE.search(PurePosixPath((each.text or "").strip()).name)
            if found:
                yield found[1], int(found[2]) if found[2] else None


def _physical(root: Element | None) -> Iterator[tuple[str, str | None, float | None]]:
    """Yield (band, central wavelength, pixel size in metres) of the instrument's bands."""
    for each in root.iter() if root is not None else ():
        if local(each) == "Spectral_Information" and (band := short(each.get("physicalBand"))):
            central = next((one for one in each.iter() if local(one) == "CENTRAL"), None)
            size = next((short(one.text) or "" for one in each.iter() if local(one) == "RESOLUTION"), "")
            length = f"{short(central.text)} {short(central.get('unit'))}" if central is not None else None
            yield band, length, float(size) if NUMBER.fullmatch(size) else None


def _bands(root: Element | None) -> Iterator[Variable]:
    """Yield the bands that there are images of, else those of the instrument, with their central wavelength."""
    lengths = {_numbered(band): length for band, length, _ in _physical(root)}
    for band in dict.fromkeys(band for band, _ in _images(root)) or lengths:
        length = lengths.get(band)
        yield Variable(name=band, long_name=f"central wavelength {length}" if length else None)


def _sizes(root: Element | None) -> list[float]:
    """Return the pixel sizes of the images, else, of products that do not name them, of the instrument's bands."""
    named = [float(size) for _, size in _images(root) if size]
    return named or [size for _, _, size in _physical(root) if size]


def _numbered(band: str) -> str:
    """Return the name that images use for a band (B02 for B2)."""
    return f"B0{band[1:]}" if len(band) == 2 else band  # noqa: PLR2004 - a letter and a digit
