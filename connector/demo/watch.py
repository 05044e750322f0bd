"""A small process that outlives the demo by a moment: it ends what the demo started when the demo itself was killed.

Run as a script with a pipe as standard input; the pipe's end is the demo's end. Each line is an order: `mind 17` (the
leader of a group of processes, which is ended whole), `stop 18` (a database server, which is told to stop), `forget 17`
(either of them), `remove FOLDER`, and `keep`, after which it leaves everything alone.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

PATIENCE = 5.0
"""Seconds that a server may take to stop."""


def watch(orders: Iterable[str]) -> None:
    """Follow the orders; when they end without `keep`, end every process that is minded, and remove the folders."""
    groups: set[int] = set()
    servers: set[int] = set()
    folders: list[str] = []
    for order in orders:
        word, _, what = order.rstrip("\n").partition(" ")
        match word:
            case "keep":
                return
            case "mind":
                groups.add(int(what))
            case "stop":
                servers.add(int(what))
            case "forget":
                groups.discard(int(what))
                servers.discard(int(what))
            case "remove":
                folders.append(what)
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    for server in servers:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(server, signal.SIGQUIT)
    _await_end(servers)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _await_end(servers: Iterable[int]) -> None:
    """Wait a moment for servers, which would write into their folders to the last."""
    limit = time.monotonic() + PATIENCE
    for server in servers:
        with suppress(ProcessLookupError, PermissionError):
            while time.monotonic() < limit:
                os.kill(server, 0)
                time.sleep(0.05)


if __name__ == "__main__":
    watch(sys.stdin)
