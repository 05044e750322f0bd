"""The profiles: folders of SHACL shapes with a manifest, and what a profile includes of others.

A profile is a folder in `shapes/`: `profile.toml` names its levels and their shape files. A profile that includes
others is checked with their shapes too, level by level: the structure of both, the recommendations of both, and so on.
Shapes come from these files only; nothing is imported, inferred or executed.
"""

import tomllib
from functools import cache
from typing import Final, Literal

import msgspec
from msgspec import Struct

from connector import library
from connector.errors import InvalidInput

LEVELS: Final = ("structure", "recommendation", "vocabulary", "range")
"""The levels in their order: a verdict up to one of them counts those before it."""


class Level(Struct, frozen=True, forbid_unknown_fields=True):
    """A set of shapes that is checked as a whole; a record that breaks a gate level is refused."""

    name: Literal["structure", "recommendation", "vocabulary", "range"]
    title: str
    files: tuple[str, ...]
    gate: bool = False


class Deviation(Struct, frozen=True, forbid_unknown_fields=True, rename={"target": "class"}):
    """A result that only our shapes give (more) or only the published ones (fewer), and why.

    Attributes:
        effect: more or fewer.
        component: local name of the constraint component.
        target: class of the focus nodes.
        paths: the properties.
        reason: why it is intended.
        level: the level it is about.
        value: the values it is limited to, as the author of the list describes them.
        against: the published file, where there are several.
    """

    effect: Literal["more", "fewer"]
    component: str
    target: str
    paths: tuple[str, ...]
    reason: str
    level: str = "structure"
    value: str | None = None
    against: str | None = None


class Profile(Struct, frozen=True, forbid_unknown_fields=True, rename={"levels": "level", "deviations": "deviation"}):
    """A profile as its manifest describes it; the levels are its own, without those of the profiles it includes."""

    name: str
    title: str
    version: str
    source: str
    licence: str
    levels: tuple[Level, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    includes: tuple[str, ...] = ()


class Part(Struct, frozen=True):
    """The shapes that one profile gives to a level."""

    profile: str
    files: tuple[str, ...]


class Whole(Struct, frozen=True):
    """A level with the shapes of the profile and of all that it includes, the included ones first."""

    name: str
    title: str
    gate: bool
    parts: tuple[Part, ...]


def profiles() -> tuple[str, ...]:
    """Return the names of the profiles that ship, in order."""
    return tuple(
        sorted(each.name for each in library.shelf("shapes").iterdir() if each.joinpath("profile.toml").is_file())
    )


@cache
def profile(name: str) -> Profile:
    """Return the profile `name`.

    Raises:
        InvalidInput: no profile of that name ships.
    """
    if name not in profiles():
        raise InvalidInput(f"There is no profile {name!r}.", fix=f"Use one of: {', '.join(profiles())}.")
    return msgspec.convert(tomllib.loads(library.read("shapes", f"{name}/profile.toml").decode()), Profile)


@cache
def lineage(name: str) -> tuple[str, ...]:
    """Return the profile and all that it includes, each once, the included ones first.

    Raises:
        InvalidInput: there is no such profile, or it includes itself.
    """
    return _lineage(name, ())


def _lineage(name: str, above: tuple[str, ...]) -> tuple[str, ...]:
    if name in above:
        raise InvalidInput(f"The profile {name!r} includes itself.", where=" > ".join((*above, name)))
    below = (each for included in profile(name).includes for each in _lineage(included, (*above, name)))
    return tuple(dict.fromkeys((*below, name)))


@cache
def levels(name: str) -> tuple[Whole, ...]:
    """Return the levels of a profile in their order, with the shapes of all that it includes.

    Raises:
        InvalidInput: there is no such profile, or it includes itself.
    """
    family = [profile(each) for each in lineage(name)]
    found = [
        [(each.name, level) for each in family for level in each.levels if level.name == wanted] for wanted in LEVELS
    ]
    return tuple(
        Whole(
            name=rows[0][1].name,
            title=rows[-1][1].title,
            gate=any(level.gate for _, level in rows),
            parts=tuple(Part(owner, level.files) for owner, level in rows),
        )
        for rows in found
        if rows
    )
