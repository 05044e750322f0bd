"""From any JSON-LD form of a protocol document to its plain form.

The context of the protocol is built so that compaction with it gives what the JSON schemas ask for, except where
compaction takes a one-element array apart or keeps an object where the schema has text. Those places are mended here.
No context is ever fetched: what does not ship is left out when the protocol's own context stands beside it, and
refused when it stands alone.
"""

import json
from collections.abc import Collection
from functools import cache
from typing import Any, Final

from connector import library
from connector.errors import InvalidInput, TooLarge
from connector.standards import rdf
from connector.standards.dsp.schema import CONTEXT, LOGICAL, NAMESPACE

MAX_NODES: Final = 5_000
"""Objects and arrays in a document that goes through JSON-LD, which costs a thousand times what plain JSON does."""

_TEXTS: Final = frozenset(
    [
        "callbackAddress",
        "providerPid",
        "consumerPid",
        "agreementId",
        "dataset",
        "code",
        "format",
        "endpoint",
        "endpointType",
        "endpointURL",
        "name",
        "value",
        "participantId",
        "target",
        "assigner",
        "assignee",
        "action",
        "leftOperand",
        "operator",
        "timestamp",
        "eventType",
        "state",
        "accessService",
    ]
)
# Properties whose values are IRIs, and whose names those are where a sender writes them as bare words.
_IRIS: Final = {
    **{NAMESPACE + name: "" for name in ("providerPid", "consumerPid", "agreementId", "endpointType", "participantId")},
    **{NAMESPACE + name: NAMESPACE for name in ("eventType", "state")},
    **{rdf.full(f"odrl:{name}"): "" for name in ("target", "assigner", "assignee", "leftOperand")},
    **{rdf.full(f"odrl:{name}"): rdf.PREFIXES["odrl"] for name in ("action", "operator")},
    rdf.full("dct:format"): "",
}
_XSD: Final = {bool: "xsd:boolean", int: "xsd:integer", float: "xsd:double"}


def is_plain(document: Any, names: Collection[str]) -> bool:
    """Tell whether `document` is in the plain form: a known `@type` and the protocol's context in an array of text."""
    if not isinstance(document, dict):
        return False
    kind, context = document.get("@type"), document.get("@context")
    return (
        isinstance(kind, str)
        and kind in names
        and isinstance(context, list)
        and CONTEXT in context
        and all(isinstance(entry, str) for entry in context)
    )


def plain(document: Any, names: Collection[str]) -> Any:
    """Return the plain form of a document whose type is one of `names`.

    What cannot be read as one comes back unchanged, for the schema to refuse in its own words.

    Args:
        document: compacted with whatever contexts, prefixed, or expanded.
        names: local names of types, such as `ContractRequestMessage` or `Catalog`.

    Raises:
        InvalidInput: it names contexts that do not ship and says nothing without them, or is not JSON-LD.
        TooLarge: there is more of it than JSON-LD is tried on.
    """
    if not _may_be(document, names):
        return document
    if _objects(document) > MAX_NODES:
        raise TooLarge(
            f"In forms other than the plain one at most {MAX_NODES:,} objects are read.",
            fix=f"Send the plain form: a bare '@type', and '@context': [{CONTEXT!r}].",
        )
    try:
        nodes = rdf.expand(_with_known_contexts(document))
    except InvalidInput:
        if isinstance(document, dict) and document.get("@type") in list(names):
            return document
        raise
    if len(nodes) != 1 or not {_iri(name) for name in names} & set(nodes[0].get("@type", ())):
        return document
    return {"@context": [CONTEXT], **_mended(_compacted(_with_iris(nodes))), **_filter(document)}


def _filter(document: Any) -> dict[str, Any]:
    """Return a catalog request's filter as it was sent.

    Its language is none of the protocol's. JSON-LD would leave out of it, without a word, what no context defines, and
    so ask another question than the sender did.
    """
    node = document[0] if isinstance(document, list) else document
    sent = [node[name] for name in ("filter", "dspace:filter", NAMESPACE + "filter") if name in node]
    listed = [each for value in sent for each in (value if isinstance(value, list) else [value])]
    bare = [each["@value"] if isinstance(each, dict) and set(each) == {"@value"} else each for each in listed]
    return {"filter": bare} if sent else {}


