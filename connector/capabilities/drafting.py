"""Drafting: from what a file says about itself to the DCAT-AP record a provider completes."""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from datetime import date, time
from typing import Any, Final

import msgspec

from connector.formats import Description, Variable
from connector.formats.summary import crs, findings, summary, title
from connector.standards.dcat import model, registers
from connector.standards.dcat.licences import licence
from connector.standards.rdf import full

SHA256: Final = full("spdx:checksumAlgorithm_sha256")
MEDIA_TYPES: Final = "https://www.iana.org/assignments/media-types/"
MEDIA_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
SYSTEMS: Final = "http://www.opengis.net/def/crs/"
CRS84: Final = f"{SYSTEMS}OGC/1.3/CRS84"
ANGLE: Final = full("geodcatap:spatialResolutionAsAngularDistance")
DEGREE: Final = "http://qudt.org/vocab/unit/DEG"
SHORT_STATEMENT: Final = 80  # a longer statement of a licence says more than its name


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A record drafted from a file: what the file supports, and what its provider should know or complete.

    `kind` is the format of the file in words, `draft` the object that `greendeal dataset draft` prints of it.
    """

    record: model.Dataset
    kind: str
    notes: tuple[str, ...]
    draft: dict[str, Any]


def drafted(described: Description, filename: str, *, home: str, publisher: model.Agent) -> Draft:
    """Return the draft of a file: its record (see `draft`), and its facts with their warnings and sources."""
    line = summary(filename, described)
    record = draft(described, filename, home=home, publisher=publisher)
    return Draft(record=record, kind=described.format, notes=tuple(line["warnings"]), draft=line)


def draft(described: Description, filename: str, *, home: str, publisher: model.Agent | None = None) -> model.Dataset:
    """Return the record that a file supports; what the file does not say is left open, never guessed.

    Args:
        described: what was read from the file.
        filename: its name, without folders.
        home: address under which the connector shows its datasets, without a slash at the end.
        publisher: who will publish it.
    """
    named = title(described)[0]
    iri = f"{home}/{slug(named or filename)}-{_mark(described)}"
    # A document about a collection names none of its members: the record is of the collection as one dataset.
    series = described.kind == "series" and described.reader != "stac"
    return model.Dataset(
        id=iri,
        kind="series" if series else "dataset",
        # A record has to have a title: what is known of the file stands in for it, and a note asks for a better one.
        title={"en": named or f"{described.format} {filename}"},
        description={"en": described.description or _sentence(described)},
        keyword={"en": tuple(sorted({*described.keywords, *_words(described)}))},
        identifier=(described.identifier,) if described.identifier else (),
        publisher=publisher,
        creator=(model.Agent(name={"en": described.creator}),) if described.creator else (),
        spatial=_place(described),
        temporal=_period(described),
        crs=_system(described),
        conforms_to=(model.Standard(title={"en": described.conforms_to}),) if described.conforms_to else (),
        modified=_time(described.modified) if described.modified else None,
        spatial_resolution_in_meters=_metres(described),
        temporal_resolution=_duration(described),
        variables=tuple(_variable(each) for each in described.variables),
        dimensions=_components(described, "dimension"),
        attributes=_components(described, "attribute"),
        num_series=described.statistics.series if described.statistics else None,
        quality_note=tuple(model.QualityNote(text=note) for note in dict.fromkeys(findings(described))),
        quality_measurement=_angle(described),
        distribution=() if series else _distributions(described, filename, iri),
    )


def draft_series(
    whole: Description, members: Sequence[tuple[str, Description]], name: str, *, home: str
) -> tuple[model.Dataset, ...]:
    """Return the record of a series and one for each of its members, which says that it is in the series.

    Args:
        whole: the description of the series.
        members: file name and description of each member.
        name: the series' own name, that of its folder or pattern.
        home: see `draft`.
    """
    series = draft(whole, name, home=home)
    records = [draft(each, filename, home=home) for filename, each in members]
    return (series, *(msgspec.structs.replace(record, in_series=(series.id,)) for record in records))


def slug(text: str) -> str:
    """Return `text` as the last part of a readable address: ASCII letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-") or "dataset"


def _components(described: Description, role: str) -> tuple[model.Component, ...]:
    """Return the components of a statistical cube; the axes of a grid are none, and its place and period say them."""
    if described.statistics is None:
        return ()
    return tuple(model.Component(name=each.name) for each in described.dimensions if each.role == role)


def _mark(described: Description) -> str:
    """Return what tells this file from others of its title: of its content where that is known, else of its facts."""
    return (described.sha256 or hashlib.sha256(msgspec.json.encode(described)).hexdigest())[:8]


