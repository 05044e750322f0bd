"""The fields that STAC items and collections share: assets, bands, licence, providers, projection, scene.

STAC 1.0 and 1.1, common metadata and the extensions eo, raster, projection, file, datacube, sat, sar, view, grid and
product. A member of the wrong type is left out, as if it were not there.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from connector.formats.containers.jsonfile import listing, mapping, number, objects, text
from connector.formats.description import Asset, Dimension, Scene, Variable, clean, short

Object = Mapping[str, Any]

ASSETS: Final = 200
BANDS: Final = 300
KEYWORDS: Final = 50
HREF_LENGTH: Final = 2_000
NO_LICENCE: Final = frozenset({"proprietary", "other", "various"})
SHA256: Final = re.compile(r"1220([0-9a-f]{64})")  # a multihash: sha2-256, 32 bytes
EPSG_CODE: Final = re.compile(r"EPSG:(\d{4,6})")
MGRS: Final = re.compile(r"MGRS-(\d{1,2})([A-Z]{3})")
BESIDES: Final = frozenset({"thumbnail", "overview", "metadata"})  # roles of assets that hold no data
PRODUCTS: Final = ("product:type", "s2:product_type", "sar:product_type", "s1:product_type", "s3:product_type")
PUBLISHING: Final = ("licensor", "host")
CREATING: Final = ("producer", "processor")
TEMPORAL: Final = "temporal"


def assets(owner: Object) -> tuple[Asset, ...]:
    """Return the assets of an item or collection, at most 200, with size and checksum where they are given."""
    found: list[Asset] = []
    for key, each in mapping(owner.get("assets")).items():
        asset = mapping(each)
        href = text(asset.get("href"))
        if not href or len(href) > HREF_LENGTH or len(found) >= ASSETS:
            continue
        size = asset.get("file:size")
        checksum = SHA256.fullmatch(text(asset.get("file:checksum")) or "")
        found.append(
            Asset(
                key=short(key) or "asset",
                href=href,
                title=short(text(asset.get("title"))),
                media_type=short(text(asset.get("type"))),
                roles=words(asset.get("roles")),
                byte_size=size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
                sha256=checksum[1] if checksum else None,
            )
        )
    return tuple(found)


def variables(owner: Object) -> tuple[Variable, ...]:
    """Return what is measured: the cube's variables, else the bands, else the data assets by their key."""
    properties = mapping(owner.get("properties")) or owner
    cube = mapping(properties.get("cube:variables")) or mapping(owner.get("cube:variables"))
    found: dict[str, Variable] = {}
    for name, each in cube.items():
        if mapping(each).get("type") != "auxiliary":
            _add(found, _cubed(name, mapping(each)))
    if not found:
        for variable in _bands(owner, properties):
            _add(found, variable)
    return tuple(found.values())


def _add(found: dict[str, Variable], variable: Variable) -> None:
    if len(found) < BANDS:
        found.setdefault(variable.name, variable)


def _cubed(name: str, variable: Object) -> Variable:
    return Variable(
        name=short(name) or "unnamed",
        long_name=short(text(variable.get("description"))),
        unit=short(text(variable.get("unit"))),
        dtype=short(text(variable.get("data_type"))),
    )


def _bands(owner: Object, properties: Object) -> Iterator[Variable]:
    """Yield the bands of the whole, then those of each asset; an asset of data without bands counts as one."""
    summaries = mapping(owner.get("summaries"))
    for place in (properties, owner, summaries):
        yield from _listed(place, "")
    holders = {**mapping(owner.get("item_assets")), **mapping(owner.get("assets"))}
    for key, each in holders.items():
        asset = mapping(each)
        bands = list(_listed(asset, key))
        yield from bands
        roles = set(words(asset.get("roles")))
        if not bands and "data" in roles and not roles & BESIDES:
            yield Variable(name=short(key) or "asset", long_name=short(text(asset.get("title"))))


