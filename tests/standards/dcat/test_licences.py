"""Licences by their words: claimed where the words name one, and never where they restrict further."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.standards.dcat.licences import TABLE, licence
from connector.standards.dcat.vocabulary import vocabulary

CMIP6 = (
    "CMIP6 model data produced by CSIRO is licensed under a Creative Commons Attribution{}ShareAlike 4.0 International "
    "License (https://creativecommons.org/licenses/). Consult https://pcmdi.llnl.gov/CMIP6/TermsOfUse for terms of use."
)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("CC-BY 4.0", "CC_BY_4_0"),
        ("CC-BY-4.0", "CC_BY_4_0"),
        ("cc by-sa 3.0", "CC_BYSA_3_0"),
        ("CC BY-NC-SA 4.0", "CC_BYNCSA_4_0"),
        ("CC-BY 4.0, https://creativecommons.org/licenses/by/4.0/", "CC_BY_4_0"),
        ("http://creativecommons.org/licenses/by-nd/2.5", "CC_BYND_2_5"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "CC_PDM_1_0"),
        (CMIP6.format("-"), "CC_BYSA_4_0"),
        (CMIP6.format(" "), "CC_BYSA_4_0"),
        (CMIP6.format("-NonCommercial-"), "CC_BYNCSA_4_0"),
        ("Creative Commons Attribution 4.0 International (CC BY 4.0)", "CC_BY_4_0"),
        ("Creative Commons Attribution International 4.0", None),
        ("ODbL-1.0", "ODC_BL"),
        ("etalab-2.0", "ETALAB_2_0"),
        (TABLE + "CC_BY_4_0", "CC_BY_4_0"),
        (TABLE + "MY_OWN", None),
        ("CC-BY", None),  # which version is not said
        ("CC-BY 9.9", None),
        ("CC-BY 4.0 or CC-BY-SA 4.0", None),
        ("CC BY 4.0 for non-commercial use", None),
        ("CC BY 4.0, for research use only", None),
        ("restricted", None),
        ("proprietary", None),
        ("free to use", None),
        ("", None),
    ],
)
def test_words_name_a_licence_or_none(text: str, code: str | None) -> None:
    """By address, identifier, or name and version; several, unknown and restricted ones are left to a person."""
    assert licence(text) == (TABLE + code if code else None)


WORDS = ("cc", "by", "nc", "-", "sa", "nd", "4.0", "attribution", "creative", "commons", ",", "or")


@given(st.text() | st.lists(st.sampled_from(WORDS)).map(" ".join))
def test_only_terms_of_the_table_are_claimed(text: str) -> None:
    """Whatever is written, the answer is a term of the table or none."""
    found = licence(text)
    assert found is None or found in vocabulary("licence").terms
