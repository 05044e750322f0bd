"""The one guarded door through which the connector calls other machines.

Every address somebody else names (a callback, a peer, a catalogue to harvest, a webhook) is called through
`Network` and through nothing else. House rules:

1. What is checked is what is called: names are resolved here, *every* address is judged, and the connection goes
   to the judged addresses only. The socket itself judges again, because a literal address never meets a resolver.
2. Public addresses only. Loopback, plain HTTP, other ports and private ranges open by explicit setting.
3. Nothing is unlimited: total time, decoded bytes, compression ratio, redirects, connections per host.
4. Nothing is remembered between calls but open connections: no cookies, no proxies or passwords of the environment.
5. What is logged or said in a refusal never holds a query, a header or a body.
"""

import asyncio
import io
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any, BinaryIO, Final, Self

import aiohttp
import msgspec
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from connector.errors import InvalidInput, PeerFailed
from connector.network.addresses import Address, is_public, literal, parsed, unwrapped
from connector.network.bodies import beginning, decoded

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""Name and port to addresses in text; the system's resolver outside of tests."""

log = structlog.get_logger(__name__)

LARGE_BYTES: Final = 512 * 1024
"""Bodies beyond this are sent piece by piece."""

RETRYABLE: Final = frozenset({408, 425, 429})
MOVED: Final = frozenset({301, 302, 303, 307, 308})
CARRIED: Final = frozenset({"accept", "accept-language", "if-none-match", "if-modified-since"})
"""The only headers that follow a redirect to another origin; whatever else was set may be a credential."""

FAILURES: Final[Mapping[type[aiohttp.ClientError], str]] = {
    aiohttp.ClientConnectorDNSError: "is not a known host name",
    aiohttp.ClientConnectorCertificateError: "has a certificate that cannot be trusted",
    aiohttp.ClientSSLError: "does not speak TLS properly",
    aiohttp.ServerTimeoutError: "was silent for too long",
    aiohttp.ClientConnectorError: "cannot be reached",
    aiohttp.ClientPayloadError: "broke off in the middle of its answer",
    aiohttp.ServerDisconnectedError: "closed the connection without an answer",
}
"""What went wrong, the narrower kinds first."""


