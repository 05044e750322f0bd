"""A small process that outlives the demo by a moment: it ends what the demo started when the demo itself was killed.

Run as a script with the demo's folder as argument and a pipe as standard input. Each line of it is a word and the
number of a process: `mind 17` (the leader of a group, ended whole), `stop 18` (a database server, told to stop),
`forget 17`. After `keep` it leaves everything alone. The pipe's end is the demo's end.
"""

import os
import shutil
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress


def watch(orders: Iterable[str], folder: str) -> None:
    """Follow the orders; when they end without `keep`, end every process that is minded, and remove the folder."""
    groups: set[int] = set()
    servers: set[int] = set()
    for order in orders:
        word, _, number = order.strip().partition(" ")
        match word:
            case "keep":
                return
            case "mind":
                groups.add(int(number))
            case "stop":
                servers.add(int(number))
            case "forget":
                groups.discard(int(number))
                servers.discard(int(number))
    if not groups and not servers:
        return
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    for server in servers:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(server, signal.SIGQUIT)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    watch(sys.stdin, sys.argv[1])
