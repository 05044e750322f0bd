"""What a record refers to and does not repeat: concepts and their schemes, from the lists that ship."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from pyoxigraph import NamedNode

from connector.standards.dcat.shacl.results import Subject
from connector.standards.dcat.shacl.view import TYPE, Index, Properties, index_of
from connector.standards.dcat.vocabulary import background

LEVELS: Final = frozenset({"vocabulary", "range"})
"""The levels that look at the background; the others see the record alone."""

_KEPT: Final = 8_000  # IRIs of which it is known what the lists say, most of them: nothing


def background_of(record: Index) -> dict[Subject, Properties]:
    """Return what the lists say of the IRIs that the record refers to: the concept, and its scheme."""
    found: dict[Subject, Properties] = {}
    for said in record.values():
        for predicate, values in said.items():
            if predicate == TYPE:
                continue
            for value in values:
                if type(value) is NamedNode and (known := _known(value)):
                    found.update(known)
    return found


@lru_cache(maxsize=_KEPT)
def _known(node: NamedNode) -> Mapping[Subject, Properties] | None:
    return index_of(background((node.value,))) or None  # type: ignore[return-value]  # its subjects are no literals
