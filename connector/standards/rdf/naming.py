"""Stable names for blank nodes, and the canonical bytes and hash of a record.

A blank node is named after what it says: the hash of its own statements and of the blank nodes below it. So a change
elsewhere in the record leaves its name alone. Only nodes that say the same need more:

1. what points at them and what they point at tells most of them apart (colour refinement, to a fixed point);
2. nodes that are still alike and touch no other such node are interchangeable: they are numbered in any order;
3. where they form trees, alike means interchangeable as well: one is picked, and step 1 runs again;
4. where they form rings, RDFC-1.0 decides, for a handful of nodes, since its time grows with the factorial.

Work beyond these bounds is refused: no record of data looks like that, only an attack does (RDFC-1.0 §7.1).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Final, TypeAlias

from pyoxigraph import BlankNode, CanonicalizationAlgorithm, Dataset, NamedNode, Quad, RdfFormat, Triple
from pyoxigraph import serialize as engine_serialise

from connector.errors import TooLarge
from connector.standards.rdf.terms import Triples

_WORK: Final = 40_000
"""Hashes spent on nodes that look alike; about half a second."""

_RING: Final = 6
"""Blank nodes in rings that RDFC-1.0 is given; it takes 0.2 s for six and 10 s for eight."""

_RING_TRIPLES: Final = 250

_Edge: TypeAlias = tuple[str, object]
"""(direction and predicate, the term at the other end)"""


def skolemise(triples: Iterable[Triple], base: str) -> Triples:
    """Return the triples with each blank node named `<base>#b-<hash>`, whatever their order and labels were.

    Args:
        triples: one record.
        base: its IRI; where that has a fragment, `-b-<hash>` is added to it.

    Raises:
        TooLarge: telling the blank nodes apart would take too long.
    """
    record = tuple(triples)
    if not any(isinstance(term, BlankNode) for triple in record for term in (triple.subject, triple.object)):
        return tuple(dict.fromkeys(record))
    prefix = f"{base}-b-" if "#" in base else f"{base}#b-"
    named, rings = _Naming(record).names()
    names = {node: NamedNode(prefix + name) for node, name in named.items()}
    known = [_renamed(triple, names) for triple in record]
    ringed = [triple for triple in known if rings & {triple.subject, triple.object}]
    if not ringed:
        return tuple(dict.fromkeys(known))
    kept = [triple for triple in known if not rings & {triple.subject, triple.object}]
    return tuple(dict.fromkeys([*kept, *_untangled(ringed, prefix)]))


def canonical(triples: Iterable[Triple]) -> bytes:
    """Return the canonical N-Triples of a record without blank nodes: each line once, in order of bytes.

    Raises:
        ValueError: a blank node is left; `skolemise` first.
    """
    record = tuple(triples)
    if any(isinstance(term, BlankNode) for triple in record for term in (triple.subject, triple.object)):
        raise ValueError("a record with blank nodes has no canonical bytes; skolemise it first")
    written = engine_serialise(record, format=RdfFormat.N_TRIPLES) or b""
    return b"".join(line + b"\n" for line in sorted({line for line in written.split(b"\n") if line}))


def fingerprint(data: bytes) -> str:
    """Return the SHA-256 of `data` in hexadecimal."""
    return sha256(data).hexdigest()


def _digest(*parts: str) -> str:
    return sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _renamed(triple: Triple, names: Mapping[BlankNode, NamedNode]) -> Triple:
    subject, target = triple.subject, triple.object
    return Triple(
        names.get(subject, subject) if isinstance(subject, BlankNode) else subject,
        triple.predicate,
        names.get(target, target) if isinstance(target, BlankNode) else target,
    )


def _untangled(ringed: Sequence[Triple], prefix: str) -> list[Triple]:
    """Return the statements about rings with the ring nodes named by RDFC-1.0."""
    nodes = {term for triple in ringed for term in (triple.subject, triple.object) if isinstance(term, BlankNode)}
    if len(nodes) > _RING or len(ringed) > _RING_TRIPLES:
        raise TooLarge(
            f"{len(nodes)} blank nodes that look alike point at one another in rings; at most {_RING} may.",
            fix="Give these nodes IRIs.",
        )
    dataset = Dataset(Quad(triple.subject, triple.predicate, triple.object) for triple in ringed)
    dataset.canonicalize(CanonicalizationAlgorithm.RDFC_1_0)
    settled = [quad.triple for quad in dataset]
    whole = _digest(*sorted(map(str, settled)))
    labels = {term for triple in settled for term in (triple.subject, triple.object) if isinstance(term, BlankNode)}
    names = {label: NamedNode(prefix + _digest(whole, label.value)) for label in labels}
    return [_renamed(triple, names) for triple in settled]


class _Naming:
    """The blank nodes of one record and their colours: what is known of each, as a hash."""

    def __init__(self, record: Sequence[Triple]) -> None:
        self.out: defaultdict[BlankNode, list[_Edge]] = defaultdict(list)
        self.around: defaultdict[BlankNode, list[_Edge]] = defaultdict(list)
        self.colours: dict[BlankNode, str] = {}
        self.work = 0
        for triple in record:
            subject, predicate, target = triple.subject, triple.predicate.value, triple.object
            if isinstance(subject, BlankNode):
                self.out[subject].append((f"> {predicate}", target))
                self.around[subject].append((f"> {predicate}", target))
            if isinstance(target, BlankNode):
                self.out[target]  # a node that says nothing is a node as well
                self.around[target].append((f"< {predicate}", subject))

    def names(self) -> tuple[Mapping[BlankNode, str], frozenset[object]]:
        """Return a name for each node, and the nodes that lie in rings and got none."""
        self._by_content()
        while tied := self._refined():
            alike = {node for group in tied.values() for node in group}
            loose = {
                colour: group
                for colour, group in tied.items()
                if not any(other in alike for node in group for _, other in self.around[node])
            }
            if loose:
                for colour, group in loose.items():
                    self.colours.update({node: _digest(colour, str(rank)) for rank, node in enumerate(group)})
            elif self._is_forest(alike):
                colour = min(tied)
                self.colours[tied[colour][0]] = _digest(colour, "picked")
            else:
                return {node: name for node, name in self.colours.items() if node not in alike}, frozenset(alike)
        return self.colours, frozenset()

    def _by_content(self) -> None:
        """Colour each node by its own statements and the colours below it; in rings by the former alone."""
        above: defaultdict[BlankNode, list[BlankNode]] = defaultdict(list)
        missing: dict[BlankNode, int] = {}
        for node, edges in self.out.items():
            below = [target for _, target in edges if isinstance(target, BlankNode)]
            missing[node] = len(below)
            for target in below:
                above[target].append(node)
        ready = [node for node, count in missing.items() if not count]
        while ready:
            node = ready.pop()
            self.colours[node] = self._hash("", self.out[node])
            for higher in above[node]:
                missing[higher] -= 1
                if not missing[higher]:
                    ready.append(higher)
        rings = {node: self._hash("ring", self.out[node]) for node in self.out if node not in self.colours}
        self.colours.update(rings)

    def _hash(self, start: str, edges: Iterable[_Edge]) -> str:
        told = (
            f"{direction} {self.colours.get(term, '') if isinstance(term, BlankNode) else term}"
            for direction, term in edges
        )
        return _digest(start, *sorted(told))

    def _refined(self) -> dict[str, list[BlankNode]]:
        """Refine the colours of nodes that share one until nothing changes; return who still shares, by colour."""
        tied = self._tied(self.colours)
        while tied:
            alike = [node for group in tied.values() for node in group]
            self.work += sum(len(self.around[node]) for node in alike)
            if self.work > _WORK:
                raise TooLarge("The document has too many blank nodes that look alike.", fix="Give these nodes IRIs.")
            finer = {node: self._hash(self.colours[node], self.around[node]) for node in alike}
            parts = self._tied(finer)
            split = len(set(finer.values())) > len(tied)
            self.colours.update(finer)
            tied = parts
            if not split:
                break
        return tied

    def _tied(self, colours: Mapping[BlankNode, str]) -> dict[str, list[BlankNode]]:
        groups: defaultdict[str, list[BlankNode]] = defaultdict(list)
        for node, colour in colours.items():
            groups[colour].append(node)
        return {colour: group for colour, group in groups.items() if len(group) > 1}

    def _is_forest(self, alike: set[BlankNode]) -> bool:
        """Say whether the nodes in `alike` and the links among them make no ring, directions and labels left aside."""
        root = {node: node for node in alike}

        def top(node: BlankNode) -> BlankNode:
            while root[node] != node:
                root[node] = root[root[node]]
                node = root[node]
            return node

        pairs = {
            frozenset((node, other))
            for node in alike
            for _, other in self.around[node]
            if isinstance(other, BlankNode) and other in alike and other != node
        }
        for one, other in map(tuple, pairs):
            first, second = top(one), top(other)
            if first == second:
                return False
            root[first] = second
        return True
