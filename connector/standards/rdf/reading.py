"""Foreign RDF into triples: sized, scanned for depth, then parsed by pyoxigraph and checked statement by statement.

The scan comes first because the parser itself knows no depth: JSON-LD some thousand levels deep ends the process.
Each scanning pattern is possessive, so that its time grows with the length of the text and no faster.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from pyoxigraph import Literal, NamedNode, Quad, Triple
from pyoxigraph import parse as engine_parse

from connector.errors import InvalidInput, TooLarge
from connector.standards.rdf.contexts import Inliner
from connector.standards.rdf.terms import ENGINE_FORMATS, LIMITS, Format, Limits, Triples

_BOM: Final = b"\xef\xbb\xbf"
_NO_BASE: Final = "http://relative.invalid/"  # JSON-LD drops what it cannot resolve; this shows it (RFC 2606 name)
_PLACE: Final = re.compile(r"^Parser error [^:]*: ")

_JSON: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|([\[{])|([\]}])', re.DOTALL)
_TURTLE: Final = re.compile(
    rb'"""(?:[^"\\]++|\\.|"(?!""))*+(?:"""|\\?\Z)'
    rb"|'''(?:[^'\\]++|\\.|'(?!''))*+(?:'''|\\?\Z)"
    rb'|"(?:[^"\\\r\n]++|\\.)*+"?'
    rb"|'(?:[^'\\\r\n]++|\\.)*+'?"
    rb'|<[^<>\s"]*+>|#[^\r\n]*+|\\.|([\[({])|([\])}])',
    re.DOTALL,
)
# Nothing after a repetition can fail, so none is ever tried again. Possessive ones would say so, but match wrongly
# before Python 3.11.5.
_XML: Final = re.compile(
    rb"<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|<\?.*?(?:\?>|\Z)|(<!)"
    rb"|<(/)[^>]*>?|<(?:[^>\"'/]+|\"[^\"]*\"?|'[^']*'?|/(?!>))*(/)?>?",
    re.DOTALL,
)


def parse(
    data: bytes,
    format: Format,  # noqa: A002 - the word of the standards, and of the callers
    *,
    base: str | None = None,
    limits: Limits = LIMITS,
    merge_graphs: bool = False,
) -> Triples:
    """Return the statements of a foreign document, each once, in the order they stand there.

    Args:
        data: the document, UTF-8.
        format: how it is written.
        base: IRI that relative ones are resolved against; without it a relative IRI is refused.
        limits: how much is read.
        merge_graphs: read named graphs as if they were one; otherwise they are refused, since triples have no place
            for the name.

    Raises:
        InvalidInput: it breaks the syntax (`where` gives line and column), names an unknown JSON-LD context, declares
            a document type in XML, or uses quoted triples or text directions, which DCAT-AP has not.
        TooLarge: it is larger or deeper than `limits`.
    """
    found: dict[Triple, None] = {}
    for triple in stream(data, format, base=base, limits=limits, merge_graphs=merge_graphs):
        found[triple] = None
        if len(found) > limits.triples:
            raise TooLarge(f"The document has more than {limits.triples} statements.")
    return tuple(found)


def stream(
    data: bytes,
    format: Format,  # noqa: A002 - as in parse
    *,
    base: str | None = None,
    limits: Limits = LIMITS,
    merge_graphs: bool = False,
) -> Iterator[Triple]:
    """Yield the statements of a foreign document as they are read, for documents of many records.

    Arguments and refusals as for `parse`, but that statements may come twice and are not counted.
    """
    if len(data) > limits.bytes:
        raise TooLarge(f"The document has {len(data)} bytes; {limits.bytes} are allowed.")
    text = _scanned(data.removeprefix(_BOM), format, limits)
    start = base or (_NO_BASE if format is Format.JSON_LD else None)
    try:
        quads = engine_parse(text, format=ENGINE_FORMATS[format], base_iri=start, without_named_graphs=not merge_graphs)
        for quad in quads:
            yield _checked(quad, relative=start is _NO_BASE)
    except SyntaxError as error:
        raise _refusal(error, format) from error
    except ValueError as error:
        raise InvalidInput(f"The {format.label} is not readable: {error}") from error


def _refusal(error: SyntaxError, format: Format) -> InvalidInput:  # noqa: A002 - as in parse
    words = _PLACE.sub("", error.msg)
    where = f"line {error.lineno}, column {error.offset}" if error.lineno else None
    if "Named graphs" in words:
        return InvalidInput(
            "The document has named graphs, and a record is one graph.",
            where=where,
            fix="Put the statements into the default graph; in JSON-LD leave out the @id beside @graph.",
        )
    return InvalidInput(f"The {format.label} is not well-formed: {words}.", where=where)


def _checked(quad: Quad, *, relative: bool) -> Triple:
    """Return the statement of `quad` when it is plain RDF 1.1 with absolute IRIs."""
    triple = quad.triple
    for term in triple:
        if isinstance(term, NamedNode):
            if relative and term.value.startswith(_NO_BASE):
                raise InvalidInput(
                    f"The IRI {term.value.removeprefix(_NO_BASE)!r} is relative and there is no base to complete it.",
                    fix="Write it as an absolute IRI, such as https://data.example/dataset/1.",
                )
        elif isinstance(term, Triple):
            raise InvalidInput("A statement about a statement (RDF 1.2 triple term) cannot be part of a record.")
        elif isinstance(term, Literal) and term.direction is not None:
            raise InvalidInput(f"The text {term.value!r} has a direction (RDF 1.2), which a record cannot hold.")
    return triple


def _scanned(text: bytes, format: Format, limits: Limits) -> bytes:  # noqa: A002 - as in parse
    """Return the text to parse, refusing what is too deep for the parser or forbidden to it."""
    match format:
        case Format.JSON_LD:
            return _with_contexts(text, limits)
        case Format.RDF_XML:
            _check_depth(_xml_steps(text), limits)
        case _ if sum(map(text.count, (b"[", b"(", b"{"))) > limits.nesting:
            _check_depth(_bracket_steps(_TURTLE, text), limits)
        case _:
            pass
    return text


def _bracket_steps(pattern: re.Pattern[bytes], text: bytes) -> Iterator[int]:
    """Yield +1 for each bracket that opens and -1 for each that closes, outside strings, IRIs and comments."""
    for token in pattern.finditer(text):
        if token.lastindex is not None:
            yield 1 if token.lastindex == 1 else -1


def _xml_steps(text: bytes) -> Iterator[int]:
    """Yield +1 and -1 for the tags; refuse a document type, whose entities can grow without bound."""
    for token in _XML.finditer(text):
        declaration, closing, empty = token.groups()
        if declaration is not None:
            line = text.count(b"\n", 0, token.start()) + 1
            raise InvalidInput(
                "The RDF/XML has a <!DOCTYPE or other declaration; entities are not read.",
                where=f"line {line}",
                fix="Remove the document type and write IRIs in full.",
            )
        if not token[0].startswith((b"<!", b"<?")):
            yield -1 if closing else 0 if empty else 1


def _check_depth(steps: Iterator[int], limits: Limits) -> None:
    depth = 0
    for step in steps:
        depth += step
        if depth > limits.nesting:
            raise TooLarge(f"The document nests deeper than {limits.nesting} levels.")


def read_json(text: bytes, limits: Limits = LIMITS) -> Any:
    """Return the JSON in `text`; stricter than Python's own reader.

    Raises:
        InvalidInput: it is no JSON, repeats a key within one object, or has NaN or an endless number.
        TooLarge: it nests deeper than `limits.nesting`.
    """
    if text.count(b"[") + text.count(b"{") > limits.nesting:
        _check_depth(_bracket_steps(_JSON, text), limits)
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"The JSON is not well-formed: {error.msg}.", where=f"line {error.lineno}, column {error.colno}"
        ) from error
    except ValueError as error:
        raise InvalidInput(f"The JSON is not readable: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InvalidInput("A JSON object has the same key twice.", where=repr(twice))
    return result


def _no_constant(name: str) -> NoReturn:
    raise InvalidInput(f"JSON knows no {name}.")


def _with_contexts(text: bytes, limits: Limits) -> bytes:
    """Return the JSON-LD with bundled contexts in place; untouched where it names none, so that places stay true."""
    inliner = Inliner(limits)
    document = inliner.document(read_json(text, limits))
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass") if inliner.replaced else text
