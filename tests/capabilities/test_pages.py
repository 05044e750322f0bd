"""Pages that are kept: bounded in bytes with all that is packed of them, the latest used stay."""

import gzip
import random

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from connector.capabilities.pages import CODINGS, OVERHEAD, Page, Pages


def page(size: int, seed: int = 1) -> Page:
    """Return a page whose body no packing makes smaller."""
    return Page(random.Random(seed).randbytes(size), f'W/"{seed}"')  # noqa: S311 - bytes, no secret


@pytest.mark.parametrize(("coding", "unpack"), [("zstd", zstd.decompress), ("gzip", gzip.decompress)])
def test_a_page_is_packed_once(coding: str, unpack: object) -> None:
    """Every later request is sent the same bytes, which unpack to the body."""
    pages = Pages()
    kept = pages.keep("a", 1, page(10_000))
    packed = pages.packed(kept, coding)
    assert pages.packed(kept, coding) is packed
    assert callable(unpack)
    assert unpack(packed) == kept.body
    assert pages.weight == kept.weight() == OVERHEAD + 10_000 + len(packed)


def test_a_page_that_is_not_kept_is_packed_all_the_same() -> None:
    """The document of one dataset is made for its request and weighs on nothing."""
    pages = Pages()
    assert gzip.decompress(pages.packed(page(2000), "gzip")) == page(2000).body
    assert pages.weight == 0


def test_what_was_used_longest_ago_goes_first() -> None:
    """The bound holds after each step; a page that alone is beyond it is not kept."""
    pages = Pages(3 * (OVERHEAD + 1000))
    for name in "abc":
        pages.keep(name, 1, page(1000))
    assert pages.find("a") is not None
    pages.keep("d", 1, page(1000))
    assert pages.find("b") is None
    assert [name for name in "acd" if pages.find(name)] == ["a", "c", "d"]
    pages.keep("huge", 1, page(10_000))
    assert pages.find("huge") is None
    assert pages.weight == 0


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.integers(0, 3000), st.sampled_from([None, *CODINGS])),
        max_size=40,
    )
)
def test_the_weight_is_what_is_kept(steps: list[tuple[str, int, str | None]]) -> None:
    """Whatever is kept, replaced, packed and let go of, in any order: the sum is right and within the bound."""
    pages = Pages(8000)
    for turn, (name, size, coding) in enumerate(steps):
        found = pages.find(name)
        if found is not None and coding is not None:
            pages.packed(found[1], coding)
        else:
            pages.keep(name, turn, page(size, turn))
        kept = [found[1] for key in "abcdef" if (found := pages.find(key)) is not None]
        assert pages.weight == sum(each.weight() for each in kept) <= 8000
