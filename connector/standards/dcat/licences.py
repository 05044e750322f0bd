"""From the words in which files state their licence to the term of the EU table of licences.

A licence is claimed only where the words name exactly one that the table has: by its address, its SPDX identifier, or
its name and version. Words that restrict further than that licence does make it none of the table.
"""

import re
from functools import cache
from typing import Final

from connector.standards.dcat.vocabulary import vocabulary

TABLE: Final = "http://publications.europa.eu/resource/authority/licence/"
_LONGEST: Final = 4_000

_ADDRESS: Final = re.compile(
    r"creativecommons\.org/(?:licenses/(by(?:-nc)?(?:-nd|-sa)?)/(\d\.\d)|publicdomain/(zero|mark)/)"
)
_NAME: Final = re.compile(
    r"(?:creative commons|\bcc)[ -]*(?:\(?cc[ -])?(?:attribution|by)"
    r"((?:[ -]*(?:non-?commercial|share-?alike|no-?derivat(?:iv)?e?s?|nc|sa|nd)\b)*)"
    r"[ -]*(?:\(?cc[ -]by[a-z -]*\)?)?[ -]*v?(?:ersion )?(\d\.\d)"
)
_PARTS: Final = (
    (re.compile(r"non-?commercial|\bnc\b"), "NC"),
    (re.compile(r"no-?deriv|\bnd\b"), "ND"),
    (re.compile(r"share|\bsa\b"), "SA"),
)
_RESTRICTED: Final = re.compile(
    r"non-?\s?commercial|research (?:use|purposes?) only|not? (?:for )?redistribut|restricted|confidential"
)

_WHOLE: Final = {
    "cc0": "CC0",
    "cc0-1.0": "CC0",
    "cc0 1.0": "CC0",
    "cc0 1.0 universal": "CC0",
    "creative commons zero": "CC0",
    "odbl": "ODC_BL",
    "odbl-1.0": "ODC_BL",
    "odc-odbl": "ODC_BL",
    "pddl-1.0": "ODC_PDDL",
    "odc-by-1.0": "ODC_BY",
    "etalab-2.0": "ETALAB_2_0",
    "ogl-uk-1.0": "OGL_1_0",
    "ogl-uk-2.0": "OGL_2_0",
    "ogl-uk-3.0": "OGL_3_0",
    "dl-de-zero-2.0": "DLDE_ZERO_2_0",
    "dl-de/zero-2-0": "DLDE_ZERO_2_0",
    "dl-de-by-2.0": "DLDE_BY_2_0",
    "dl-de/by-2-0": "DLDE_BY_2_0",
    "nlod-1.0": "NLOD_1_0",
    "nlod-2.0": "NLOD_2_0",
    "mit": "MIT",
    "apache-2.0": "APACHE_2_0",
    "bsd-3-clause": "BSD_3_CLAUSE",
    "bsd-2-clause": "BSD_2_CLAUSE",
}
"""What the whole text may be, in lower case: SPDX identifiers and names, and the code of the table."""


def licence(text: str) -> str | None:
    """Return the IRI of the licence that the words name; None when they name none that the table has, or several."""
    words = " ".join(text[:_LONGEST].split())
    if words.startswith(TABLE):
        return words if words.removeprefix(TABLE) in _codes() else None
    lower = words.casefold().strip(" .")
    if lower in _WHOLE:
        return TABLE + _WHOLE[lower]
    codes = {_code(match[1], match[2], match[3]) for match in _ADDRESS.finditer(lower)}
    codes |= {_named(match[1], match[2]) for match in _NAME.finditer(lower)}
    if len(codes) != 1:
        return None
    (code,) = codes
    narrower = _RESTRICTED.search(lower) and "NC" not in code
    return TABLE + code if code in _codes() and not narrower else None


def _code(kind: str | None, version: str | None, public: str | None) -> str:
    if public:
        return "CC0" if public == "zero" else "CC_PDM_1_0"
    return f"CC_BY{(kind or '').removeprefix('by').replace('-', '').upper()}_{(version or '').replace('.', '_')}"


def _named(parts: str, version: str) -> str:
    return "CC_BY" + "".join(sign for words, sign in _PARTS if words.search(parts)) + "_" + version.replace(".", "_")


@cache
def _codes() -> frozenset[str]:
    return frozenset(iri.removeprefix(TABLE) for iri in vocabulary("licence").terms)