class Egress(msgspec.Struct, frozen=True, kw_only=True):
    """What the door lets out, and how much of an answer it lets in."""

    allow_http: bool = False
    """Call without TLS as well; opens port 80."""
    allow_loopback: bool = False
    """Call this machine as well, on any port."""
    ports: tuple[int, ...] = (443,)
    """Ports that may be called elsewhere."""
    networks: tuple[str, ...] = ()
    """Ranges that may be called although they are not public, such as `10.20.0.0/16`."""
    seconds: float = 30.0
    """Longest time one `request` may take, redirects included."""
    stream_seconds: float = 3600.0
    """Longest time one `stream` may take."""
    idle_seconds: float = 30.0
    """Longest silence of the other side, and longest time to connect."""
    body_bytes: int = 8 * 1024 * 1024
    """Largest decoded body of one `request`."""
    stream_bytes: int = 4 * 1024**3
    """Largest decoded body of one `stream`."""
    per_host: int = 8
    """Connections open at once to one host."""


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What the other side answered; any status, since only the caller knows which ones it can use."""

    status: int
    headers: Mapping[str, str]
    """Names match in any case; of a repeated header, the first."""
    body: bytes
    url: str
    """Where the answer came from, after redirects."""

    def checked(self) -> Self:
        """Return the response if it is a success.

        Raises:
            PeerFailed: the status is not 2xx; worth a retry after 408, 425, 429 and 5xx (RFC 9110 §15).
        """
        if 200 <= self.status < 300:  # noqa: PLR2004 - the class of success, RFC 9110 §15.3
            return self
        host = URL(self.url).host
        raise PeerFailed(
            f"{host} answered {self.status}.",
            retryable=self.status in RETRYABLE or self.status >= 500,  # noqa: PLR2004 - RFC 9110 §15.6
            status=self.status,
            body=self.body,
        )


class Network:
    """The guarded client; used from one event loop, opened by the first call, closed by `close`."""

    def __init__(self, egress: Egress | None = None, *, lookup: Lookup | None = None) -> None:
        self.egress = egress or Egress()
        self._networks = tuple(ip_network(text) for text in self.egress.networks)
        self._lookup = lookup or _system_lookup
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def check_url(self, url: str) -> None:
        """Refuse `url` if it could never be called: for addresses that are stored now and called later.

        Names are not looked up here: what a name means is judged whenever it is called.

        Raises:
            InvalidInput: scheme, port, user information, spelling or literal address is refused.
        """
        self._parse(url)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        limit: int | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - a setting with a default, applied by asyncio.timeout
        redirects: int = 0,
    ) -> Response:
        """Call `url` and return the whole answer, whatever its status.

        Args:
            method: an HTTP method in capitals.
            url: absolute, http or https.
            headers: sent as they are.
            body: sent as it is, with its length.
            limit: largest decoded body in bytes; default `Egress.body_bytes`.
            timeout: seconds for everything together; default `Egress.seconds`.
            redirects: how many to follow, of GET and HEAD only; each target is judged like the first.

        Raises:
            InvalidInput: the address, or a header, may not be used.
            PeerFailed: no answer, not in time, too large, badly compressed, or redirected astray.
        """
        limit = self.egress.body_bytes if limit is None else limit
        seconds = self.egress.seconds if timeout is None else timeout
        sent = CIMultiDict({"Accept-Encoding": "gzip", **(headers or {})})
        async with self._answer(method, url, headers=sent, body=body, seconds=seconds, redirects=redirects) as answer:
            pieces = [piece async for piece in decoded(answer, limit)]
            return _response(answer, b"".join(pieces))

    async def stream(
        self,
        method: str,
        url: str,
        sink: BinaryIO,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        limit: int | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - a setting with a default, applied by asyncio.timeout
        redirects: int = 0,
    ) -> Response:
        """Call `url` and write the body of a successful answer into `sink`, piece by piece.

        Of any other answer nothing is written and up to 64 KiB of its body are in the response. A call that fails
        half-way leaves what it had written: the caller throws the sink away. Arguments and refusals as `request`;
        the defaults are `Egress.stream_bytes` and `Egress.stream_seconds`.
        """
        limit = self.egress.stream_bytes if limit is None else limit
        seconds = self.egress.stream_seconds if timeout is None else timeout
        # Files travel as they are: their formats are compressed already, and their checksums are of the file.
        sent = CIMultiDict({"Accept-Encoding": "identity", **(headers or {})})
        async with self._answer(method, url, headers=sent, body=body, seconds=seconds, redirects=redirects) as answer:
            if not answer.ok or answer.status in MOVED:
                return _response(answer, await beginning(answer))
            async for piece in decoded(answer, limit):
                await asyncio.to_thread(sink.write, piece)
            return _response(answer, b"")

    @asynccontextmanager
    async def _answer(
        self, method: str, url: str, *, headers: CIMultiDict[str], body: bytes | None, seconds: float, redirects: int
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Give the final answer with its body unread; failures of the network become refusals here, once."""
        target = self._parse(url)
        try:
            async with asyncio.timeout(seconds):
                answer = await self._follow(method, target, headers, body, redirects)
                try:
                    yield answer
                    log.debug("network.answered", method=method, url=_sanitised(answer.url), status=answer.status)
                finally:
                    answer.close()  # gives the connection back if the body was read, and else breaks it off
        except TimeoutError:
            raise PeerFailed(f"{target.host} did not finish within {seconds:g} seconds.") from None
        except aiohttp.ClientError as error:
            # The library's own words can hold the whole URL, and with it a signature or token.
            raise PeerFailed(f"{target.host} {_failure(error)}.") from None

    async def _follow(
        self, method: str, target: URL, headers: CIMultiDict[str], body: bytes | None, redirects: int
    ) -> aiohttp.ClientResponse:
        answer = await self._send(method, target, headers, body)
        if not redirects or method not in {"GET", "HEAD"}:
            return answer
        for _ in range(redirects):
            if answer.status not in MOVED or "Location" not in answer.headers:
                return answer
            answer.close()
            source = answer.url
            try:
                target = self._next(source, answer.headers["Location"])
                if target.origin() != source.origin():
                    headers = CIMultiDict((key, value) for key, value in headers.items() if key.lower() in CARRIED)
                answer = await self._send(method, target, headers, None)
            except InvalidInput as error:
                raise PeerFailed(
                    f"{source.host} redirects to where the connector does not go: {error.message}", retryable=False
                ) from None
        if answer.status in MOVED:
            answer.close()
            raise PeerFailed(f"{target.host} redirects more than {redirects} times.", retryable=False)
        return answer

    def _next(self, source: URL, location: str) -> URL:
        """Return the judged target of a redirect."""
        try:
            target = self._parse(str(source.join(URL(location))))
        except ValueError:
            raise InvalidInput("The target is not a URL.") from None
        if source.scheme == "https" and target.scheme != "https":
            raise InvalidInput("The target gives up TLS.")
        return target

    async def _send(
        self, method: str, url: URL, headers: CIMultiDict[str], body: bytes | None
    ) -> aiohttp.ClientResponse:
        if self._session is None:
            self._session = self._open()
        try:
            # A large body as bytes would be copied into the connection in one go, while everybody else waits.
            data = io.BytesIO(body) if body is not None and len(body) > LARGE_BYTES else body
            return await self._session.request(method, url, headers=headers, data=data, allow_redirects=False)
        except aiohttp.ClientError:
            raise  # some of these are a ValueError too
        except ValueError:
            # A header with a line break, for instance from a token that a peer chose.
            raise InvalidInput("A header holds characters that HTTP does not allow.") from None

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=_Resolver(self._lookup, self._judge),
            use_dns_cache=False,  # an old judgement is never reused
            socket_factory=self._socket,
            limit_per_host=self.egress.per_host,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "greendeal-connector"},
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=self.egress.idle_seconds, sock_read=self.egress.idle_seconds
            ),
            auto_decompress=False,  # decoded here, so that bytes and ratio are counted while they come
            trust_env=False,
        )

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        """Make the socket for one address the client is about to connect to, if it may."""
        family, kind, protocol, _, address = info
        self._judge(ip_address(address[0]), address[1])
        return socket.socket(family, kind, protocol)

    def _judge(self, address: Address, port: int) -> None:
        """Refuse `address` unless it is public, or opened by a setting, and its port is open."""
        inner = unwrapped(address)
        if inner.is_loopback and self.egress.allow_loopback:
            return
        opened = any(inner in network for network in self._networks)
        if not opened and not is_public(inner):
            raise InvalidInput(
                "The address is not on the public internet.",
                fix="Give a public address, or let the operator open the range in the outbound settings.",
            )
        self._judge_port(port)

    def _judge_port(self, port: int) -> None:
        if port not in self.egress.ports and not (port == 80 and self.egress.allow_http):  # noqa: PLR2004 - HTTP
            raise InvalidInput(
                f"Port {port} is not open for outbound calls.",
                fix="Use port 443, or let the operator add the port to the outbound settings.",
            )

    def _parse(self, text: str) -> URL:
        """Return `text` as the URL that will be called, or refuse it; the only reader of addresses."""
        url = parsed(text)
        if url.scheme != "https" and not self.egress.allow_http:
            raise InvalidInput("The address is without TLS.", fix="Use https.")
        host, port = url.raw_host or "", url.port or 0
        if (address := literal(host)) is not None:
            self._judge(address, port)
        elif host == "localhost" or host.endswith(".localhost"):
            self._judge(IPv4Address("127.0.0.1"), port)
        else:
            self._judge_port(port)
        return url


