"""Java programs of others: their class path by Maven, built outside the checkout and kept for the next run.

As a program it loads what the kit and Eclipse EDC need and exits with 3 where Maven cannot load it.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PROGRAMS: Final = ("java", "javac", "mvn")
BUILD_SECONDS: Final = 900
"""Longest time for Maven to load what is not here yet: some 80 MB."""


class NotLoaded(RuntimeError):  # noqa: N818 - reads as what happened
    """Maven could not load what is needed: that says something of the network here and nothing of our code."""


def missing() -> list[str]:
    """Return the programs that are needed and not installed; an empty list means that Java parts can run."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


def class_path(pom: Path, sources: Sequence[Path] = ()) -> str:
    """Return the class path of what `pom` names, with the classes of `sources` first.

    The first call for the same files takes as long as Maven needs to load what is not in its repository; what is
    built lies in the user's cache, or in the temporary folder where that cannot be written.

    Raises:
        NotLoaded: Maven could not load a library; the end of what it said is in the message.
        RuntimeError: the compiler failed, as above.
    """
    mark = hashlib.sha256(b"\0".join(path.read_bytes() for path in (pom, *sources))).hexdigest()[:16]
    folder = _cache() / f"{pom.parent.name}-{mark}"
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "class-path"
    with _alone(folder / "lock"):
        if not kept.exists() or not all(Path(part).exists() for part in kept.read_text().split(os.pathsep)):
            kept.unlink(missing_ok=True)
            libraries = _libraries(pom, folder)
            classes = _compiled(sources, libraries, folder) if sources else []
            draft = folder / "class-path.draft"
            draft.write_text(os.pathsep.join([*classes, libraries]))
            draft.replace(kept)
    return kept.read_text()


def _libraries(pom: Path, folder: Path) -> str:
    # Maven writes beside the file that it reads, so it reads a copy.
    copy, told = folder / "pom.xml", folder / "libraries"
    shutil.copyfile(pom, copy)
    wanted = ("dependency:build-classpath", f"-Dmdep.outputFile={told}", "-Dmdep.includeScope=runtime")
    try:
        _run("mvn", "-q", "-B", "-f", str(copy), *wanted)
    except RuntimeError as error:
        raise NotLoaded(str(error)) from error
    return told.read_text().strip()


def _compiled(sources: Sequence[Path], libraries: str, folder: Path) -> list[str]:
    classes = folder / "classes"
    shutil.rmtree(classes, ignore_errors=True)
    _run("javac", "-proc:none", "-cp", libraries, "-d", str(classes), *map(str, sources))
    return [str(classes)]


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    if done.returncode:
        end = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise RuntimeError(f"{command[0]} failed with {done.returncode}:\n{end}")


def _cache() -> Path:
    """Return a folder that outlives the run, or at least one that can be written."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "greendeal-conformance"
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError:
        home = Path(tempfile.gettempdir()) / f"greendeal-conformance-{os.getuid()}"
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return home


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one process in at a time; the lock goes with the process that holds it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Load what the kit and Eclipse EDC need."""
    try:
        for folder in ("kit", "edc"):
            class_path(Path(__file__).parent / folder / "pom.xml")
    except NotLoaded as error:
        sys.stderr.write(f"{error}\n")
        return 3
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
