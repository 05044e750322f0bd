"""One connector's API over HTTP: patient with a connector that is away, plain about one that says no."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import httpx2
import msgspec

from connector import errors

T = TypeVar("T")

REFUSALS: Final[Mapping[str, type[errors.Refusal]]] = {
    kind.__name__: kind
    for kind in (
        errors.InvalidInput,
        errors.TooLarge,
        errors.IllegalMove,
        errors.Conflict,
        errors.Unauthenticated,
        errors.Denied,
        errors.Busy,
    )
}
BY_STATUS: Final[Mapping[int, type[errors.Refusal]]] = {
    401: errors.Unauthenticated,
    403: errors.Denied,
    409: errors.Conflict,
    429: errors.Busy,
}
"""What an answer means that does not say which kind of refusal it is."""
AWAY: Final = frozenset({502, 503, 504})
"""Answers of a connector, or of what stands before it, that is starting or stopping."""

PIECE: Final = 256 * 1024
"""Bytes of a file sent or taken at a time."""

FIRST_PAUSE: Final = 0.02
LONGEST_PAUSE: Final = 0.5
"""Seconds between two looks at something that takes time."""


class TimedOut(errors.Busy):
    """What was waited for did not happen in time; it may still."""


class NegotiationTerminated(errors.Denied):
    """The provider, or our own connector, ended the negotiation; the reasons are theirs."""


class _Problem(msgspec.Struct):
    type: str = ""
    detail: str = ""
    where: str = ""
    fix: str = ""
    reasons: tuple[str, ...] = ()


class Connection:
    """A connector's API.

    Args:
        url: the connector's address.
        api_key: a key that its administrator made; None for what is open to everyone.
        patience: seconds to go on trying while the connector cannot be reached.
    """

    def __init__(self, url: str, api_key: str | None = None, *, patience: float = 30.0) -> None:
        self.url = url.rstrip("/")
        self.patience = patience
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = _client(self.url, base_url=self.url, headers=headers)

    def __repr__(self) -> str:
        """Leave the key out."""
        return f"Connection({self.url!r})"

    def get(self, path: str, **query: object) -> Any:
        """Return the JSON answer to a GET; None values of the query are left out."""
        return self.send("GET", path, params={key: value for key, value in query.items() if value is not None}).json()

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON answer to a POST of JSON."""
        return self.send("POST", path, json=dict(body or {})).json()

    def send(self, method: str, path: str, **parts: Any) -> httpx2.Response:
        """Send a request until the connector answers it.

        Every write of the API may be repeated, so a lost answer is asked for again.

        Raises:
            Refusal: the connector's no, as the kind it is.
            PeerFailed: it could not be reached within the connection's patience.
        """
        return patiently(lambda: checked(self._http.request(method, path, **parts)), self.patience)

    def upload(self, path: str, file: Path, **query: str) -> Any:
        """Return the JSON answer to a POST of a file's bytes, read piece by piece, from the start on each try."""

        def attempt() -> httpx2.Response:
            with file.open("rb") as pieces:
                content = iter(lambda: pieces.read(PIECE), b"")
                return checked(self._http.request("POST", path, params=query, content=content))

        return patiently(attempt, self.patience).json()

    @contextmanager
    def stream(self, url: str, headers: Mapping[str, str]) -> Iterator[httpx2.Response]:
        """Open the answer to a GET of any address, without our key."""
        with _client(url) as http, http.stream("GET", url, headers=dict(headers)) as answer:
            if answer.is_error:
                answer.read()
            yield checked(answer)

    def wait(self, look: Callable[[], T], done: Callable[[T], bool], timeout: float, what: str) -> T:
        """Look again and again until `done`, and return what was seen last.

        Raises:
            TimedOut: it was not done after `timeout` seconds.
        """
        pause, end = FIRST_PAUSE, time.monotonic() + timeout
        while not done(seen := look()):
            if time.monotonic() > end:
                raise TimedOut(f"{what} was not done within {timeout:g} seconds.", fix="Look again later.")
            time.sleep(pause)
            pause = min(pause * 1.3, LONGEST_PAUSE)
        return seen

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def patiently(attempt: Callable[[], T], patience: float) -> T:
    """Return what `attempt` returns, trying again while the other side, or one behind it, is away.

    Raises:
        PeerFailed: it was away for longer than `patience` seconds.
        Busy: it was there and had no time for us, for that long.
    """
    pause, end = FIRST_PAUSE, time.monotonic() + patience
    while True:
        late = time.monotonic() + pause > end
        try:
            return attempt()
        except httpx2.TransportError as error:
            if late:
                raise errors.PeerFailed(f"The connector does not answer: {error}.") from error
        except (errors.Busy, errors.PeerFailed) as error:
            if late or not getattr(error, "retryable", True):
                raise
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def _client(url: str, **parts: Any) -> httpx2.Client:
    """Return an HTTP client; the proxy of the environment is not asked for what is on this machine."""
    here = urlsplit(url).hostname in {"localhost", "127.0.0.1", "::1"}
    return httpx2.Client(timeout=httpx2.Timeout(60.0, connect=5.0), trust_env=not here, **parts)


def checked(answer: httpx2.Response) -> httpx2.Response:
    """Return a successful answer, or raise the refusal it is."""
    if answer.is_success:
        return answer
    if answer.status_code in AWAY and "problem+json" not in answer.headers.get("content-type", ""):
        raise errors.Busy(f"{answer.url} answered {answer.status_code}.")
    try:
        problem = msgspec.json.decode(answer.content, type=_Problem)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        problem = _Problem()
    kind = problem.type.rpartition(":")[2]
    detail = problem.detail or f"{answer.url} answered {answer.status_code}."
    if kind == "PeerFailed" or (kind not in REFUSALS and answer.is_server_error):
        # Where waiting may help, the connector says so.
        waits, status = "retry-after" in answer.headers, answer.status_code
        raise errors.PeerFailed(detail, retryable=waits, status=status, fix=problem.fix or None)
    if kind in {"NotFound", "Gone"} or answer.status_code in {httpx2.codes.NOT_FOUND, httpx2.codes.GONE}:
        refusal = errors.NotFound("thing", str(answer.url))
        refusal.message, refusal.args = detail, (detail,)
        raise refusal
    refused = REFUSALS.get(kind) or BY_STATUS.get(answer.status_code, errors.InvalidInput)
    raise refused(detail, where=problem.where or None, fix=problem.fix or None, reasons=problem.reasons)
