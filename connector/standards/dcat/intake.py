"""Any RDF, and the plain form, into triples to be checked: a record, a fragment, or a whole catalogue.

Nothing is asked of what the graph describes. What cannot be read is refused with the line, as far as one can be told.
"""

import json
import re
from typing import Final
from xml.parsers import expat

from connector.errors import InvalidInput, TooLarge
from connector.standards import rdf
from connector.standards.dcat import graph, plain
from connector.standards.rdf import Format, Triples

_JSON: Final = "application/json"
_LINKED: Final = ("@context", "@graph", "@id", "@type")
_QUOTED: Final = re.compile(r"'([^']{3,})'|\"([^\"]{3,})\"|<([^>]{3,})>")


def read(data: bytes, kind: str, *, base: str | None = None) -> Triples:
    """Return the statements of a document, named graphs taken together.

    Args:
        data: the document, UTF-8.
        kind: its media type, or its file name.
        base: IRI that relative ones are resolved against.

    Raises:
        InvalidInput: the kind is none that is read, or the document is not well-formed; `where` has the line.
        TooLarge: it is larger or deeper than what is read.
    """
    chosen = Format.of(kind)
    try:
        if chosen is Format.JSON_LD:
            return _read_json(data, base)
        return rdf.parse(data, chosen, base=base, merge_graphs=True)
    except TooLarge:
        raise
    except InvalidInput as refusal:
        raise _placed(refusal, data, chosen) from refusal


def _read_json(data: bytes, base: str | None) -> Triples:
    document = rdf.read_json(data)
    if isinstance(document, dict) and not any(key in document for key in _LINKED):
        return graph.write(plain.from_plain(data))
    try:
        return rdf.parse(data, Format.JSON_LD, base=base, merge_graphs=True)
    except TooLarge:
        raise
    except InvalidInput as refusal:
        if not _has_context(document):
            raise
        try:
            return _by_pyld(document, base)
        except InvalidInput:
            raise refusal from None


def _has_context(document: object) -> bool:
    return isinstance(document, list) or (isinstance(document, dict) and "@context" in document)


def _by_pyld(document: object, base: str | None) -> Triples:
    """Return the statements as PyLD reads them, which takes contexts that pyoxigraph does not."""
    expanded = rdf.expand(document)
    return rdf.parse(json.dumps(expanded).encode(), Format.JSON_LD, base=base, merge_graphs=True)


def _placed(refusal: InvalidInput, data: bytes, chosen: Format) -> InvalidInput:
    """Return the refusal with a line: its own, else the first that has what it quotes, else the first of all."""
    if refusal.where and "line " in refusal.where:
        return refusal
    if chosen is Format.RDF_XML and (place := _broken_xml(data)):
        return InvalidInput(refusal.message, where=place, fix=refusal.fix)
    text = data.decode("utf-8", "replace")
    quoted = [next(filter(None, groups)) for groups in _QUOTED.findall(refusal.message)]
    start = next((at for each in quoted if (at := text.find(each)) >= 0), 0)
    line = f"line {text.count(chr(10), 0, start) + 1}"
    where = f"{line}, {refusal.where}" if refusal.where else line
    return InvalidInput(refusal.message, where=where, fix=refusal.fix, reasons=refusal.reasons)


def _broken_xml(data: bytes) -> str | None:
    """Return where XML is not well-formed, which the RDF parser does not say; document types were refused before."""
    try:
        expat.ParserCreate().Parse(data, True)  # noqa: FBT003 - the library's own signature
    except expat.ExpatError as error:
        return f"line {error.lineno}, column {error.offset + 1}"
    return None


def told(refusal: InvalidInput) -> str:
    """Return why a document cannot be read, in one sentence with the line."""
    place = f" ({refusal.where})" if refusal.where else ""
    return f"{refusal.message}{place}" + "".join(f" {reason}" for reason in refusal.reasons)
