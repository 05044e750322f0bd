"""The names of ODRL 2.2 that the connector understands, and every spelling under which they arrive.

The Dataspace Protocol's own examples write bare names such as `dateTime`, which its context does not define; a JSON-LD
processor would read them relative to the document. So names are resolved here, by table, before anything else.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

ODRL: Final = "http://www.w3.org/ns/odrl/2/"
CC: Final = "http://creativecommons.org/ns#"
DPV: Final = "https://w3id.org/dpv#"
DCT: Final = "http://purl.org/dc/terms/"
XSD: Final = "http://www.w3.org/2001/XMLSchema#"
RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS: Final = "http://www.w3.org/2000/01/rdf-schema#"
SKOS: Final = "http://www.w3.org/2004/02/skos/core#"
DSPACE: Final = "https://w3id.org/dspace/2025/1/"

PREFIXES: Final[Mapping[str, str]] = {
    "odrl": ODRL,
    "cc": CC,
    "dpv": DPV,
    "dct": DCT,
    "dcterms": DCT,
    "dcat": "http://www.w3.org/ns/dcat#",
    "dspace": DSPACE,
    "xsd": XSD,
    "rdf": RDF,
    "rdfs": RDFS,
    "skos": SKOS,
}

WRITTEN: Final = ("odrl", "xsd", "dct")
"""The prefixes that the Dataspace Protocol's context defines, so that we may write them."""

PROFILE: Final = "urn:greendeal:ns:policy"
"""Our reading of the points ODRL leaves open; a policy may name it, no peer needs it to read our policies."""

CORE: Final = ODRL + "core"
PROFILES: Final = (PROFILE, CORE)


class Action(NamedTuple):
    """One action: what it is part of (`odrl:includedIn`), its label, and the words that follow "you may"."""

    parent: str | None
    label: str
    verb: str


def _odrl(parent: str | None, rows: Mapping[str, tuple[str, str]]) -> dict[str, Action]:
    return {ODRL + name: Action(parent, label, verb) for name, (label, verb) in rows.items()}


USE: Final = ODRL + "use"
ACTIONS: Final[Mapping[str, Action]] = {
    **_odrl(
        None,
        {"use": ("Use", "use the data"), "transfer": ("Transfer Ownership", "transfer the ownership of the data")},
    ),
    **_odrl(
        USE,
        {
            "acceptTracking": ("Accept Tracking", "accept that the use is tracked"),
            "aggregate": ("Aggregate", "aggregate the data with other data"),
            "annotate": ("Annotate", "annotate the data"),
            "anonymize": ("Anonymize", "anonymize the data"),
            "archive": ("Archive", "archive the data"),
            "attribute": ("Attribute", "name the source of the data"),
            "compensate": ("Compensate", "pay the agreed compensation"),
            "concurrentUse": ("Concurrent Use", "use several copies of the data at once"),
            "delete": ("Delete", "delete the data"),
            "derive": ("Derive", "make derived works from the data"),
            "digitize": ("Digitize", "digitize the data"),
            "distribute": ("Distribute", "pass the data on to third parties"),
            "ensureExclusivity": ("Ensure Exclusivity", "ensure that the use is exclusive"),
            "execute": ("Execute", "run the data as a program"),
            "grantUse": ("Grant Use", "grant the use of the data to third parties"),
            "include": ("Include", "include the data in other data"),
            "index": ("Index", "index the data"),
            "inform": ("Inform", "inform the provider of the use"),
            "install": ("Install", "install the data"),
            "modify": ("Modify", "modify the data"),
            "move": ("Move", "move the data"),
            "nextPolicy": ("Next Policy", "pass the terms on to every later recipient"),
            "obtainConsent": ("Obtain Consent", "obtain consent"),
            "play": ("Play", "play the data"),
            "present": ("Present", "present the data in public"),
            "print": ("Print", "print the data"),
            "read": ("Read", "read the data"),
            "reproduce": ("Reproduce", "copy the data"),
            "reviewPolicy": ("Review Policy", "review the terms"),
            "stream": ("Stream", "stream the data"),
            "synchronize": ("Synchronize", "synchronize the data with other media"),
            "textToSpeech": ("Text-to-speech", "have the data read out loud"),
            "transform": ("Transform", "convert the data to another format"),
            "translate": ("Translate", "translate the data"),
            "uninstall": ("Uninstall", "uninstall the data"),
            "watermark": ("Watermark", "put a watermark on the data"),
        },
    ),
    **_odrl(ODRL + "play", {"display": ("Display", "display the data")}),
    **_odrl(ODRL + "reproduce", {"extract": ("Extract", "extract parts of the data")}),
    **_odrl(
        ODRL + "transfer",
        {"give": ("Give", "give the ownership of the data away"), "sell": ("Sell", "sell the ownership of the data")},
    ),
    CC + "Reproduction": Action(USE, "Reproduction", "make multiple copies of the data"),
    CC + "Distribution": Action(USE, "Distribution", "distribute the data or show it in public"),
    CC + "DerivativeWorks": Action(USE, "Derivative Works", "distribute works derived from the data"),
    CC + "CommercialUse": Action(USE, "Commercial Use", "use the data for commercial purposes"),
    CC + "Notice": Action(USE, "Notice", "keep copyright and licence notices intact"),
    CC + "Attribution": Action(USE, "Attribution", "give credit to the author of the data"),
    CC + "ShareAlike": Action(USE, "Share Alike", "license derived works under the same terms"),
    CC + "Sharing": Action(USE, "Sharing", "make commercial derivatives but distribute without commerce"),
    CC + "SourceCode": Action(USE, "Source Code", "provide the source code"),
}

