"""One dataset of a catalog: the whole DCAT-AP record inside the protocol's JSON, and back.

House rules:

1. What the protocol adds has the context's own short terms: `hasPolicy`, `distribution`, `format`, `accessService`,
   and the types `Dataset` and `Distribution`. What the record says has prefixed names (`dct:title`) or full IRIs,
   which no scoped term can catch. So a reader tells one from the other by a look at the key, without a processor, and
   the file format of a distribution (`dct:format`) survives beside its transfer type (`format`).
2. A node is written where it is first met; what nothing points at goes into `@included`.
3. Reading drops the short terms and leaves the rest to the RDF parser under a context of prefixes alone.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from pyoxigraph import Literal, NamedNode, Triple

from connector.errors import InvalidInput
from connector.standards import rdf
from connector.standards.dsp import wire
from connector.standards.dsp.schema import OFFER, demand

MAX_LEVELS: Final = 16
"""Nodes written inside one another; deeper ones go into `@included`, well before readers' limits on nesting."""

_DCAT: Final = rdf.PREFIXES["dcat"]
_TYPE: Final = rdf.PREFIXES["rdf"] + "type"
_DISTRIBUTION: Final = _DCAT + "distribution"
_STRING: Final = rdf.PREFIXES["xsd"] + "string"
# The prefixes that the protocol's context defines; in its documents no IRI can have one of them as its scheme.
_PREFIXES: Final = {name: rdf.PREFIXES[name] for name in ("xsd", "dct", "dcat", "odrl", "dspace")}
_TYPES: Final = {name: _DCAT + name for name in ("Catalog", "Dataset", "DataService", "Distribution")}
_LOCAL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def service(base_url: str) -> dict[str, Any]:
    """Return the data service that stands for a connector: where negotiations and transfers are asked for."""
    return {"@id": f"{base_url}#service", "@type": "DataService", "endpointURL": base_url}


def dataset_entry(
    record: Iterable[Triple], subject: str, offers: Sequence[Mapping[str, Any]], base_url: str, formats: Sequence[str]
) -> dict[str, Any]:
    """Return the catalog's JSON of one dataset, without `@context`.

    Expanded with the protocol's context it has exactly the record's triples (blank nodes skolemised on the subject's
    IRI), the type of the dataset and of each distribution where the record does not give it, and the protocol's own:
    the offers, the transfer formats and the data service of each distribution.

    Args:
        record: what is said about the dataset and the things around it.
        subject: IRI of the dataset.
        offers: at least one policy in wire form, as it stands in a catalog.
        base_url: where the protocol's endpoints hang.
        formats: at least one transfer type, such as `HttpData-PULL`; each distribution is offered in all of them.

    Raises:
        InvalidInput: no offer or no format; an offer that breaks its schema; an IRI that the JSON cannot carry.
    """
    if not offers or not formats:
        missing = "offer" if not offers else "transfer format"
        raise InvalidInput(f"The dataset {subject} has no {missing}.", fix=f"Give it at least one {missing}.")
    for offer in offers:
        demand(OFFER, offer)
    writer = _Writer(rdf.skolemise(record, subject))
    named = writer.take(subject, _DISTRIBUTION)
    writer.written |= {subject, *named}  # they have their places, whatever else points at them
    entry = {"@id": _sound(subject), "@type": "Dataset", **writer.properties(subject, "Dataset")}
    entry["distribution"] = list(_distributions(writer, named, service(base_url), formats))
    entry["hasPolicy"] = [dict(offer) for offer in offers]
    if rest := list(writer.rest()):
        entry["@included"] = rest
    return entry


def record_of(
    dataset: Mapping[str, Any], subject: str, prefixes: Mapping[str, str] = MappingProxyType({})
) -> rdf.Triples:
    """Return what a dataset of a catalog says beyond the protocol, as triples without blank nodes.

    A distribution that has a transfer type and a service but no name and nothing else to say is not part of it.

    Args:
        dataset: the JSON, in plain form.
        subject: the dataset's IRI, which relative ones are resolved against.
        prefixes: what the document's contexts define beyond the protocol's.

    Raises:
        InvalidInput: that is not readable as JSON-LD.
    """
    kept = _kept(dataset) | {"@id": subject, "@type": list({_TYPES["Dataset"]: 0} | dict.fromkeys(_types(dataset)))}
    described = [_kept(each) for each in dataset.get("distribution", ())]
    described = [each for each in described if set(each) != {"@type"}]
    if described:
        kept[_DISTRIBUTION] = described + _many(kept.get(_DISTRIBUTION))
    document = {"@context": {**prefixes, **_PREFIXES}, **kept}
    return rdf.skolemise(rdf.parse(wire.write(document), rdf.Format.JSON_LD, base=subject), subject)


def iri_of(name: str) -> str | None:
    """Return what a dataset's `@id` stands for: itself or what its prefix says, or None when it is no IRI."""
    prefix, colon, local = name.partition(":")
    if colon and prefix in _PREFIXES and not local.startswith("//"):
        name = _PREFIXES[prefix] + local
    try:
        return NamedNode(name).value
    except ValueError:
        return None


