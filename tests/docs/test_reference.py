"""The reference says what the code says."""

import pytest

from tests.docs.reference import generate, program
from tests.docs.reference.markdown import summary, table


@pytest.mark.parametrize("name", generate.PAGES)
def test_the_page_is_what_the_code_says(name: str) -> None:
    """A reader looks up what this version does; when this fails, run `make docs` and read what changed."""
    assert (generate.FOLDER / name).read_text(encoding="utf-8") == generate.PAGES[name]()


def test_every_setting_says_what_it_does() -> None:
    """An operator never has to read the code to know what a key is for."""
    assert program.undocumented() == []


def test_what_says_nothing_has_no_place_in_the_reference() -> None:
    """A page with an empty line about something is not written at all."""
    with pytest.raises(LookupError, match="no docstring"):
        summary(type("Silent", (), {"__doc__": None}))


def test_a_table_survives_bars_and_line_breaks() -> None:
    """One cell stays one cell."""
    assert table(["a"], [["b|c\nd"]]) == "| a |\n| --- |\n| b\\|c d |"
