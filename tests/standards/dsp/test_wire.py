"""Strict JSON under limits: nothing a stranger sends makes the reader slow, deep or lossy."""

import json
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from connector.errors import InvalidInput, TooLarge
from connector.standards.dsp import wire

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(values, st.booleans())
def test_reads_what_the_standard_library_writes(value: Any, ascii_only: bool) -> None:
    """Valid JSON is read to the value it stands for, whatever colons, quotes and brackets its strings hold."""
    assert wire.read(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(values)
def test_writing_and_reading_is_the_identity(value: Any) -> None:
    """What goes out comes back."""
    assert wire.read(wire.write(value)) == value


@given(st.binary() | st.text(alphabet='[]{}":,\\ntfu0129eE+-. \n').map(str.encode))
def test_anything_is_read_or_refused(data: bytes) -> None:
    """No bytes raise anything but a refusal, and what is read is read as the standard library reads it."""
    try:
        value = wire.read(data)
    except InvalidInput:
        return
    event("read")
    assert value == json.loads(data)


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "[Infinity]",
        "-Infinity",
        "1e999",
        '"\\ud800"',
        '"a\tb"',
        "{'a': 1}",
        "[1,]",
        "",
        "{} {}",
        "\ufeff{}",
        "01",
        '{"a": 1 /* note */}',
    ],
)
def test_what_is_almost_json_is_refused(text: str) -> None:
    """NaN, infinities, numbers beyond any, lone surrogates and lenient habits of parsers are no JSON."""
    with pytest.raises(InvalidInput, match="not JSON"):
        wire.read(text.encode())


def test_bytes_that_are_not_utf8_are_refused() -> None:
    """A wrong encoding is a refusal, not a crash."""
    with pytest.raises(InvalidInput, match="not JSON"):
        wire.read(b'{"a": "\xff"}')


@pytest.mark.parametrize(
    ("text", "key"), [('{"a":1,"a":1}', "a"), ('[{"b":{"c":1,"d":[],"c":{}}}]', "c"), ('{"a":1,"\\u0061":2}', "a")]
)
def test_a_key_that_stands_twice_is_refused_by_name(text: str, key: str) -> None:
    """Two readers could each see another value, so neither is taken; an escape does not hide the repetition."""
    with pytest.raises(InvalidInput) as refusal:
        wire.read(text.encode())
    assert refusal.value.where == key


@given(st.integers(0, 90), st.sampled_from(["[]", "{}", "mixed"]), st.text('[]{}"\\'))
def test_depth_is_limited_and_counts_no_brackets_in_strings(depth: int, kind: str, noise: str) -> None:
    """64 levels are read, one more is refused; brackets inside strings are text."""
    value: Any = noise
    for level in range(depth):
        value = [value] if kind == "[]" or (kind == "mixed" and level % 2) else {"k": value}
    data = json.dumps(value).encode()
    if depth <= wire.MAX_DEPTH:
        assert wire.read(data) == value
    else:
        with pytest.raises(TooLarge, match="64 levels"):
            wire.read(data)


@pytest.mark.parametrize("start", [b"[", b'{"a":', b'"', b'\\"', b'"\\', b"[{", b'{"a":["'])
def test_hostile_repetition_is_refused(start: bytes) -> None:
    """A megabyte of brackets or quotes neither overflows the stack nor sends a pattern back and forth."""
    with pytest.raises(InvalidInput):
        wire.read((start * 1_000_000)[: wire.MAX_BYTES])


def test_size_is_limited() -> None:
    """One megabyte is read and one byte more is not; a caller may allow more."""
    data = json.dumps("x" * (wire.MAX_BYTES - 2)).encode()
    assert len(wire.read(data)) == wire.MAX_BYTES - 2
    with pytest.raises(TooLarge, match="1,000,001 bytes"):
        wire.read(data + b" ")
    assert wire.read(data + b" ", limit=wire.MAX_BYTES + 1)