class _Resolver(AbstractResolver):
    """Looks names up and hands on addresses only if every one of them may be called.

    One refused address refuses the name: an honest name has no reason to point inside, and which of several
    addresses gets called is not ours to choose.
    """

    def __init__(self, lookup: Lookup, judge: Callable[[Address, int], None]) -> None:
        self._lookup = lookup
        self._judge = judge

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = [ip_address(text.partition("%")[0]) for text in await self._lookup(host, port)]
        for address in found:
            self._judge(address, port)
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,  # noqa: PLR2004 - the IP version
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
            if family in {socket.AF_UNSPEC, socket.AF_INET if address.version == 4 else socket.AF_INET6}  # noqa: PLR2004 - as above
        ]

    async def close(self) -> None:
        """Nothing is held."""


async def _system_lookup(host: str, port: int) -> Sequence[str]:
    infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in infos]


def _response(answer: aiohttp.ClientResponse, body: bytes) -> Response:
    return Response(
        status=answer.status, headers=CIMultiDictProxy(CIMultiDict(answer.headers)), body=body, url=str(answer.url)
    )


def _sanitised(url: URL) -> str:
    """Return the address without its query, which may hold a signature or a token."""
    return str(url.with_query(None).with_fragment(None))


def _failure(error: aiohttp.ClientError) -> str:
    """Return what went wrong, in words that hold nothing of the request."""
    return next((words for kind, words in FAILURES.items() if isinstance(error, kind)), "does not speak HTTP properly")
