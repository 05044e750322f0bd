"""The profiles: folders of SHACL shapes with a manifest, and what a profile includes of others.

A profile is a folder in `shapes/`: `profile.toml` names its levels and their shape files. A profile that includes
others is checked with their shapes too, level by level: the structure of both, the recommendations of both, and so on.
Shapes come from these files only; nothing is imported, inferred or executed.
"""

import tomllib
from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from connector import library
from connector.errors import InvalidInput

MANIFEST: Final = "profile.toml"
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
        paths: the properties; an empty one for the node itself.
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


class Shelf:
    """The profiles there are: those that ship, and those in folders of the user.

    Args:
        folders: each holds one folder for each profile that was added; the first that has a profile counts.
    """

    def __init__(self, *folders: Path) -> None:
        self.folders = folders
        self._profiles: dict[str, tuple[int, Profile]] = {}

    def names(self) -> tuple[str, ...]:
        """Return the names of the profiles, in order."""
        return tuple(sorted({*_shipped(), *self.added()}))

    def added(self) -> tuple[str, ...]:
        """Return the names of the profiles that a user added, in order."""
        there = [each for folder in self.folders if folder.is_dir() for each in folder.iterdir()]
        return tuple(sorted({each.name for each in there if not each.is_symlink() and (each / MANIFEST).is_file()}))

    def get(self, name: str) -> Profile:
        """Return the profile `name`.

        Raises:
            InvalidInput: there is none of that name, or its manifest is not one.
        """
        stamp, found = self.stamp(name), self._profiles.get(name)
        if found is None or found[0] != stamp:
            if name not in self.names():
                raise InvalidInput(f"There is no profile {name!r}.", fix=f"Use one of: {', '.join(self.names())}.")
            found = self._profiles[name] = (stamp, read_manifest(self.read(name, MANIFEST), name))
        return found[1]

    def stamp(self, name: str) -> int:
        """Return what changes when an added profile is added anew; 0 for one that ships, which never does."""
        if name in _shipped():
            return 0
        manifest = self._home(name) / MANIFEST
        return manifest.stat().st_mtime_ns if manifest.is_file() else -1

    def _home(self, name: str) -> Path:
        return next((each / name for each in self.folders if (each / name / MANIFEST).is_file()), Path("/nowhere"))

    def read(self, name: str, file: str) -> bytes:
        """Return the bytes of a file of a profile.

        Raises:
            InvalidInput: there is no such file.
        """
        try:
            if name in _shipped():
                return library.read("shapes", f"{name}/{file}")
            return (self._home(name) / file).read_bytes()
        except OSError as error:
            raise InvalidInput(f"The profile {name!r} has no file {file!r}.", where=f"{name}/{file}") from error

    def lineage(self, name: str) -> tuple[str, ...]:
        """Return the profile and all that it includes, each once, the included ones first.

        Raises:
            InvalidInput: there is no such profile, or it includes itself.
        """
        return self._lineage(name, ())

    def _lineage(self, name: str, above: tuple[str, ...]) -> tuple[str, ...]:
        if name in above:
            raise InvalidInput(f"The profile {name!r} includes itself.", where=" > ".join((*above, name)))
        included = self.get(name).includes
        below = (each for inner in included for each in self._lineage(inner, (*above, name)))
        return tuple(dict.fromkeys((*below, name)))

    def levels(self, name: str) -> tuple[Whole, ...]:
        """Return the levels of a profile in their order, with the shapes of all that it includes.

        Raises:
            InvalidInput: there is no such profile, or it includes itself.
        """
        family = [self.get(each) for each in self.lineage(name)]
        found = [
            [(each.name, level) for each in family for level in each.levels if level.name == wanted]
            for wanted in LEVELS
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


@cache
def _shipped() -> tuple[str, ...]:
    shelf = library.shelf("shapes")
    return tuple(sorted(each.name for each in shelf.iterdir() if each.joinpath(MANIFEST).is_file()))


def read_manifest(data: bytes, name: str) -> Profile:
    """Return what a manifest says.

    Raises:
        InvalidInput: it is no TOML, or a key is missing, unknown or of the wrong kind.
    """
    try:
        found = msgspec.convert(tomllib.loads(data.decode()), Profile)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise InvalidInput(f"The manifest is not one: {error}", where=f"{name}/{MANIFEST}") from error
    if found.name != name:
        raise InvalidInput(
            f"The manifest names the profile {found.name!r}, and its folder {name!r}.",
            where=f"{name}/{MANIFEST}",
            fix="Give both the same name.",
        )
    return found


SHIPPED: Final = Shelf()
"""The profiles that ship, and no others."""


def profiles() -> tuple[str, ...]:
    """Return the names of the profiles that ship, in order."""
    return SHIPPED.names()


def profile(name: str) -> Profile:
    """Return the profile `name` that ships.

    Raises:
        InvalidInput: no profile of that name ships.
    """
    return SHIPPED.get(name)
