"""Who delivers from a database: a process that begins learns whether it is the only one.

If it is, every lease it finds is of a process that was killed, and there is nothing to wait for. The mark is a lock
that the system takes from a process when it ends, however it ends: on a file beside SQLite's database, and of a
session of its own on PostgreSQL. Everybody at work holds it shared; who begins tries to have it alone for a moment.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psycopg

from connector.storage.engines import Engines

LOCK: Final = "hashtext('greendeal_outbox')"


@contextmanager
def at_work(engines: Engines, alone: Callable[[], object]) -> Iterator[None]:
    """Be marked as at work on a database for as long as the block runs.

    Args:
        engines: the database.
        alone: called first if nobody else is at work; nobody else begins before it returns.
    """
    if not engines.is_sqlite:
        with _session(engines.url.set(drivername="postgresql").render_as_string(hide_password=False), alone):
            yield
    elif engines.url.database in {None, "", ":memory:"}:
        alone()
        yield
    else:
        with _file(Path(f"{engines.url.database}-outbox"), alone):
            yield


@contextmanager
def _file(path: Path, alone: Callable[[], object]) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone()
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _session(address: str, alone: Callable[[], object]) -> Iterator[None]:
    # A server that is restarted forgets the mark; then leases alone tell the living from the dead, as without it.
    with psycopg.connect(address, autocommit=True) as connection:
        found = connection.execute(f"SELECT pg_try_advisory_lock({LOCK})".encode()).fetchone()
        if found == (True,):
            alone()
        connection.execute(f"SELECT pg_advisory_lock_shared({LOCK})".encode())
        if found == (True,):
            connection.execute(f"SELECT pg_advisory_unlock({LOCK})".encode())
        try:
            yield
        finally:
            # At once, and not when the server gets round to noticing that we are gone.
            with suppress(psycopg.Error):
                connection.execute(f"SELECT pg_advisory_unlock_shared({LOCK})".encode())