SUCCESSORS: Final[Mapping[str, str]] = {
    ODRL + old: ODRL + new
    for old, new in {
        "append": "modify",
        "appendTo": "modify",
        "copy": "reproduce",
        "export": "transform",
        "license": "grantUse",
        "pay": "compensate",
        "write": "modify",
        "writeTo": "modify",
    }.items()
}
"""Deprecated actions and the action that ODRL 2.2 says means the same (`skos:exactMatch`)."""

AFTERWARDS: Final = frozenset(
    {
        ODRL + "attribute",
        ODRL + "delete",
        ODRL + "nextPolicy",
        CC + "Attribution",
        CC + "Notice",
        CC + "ShareAlike",
        CC + "SourceCode",
    }
)
"""Duties that can only be met with or after the use. ODRL draws no such line; every other duty comes first."""


def expand(name: str, prefixes: Mapping[str, str] = PREFIXES) -> str:
    """Return `name` with a known prefix written out; bare names and absolute IRIs come back as they are."""
    prefix, colon, rest = name.partition(":")
    if colon and not rest.startswith("//") and prefix in prefixes:
        return prefixes[prefix] + rest
    return name


def absolute(name: str, prefixes: Mapping[str, str] = PREFIXES) -> str:
    """Return the IRI of an ODRL term: bare names are ODRL's, prefixed ones are written out."""
    return expand(name, prefixes) if ":" in name else ODRL + name


def compact(iri: str) -> str:
    """Return `iri` as the wire form writes it: `use` bare (the context's one action), else prefixed or absolute."""
    if iri == USE:
        return "use"
    for prefix in WRITTEN:
        space = PREFIXES[prefix]
        if iri.startswith(space) and iri[len(space) :].isalnum():
            return f"{prefix}:{iri[len(space) :]}"
    return iri


def action(name: str, prefixes: Mapping[str, str] = PREFIXES) -> str | None:
    """Return the IRI of the action `name`, deprecated names replaced, or None when there is no such action."""
    iri = absolute(name, prefixes)
    iri = SUCCESSORS.get(iri, iri)
    return iri if iri in ACTIONS else None


def includes(wide: str, narrow: str) -> bool:
    """Whether action `narrow` is `wide` or part of it (`odrl:includedIn`, which is transitive)."""
    step: str | None = narrow
    while step is not None:
        if step == wide:
            return True
        step = ACTIONS[step].parent if step in ACTIONS else None
    return False


def listed(words: list[str], joiner: str = "or") -> str:
    """Return "a", "a or b", "a, b or c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {joiner} {words[-1]}"
