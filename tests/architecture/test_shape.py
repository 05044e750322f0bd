"""Short functions, one subject a module, nothing left for later, nothing that belongs to one machine."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.architecture.project import ROOT, Function, files, functions, modules, named, tree

FUNCTION_LINES = 60
MODULE_LINES = 500
TEST_LINES = 650
"""A test file may be longer: its one subject is the module it tests, case by case."""

CODE = modules("connector", "tests", ".ci")

# A letter in brackets, so that this file does not accuse itself.
UNFINISHED = re.compile(r"\b(?:TOD[O]|FIXM[E]|XX[X]|HAC[K]|NotImplementedErro[r]|xfai[l])\b")
MACHINE = re.compile(r"(?<![\w.:/}~-])/(?:roo[t]|wor[k]|hom[e]|User[s])/[\w.]")
REGISTRIES = re.compile(
    r"pypi\.or[g]|pythonhosted\.or[g]|registry\.npmj[s]|crates\.i[o]\b|maven\.or[g]|deb\.debia[n]|"
    r"unpkg\.co[m]|jsdeliv[r]|cdnj[s]|googleapi[s]\.com"
)

TEXT = {".py", ".md", ".toml", ".lock", ".yaml", ".yml", ".html", ".js", ".css", ".ttl", ".json", ".sh", ""}
FOREIGN = ("LICENSE", "vocab/", "connector/web/portal/static/vendor/", "connector/demo/data/", "tests/formats/data/")
"""Files whose text is somebody else's."""

TOP = {
    "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "Makefile", "compose.yaml",
    "requirements.lock", "requirements-build.lock", "requirements-dev.lock",
    "connector", "vocab", "shapes", "policies", "tests", "docs",
    ".ci", ".gitignore", ".gitattributes", ".editorconfig", ".dockerignore",
}  # fmt: skip


def ours() -> list[Path]:
    """Return the files whose text we wrote ourselves."""
    return [path for path in files() if path.suffix in TEXT and not named(path).startswith(FOREIGN)]


def found(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    """Return every line of `paths` that matches `pattern`, with its place."""
    return [
        f"{named(path)}:{number}: {line.strip()[:100]}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]


def test_functions_fit_on_a_screen() -> None:
    """A function that needs scrolling hides what it does."""
    long = [
        f"{named(path)}:{function.lineno}: {function.name} has {length} lines"
        for path in CODE
        for function in functions(path)
        if (length := (function.end_lineno or function.lineno) - function.lineno + 1) > FUNCTION_LINES
    ]
    assert not long


def test_modules_have_one_subject() -> None:
    """A module that grows past this has found a second subject."""
    lengths = {named(path): len(path.read_text(encoding="utf-8").splitlines()) for path in CODE}
    limits = {name: TEST_LINES if name.startswith("tests/") else MODULE_LINES for name in lengths}
    assert not {name: length for name, length in lengths.items() if length > limits[name]}


def test_nothing_is_left_for_later() -> None:
    """What is merged is finished: no reminders, no stubs, no tests that are expected to fail."""
    assert not found(UNFINISHED, ours())


def test_nothing_belongs_to_one_machine() -> None:
    """A path of somebody's own machine works for nobody else."""
    assert not found(MACHINE, ours())


def test_no_registry_is_named() -> None:
    """Where packages come from is the machine's configuration; pages load nothing from elsewhere."""
    assert not found(REGISTRIES, ours())


def test_top_level_holds_what_it_should() -> None:
    """The first listing a newcomer sees stays short; a new entry is a decision."""
    assert {path.relative_to(ROOT).parts[0] for path in files()} - TOP == set()


def test_every_test_says_what_it_protects() -> None:
    """Whoever breaks a test learns from it what would have broken for a user."""
    silent = [
        f"{named(path)}:{function.lineno}: {function.name}"
        for path in modules("tests")
        if path.name.startswith("test_")
        for function in functions(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert not silent


def test_no_test_hides_another() -> None:
    """Two tests of one name in one file or class: the first would silently never run."""
    doubled = []
    for path in modules("tests"):
        for scope in ast.walk(tree(path)):
            if isinstance(scope, ast.Module | ast.ClassDef):
                names = Counter(node.name for node in scope.body if isinstance(node, Function))
                doubled += [f"{named(path)}: {name}" for name, times in names.items() if times > 1 and "test" in name]
    assert not doubled


def test_no_test_sleeps() -> None:
    """Time is injected: a test that waits is slow today and flaky tomorrow; only for a real process it may pause."""
    sleeping = [
        f"{named(path)}:{node.lineno}"
        for path in modules("tests")
        if path.name.startswith("test_") and "import subprocess" not in path.read_text(encoding="utf-8")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep"
    ]
    assert not sleeping


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (UNFINISHED, "# T|ODO: later"),
        (UNFINISHED, "raise N|otImplementedError"),
        (UNFINISHED, "@pytest.mark.x|fail"),
        (MACHINE, 'open("/r|oot/x")'),
        (MACHINE, "cd /w|ork/main"),
        (REGISTRIES, "--index https://p|ypi.org/simple"),
    ],
)
def test_what_is_looked_for_would_be_found(pattern: re.Pattern[str], line: str) -> None:
    """A pattern that matches nothing protects nothing."""
    assert pattern.search(line.replace("|", ""))


@pytest.mark.parametrize(
    "line", ["xfail_strict = true", "https://host.example/home/page", "s3://bucket/work/x", "~/work/"]
)
def test_innocent_lines_are_left_alone(line: str) -> None:
    """A rule that cries wolf gets switched off."""
    assert not UNFINISHED.search(line)
    assert not MACHINE.search(line)
