"""SDMX-JSON 1.0 and 2.0, and the draft before them: data, structures, metadata sets and errors. Runs in the child.

A data message lists the codes of each dimension once and names them by their place in that list, so its dimensions
are known and nothing has to be inferred. It is read at once: how large it may be follows from the memory limit.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from connector.errors import InvalidInput
from connector.formats.containers.jsonfile import listing, load, mapping, objects, text
from connector.formats.description import Dimension, Facts, Limits, Statistics, clean, short
from connector.formats.statistics.sdmx_model import TIMES, VALUE, About, Gathered, Role, data_facts

STREAMED: Final = "Publish it as SDMX-CSV or SDMX-ML, which are read as they stream."
LISTED: Final = 300
SEVERAL: Final = "The message holds several data structures; the dimensions are those of the first one."
NO_DATA: Final = (
    "This is a structure message: it says how data are laid out and holds no data. Publish it beside the data."
)
ONLY_METADATA: Final = (
    "This is a set of reference metadata: it describes data that lie elsewhere. Publish it beside the data."
)
ONLY_ERRORS: Final = "The message has errors instead of data: there is nothing in it to publish."
ARTEFACTS: Final = ("dataflows", "dataStructures", "codelists", "conceptSchemes", "categorySchemes", "agencySchemes")
STRUCTURE_SCHEMA: Final = "structure"
FLOW_LINKS: Final = ("dataflow", "datastructure", "structure", "dsd")
LEVELS: Final = ("dataSet", "dimensionGroup", "series", "observation")
ENGLISH: Final = "en"


class Axis(NamedTuple):
    """A dimension of a data message: its name, the codes that keys name by place, and the places met."""

    name: str
    codes: list[str]
    met: set[int]

    def meet(self, place: str) -> str:
        """Note the code at a place of a key and return it.

        Raises:
            InvalidInput: there is no such place.
        """
        index = int(place) if place.isdecimal() and len(place) < 10 else -1  # noqa: PLR2004 - no list is that long
        if not 0 <= index < len(self.codes):
            raise InvalidInput(f"A key names the code {short(place)!r} of {short(self.name)!r}, which is not listed.")
        self.met.add(index)
        return self.codes[index]


class Layout(NamedTuple):
    """The dimensions of a data set by where they are attached, and its measures."""

    constant: list[Axis]
    series: list[Axis]
    observation: list[Axis]
    measures: list[str]


def read(path: Path, limits: Limits) -> Facts:
    """Describe the SDMX-JSON message at `path`.

    Raises:
        TooLarge: it is larger than can be read at once.
        InvalidInput: it is no well-formed JSON, or neither data nor structures nor a message about them.
    """
    message = load(path, limits, fix=STREAMED)
    data = mapping(message.get("data")) or message
    meta = mapping(message.get("meta")) or mapping(message.get("header"))
    errors = [found for each in objects(message.get("errors")) if (found := _error(each))]
    about = _about(message, meta, [f"The message says: {each}" for each in errors])
    if objects(data.get("dataSets")):
        return _data(data, about)
    if any(objects(data.get(kind)) for kind in ARTEFACTS) or STRUCTURE_SCHEMA in (text(meta.get("schema")) or ""):
        return _structures(data, about)
    if objects(data.get("metadataSets")):
        return _nothing(about, ONLY_METADATA, footer=False)
    if errors:
        return _nothing(about, ONLY_ERRORS, footer=True)
    raise InvalidInput("The SDMX-JSON message holds neither data nor structures.")


def _about(message: Mapping[str, Any], meta: Mapping[str, Any], notes: list[str]) -> About:
    sender = mapping(meta.get("sender"))
    schema = text(meta.get("schema")) or text(message.get("$schema")) or ""
    version = next((each for each in ("2.1", "2.0", "1.0") if f"/{each}" in schema), None)
    if version is None:
        version = "2.0" if "structures" in mapping(message.get("data")) else "1.0"
    if meta.get("test") is True:
        notes.append("The message says of itself that it is a test.")
    return About(
        format=f"SDMX-JSON {version}",
        conforms_to=f"SDMX-JSON {version}",
        message="SDMX-JSON",
        publisher=text(sender.get("name")) or text(sender.get("id")),
        modified=text(meta.get("prepared")),
        notes=notes,
    )


def _error(error: Mapping[str, Any]) -> str | None:
    return clean(_words(error, "title") or _words(error, "detail") or text(error.get("message")))


def _words(owner: Mapping[str, Any], name: str) -> str | None:
    """Return a text of an object that may be there in several languages; English wins."""
    by_language = mapping(owner.get(f"{name}s"))
    return (
        text(by_language.get(ENGLISH))
        or text(owner.get(name))
        or next(filter(None, map(text, by_language.values())), None)
    )


def _data(data: Mapping[str, Any], about: About) -> Facts:
    """Return the facts of a data message.

    Raises:
        InvalidInput: it has no observation, or keys that do not fit its structure.
    """
    structures = objects(data.get("structures")) or [mapping(data.get("structure"))]
    layouts = [_layout(each) for each in structures]
    seen = Gathered()
    for data_set in objects(data.get("dataSets")):
        which = data_set.get("structure", 0)
        if not isinstance(which, int) or not 0 <= which < len(layouts):
            raise InvalidInput(f"A data set names the structure {short(which)}, which the message does not have.")
        _data_set(data_set, layouts[which], seen)
    if not seen.observations:
        raise InvalidInput("The SDMX data message holds no observation.")
    for layout in layouts:
        for axis in (*layout.constant, *layout.series, *layout.observation):
            _note(axis, seen)
    for structure in structures:
        _attributes(structure, seen)
    about.title = _words(structures[0], "name")
    about.identifier = about.dataflow = _flow(structures[0])
    return data_facts(seen, about)


def _layout(structure: Mapping[str, Any]) -> Layout:
    dimensions, measures = mapping(structure.get("dimensions")), mapping(structure.get("measures"))
    named = [text(each.get("id")) or VALUE for each in objects(measures.get("observation"))]
    axes = {level: [_axis(each) for each in objects(dimensions.get(level))] for level in LEVELS}
    return Layout(axes["dataSet"], axes["series"], axes["observation"], named or [VALUE])


def _axis(dimension: Mapping[str, Any]) -> Axis:
    return Axis(text(dimension.get("id")) or "unnamed", list(_codes(dimension)), set())


def _codes(component: Mapping[str, Any]) -> Iterator[str]:
    """Yield the codes of a component: an id, or a value where there is no code list."""
    for each in listing(component.get("values")):
        found = mapping(each)
        code = found.get("id", found.get("value", found.get("name", each if isinstance(each, str) else "")))
        yield str(code)


def _data_set(data_set: Mapping[str, Any], layout: Layout, seen: Gathered) -> None:
    constant = [axis.meet("0") for axis in layout.constant if axis.codes]
    for key, one in mapping(data_set.get("series")).items():
        seen.series += 1
        series = _key(key, layout.series)
        for place, values in mapping(mapping(one).get("observations")).items():
            codes = _key(place, layout.observation)
            _observation(values, layout, seen)
            if codes:
                seen.key((*constant, *series, *codes))
    for key, values in mapping(data_set.get("observations")).items():
        seen.key((*constant, *_key(key, layout.observation)))
        _observation(values, layout, seen)


def _key(key: str, axes: list[Axis]) -> list[str]:
    """Return the codes of a key but for time.

    Raises:
        InvalidInput: it has not as many parts as there are dimensions.
    """
    places = key.split(":")
    if len(places) != len(axes):
        raise InvalidInput(f"The key {short(key)!r} has {len(places)} parts; the structure has {len(axes)} for it.")
    codes = [(axis.name, axis.meet(place)) for axis, place in zip(axes, places, strict=True)]
    return [code for name, code in codes if name not in TIMES]


def _observation(values: Any, layout: Layout, seen: Gathered) -> None:
    given = [value for value in listing(values)[: len(layout.measures)] if value is not None]
    for measure in layout.measures[1:]:
        seen.measures.setdefault(measure)
    seen.observation(str(given[0]) if given else "", layout.measures[0])


def _note(axis: Axis, seen: Gathered) -> None:
    for place in sorted(axis.met):
        if axis.name in TIMES:
            seen.time(axis.codes[place], axis.name)
        else:
            seen.note(axis.name, "dimension", axis.codes[place])


def _attributes(structure: Mapping[str, Any], seen: Gathered) -> None:
    levels = mapping(structure.get("attributes"))
    for level in LEVELS:
        for each in objects(levels.get(level)):
            name = text(each.get("id"))
            for code in _codes(each) if name else ():
                seen.note(name or "", "attribute", code)


def _flow(structure: Mapping[str, Any]) -> str | None:
    """Return the URN of the dataflow, else of the data structure, that the message links to."""
    links = {text(each.get("rel")): each for each in reversed(objects(structure.get("links")))}
    found = (mapping(links.get(each)) for each in FLOW_LINKS)
    named = text(structure.get("dataflow")) or text(structure.get("dataStructure"))
    return named or next((urn for each in found if (urn := text(each.get("urn")))), None)


def _structures(data: Mapping[str, Any], about: About) -> Facts:
    flows, structures, codelists = (objects(data.get(kind)) for kind in ("dataflows", "dataStructures", "codelists"))
    titled = (flows or structures or [{}])[0]
    notes = [NO_DATA, *about.notes, *([SEVERAL] if len(structures) > 1 else [])]
    names = [tuple(_ids(each)) for each in (flows, structures, codelists)]
    return Facts(
        format=about.format,
        kind="structure",
        title=clean(_words(titled, "name")),
        description=clean(_words(titled, "description")),
        publisher=clean(about.publisher),
        modified=short(about.modified),
        conforms_to=about.conforms_to,
        dimensions=tuple(_components(structures[0])) if structures else (),
        statistics=Statistics(
            message=about.message,
            series=0,
            dataflow=names[0][0] if names[0] else None,
            dataflows=names[0],
            data_structures=names[1],
            codelists=names[2],
        ),
        notes=tuple(notes),
    )


def _ids(artefacts: list[dict[str, Any]]) -> Iterator[str]:
    yield from (name for each in artefacts[:LISTED] if (name := short(text(each.get("id")))))


def _components(structure: Mapping[str, Any]) -> Iterator[Dimension]:
    """Yield the components of a data structure: dimensions by their position, time, measures, attributes."""
    parts = mapping(structure.get("dataStructureComponents"))
    dimensions, measures = mapping(parts.get("dimensionList")), mapping(parts.get("measureList"))
    first = objects(dimensions.get("dimensions")) + objects(dimensions.get("measureDimensions"))
    placed = sorted(enumerate(first), key=lambda each: _position(each[1], each[0]))
    time = [*objects(dimensions.get("timeDimensions")), mapping(dimensions.get("timeDimension"))]
    measured = [*objects(measures.get("measures")), mapping(measures.get("primaryMeasure"))]
    attached = objects(mapping(parts.get("attributeList")).get("attributes"))
    lists: tuple[tuple[Role, list[dict[str, Any]]], ...] = (
        ("dimension", [each for _, each in placed]),
        ("time", time),
        ("measure", measured),
        ("attribute", attached),
    )
    for role, components in lists:
        yield from (Dimension(name=name, role=role) for name in _ids(components))


def _position(dimension: Mapping[str, Any], otherwise: int) -> int:
    position = dimension.get("position", dimension.get("keyPosition"))
    return position if isinstance(position, int) else otherwise


def _nothing(about: About, note: str, *, footer: bool) -> Facts:
    """Return the facts of a message without data."""
    return Facts(
        format=about.format,
        kind="footer" if footer else "metadata",
        publisher=clean(about.publisher),
        modified=short(about.modified),
        conforms_to=about.conforms_to,
        statistics=Statistics(message=about.message, series=0),
        notes=(note, *about.notes),
    )
