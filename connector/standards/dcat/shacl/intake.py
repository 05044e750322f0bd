"""Any RDF, and the plain form, into triples to be checked: a record, a fragment, or a whole catalogue.

Nothing is asked of what the graph describes. What cannot be read is refused with the line, as far as one can be told.
"""

import json
import re
from typing import Final
from xml.parsers import expat

from connector.errors import InvalidInput, Refusal, TooLarge
from connector.standards import rdf
from connector.standards.dcat import graph, plain
from connector.standards.rdf import Format, Triples

_JSON: Final = "application/json"
_QUOTED: Final = re.compile(r"'([^']{3,})'|\"([^\"]{3,})\"|<([^>]{3,})>|: (.{3,}) is not a valid|(@[a-z]+)")
_WIDE: Final = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"<\x00": "utf-16-le", b"\x00<": "utf-16-be"}
"""How a document begins that is no UTF-8, and what it is."""
_DECLARED: Final = re.compile(r"""(<\?xml[^>]{0,200}?encoding\s*=\s*["'])([A-Za-z0-9._-]{1,40})""")
_ENCODINGS: Final = frozenset({"iso-8859-1", "iso-8859-15", "windows-1252", "us-ascii"})
"""What RDF/XML may be written in besides UTF-8 and UTF-16."""
_BEGINNINGS: Final = (
    (("{", "["), Format.JSON_LD),
    (("<?xml", "<rdf:"), Format.RDF_XML),
    (("@", "PREFIX ", "<"), Format.TURTLE),
)
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def read(data: bytes, kind: str, *, base: str | None = None) -> Triples:
    """Return the statements of a document, named graphs taken together.

    Args:
        data: the document, UTF-8; RDF/XML may declare another encoding.
        kind: its media type, or its file name; where that tells nothing, the beginning of the document has to.
        base: IRI that relative ones are resolved against.

    Raises:
        InvalidInput: the kind is none that is read, or the document is not well-formed; `where` has the line.
        TooLarge: it is larger or deeper than what is read.
    """
    chosen = _format(data, kind)
    try:
        text = _utf8(data, chosen)
        if chosen is Format.JSON_LD:
            return _read_json(text, base)
        return _parsed(text, chosen, base)
    except InvalidInput as refusal:
        raise _placed(refusal, data, chosen) from refusal


def _parsed(text: bytes, chosen: Format, base: str | None) -> Triples:
    found = rdf.parse(text, chosen, base=base, merge_graphs=True)
    if chosen is Format.RDF_XML and not found and (place := _broken_xml(text)):
        raise InvalidInput("The RDF/XML is not well-formed: it has no element.", where=place)
    return found


def _format(data: bytes, kind: str) -> Format:
    try:
        return Format.of(kind)
    except InvalidInput as refusal:
        start = data[:1024].decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
        for beginnings, found in _BEGINNINGS:
            if start.startswith(beginnings) and not start.lower().startswith(("<!", "<html")):
                return found
        raise InvalidInput(refusal.message, where="line 1", fix=refusal.fix) from refusal


def _utf8(data: bytes, chosen: Format) -> bytes:
    """Return the document in UTF-8: RDF/XML may come in other encodings (XML 1.0 §4.3.3), no other form of RDF may."""
    wide = _WIDE.get(data[:2])
    if chosen is not Format.RDF_XML:
        if wide is None:
            return data
        raise InvalidInput("The text is UTF-16.", where="line 1", fix="Save it as UTF-8.")
    declared = _DECLARED.match(data[:300].decode("latin-1"))
    encoding = wide or (declared[2].lower() if declared else "utf-8")
    if wide is None and encoding not in _ENCODINGS:
        return data
    try:
        return _DECLARED.sub(r"\1UTF-8", data.decode(encoding).removeprefix("\ufeff"), count=1).encode()
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"The RDF/XML is not {encoding}: {error.reason}.", where="line 1", fix="Save it as UTF-8."
        ) from error


def _read_json(data: bytes, base: str | None) -> Triples:
    document = rdf.read_json(data)
    if not isinstance(document, dict | list):
        raise InvalidInput("The JSON is no object and no list of objects.", fix="Write the record as an object.")
    if isinstance(document, dict) and not any(key.startswith("@") or ":" in key for key in document):
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
    quoted = [next(filter(None, groups)) for groups in _QUOTED.findall(f"{refusal.message} {refusal.where or ''}")]
    start = next((at for each in quoted if (at := text.find(each)) >= 0), 0)
    line = f"line {text.count(chr(10), 0, start) + 1}"
    where = f"{line}, {refusal.where}" if refusal.where else line
    return type(refusal)(refusal.message, where=where, fix=refusal.fix, reasons=refusal.reasons)


def _broken_xml(data: bytes) -> str | None:
    """Return where XML is not well-formed, which the RDF parser does not say; document types were refused before."""
    try:
        expat.ParserCreate().Parse(data, True)  # noqa: FBT003 - the library's own signature
    except expat.ExpatError as error:
        return f"line {error.lineno}, column {error.offset + 1}"
    return None


def told(refusal: Refusal) -> str:
    """Return why a document cannot be read, in one sentence with the line."""
    place = f" ({refusal.where})" if refusal.where else ""
    text = f"{refusal.message}{place}" + "".join(f" {reason}" for reason in refusal.reasons)
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)
