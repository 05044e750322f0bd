"""The forms by name: what reads them, what writes them, and how a document is recognised."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from connector.errors import InvalidInput
from connector.standards.crosswalks import ckan, iso19139, openeo, schema_org, sdmx, stac, stac_out
from connector.standards.crosswalks.values import Crossed, Written
from connector.standards.dcat import model
from connector.standards.rdf import read_json

Reader = Callable[..., Crossed]
JSON_READERS: Final[Mapping[str, Reader]] = {"stac": stac.read, "openeo": openeo.read, "ckan": ckan.read}
XML_READERS: Final[Mapping[str, Reader]] = {"iso19139": iso19139.read, "sdmx": sdmx.read}
READERS: Final = (*JSON_READERS, *XML_READERS)
"""Names of the forms that can be read."""
WRITERS: Final[Mapping[str, Callable[[model.Dataset], Written]]] = {
    "stac": stac_out.write,
    "schema.org": schema_org.write,
    "croissant": schema_org.write_croissant,
}
"""What writes each form, by its name."""


def read(data: bytes, form: str, *, home: str) -> Crossed:
    """Return the record of a document.

    Args:
        data: the document.
        form: one of READERS.
        home: address under which a record is minted that has no address of its own, without a slash at the end.

    Raises:
        InvalidInput: there is no such form, or the document is not of it.
    """
    if form in XML_READERS:
        return XML_READERS[form](data, home=home)
    if form not in JSON_READERS:
        raise InvalidInput(f"There is no form {form!r} to read.", fix=f"Use one of: {', '.join(READERS)}.")
    document = read_json(data)
    if not isinstance(document, Mapping):
        raise InvalidInput("The document is no JSON object.")
    return JSON_READERS[form](document, home=home)


def write(record: model.Dataset, form: str) -> Written:
    """Return a record in another form.

    Raises:
        InvalidInput: there is no such form.
    """
    if form not in WRITERS:
        raise InvalidInput(f"There is no form {form!r} to write.", fix=f"Use one of: {', '.join(WRITERS)}.")
    return WRITERS[form](record)


def recognise(data: bytes) -> str:
    """Return the name of the form that a document is in.

    Raises:
        InvalidInput: it is in none of them.
    """
    head = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if head == b"<":
        if b"http://www.isotc211.org/2005/gmd" in data:
            return "iso19139"
        if b"sdmx.org/resources/sdmxml" in data:
            return "sdmx"
    if head == b"{":
        try:
            document: Any = json.loads(data)
        except ValueError as error:
            raise InvalidInput(f"This is no JSON: {error}") from error
        if "stac_version" in document:
            return "openeo" if "cube:dimensions" in document else "stac"
        if "resources" in document.get("result", document):
            return "ckan"
    raise InvalidInput("The form of the document is not known.", fix=f"Name it: one of {', '.join(READERS)}.")
