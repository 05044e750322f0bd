"""The page about security names tests; this keeps it from naming tests that are gone."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "explanation" / "security.md").read_text(encoding="utf-8")
SECTIONS = re.findall(r"^## Threat (\d+): .+\n((?:(?!^## ).*\n)*)", PAGE, re.MULTILINE)
NAMED = sorted(set(re.findall(r"`(test_\w+)`", PAGE)))


@pytest.fixture(scope="module")
def written() -> set[str]:
    """Return the names of all test functions with a threat's number."""
    files = (ROOT / "tests").rglob("test_*.py")
    return {
        name for file in files for name in re.findall(r"^def (test_t\d\d_\w+)\(", file.read_text("utf-8"), re.MULTILINE)
    }


def test_the_page_names_threats_and_tests() -> None:
    """The page is read as it is meant: the checks below are not empty."""
    assert len(SECTIONS) >= 10
    assert len(NAMED) >= 50


@pytest.mark.parametrize("name", NAMED)
def test_every_test_named_on_the_page_exists(name: str, written: set[str]) -> None:
    """What the page calls proved is proved by a test of exactly that name."""
    assert name in written


@pytest.mark.parametrize(("number", "text"), SECTIONS, ids=[f"threat-{number}" for number, _ in SECTIONS])
def test_every_threat_is_proved_by_a_test_of_its_number(number: str, text: str) -> None:
    """No threat is only talked about."""
    assert f"_t{int(number):02}_" in text.replace("test_t", "_t")
