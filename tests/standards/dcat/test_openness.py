"""What is open: every code of the tables exists, nothing is in two groups, and the examples of the regulation hold."""

import tomllib

import pytest

from connector import library
from connector.standards.dcat import openness
from connector.standards.dcat.vocabulary import vocabulary

LICENCES = tomllib.loads(library.read("vocab", "licence-openness.toml").decode())["licence"]
FORMATS = tomllib.loads(library.read("vocab", "format-openness.toml").decode())


def test_every_licence_is_one_of_the_table_and_in_one_group() -> None:
    """A misspelt code would make an open licence an unknown one."""
    codes = [code for group in LICENCES for code in group["codes"]]
    assert len(codes) == len(set(codes))
    assert {openness.LICENCES + code for code in codes} <= set(vocabulary("licence").terms)
    assert all(group["reason"].endswith(".") for group in LICENCES)
    assert not any(group["high_value"] and not group["open"] for group in LICENCES)


def test_every_format_is_one_of_the_table() -> None:
    """The portal's lists and ours name codes of the EU table."""
    codes = [*FORMATS["portal"]["non_proprietary"], *FORMATS["portal"]["machine_readable"]]
    codes += [code for group in FORMATS["added"] for code in group["codes"]]
    assert {openness.FORMATS + code for code in codes} <= set(vocabulary("file-type").terms)
    assert (len(FORMATS["portal"]["non_proprietary"]), len(FORMATS["portal"]["machine_readable"])) == (29, 20)


@pytest.mark.parametrize(
    ("iri", "is_open", "high_value"),
    [
        (openness.LICENCES + "CC0", True, True),
        (openness.LICENCES + "CC_BY_4_0", True, True),
        (openness.LICENCES + "CC_BYSA_4_0", True, False),
        (openness.LICENCES + "CC_BYNC_4_0", False, False),
        (openness.LICENCES + "CC_BYND_4_0", False, False),
        (openness.LICENCES + "CC_BYNCND_4_0", False, False),
        ("https://creativecommons.org/licenses/by/4.0/", True, True),
        ("http://creativecommons.org/licenses/by/4.0", True, True),
        ("https://www.creativecommons.org/licenses/by/2.5/dk/", True, True),
        ("https://creativecommons.org/licenses/by-sa/4.0/", True, False),
        ("https://creativecommons.org/licenses/by-nc/4.0/", False, False),
        ("http://creativecommons.org/publicdomain/zero/1.0/", True, True),
    ],
)
def test_licences_are_known_by_either_address(iri: str, is_open: bool, high_value: bool) -> None:
    """CC0 and CC BY suffice for high-value datasets, share-alike is open and does not, non-commercial is closed."""
    found = openness.licence(iri)
    assert found is not None
    assert (found.open, found.high_value) == (is_open, high_value)


@pytest.mark.parametrize("iri", ["https://own.example/licence", "https://creativecommons.org/", "free", ""])
def test_what_is_not_named_is_unknown(iri: str) -> None:
    """Nothing is guessed of a licence that no table names."""
    assert openness.licence(iri) is None
    assert not openness.is_known_licence(iri)


@pytest.mark.parametrize(
    ("iri", "listed"),
    [
        ("https://www.iana.org/assignments/media-types/text/csv", True),
        ("http://www.iana.org/assignments/media-types/application/vnd.sdmx.data+csv", True),
        ("https://www.iana.org/assignments/media-types/csv", False),
        ("https://www.iana.org/assignments/media-types/text/", False),
        ("text/csv", False),
        (openness.FORMATS + "CSV", True),
        (openness.FORMATS + "GRIB", False),
    ],
)
def test_what_is_from_a_list(iri: str, listed: bool) -> None:
    """A term of the EU table or a type under a registered top-level name."""
    assert openness.is_from_list(iri) is listed


def test_media_types_are_known_in_any_case() -> None:
    """Types have no case (RFC 2045 §5.1)."""
    for name in ("application/wmo-GRIB2", "application/WMO-grib2", "TEXT/csv".lower()):
        assert openness.is_machine_readable(f"https://www.iana.org/assignments/media-types/{name}")