def _distributions(described: Description, filename: str, iri: str) -> tuple[model.Distribution, ...]:
    """Return the file itself, and the files of data that it names elsewhere."""
    licence, rights = _licence(described)
    own = model.Distribution(
        id=f"{iri}#file",
        title={"en": filename},
        access_url=(iri,),
        format=described.file_type,
        media_type=_media_type(described.media_type),
        compress_format=_media_type("application/gzip") if described.compressed else None,
        byte_size=described.byte_size,
        checksum=model.Checksum(algorithm=SHA256, value=described.sha256) if described.sha256 else None,
        licence=licence,
        rights=rights,
    )
    data = (each for each in described.assets if ("data" in each.roles or not each.roles) and _is_address(each.href))
    return (
        own,
        *(
            model.Distribution(
                id=f"{iri}#{slug(each.key)}",
                title={"en": each.title or each.key},
                access_url=(each.href,),
                media_type=_media_type(each.media_type or ""),
                byte_size=each.byte_size,
                checksum=model.Checksum(algorithm=SHA256, value=each.sha256) if each.sha256 else None,
                licence=licence,
                rights=rights,
            )
            for each in {slug(each.key): each for each in data if slug(each.key) != "file"}.values()
        ),
    )


def _licence(described: Description) -> tuple[str | None, tuple[model.Statement, ...]]:
    """Return the licence that the file names, and its own words as a statement of rights where they say more."""
    said = described.licence
    if not said:
        return None, ()
    iri = licence(said)
    short = iri is not None and len(said) <= SHORT_STATEMENT
    return iri, () if short else (model.Statement(description={"en": said}),)


def _media_type(text: str) -> str | None:
    """Return the IRI of a media type, without its parameters."""
    found = text.partition(";")[0].strip().lower()
    return MEDIA_TYPES + found if MEDIA_TYPE.fullmatch(found) else None


def _angle(described: Description) -> tuple[model.QualityMeasurement, ...]:
    """Return the resolution in degrees as the measurement that GeoDCAT-AP has for it."""
    degrees = described.spatial_resolution_degrees
    if not degrees or degrees <= 0 or described.spatial_resolution_metres:
        return ()
    return (model.QualityMeasurement(metric=ANGLE, value=degrees, unit=DEGREE),)


def _sentence(described: Description) -> str:
    names = ", ".join(_words(described)[:5])
    about = f" with {names}" if names else ""
    period = described.period
    when = f", {period.begin or '…'} to {period.end or '…'}" if period else ""
    return f"{described.format} file{about}{when}."


def _words(described: Description) -> list[str]:
    """Return the names of the variables as people would search for them."""
    found = (each.standard_name or each.long_name or each.name for each in described.variables)
    return list(dict.fromkeys(name.replace("_", " ") for name in found))


def _variable(each: Variable) -> model.Variable:
    """Return a variable of the record: under the name that the CF table has for it today, else in the file's words."""
    known = registers.standard_name(each.standard_name or "")
    label = each.long_name or ("" if known else (each.standard_name or "").replace("_", " "))
    return model.Variable(
        name=each.name,
        standard_name=known.name if known else None,
        label={"en": label} if label else {},
        unit=each.unit,
    )


def _place(described: Description) -> tuple[model.Location, ...]:
    box = described.bbox
    return (model.Location(bbox=(box.west, box.south, box.east, box.north)),) if box else ()


def _period(described: Description) -> tuple[model.PeriodOfTime, ...]:
    period = described.period
    found = model.PeriodOfTime(start=_time(period.begin), end=_time(period.end)) if period else model.PeriodOfTime()
    return (found,) if found.start or found.end else ()


def _time(text: str) -> str | None:
    """Return an ISO date or moment in the form that a record takes; a moment of the file is UTC.

    Climate files begin in the year 0 and calendars have a 30 February: what is no day of the calendar is left out.
    """
    day, _, clock = text.partition("T")
    zone = re.search(r"(Z|[+-]\d\d:\d\d)$", clock)
    try:
        date.fromisoformat((day + "-01-01")[:10])
        time.fromisoformat(clock.removesuffix("Z") or "00:00")
    except ValueError:
        return None
    written = text + "Z" if clock and not zone else text
    return written if _fits(written, model.Time) else None


def _system(described: Description) -> tuple[str, ...]:
    """Return the IRI of the reference system; one that the file only names is left to its provider."""
    known = crs(described) or ""
    iri = f"{SYSTEMS}EPSG/0/{known.removeprefix('EPSG:')}" if known.startswith("EPSG:") else described.crs
    iri = CRS84 if known == "OGC:CRS84" else iri
    return (iri,) if iri and _is_address(iri) else ()


def _metres(described: Description) -> tuple[float, ...]:
    metres = described.spatial_resolution_metres
    return (metres,) if metres and metres > 0 else ()


def _duration(described: Description) -> str | None:
    text = described.temporal_resolution
    return text if text and _fits(text, model.Duration) else None


def _is_address(text: str) -> bool:
    """Tell whether a text of the file is an address of the web."""
    return text.startswith(("http://", "https://")) and _fits(text, model.Iri)


def _fits(text: str, kind: Any) -> bool:
    """Tell whether a text of the file has the form that a field of the record demands."""
    try:
        msgspec.convert(text, kind)
    except msgspec.ValidationError:
        return False
    return True
