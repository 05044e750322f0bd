"""The connector's side of the data worker: it keeps one running and answers what it asks."""

import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from socket import AF_UNIX, SHUT_RDWR, SOCK_SEQPACKET, SOMAXCONN, create_server, send_fds, socket, socketpair
from tempfile import TemporaryFile
from typing import Final

import structlog
from litestar import Response
from litestar.status_codes import HTTP_500_INTERNAL_SERVER_ERROR
from msgspec.structs import replace

from connector.capabilities.delivery import Delivery, Opened
from connector.capabilities.grants import Grant
from connector.errors import InvalidInput, Refusal
from connector.web import data, problems
from connector.web.worker import talk
from connector.web.worker.talk import Ask, Bond, Ended, Given, Said, Watch

log = structlog.get_logger(__name__)

HANDS: Final = 2
"""Threads that answer; each question is a few reads of the database."""

PAUSES: Final = (0.0, 0.2, 1.0, 5.0)
"""Seconds before a worker that ended is replaced, the first time, the next, and so on."""

LONG: Final = 30.0
"""Seconds after which a worker's end counts as the first again."""


def listen(host: str, port: int) -> socket:
    """Return a socket that listens for the worker: it outlives each of them, so that nobody is turned away meanwhile.

    Raises:
        InvalidInput: the port is taken, or may not be used.
    """
    try:
        return create_server((host, port), backlog=min(SOMAXCONN, 1024))
    except OSError as error:
        raise InvalidInput(
            f"The data worker cannot listen on {host}:{port}: {error.strerror}.",
            where="data.port",
            fix="Choose another port, or 0 for any that is free.",
        ) from None


def _said(ask: Ask, answer: Response[bytes]) -> Said:
    headers = {"Content-Type": problems.PROBLEM, **answer.headers}
    return Said(ask.number, answer.status_code or HTTP_500_INTERNAL_SERVER_ERROR, headers, answer.content)


class Desk:
    """Keeps a data worker running from `open` to `close`, and answers it.

    Args:
        delivery: decides, at every question.
        listening: where the worker answers.
        environment: the worker's; nothing secret belongs there.
        options: of the worker's program.
    """

    def __init__(
        self, delivery: Delivery, listening: socket, environment: Mapping[str, str], options: Sequence[str] = ()
    ) -> None:
        self._delivery = delivery
        self._listening = listening
        self._environment = dict(environment)
        self._options = [f"{data.PATH}/", *options]
        self._over = threading.Event()
        self._line: socket | None = None
        self._keeper = threading.Thread(target=self._keep, name="data-worker", daemon=True)

    def open(self) -> None:
        """Start the worker."""
        self._keeper.start()

    def close(self) -> None:
        """End the worker; what it was sending breaks off, and can be taken up again."""
        self._over.set()
        if (line := self._line) is not None:
            with suppress(OSError):
                line.shutdown(SHUT_RDWR)
        self._keeper.join(10)
        self._listening.close()

    def _keep(self) -> None:
        ended = 0
        while not self._over.wait(PAUSES[min(ended, len(PAUSES) - 1)]):
            begun = time.monotonic()
            status = self._run()
            ended = 1 if time.monotonic() - begun > LONG else ended + 1
            if not self._over.is_set():
                log.warning("data.worker_ended", status=status)

    def _run(self) -> int:
        """Run one worker to its end and return its exit status."""
        ours, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET)
        with ours, theirs:
            numbers = (theirs.fileno(), self._listening.fileno())
            command = [sys.executable, "-P", "-m", "connector.web.worker", *map(str, numbers), *self._options]
            with subprocess.Popen(command, pass_fds=numbers, env=self._environment) as process:  # noqa: S603 - our own program
                theirs.close()
                self._line = ours
                if self._over.is_set():
                    ours.shutdown(SHUT_RDWR)
                hands = [threading.Thread(target=self._answer, args=(ours,), daemon=True) for _ in range(HANDS)]
                for hand in hands:
                    hand.start()
                for hand in hands:
                    hand.join()
                try:
                    return process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    return process.wait()

    def _answer(self, line: socket) -> None:
        """Answer questions until the worker is gone."""
        with suppress(OSError):
            while packet := line.recv(talk.PACKET):
                question = talk.questions.decode(packet)
                if isinstance(question, Watch):
                    line.send(talk.encode(self._looked_at(question)))
                    continue
                found = self._found(question)
                if not isinstance(found, Said):
                    with found.source:
                        send_fds(line, [talk.encode(self._given(question, found))], [found.source.fileno()])
                elif len(found.body) <= talk.BODY:
                    line.send(talk.encode(found))
                else:
                    with TemporaryFile() as long:
                        long.write(found.body)
                        long.seek(0)
                        send_fds(line, [talk.encode(replace(found, body=b""))], [long.fileno()])

    def _found(self, ask: Ask) -> Opened | Said:
        try:
            token = data.bearer({"authorization": ask.authorization})
            if ask.name:
                return self._delivery.open(ask.transfer, token, ask.name)
            assets = self._delivery.assets(ask.transfer, token)
            if len(assets) == 1:
                return self._delivery.open(ask.transfer, token, assets[0].filename)
            body = data.listing(ask.transfer, assets)
        except Refusal as refusal:
            return _said(ask, problems.answer(refusal))
        except Exception as error:  # noqa: BLE001 - a bug is told like one in any other handler, and the desk stays open
            return _said(ask, problems.bug(error, f"{data.PATH}/{ask.transfer}"))
        return Said(ask.number, 200, {"Content-Type": problems.JSON}, body)

    def _given(self, ask: Ask, found: Opened) -> Given:
        grant, file = found.grant, found.file
        seconds = (grant.expires - self._delivery.now()).total_seconds()
        bond = Bond(grant.transfer, grant.consumer, grant.agreement, grant.dataset)
        return Given(ask.number, bond, seconds, file.digest, file.size, file.media_type, file.name)

    def _looked_at(self, watch: Watch) -> Ended | Said:
        """Return what is permitted no longer; of what cannot be found out now, nothing is said."""
        ended = []
        try:
            for bond in watch.bonds:
                grant = Grant(bond.transfer, bond.consumer, bond.agreement, bond.dataset, self._delivery.now())
                if not self._delivery.stands(grant):
                    ended.append(bond)
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker stops what it was not told to go on with
            log.warning("data.not_looked_at", reason=str(error))
            return Said(watch.number, 503, {}, b"")
        return Ended(watch.number, tuple(ended))
