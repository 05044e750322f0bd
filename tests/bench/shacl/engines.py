"""Every way to check one record, from its text to its results: ours, pySHACL in two arrangements, three Rust wheels."""

from collections.abc import Callable
from functools import cache
from typing import Final, TypeAlias

import pyshacl
import pyshacl_turbo
import rdflib
import shacl as rust_shacl
import shifty
from pyoxigraph import RdfFormat, serialize

from connector.standards.dcat import shacl
from connector.standards.rdf import Format, parse, to_rdflib

Check: TypeAlias = Callable[[bytes], int]
"""Takes a record as Turtle, gives the number of results."""

PROFILE: Final = "geodcat-ap"


def structure() -> shacl.ShapeSet:
    """Return the level that decides whether a record is taken."""
    return next(each for each in shacl.checker(PROFILE).sets if each.level == "structure")


@cache
def turtle() -> bytes:
    """Return the shapes of that level as one text."""
    return serialize(structure().shapes, format=RdfFormat.TURTLE) or b""


def ours() -> Check:
    """Parse, and check the structure: what it takes to accept a record."""
    checker, level = shacl.checker(PROFILE), structure()
    one = shacl.Checker(checker.profile, (level,))

    def check(record: bytes) -> int:
        report = one.check(parse(record, Format.TURTLE))
        return 0 if report.conforms else report.total

    return check


def ours_all_levels() -> Check:
    """Parse, and check all four levels with the vocabularies."""
    checker = shacl.checker(PROFILE)
    return lambda record: sum(len(each.results) for each in checker.check(parse(record, Format.TURTLE)).judged)


def pyshacl_as_documented() -> Check:
    """Hand pySHACL two texts."""
    shapes = turtle().decode()

    def check(record: bytes) -> int:
        _, report, _ = pyshacl.validate(
            record.decode(), shacl_graph=shapes, data_graph_format="turtle", shacl_graph_format="turtle"
        )
        assert isinstance(report, rdflib.Graph)
        return len(list(report.objects(None, rdflib.SH.result)))

    return check


def pyshacl_arranged() -> Check:
    """Use pySHACL as our judge does: shapes harvested once, only those whose class occurs, look-ups remembered."""
    judge = structure().judge
    return lambda record: len(judge.results(parse(record, Format.TURTLE)))


def wheel_shacl() -> Check:
    """Use the wheel `shacl`, its shapes compiled once."""
    shapes = rust_shacl.Shapes.from_turtle(turtle().decode())
    return lambda record: len(shapes.validate_turtle(record.decode()))


def wheel_turbo() -> Check:
    """Use the wheel `pyshacl-turbo`, its shapes compiled once, the record as a graph of rdflib."""
    shapes = pyshacl_turbo.compile_shapes(to_rdflib(structure().shapes))  # type: ignore[no-untyped-call]

    def check(record: bytes) -> int:
        _, report, _ = shapes.validate(to_rdflib(parse(record, Format.TURTLE)))
        return len(list(report.objects(None, rdflib.SH.result)))

    return check


def wheel_shifty() -> Check:
    """Use the wheel `pyshifty`, its shapes prepared once, its own form of results."""
    shapes = shifty.PreparedValidator(turtle().decode())
    return lambda record: len(shapes.validate_algebra(record.decode(), graph_mode="data", infer=False).violations)


ENGINES: Final[dict[str, Callable[[], Check]]] = {
    "ours, structure": ours,
    "ours, all four levels": ours_all_levels,
    "pySHACL, two texts": pyshacl_as_documented,
    "pySHACL, best arranged": pyshacl_arranged,
    "shacl 0.3 (Rust)": wheel_shacl,
    "pyshacl-turbo 0.6 (Rust)": wheel_turbo,
    "pyshifty 0.5 (Rust)": wheel_shifty,
}
