"""The canonical form: ours and the library's are the same bytes, whoever writes them."""

from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from connector.standards import canonical

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
LEAVES = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e30, 1e30) | TEXT
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=20
)


@given(VALUES)
@example({"\ue000": 1, "\U0001f600": 2})
@example({"b": 1.0, "a": [True, 1e21, -0.0, 0.1]})
@example({"a": '\x00\x1f\x7f\u2028"\\/\b\f\n\r\t'})
@example({"B": (1, 2), "a": {"é": None}})
def test_both_ways_write_the_same(value: Any) -> None:
    """A signature made by the quick way holds for a reader that goes by the standard, byte by byte."""
    assert canonical.canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "value",
    [2**53, -(2**53), float("nan"), float("inf"), "\ud800", {"a": "\ud800"}, {"\ud800": 1}, {1: "a"}, {"a": {2, 3}}],
    ids=repr,
)
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    """What readers would read differently is never signed."""
    with pytest.raises(canonical.Uncanonical):
        canonical.canonical(value)


def test_what_nests_too_deeply_is_refused() -> None:
    """A bottomless document ends in a refusal, not in a crash."""
    value: Any = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(canonical.Uncanonical):
        canonical.canonical(value)
