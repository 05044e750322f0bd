"""Policies that the W3C documents print: each is read whole, or refused with the term that is not understood."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pyoxigraph import BlankNode, Literal, NamedNode, RdfFormat, parse

from connector.errors import InvalidInput
from connector.standards.odrl import terms
from connector.standards.odrl.decide import Facts, judge
from connector.standards.odrl.intake import read, understood, write
from tests.conftest import references
from tests.standards.odrl.strategies import START

FOLDER = references() / "standards/odrl-examples"
if not FOLDER.is_dir():
    pytest.skip("There are no ODRL examples beside the checkout.", allow_module_level=True)
EXAMPLES = sorted(
    path
    for path in FOLDER.iterdir()
    if path.name.startswith(("im-", "cg-", "vocab-")) and path.suffix in {".jsonld", ".ttl"}
)


def documents(path: Path) -> list[dict[str, Any]]:
    """Return the policies of one example, Turtle as a tree of absolute names."""
    if path.suffix == ".jsonld":
        found = msgspec.json.decode(path.read_bytes())
        return found if isinstance(found, list) else [found]
    nodes: dict[Any, dict[str, Any]] = {}
    for quad in parse(path.read_bytes(), format=RdfFormat.TURTLE, base_iri="http://example.com/"):
        node = nodes.setdefault(
            quad.subject, {"@id": quad.subject.value} if isinstance(quad.subject, NamedNode) else {}
        )
        key = "@type" if quad.predicate.value == terms.RDF + "type" else quad.predicate.value
        node.setdefault(key, []).append(quad.object)
    heads = [node for node in nodes.values() if any(key.endswith(("permission", "prohibition")) for key in node)]
    return [tree(node, nodes, 8) for node in heads]


def tree(node: dict[str, Any], nodes: dict[Any, dict[str, Any]], depth: int) -> dict[str, Any]:
    """Return `node` with the blank nodes it points to inside it."""

    def value(item: Any) -> Any:
        if isinstance(item, Literal):
            return {"@value": item.value, "@type": item.datatype.value}
        if isinstance(item, BlankNode) and depth:
            return tree(nodes.get(item, {}), nodes, depth - 1)
        return {"@id": item.value}

    return {key: items if key == "@id" else [value(item) for item in items] for key, items in node.items()}


def leaves(part: Any, key: str = "") -> Iterator[str]:
    """Yield every value that carries meaning, in one spelling."""
    if isinstance(part, dict):
        for name, child in part.items():
            if name not in {"@context", "@type"}:
                yield from leaves(child, name)
    elif isinstance(part, list):
        for child in part:
            yield from leaves(child, key)
    else:
        bare = key.removeprefix(terms.ODRL) in {"action", "leftOperand", "operator"}
        name = terms.absolute(str(part)) if bare else terms.expand(str(part))
        yield terms.SUCCESSORS.get(name, name).removeprefix(terms.ODRL)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_read_whole_or_refused_by_name(path: Path) -> None:
    """No example crashes the reader, none is read in part, and none is permitted without being understood."""
    found = documents(path)
    assert found
    for document in [*found, *({key: value for key, value in one.items() if key != "profile"} for one in found)]:
        findings = understood(document)
        decision = judge(document, "use", Facts(now=START))
        if findings:
            assert not decision.permitted
            with pytest.raises(InvalidInput) as caught:
                read(document)
            assert caught.value.where
            assert all("(at " in finding for finding in findings)
        else:
            assert set(leaves(document)) <= set(leaves(write(read(document))))


def test_enough_examples_are_read() -> None:
    """The claim above is not empty: these are within what is understood, once their made-up profile is set aside."""
    plain = {
        path.name
        for path in EXAMPLES
        for one in documents(path)
        if not understood({key: value for key, value in one.items() if key != "profile"})
    }
    assert len(EXAMPLES) > 50
    assert plain >= {
        *("im-01-policy-set.jsonld", "im-02-policy-offer.jsonld", "im-03-policy-agreement.jsonld"),
        *("im-08-action.jsonld", "im-09-constraint-rule.jsonld", "im-14-permission.jsonld", "cg-bp-07-styles.jsonld"),
    }
