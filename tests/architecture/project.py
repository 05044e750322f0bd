"""The project as files: what the tests of its shape look at."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def files() -> tuple[Path, ...]:
    """Return every file of the project, committed or about to be, and nothing that git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - the git of the PATH is meant
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.decode()
    return tuple(sorted(path for name in set(listed.split("\0")) if name and (path := ROOT / name).is_file()))


def named(path: Path) -> str:
    """Return `path` as it is called in a checkout."""
    return path.relative_to(ROOT).as_posix()


def modules(*folders: str) -> tuple[Path, ...]:
    """Return the Python files in these top-level folders."""
    return tuple(path for path in files() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders)


@cache
def tree(path: Path) -> ast.Module:
    """Return the syntax tree of the Python file at `path`."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def functions(path: Path) -> Iterator[Function]:
    """Yield every function of the Python file at `path`, methods and inner ones too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, Function):
            yield node
