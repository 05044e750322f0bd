"""Reference of the rules: states and moves, policies, profiles, formats."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, Final

from connector.standards.dcat.shacl import profiles as shelf
from connector.standards.dcat.vocabulary import entries
from connector.standards.dsp import negotiation, transfer
from connector.standards.dsp.negotiation import Role
from connector.standards.odrl import templates
from connector.standards.odrl.operands import OPERANDS
from tests.docs.reference.markdown import block, code, page, section, table

# --- states -----------------------------------------------------------------------------------------------------------


def states() -> str:
    """Return the page of both state machines."""
    return page(
        "States and moves",
        """
        What a message may do depends on the state that both sides acknowledged last (Dataspace Protocol 2025-1,
        chapters 8 and 10). These tables are the law in the program: one table refuses an illegal message of a peer,
        refuses our own illegal move, and tells clients which moves are theirs to make (`moves` in the API).
        """,
        _machine("Negotiation", negotiation),
        section(
            "Who terminates a negotiation",
            """
            The text of the protocol lets either side terminate in any state that is not over; its diagram lets only one
            side do so in three states. A connector accepts what the text allows; `moves` in the API names the narrower:
            """,
            table(
                ["State", "Side in the diagram"],
                [[code(state), _sides(roles)] for state, roles in negotiation.ENDS.items()],
            ),
        ),
        _machine("Transfer", transfer),
    )


def _machine(title: str, machine: ModuleType) -> str:
    rows = [
        [code(state) if state else "(none yet)", move, _sides(_senders(machine, state, move)), code(after)]
        for state, moves in machine.NEXT.items()
        for move, after in moves.items()
    ]
    over = ", ".join(code(state) for state in machine.State if state in machine.FINAL)
    return section(
        title,
        block("mermaid", "\n".join(_diagram(machine))),
        table(["State", "Move", "Made by", "State after it"], rows),
        f"Over: {over}.",
    )


def _diagram(machine: ModuleType) -> Iterator[str]:
    yield "stateDiagram-v2"
    for state, moves in machine.NEXT.items():
        for move, after in moves.items():
            who = _sides(_senders(machine, state, move))
            yield f"    {state or '[*]'} --> {after}: {move} ({who})"
    for state in machine.State:
        if state in machine.FINAL:
            yield f"    {state} --> [*]"


def _senders(machine: ModuleType, state: Any, move: Any) -> Iterable[Role]:
    """Return who may make a move in a state, as the machine itself judges it."""
    return [role for role in Role if _accepts(machine.apply, state, move, role)]


def _accepts(apply: Callable[..., Any], state: Any, move: Any, role: Role) -> bool:
    from connector.errors import IllegalMove  # noqa: PLC0415 - beside its one use

    try:
        apply(state, move, role)
    except IllegalMove:
        return False
    return True


def _sides(roles: Iterable[Role]) -> str:
    return " or ".join(role.value for role in Role if role in set(roles))


# --- policies ---------------------------------------------------------------------------------------------------------


def policies() -> str:
    """Return the page of the policy templates and the operands behind them."""
    return page(
        "Policies",
        """
        Terms of use are ODRL policies. Most can be said with a template: name it and fill its blanks
        (`greendeal offer make DATASET --template NAME --value name=value`). A policy of your own is a JSON file
        (`--policy FILE`); what it may contain is at the end of this page.

        A term that the connector does not understand is refused, never ignored: what cannot be enforced is not offered.
        """,
        section("Templates", table(["Template", "What it says", "Blanks"], map(_template, templates.templates()))),
        section(
            "Blanks",
            table(["Template", "Blank", "Meaning", "Several", "Example"], _blanks()),
        ),
        section(
            "Conditions",
            "What a policy of your own can test. A fact that is not known never permits.",
            table(["Left operand", "Tests", "Operators"], map(_operand, OPERANDS.values())),
        ),
    )


def _template(template: templates.Template) -> list[str]:
    blanks = ", ".join(code(name) for name in template.parameters) or "none"
    return [code(template.name), template.sentence, blanks]


def _blanks() -> Iterator[list[str]]:
    for template in templates.templates():
        for name, each in template.parameters.items():
            example = each.example[0] if isinstance(each.example, list) else each.example
            yield [code(template.name), code(name), each.title, "yes" if each.many else "no", code(example)]


def _operand(operand: Any) -> list[str]:
    short = operand.iri.replace("http://www.w3.org/ns/odrl/2/", "odrl:")
    return [code(short), operand.name, ", ".join(code(each.value) for each in operand.operators)]


# --- profiles ---------------------------------------------------------------------------------------------------------


_CHECKING: Final = (
    """
    The levels are *structure*, *recommendation*, *vocabulary* and *range*, in this order. All findings are listed;
    `--level` of `greendeal dataset validate`, or `level` of `POST /api/validate`, says up to which level they count for
    the verdict (the structure, unless you say otherwise). Whatever is found counts, warnings too, as SHACL has it; to
    be published a record only needs to be free of violations of gate levels.
    """,
    """
    Vocabulary and range look up the concepts that a record names in the lists below: their types and schemes, which a
    published file that is run on the record alone misses and reports. The differences listed here hold when both know
    the same lists. Everything else is judged on what the record itself says, by shapes that are compiled. What is
    refused is judged once more by [pySHACL](https://github.com/RDFLib/pySHACL), which has the last word: see
    [decision 0025](../decisions/0025-shapes-are-compiled-and-pyshacl-judges.md).
    """,
    """
    Reports come in English, German and French (`--lang`, or `Accept-Language`), as text, JSON, a fragment of HTML, and
    as a `sh:ValidationReport` in Turtle, JSON-LD, RDF/XML or N-Triples (`--report`, or `Accept`).
    """,
)
_OWN: Final = (
    """
    `greendeal profile add FOLDER` adds a profile, `greendeal profile list`, `show` and `remove` do what they say. The
    folder is copied into the data folder, under `profiles/`. It holds Turtle files and a `profile.toml`:
    """,
    block(
        "toml",
        """name = "our-office"             # the folder's name
title = "Our office"
version = "1"
source = "https://office.example/profile"
licence = "CC BY 4.0"
includes = ["geodcat-ap"]       # all levels of these apply too

[[level]]
name = "structure"              # structure, recommendation, vocabulary or range
title = "structure"
files = ["structure.ttl"]
gate = true                     # a violation keeps a record from being published""",
    ),
    """
    Shapes are those of SHACL Core. Queries (SHACL-SPARQL), rules and functions (SHACL-AF), scripts, imports and
    references to shapes elsewhere are refused when the profile is added. What is in order and not compiled (paths
    that repeat, targets other than classes) is judged by pySHACL alone, and `greendeal profile add` says so.
    `sh:name` and `sh:message` in several languages, `gd:example` and `gd:vocabulary` (prefix `urn:greendeal:ns:`)
    make its findings as readable as ours.
    """,
)