def _distributions(
    writer: "_Writer", named: Sequence[str], access: Mapping[str, Any], formats: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield each distribution once per transfer format, described the first time; without any, bare ones."""
    for name in named or ("",):
        described = {"@id": _sound(name), **writer.properties(name, "Distribution", 2)} if name else {}
        for transfer in formats:
            yield {"@type": "Distribution", "format": transfer, "accessService": dict(access), **described}
            described = {"@id": name} if name else {}


class _Writer:
    """Writes each node of a record once."""

    def __init__(self, triples: Iterable[Triple]) -> None:
        self.said: defaultdict[str, defaultdict[str, list[NamedNode | Literal]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for triple in sorted(triples, key=str):
            value = triple.object
            if isinstance(triple.subject, NamedNode) and isinstance(value, NamedNode | Literal):
                self.said[triple.subject.value][triple.predicate.value].append(value)
            else:
                raise InvalidInput(
                    f"The statement {triple} is not plain RDF.", fix="Leave out statements on statements."
                )
        self.written: set[str] = set()

    def take(self, subject: str, predicate: str) -> list[str]:
        """Return the IRIs that `predicate` leads to, and leave only its other values to be written."""
        values = self.said[subject].pop(predicate, [])
        if rest := [value for value in values if isinstance(value, Literal)]:
            self.said[subject][predicate] = list(rest)
        return [value.value for value in values if isinstance(value, NamedNode)]

    def properties(self, subject: str, kind: str = "", level: int = 1) -> dict[str, Any]:
        """Return what is said of a node; `kind` is the type that it has been given as a term."""
        self.written.add(subject)
        said = self.said[subject]
        found = self._types(said.pop(_TYPE, []), kind)
        for predicate, values in said.items():
            written = [self._value(value, level) for value in values]
            found[_key(predicate)] = written if len(written) > 1 else written[0]
        self.said[subject].clear()
        return found

    def rest(self) -> Iterator[dict[str, Any]]:
        """Yield the nodes that nothing written so far has led to."""
        for subject in list(self.said):
            if self.said[subject]:
                yield {"@id": _sound(subject), **self.properties(subject)}

    def _types(self, values: Sequence[NamedNode | Literal], kind: str) -> dict[str, Any]:
        """Return the types of a node; beside a term, which peers look for alone in `@type`, as a property."""
        names = [value.value for value in values if isinstance(value, NamedNode)]
        odd: list[Any] = [_literal(value) for value in values if isinstance(value, Literal)]
        if kind:
            odd += [{"@id": _sound(name)} for name in names if name != _TYPES[kind]]
        plain = {"@type": [_key(name) for name in names]} if names and not kind else {}
        return plain | ({_TYPE: odd} if odd else {})

    def _value(self, value: NamedNode | Literal, level: int) -> Any:
        if isinstance(value, Literal):
            return _literal(value)
        iri = value.value
        inside = level < MAX_LEVELS and iri not in self.written and self.said.get(iri)
        return {"@id": _sound(iri)} | (self.properties(iri, level=level + 1) if inside else {})


def _literal(value: Literal) -> Any:
    if value.language:
        return {"@value": value.value, "@language": value.language}
    kind = value.datatype.value
    return value.value if kind == _STRING else {"@value": value.value, "@type": _key(kind)}


def _key(iri: str) -> str:
    """Return `iri` as a name that the protocol's context gives back unchanged."""
    for prefix, namespace in _PREFIXES.items():
        if iri.startswith(namespace) and _LOCAL.fullmatch(iri, len(namespace)):
            return f"{prefix}:{iri[len(namespace) :]}"
    return _sound(iri)


def _sound(iri: str) -> str:
    """Return `iri`, refusing one that the protocol's context would take for a prefixed name."""
    if iri.partition(":")[0] in _PREFIXES:
        raise InvalidInput(
            f"The IRI <{iri}> reads as a prefixed name in the Dataspace Protocol.",
            fix="Write the namespace in full, or use another scheme.",
        )
    return iri


def _kept(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a node that the record owns: keywords and names with a colon, at every level."""
    kept = {key: _inner(value) for key, value in node.items() if ":" in key or key.startswith("@")}
    kept.pop("@context", None)
    if "@type" in kept:
        kept["@type"] = _types(node)
    return kept


def _inner(value: Any) -> Any:
    if isinstance(value, list):
        return [_inner(each) for each in value]
    return _kept(value) if isinstance(value, dict) and "@value" not in value else value


def _types(node: Mapping[str, Any]) -> list[str]:
    """Return the types of a node that are known terms or have a colon; a bare unknown word is no IRI."""
    kinds = [_TYPES.get(kind, kind) for kind in _many(node.get("@type")) if isinstance(kind, str)]
    return [kind for kind in kinds if ":" in kind]


def _many(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
