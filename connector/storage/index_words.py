"""What counts as a word in the search index: the same on every engine, in every language, with or without accents.

The engines only ever see words that were cut and folded here. So SQLite and PostgreSQL find the same, no character of a
question is ever syntax to them, and no engine's Unicode tables decide what a letter is.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final, NamedTuple

from connector.errors import InvalidInput

MAX_WORDS: Final = 16
"""How many words a question may have."""
MAX_LETTERS: Final = 64
"""Longer words are cut: what follows distinguishes nothing a person looks for."""
_PREFIX_FROM: Final = 4
"""From this many letters on a word also matches as the beginning of one: "temperature" finds "temperatures"."""

_UNMARKED: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "\u0131": "i", "æ": "ae", "œ": "oe", "ŧ": "t"}
)
"""Letters whose stroke is not a combining mark, so that no decomposition removes it."""
_ACCENT_CLASS: Final = 10
"""From this combining class on marks are accents and points; those below are signs that belong to the word."""
_ASCII_WORD: Final = re.compile(r"[a-z0-9]+")


class Word(NamedTuple):
    """A word of a question; with `prefix` it also matches as the beginning of a word."""

    text: str
    prefix: bool


def words(text: str) -> list[str]:
    """Return the folded words of `text` in order: no case, no accents, no punctuation."""
    if text.isascii():
        found = _ASCII_WORD.findall(text.lower())
    else:
        found = "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in _folded(text)).split()
    return [word[:MAX_LETTERS] for word in found]


def asked(question: str) -> tuple[Word, ...]:
    """Return the words of a question, each once; `word*` asks for a beginning however short.

    Raises InvalidInput when there are more than `MAX_WORDS`.
    """
    result = tuple(dict.fromkeys(_asked(question)))
    if len(result) > MAX_WORDS:
        raise InvalidInput(
            f"The question has {len(result)} words; at most {MAX_WORDS} are looked up.",
            where="q",
            fix="Keep the words that tell the datasets apart.",
        )
    return result


def _asked(question: str) -> Iterator[Word]:
    for piece in question.split():
        found = words(piece)
        for at, word in enumerate(found):
            starred = piece.endswith("*") and at == len(found) - 1
            yield Word(word, prefix=starred or len(word) >= _PREFIX_FROM)


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    bare = "".join(c for c in decomposed if unicodedata.combining(c) < _ACCENT_CLASS)
    return unicodedata.normalize("NFC", bare.translate(_UNMARKED))