def profiles() -> str:
    """Return the page of the profiles that records are held to."""
    return page(
        "Profiles",
        """
        A profile is a folder in `shapes/`: a manifest and SHACL shapes in our own words. A record that breaks a gate
        level is refused with every finding; a finding of another level is reported only.
        """,
        section("How a record is checked", *_CHECKING),
        section("A profile of your own", *_OWN),
        *(_profile(shelf.profile(name)) for name in shelf.profiles()),
        section("Vocabularies", "What values are checked against; shipped, and never fetched.", _vocabularies()),
    )


def _profile(each: shelf.Profile) -> str:
    levels = [[level.title, "yes" if level.gate else "no", ", ".join(map(code, level.files))] for level in each.levels]
    deviations = [
        [
            one.level,
            code(_local(one.target)),
            ", ".join(code(_local(path)) if path else "the node itself" for path in one.paths),
            code(one.component.removesuffix("ConstraintComponent")),
            one.effect,
            one.reason,
        ]
        for one in each.deviations
    ]
    return section(
        f"{each.title} {each.version} (`{each.name}`)",
        f"Specification: <{each.source}>. Licence: {each.licence}.{_included(each)}",
        table(["Level", "Gate", "Shapes"], levels),
        """
        Where the results differ from those of the shapes published with the specification: *more* is a finding that
        only ours give, *fewer* one that only the published shapes give.
        """,
        table(["Level", "Class", "Properties", "Rule", "Effect", "Reason"], deviations),
    )


def _included(each: shelf.Profile) -> str:
    names = " and ".join(map(code, each.includes))
    return f" It includes {names}, level by level." if names else ""


def _local(iri: str) -> str:
    return iri.replace("#", "/").rpartition("/")[2]


def _vocabularies() -> str:
    rows = [
        [code(entry.file), entry.title, str(entry.count or ""), _labels(entry.labels), entry.licence]
        for entry in entries().values()
    ]
    return table(["File", "What it is", "Terms", "Labels", "Licence"], rows)


def _labels(labels: Mapping[str, int]) -> str:
    """Return in how many terms each language has a label."""
    return ", ".join(f"{language} {count}" for language, count in labels.items() if language in {"en", "de", "fr"})
