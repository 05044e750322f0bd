"""An openEO collection to a GeoDCAT-AP record (openEO API 1.2, `GET /collections/{id}`).

Such a collection is a STAC collection with a datacube; what openEO adds is that it is reached through processes, not
by files. So the back-end becomes the service that the data are had through.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from connector.standards.crosswalks import stac
from connector.standards.crosswalks import values as v
from connector.standards.crosswalks.values import Crossed, Row, Said
from connector.standards.dcat import model

ROWS: Final = (
    *stac.ROWS,
    Row("links[rel=root], links[rel=self]", "distribution.access_service", "the back-end as a data service"),
    Row("cube:dimensions[*].reference_system", "crs"),
    Row("cube:dimensions[type=bands].values", "variables", "where the bands are not described otherwise"),
)
_STANDARD: Final = "https://api.openeo.org/"


def read(document: Mapping[str, Any], *, home: str) -> Crossed:
    """Return the record of a collection of an openEO back-end.

    Raises:
        InvalidInput: it is no STAC collection.
    """
    crossed = stac.read(document, home=home)
    record = crossed.record
    language = next(iter(record.title))
    dimensions = Said(document).named("cube:dimensions").values()
    systems = [found for each in dimensions if (found := v.epsg(each.document.get("reference_system")))]
    names = [name for each in dimensions if each.text("type") == "bands" for name in each.texts("values")]
    named = bool(names) and not record.variables
    record = replace(
        record,
        crs=tuple(dict.fromkeys([*record.crs, *systems])),
        variables=record.variables or tuple(model.Variable(name=name) for name in names),
        distribution=(*record.distribution, *_service(document, record, language)),
    )
    carried = (".reference_system", ".values") if named else (".reference_system",)
    return Crossed(record=record, lost=tuple(each for each in crossed.lost if not _carried(each, carried)))


def _carried(place: str, endings: tuple[str, ...]) -> bool:
    return place.startswith("cube:dimensions.") and place.endswith(endings)


def _service(document: Mapping[str, Any], record: model.Dataset, language: str) -> tuple[model.Distribution, ...]:
    """Return the back-end as the way to the data, unless a STAC API is one already."""
    links = {link.text("rel"): v.iri(link.text("href")) for link in Said(document).each("links")}
    root = links.get("root")
    if root is None or any(each.access_service for each in record.distribution):
        return ()
    licences = {each.licence for each in record.distribution if each.licence}
    service = model.DataService(
        id=root,
        title={language: "openEO"},
        endpoint_url=(root,),
        conforms_to=(model.Standard(id=_STANDARD, title={"en": "openEO API"}),),
        serves_dataset=(record.id,),
    )
    return (
        model.Distribution(
            id=f"{record.id}#openeo",
            title={language: "openEO"},
            access_url=(links.get("self") or root,),
            access_service=(service,),
            licence=next(iter(licences)) if len(licences) == 1 else v.licence_of(str(document.get("license", ""))),
        ),
    )
