"""The data worker's program; the connector starts it and hands it both sockets.

It ends when the connector does: what it may send is the connector's to say.
"""

import argparse
import asyncio
import resource
import signal
import socket
import ssl
import time
from contextlib import suppress
from email.utils import formatdate

from connector.web.worker.doors import Door
from connector.web.worker.permits import Permits


def main() -> None:
    """Run until the connector is gone."""
    parser = argparse.ArgumentParser(prog="connector.web.worker", description=__doc__)
    parser.add_argument("line", type=int, help="descriptor of the socket to the connector")
    parser.add_argument("listening", type=int, help="descriptor of the listening socket")
    parser.add_argument("prefix", help="what comes before the transfer in a path")
    parser.add_argument("--certificate", help="file with the certificate chain, to end TLS here")
    parser.add_argument("--key", help="file with its private key, where that is another")
    given = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the connector says when it is over
    with suppress(ValueError, OSError):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    context = None
    if given.certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(given.certificate, given.key)
    asyncio.run(_serve(given.line, given.listening, given.prefix, context))


async def _serve(line: int, listening: int, prefix: str, context: ssl.SSLContext | None) -> None:
    over = asyncio.Event()
    with socket.socket(fileno=line) as connector, socket.socket(fileno=listening) as door:
        for each in (connector, door):
            each.setblocking(False)  # noqa: FBT003 - the library's signature
        permits = Permits(connector, over.set)
        served = Door(door, permits, _Calendar().date, prefix, context)
        tasks = [asyncio.create_task(each) for each in (served.serve(), served.usher(), permits.watch())]
        ended = asyncio.create_task(over.wait())
        await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()  # a bug: say it and end, so that the connector starts another worker


class _Calendar:
    """The date as HTTP writes it, written once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._text = ""

    def date(self) -> str:
        """Return it."""
        second = int(time.time())
        if second != self._second:
            self._second, self._text = second, formatdate(second, usegmt=True)
        return self._text


if __name__ == "__main__":
    main()