def _listed(place: Object, key: str) -> Iterator[Variable]:
    """Yield the bands in `bands` (1.1), or in `eo:bands` with what `raster:bands` says of the same ones (1.0)."""
    common, eo, raster = (objects(place.get(name)) for name in ("bands", "eo:bands", "raster:bands"))
    named = common or eo
    for index in range(max(len(named), len(raster))):
        band = named[index] if index < len(named) else {}
        values = raster[index] if index < len(raster) else {}
        alone = key if max(len(named), len(raster)) == 1 else f"{key} {index + 1}".strip()
        yield Variable(
            name=short(text(band.get("name"))) or short(alone) or f"band {index + 1}",
            long_name=short(
                text(band.get("common_name")) or text(band.get("eo:common_name")) or text(band.get("description"))
            ),
            unit=short(text(band.get("unit")) or text(values.get("unit"))),
            dtype=short(text(band.get("data_type")) or text(values.get("data_type"))),
        )


def dimensions(owner: Object) -> tuple[Dimension, ...]:
    """Return the dimensions of the data cube."""
    found = []
    for name, each in cube_dimensions(owner).items():
        values = listing(mapping(each).get("values"))
        found.append(
            Dimension(
                name=short(name) or "unnamed",
                role="time" if mapping(each).get("type") == TEMPORAL else "dimension",
                size=len(values) or None,
            )
        )
    return tuple(found[:BANDS])


def cube_dimensions(owner: Object) -> Object:
    """Return the dimensions of the data cube as they are written."""
    return mapping(owner.get("cube:dimensions")) or mapping(mapping(owner.get("properties")).get("cube:dimensions"))


def step(owner: Object) -> str | None:
    """Return the step of the temporal dimension where it is an ISO 8601 duration."""
    steps = (
        mapping(each).get("step") for each in cube_dimensions(owner).values() if mapping(each).get("type") == TEMPORAL
    )
    return next((short(each) for each in steps if isinstance(each, str) and each.startswith("P")), None)


def resolution(owner: Object) -> float | None:
    """Return the ground sample distance in metres: that of the whole, else the finest of the data assets."""
    properties, summaries = mapping(owner.get("properties")), mapping(owner.get("summaries"))
    whole = number(properties.get("gsd")) or number(owner.get("gsd"))
    if whole:
        return whole
    several = summaries.get("gsd")
    found = [value for each in listing(several) if (value := number(each))]
    found += [value for value in (number(mapping(several).get("minimum")),) if value]
    for each in {**mapping(owner.get("item_assets")), **mapping(owner.get("assets"))}.values():
        asset = mapping(each)
        if not BESIDES & set(words(asset.get("roles"))):
            bands = objects(asset.get("raster:bands")) + objects(asset.get("bands"))
            sizes = (asset.get("gsd"), *(band.get("spatial_resolution", band.get("gsd")) for band in bands))
            found += [value for size in sizes if (value := number(size))]
    return min((value for value in found if value > 0), default=None)


def licence(owner: Object) -> tuple[str | None, list[str]]:
    """Return the licence and notes: an SPDX id, or for one without (`other`, `proprietary`) the word and its link."""
    properties = mapping(owner.get("properties"))
    said = text(owner.get("license")) or text(properties.get("license"))
    links = [
        clean(href)
        for each in objects(owner.get("links"))
        if each.get("rel") == "license" and (href := text(each.get("href")))
    ]
    link = next(filter(None, links), None)
    if said is None:
        return link, []
    if said not in NO_LICENCE:
        return clean(said), []
    note = f"The licence is given as {said!r}, which is none by itself"
    if link is None:
        return said, [f"{note}, and without a link to its text: ask whoever made it."]
    return f"{said}: {link}", [f"{note}: what is allowed says the text that it links to."]