def _iri(name: str) -> str:
    return (rdf.PREFIXES["dcat"] if name in {"Catalog", "Dataset"} else NAMESPACE) + name


def _may_be(document: Any, names: Collection[str]) -> bool:
    """Tell, at the cost of a look, whether one node could have one of the types; aliases need an inline context."""
    node = document[0] if isinstance(document, list) and len(document) == 1 else document
    if not isinstance(node, dict):
        return False
    kinds = node.get("@type")
    locals_ = {kind.rpartition(":")[2].rpartition("/")[2].rpartition("#")[2] for kind in _listed(kinds)}
    return not locals_.isdisjoint(names) or any(isinstance(each, dict) for each in _listed(node.get("@context"), dict))


def _listed(value: Any, kind: type = str) -> list[Any]:
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, kind)]


def _objects(document: Any) -> int:
    count, left = 0, [document]
    while left:
        item = left.pop()
        if isinstance(item, dict | list):
            count += 1
            left.extend(item.values() if isinstance(item, dict) else item)
    return count


def _with_known_contexts(document: Any) -> Any:
    """Return the document without the contexts that do not ship, where the protocol's own is there as well."""
    if not isinstance(document, dict) or not isinstance(contexts := document.get("@context"), list):
        return document
    if CONTEXT not in contexts:
        return document
    known = rdf.contexts()
    kept = [entry for entry in contexts if not isinstance(entry, str) or entry in known]
    return {**document, "@context": kept}


def _with_iris(value: Any, vocabulary: str | None = None) -> Any:
    """Return expanded JSON-LD with IRIs where a sender without the protocol's context wrote plain text.

    Args:
        value: what was expanded.
        vocabulary: of the property whose value it is, where that has to be an IRI.
    """
    if isinstance(value, list):
        return [_with_iris(each, vocabulary) for each in value]
    if not isinstance(value, dict):
        return value
    if vocabulary is not None and isinstance(text := value.get("@value"), str):
        prefix, colon, rest = text.partition(":")
        full = rdf.PREFIXES[prefix] + rest if colon and prefix in rdf.PREFIXES else text
        return {"@id": full if colon else vocabulary + full}
    return {key: _with_iris(each, _IRIS.get(key)) for key, each in value.items()}


def _compacted(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    from pyld import jsonld  # noqa: PLC0415 - a third of a second to import, and rarely needed

    options = {"base": None, "skipExpansion": True}  # no loader is needed: the context stands here, whole
    try:
        compacted: dict[str, Any] = jsonld.compact(nodes, _context(), options)
    except jsonld.JsonLdError as error:
        raise InvalidInput(
            f"The JSON-LD cannot be brought into the plain form: {error.args[0]}", fix="Send the plain form."
        ) from error
    compacted.pop("@context", None)
    return compacted


@cache
def _context() -> dict[str, Any]:
    """Return the protocol's context with its imports written out.

    The processor keeps one copy of an imported context and lets the contexts that import it write into it, so with
    imports left in place terms come and go with what was read before.
    """
    context: dict[str, Any] = _published(CONTEXT)
    for definition in context.values():
        scoped = definition.get("@context") if isinstance(definition, dict) else None
        if isinstance(scoped, dict) and "@import" in scoped:
            definition["@context"] = _published(scoped.pop("@import")) | scoped
    return context


def _published(iri: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(library.read("vocab", f"contexts/{rdf.contexts()[iri]}"))["@context"]
    return document


def _mended(value: Any, key: str = "") -> Any:
    """Return compacted JSON-LD as the schemas want it."""
    if isinstance(value, dict) and set(value) == {"@list"}:
        value = value["@list"]
    if key in LOGICAL and not isinstance(value, list):
        value = [value]
    if isinstance(value, list):
        return [_mended(each, "" if key in LOGICAL else key) for each in value]
    if key == "rightOperand" and isinstance(value, bool | int | float):
        words = json.dumps(value)
        return {"@value": words, "@type": _XSD[type(value)]}
    if not isinstance(value, dict) or key == "rightOperand":
        return value
    if key in _TEXTS and isinstance(value.get("@value"), str):
        return value["@value"]
    if key in _TEXTS and set(value) == {"@id"}:
        return value["@id"]
    return value if "@value" in value else {inner: _mended(each, inner) for inner, each in value.items()}
