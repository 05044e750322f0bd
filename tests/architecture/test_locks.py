"""The lock files pin everything the project asks for, by hash, and say nothing about where it comes from."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.project import ROOT

LOCKS = ("requirements.lock", "requirements-build.lock", "requirements-dev.lock")
ENTRY = re.compile(r"(?P<requirement>[A-Za-z0-9][^\\\n]*?) \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def locked(name: str) -> list[Requirement]:
    """Return what the lock file `name` pins."""
    return [Requirement(entry["requirement"]) for entry in ENTRY.finditer((ROOT / name).read_text(encoding="utf-8"))]


def asked(name: str) -> Iterator[Requirement]:
    """Yield what the project file asks of the lock file `name`."""
    extras = PROJECT["project"]["optional-dependencies"]
    groups = PROJECT["dependency-groups"]
    run = [*PROJECT["project"]["dependencies"], *(line for extra in extras if extra != "all" for line in extras[extra])]
    build = [*PROJECT["build-system"]["requires"], *groups["build"]]
    develop = [*run, *build, *(line for line in groups["dev"] if isinstance(line, str))]
    wanted = {"requirements.lock": run, "requirements-build.lock": build, "requirements-dev.lock": develop}
    yield from map(Requirement, wanted[name])


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_is_entries_with_hashes_and_nothing_else(name: str) -> None:
    """An option, an address or an unpinned line would let the machine that installs decide what it gets."""
    assert ENTRY.sub("", (ROOT / name).read_text(encoding="utf-8")).strip() == ""
    assert all(len(list(entry.specifier)) == 1 and str(entry.specifier).startswith("==") for entry in locked(name))
    assert all(entry.url is None for entry in locked(name))


@pytest.mark.parametrize("name", LOCKS)
@pytest.mark.parametrize("python", ["3.11.2", "3.12.3", "3.13.5"])
def test_a_lock_answers_what_the_project_asks(name: str, python: str) -> None:
    """A dependency that is added without `make lock` would be missing after a set-up."""
    here = {"python_version": python[:4], "python_full_version": python, "sys_platform": "linux"}
    pins = {
        canonicalize_name(pin.name): next(iter(pin.specifier)).version
        for pin in locked(name)
        if pin.marker is None or pin.marker.evaluate(here)
    }
    for wish in asked(name):
        assert wish.specifier.contains(pins[canonicalize_name(wish.name)], prereleases=True), wish


@pytest.mark.parametrize("name", LOCKS)
def test_the_locks_agree(name: str) -> None:
    """What is tested is what users install."""
    assert set(map(str, locked(name))) <= set(map(str, locked("requirements-dev.lock")))


def test_the_extra_all_is_all() -> None:
    """Whoever installs `[all]` gets every part, also the one added last."""
    extras = PROJECT["project"]["optional-dependencies"]
    (everything,) = extras["all"]
    assert Requirement(everything).extras == extras.keys() - {"all"}


def test_library_versions_are_never_pinned_for_users() -> None:
    """The package itself states ranges: it must live beside other people's requirements."""
    assert not [str(wish) for wish in asked("requirements.lock") if "==" in str(wish.specifier)]
    assert Path(ROOT / "connector" / "py.typed").is_file()