def providers(owner: Object) -> tuple[str | None, str | None]:
    """Return the names of the publisher (licensor or host) and of the creator (producer or processor)."""
    listed = objects(owner.get("providers")) or objects(mapping(owner.get("properties")).get("providers"))
    by_role: dict[str, str] = {}
    for each in listed:
        name = clean(text(each.get("name")))
        for role in words(each.get("roles")):
            if name:
                by_role.setdefault(role, name)
    publishers, creators = ([by_role.get(role) for role in roles] for roles in (PUBLISHING, CREATING))
    return next(filter(None, publishers), None), next(filter(None, creators), None)


def systems(owner: Object) -> set[str]:
    """Return the reference systems of the data: `EPSG:n` for registered ones, else their code or name."""
    properties, summaries = mapping(owner.get("properties")), mapping(owner.get("summaries"))
    places = [properties, owner, *map(mapping, mapping(owner.get("assets")).values())]
    found = {system for place in places if (system := _system(place))}
    for code in listing(summaries.get("proj:code")) + listing(summaries.get("proj:epsg")):
        found |= {f"EPSG:{code}"} if isinstance(code, int) else {code} if isinstance(code, str) and code else set()
    return found


def _system(place: Object) -> str | None:
    code = text(place.get("proj:code"))
    if code:
        return short(code)
    epsg = place.get("proj:epsg")
    if isinstance(epsg, int) and not isinstance(epsg, bool) and epsg > 0:
        return f"EPSG:{epsg}"
    projection = mapping(place.get("proj:projjson"))
    own = mapping(projection.get("id"))
    if own.get("authority") and own.get("code"):
        return short(f"{own['authority']}:{own['code']}")
    return short(text(projection.get("name")))


def epsg(system: str | None) -> int | None:
    """Return the number of an EPSG code."""
    found = EPSG_CODE.fullmatch(system or "")
    return int(found[1]) if found else None


def scene(owner: Object) -> Scene | None:
    """Return how the scene was taken; None where nothing is said of it."""
    properties = mapping(owner.get("properties")) or mapping(owner.get("summaries"))
    cover, orbit = number(properties.get("eo:cloud_cover")), properties.get("sat:absolute_orbit")
    grid = MGRS.fullmatch(text(properties.get("grid:code")) or "")
    found = Scene(
        platform=short(_first(properties.get("platform"))),
        instruments=words(properties.get("instruments")),
        product=next((kind for name in PRODUCTS if (kind := short(_first(properties.get(name))))), None),
        mode=short(_first(properties.get("sar:instrument_mode"))),
        tile=f"T{int(grid[1]):02}{grid[2]}" if grid else short(text(properties.get("s2:mgrs_tile"))),
        orbit=orbit if isinstance(orbit, int) and not isinstance(orbit, bool) and orbit >= 0 else None,
        cloud_cover=cover if cover is not None and 0 <= cover <= 100 else None,  # noqa: PLR2004 - percent
        polarisations=words(properties.get("sar:polarizations")),
    )
    return None if found == Scene() else found


def _first(value: Any) -> str | None:
    """Return a text, or the only one of a summary."""
    several = listing(value)
    return text(value) or (text(several[0]) if len(several) == 1 else None)


def keywords(owner: Object) -> tuple[str, ...]:
    """Return the keywords, and the names of platform, constellation and instruments, which people search for."""
    properties, summaries = mapping(owner.get("properties")), mapping(owner.get("summaries"))
    found: list[str] = [*words(owner.get("keywords")), *words(properties.get("keywords"))]
    for name in ("constellation", "platform", "instruments"):
        value = properties.get(name, summaries.get(name))
        found += words(value if isinstance(value, list) else [value])
    return tuple(dict.fromkeys(found))[:KEYWORDS]


def words(value: Any) -> tuple[str, ...]:
    """Return the texts of a list, at most 50."""
    return tuple(word for each in listing(value)[:KEYWORDS] if (word := short(text(each))))


def merged(many: Iterable[tuple[Variable, ...]]) -> tuple[Variable, ...]:
    """Return the variables of several items, each name once."""
    found: dict[str, Variable] = {}
    for variables_of_one in many:
        for each in variables_of_one:
            _add(found, each)
    return tuple(found.values())
