"""The guarded client against real servers on this machine that answer as no honest server would."""

import asyncio
import gzip
import io
import logging
import os
import ssl
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import pytest
import structlog
from backports import zstd
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from connector.errors import InvalidInput, PeerFailed
from connector.network import Egress, Network, Response

LOCAL = Egress(allow_http=True, allow_loopback=True, seconds=20, idle_seconds=20)
Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
"""Gets the head of a request and writes whatever it likes."""


@asynccontextmanager
async def served(answer: Answer) -> AsyncIterator[str]:
    """Serve on a free port of 127.0.0.1 and give the base address."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await answer(head, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def reply(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """Return a whole HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def always(data: bytes) -> Answer:
    """Answer every request with these bytes."""

    async def answer(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return answer


def fetch(answer: Answer, egress: Egress = LOCAL, *, path: str = "/", **how: object) -> Response:
    """Ask a server that answers so, and return what the client makes of it."""

    async def run() -> Response:
        async with served(answer) as base, Network(egress) as network:
            return await network.request("GET", base + path, **how)  # type: ignore[arg-type]

    return asyncio.run(run())


def test_an_answer_comes_back_whole_whatever_its_status() -> None:
    """Status, headers in any case and body are handed over; the caller decides what a 404 means to it."""
    response = fetch(always(reply(b"no such thing", "Content-Type: text/plain", status="404 Not Found")))
    assert (response.status, response.body) == (404, b"no such thing")
    assert response.headers["content-type"] == response.headers["Content-Type"] == "text/plain"


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(400, False), (401, False), (404, False), (408, True), (429, True), (500, True), (503, True)],
)
def test_a_refusal_says_whether_to_try_again(status: int, retryable: bool) -> None:
    """A fault of the moment is retried, an answer that will not change is not; the body is kept as the reason."""
    response = fetch(always(reply(b"why", status=f"{status} Whatever")))
    with pytest.raises(PeerFailed) as failed:
        response.checked()
    assert (failed.value.status, failed.value.retryable, failed.value.body) == (status, retryable, b"why")


def test_a_success_passes_the_check() -> None:
    """`checked` hands a success through, so that calls can be written in one line."""
    assert fetch(always(reply(b"yes", status="201 Created"))).checked().body == b"yes"


def test_what_is_sent_arrives_as_it_is() -> None:
    """Method, headers and body reach the other side, and nothing that was not asked for: no cookies, no proxy."""
    heard: list[bytes] = []

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        heard.append(head.lower())
        writer.write(reply(b"", "Set-Cookie: session=1"))

    async def here(host: str, port: int) -> list[str]:  # noqa: ARG001 - the signature of a look-up
        return ["127.0.0.1"]

    async def run() -> None:
        async with served(answer) as literal, Network(LOCAL, lookup=here) as network:
            base = literal.replace("127.0.0.1", "localhost")  # cookies belong to names, not to addresses
            await network.request("POST", f"{base}/in?a=1", headers={"Authorization": "Bearer x"}, body=b"hello")
            await network.request("GET", base)

    asyncio.run(run())
    assert heard[0].startswith(b"post /in?a=1 http/1.1\r\n")
    assert b"authorization: bearer x\r\n" in heard[0]
    assert b"content-length: 5\r\n" in heard[0]
    assert not any(b"cookie" in head for head in heard)
    assert b"authorization" not in heard[1]


def test_t01_the_environment_gives_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy variable in the environment does not lead the calls past the guard."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert fetch(always(reply(b"direct"))).body == b"direct"


def test_t08_a_header_cannot_smuggle_another() -> None:
    """A line break in a header, for instance in a token that a peer chose, is refused and not repeated."""
    with pytest.raises(InvalidInput) as refused:
        fetch(always(reply(b"")), headers={"Authorization": "canary\r\nHost: other.example"})
    assert "canary" not in str(refused.value)


# --- redirects --------------------------------------------------------------------------------------------------------


def moved(location: str, status: str = "302 Found") -> Answer:
    """Answer every request with a redirect."""
    return always(reply(b"", f"Location: {location}", status=status))


def test_t01_a_redirect_is_not_followed_unless_asked_for() -> None:
    """A protocol message goes where it was sent or nowhere."""
    assert fetch(moved("http://127.0.0.1:9/")).status == 302


@pytest.mark.parametrize("status", ["301 A", "302 A", "303 A", "307 A", "308 A"])
@pytest.mark.parametrize(
    "target",
    ["https://127.0.0.1/", "https://10.0.0.1/", "https://[::1]/", "file:///etc/passwd", "https://a@b.example/", "//0/"],
)
def test_t01_a_redirect_to_an_inner_address_is_not_followed(target: str, status: str) -> None:
    """Each hop is judged like the first address; the first being allowed excuses nothing."""

    async def public(host: str, port: int) -> list[str]:  # noqa: ARG001 - the signature of a look-up
        return ["127.0.0.1"]

    async def run() -> None:
        async with served(moved(target, status)) as base, Network(LOCAL, lookup=public) as network:
            port = int(base.rsplit(":", 1)[1])
            # The judge lets this one server through, as if it were public, and is itself again afterwards.
            judge = network._judge

            def lenient(address: object, at: int) -> None:
                if at != port:
                    judge(address, at)  # type: ignore[arg-type]

            object.__setattr__(network, "egress", Egress(allow_http=True, ports=(443, port)))
            network._judge = lenient  # type: ignore[method-assign, assignment]
            await network.request("GET", f"http://harvest.example:{port}/", redirects=3)

    with pytest.raises(PeerFailed, match="does not go") as failed:
        asyncio.run(run())
    assert not failed.value.retryable


def test_t01_a_redirect_does_not_give_up_tls() -> None:
    """Once asked over TLS, nothing is fetched without it."""
    from yarl import URL  # noqa: PLC0415 - beside its one use

    with pytest.raises(InvalidInput, match="TLS"):
        Network(LOCAL)._next(URL("https://weather.example/a"), "http://weather.example/a")


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_redirects_are_followed_as_far_as_allowed(hops: int) -> None:
    """A harvest reaches a catalogue that has moved, by absolute and relative addresses, within its allowance."""

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        step = int(head.split(b" ")[1].lstrip(b"/") or b"0")
        writer.write(reply(b"here") if step == hops else reply(b"x", f"Location: /{step + 1}", status="302 Found"))

    assert fetch(answer, redirects=3).body == b"here"
    assert fetch(answer, redirects=hops).url.endswith(f"/{hops}")


def test_t01_redirects_without_end_are_given_up() -> None:
    """A loop of redirects ends in a refusal that is not retried."""
    with pytest.raises(PeerFailed, match="more than 3 times") as failed:
        fetch(moved("/again"), redirects=3)
    assert not failed.value.retryable


@pytest.mark.parametrize("same", [True, False])
def test_t08_credentials_stay_with_the_origin_they_were_for(same: bool) -> None:
    """A redirect to another origin gets no token, key or cookie; one within the origin keeps them."""
    heard: list[bytes] = []

    async def last(head: bytes, writer: asyncio.StreamWriter) -> None:
        heard.append(head.lower())
        writer.write(reply(b""))

    async def run() -> None:
        async with served(last) as other:

            async def first(head: bytes, writer: asyncio.StreamWriter) -> None:
                if b"/end" in head:
                    await last(head, writer)
                else:
                    where = "/end" if same else f"{other}/end"
                    writer.write(reply(b"", f"Location: {where}", status="307 Moved"))

            async with served(first) as base, Network(LOCAL) as network:
                secret = {
                    "Authorization": "Bearer canary",
                    "X-Api-Key": "canary",
                    "Cookie": "canary",
                    "Accept": "text/turtle",
                }
                await network.request("GET", base, headers=secret, redirects=1)

    asyncio.run(run())
    assert heard[0].count(b"canary") == (3 if same else 0)
    assert b"accept: text/turtle" in heard[0]


def test_a_redirected_post_is_not_repeated() -> None:
    """What changes something is sent once, to the address it was meant for."""

    async def run() -> int:
        async with served(moved("/elsewhere", "307 Moved")) as base, Network(LOCAL) as network:
            return (await network.request("POST", base, body=b"order", redirects=3)).status

    assert asyncio.run(run()) == 307


# --- size and time ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("announced", [True, False])
def test_t10_a_body_above_the_limit_is_broken_off(announced: bool) -> None:
    """Announced or not, more than the limit is neither read to the end nor kept."""
    sent = 0

    async def endless(_head: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(
            b"HTTP/1.1 200 OK\r\n"
            + (b"Content-Length: 99999999\r\n\r\n" if announced else b"Connection: close\r\n\r\n")
        )
        while not writer.is_closing():
            writer.write(b"x" * 65536)
            sent += 65536
            await writer.drain()
        raise ConnectionError

    with pytest.raises(PeerFailed, match="more than the 100000 bytes") as failed:
        fetch(endless, limit=100_000)
    assert not failed.value.retryable
    assert sent < 50_000_000


def test_t10_a_body_announced_above_the_limit_is_not_waited_for() -> None:
    """What is too large by its own word is refused before the first byte of it."""

    async def announce(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(b"", length=10**12))

    with pytest.raises(PeerFailed, match="more than"):
        fetch(announce)


def test_t10_a_body_of_exactly_the_limit_is_read() -> None:
    """The limit is the largest size accepted, with and without compression."""
    data = os.urandom(100_000)
    assert fetch(always(reply(data)), limit=100_000).body == data
    assert fetch(always(reply(gzip.compress(data), "Content-Encoding: gzip")), limit=100_100).body == data
    with pytest.raises(PeerFailed):
        fetch(always(reply(data)), limit=99_999)


PACKING: Final[dict[str, Callable[[bytes], bytes]]] = {"gzip": gzip.compress, "zstd": zstd.compress}
each_coding = pytest.mark.parametrize("coding", PACKING)


@each_coding
@pytest.mark.parametrize("sizes", [[50_000_000], [3_000_000] * 10], ids=["one", "ten"])
@pytest.mark.parametrize("limit", [8 * 1024**2, 1024**3])
def test_t10_a_bomb_is_not_unpacked(coding: str, sizes: list[int], limit: int) -> None:
    """Neither a small nor a huge limit on the body lets a bomb grow in memory: size and ratio both stop it."""
    packed = b"".join(PACKING[coding](b"\0" * size) for size in sizes)
    tracemalloc.start()
    try:
        with pytest.raises(PeerFailed) as failed:
            fetch(always(reply(packed, f"Content-Encoding: {coding}")), limit=limit)
        assert tracemalloc.get_traced_memory()[1] < 24 * 1024**2
    finally:
        tracemalloc.stop()
    assert not failed.value.retryable


@each_coding
def test_t10_a_stream_of_empty_members_is_given_up(coding: str) -> None:
    """Members that hold nothing cost time without ever growing; too many of them are refused."""
    packed = PACKING[coding](b"") * 20_000
    with pytest.raises(PeerFailed, match="suspicious"):
        fetch(always(reply(packed, f"Content-Encoding: {coding}")))


def test_t10_a_zstd_body_does_not_choose_how_much_memory_it_takes() -> None:
    """A window beyond what HTTP allows (RFC 9659) is refused before it is made."""
    wide: dict[int, int] = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.content_size_flag: 0}
    packer = zstd.ZstdCompressor(options=wide)
    packed = packer.compress(os.urandom(1000)) + packer.flush()
    with pytest.raises(PeerFailed, match="zstd"):
        fetch(always(reply(packed, "Content-Encoding: zstd")))


def test_t10_a_compression_that_was_not_asked_for_is_refused() -> None:
    """Only gzip and zstd are unpacked, and nothing is packed twice."""
    for coding in ("br", "compress", "deflate", "gzip, gzip", "zstd, gzip"):
        with pytest.raises(PeerFailed, match="not asked for"):
            fetch(always(reply(zlib.compress(b"x"), f"Content-Encoding: {coding}")))


@each_coding
@pytest.mark.parametrize("parts", [[b"hello"], [b"hello ", b"world"], [os.urandom(200_000), b"end"], [b"z" * 900_000]])
def test_a_packed_body_is_unpacked(coding: str, parts: list[bytes]) -> None:
    """Ordinary compressed answers arrive as what they hold, in one member or several (RFC 1952 §2.2, RFC 8878 §3)."""
    packed = b"".join(map(PACKING[coding], parts))
    assert fetch(always(reply(packed, f"Content-Encoding: {coding}"))).body == b"".join(parts)


@pytest.mark.parametrize("cut", [5, 15, -1])
def test_t10_a_gzip_body_that_breaks_off_is_not_taken_for_whole(cut: int) -> None:
    """Half of a compressed answer is a failure, even if what it unpacks to looks complete."""
    with pytest.raises(PeerFailed):
        fetch(always(reply(gzip.compress(b"hello world")[:cut], "Content-Encoding: gzip")))


def test_a_body_that_is_not_the_gzip_it_claims_is_refused() -> None:
    """A wrong label is said to be one, instead of handing over noise."""
    with pytest.raises(PeerFailed, match="gzip it claims"):
        fetch(always(reply(b"plain text", "Content-Encoding: gzip")))


def test_a_body_that_breaks_off_is_a_failure_worth_a_retry() -> None:
    """A connection that is cut in the middle never looks like a short answer."""

    async def cut(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(b"half", length=100))
        raise ConnectionError

    with pytest.raises(PeerFailed, match="broke off") as failed:
        fetch(cut)
    assert failed.value.retryable


@pytest.mark.parametrize(
    "egress",
    [
        Egress(allow_http=True, allow_loopback=True, seconds=0.2),
        Egress(allow_http=True, allow_loopback=True, idle_seconds=0.2),
    ],
)
@pytest.mark.parametrize("starts", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
def test_t23_a_server_that_falls_silent_is_left(egress: Egress, starts: bytes) -> None:
    """Silence before or within the answer ends the call, by its total time or by the longest silence."""

    async def silent(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(starts)
        await writer.drain()
        await asyncio.Event().wait()

    with pytest.raises(PeerFailed) as failed:
        fetch(silent, egress)
    assert failed.value.retryable


def test_t23_a_server_that_drips_is_left_in_the_end() -> None:
    """A body that always moves a little runs into the total time, which counts from the start."""

    async def drip(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        never = asyncio.Event()
        while not never.is_set():
            writer.write(b".")
            await writer.drain()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(never.wait(), 0.01)

    with pytest.raises(PeerFailed, match=r"within 0\.3 seconds"):
        fetch(drip, timeout=0.3)


def test_t23_one_host_gets_only_its_share_of_connections() -> None:
    """Calls to a slow host wait for each other instead of opening ever more connections."""
    connections: set[object] = set()

    async def count(_head: bytes, writer: asyncio.StreamWriter) -> None:
        connections.add(writer.get_extra_info("peername"))
        writer.write(reply(b""))

    async def run() -> None:
        egress = Egress(allow_http=True, allow_loopback=True, per_host=3)
        async with served(count) as base, Network(egress) as network:
            await asyncio.gather(*(network.request("GET", base) for _ in range(20)))

    asyncio.run(run())
    assert len(connections) == 3


@pytest.mark.parametrize(
    "noise",
    [b"", b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"],
)
def test_what_is_no_http_is_the_peers_failure(noise: bytes) -> None:
    """Whatever a port answers, the caller gets a refusal from the family and no accident."""

    async def answer(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(noise)
        await writer.drain()
        raise ConnectionError

    with pytest.raises(PeerFailed):
        fetch(answer)


def test_a_port_where_nobody_listens_is_the_peers_failure() -> None:
    """A peer that is down is worth a retry."""

    async def run() -> None:
        async with served(always(b"")) as base:
            gone = base
        async with Network(LOCAL) as network:
            await network.request("GET", gone)

    with pytest.raises(PeerFailed, match="cannot be reached") as failed:
        asyncio.run(run())
    assert failed.value.retryable


def test_a_server_without_tls_fails_an_https_call() -> None:
    """Speaking https to a plain port is a failure, never a fall-back."""

    async def plain(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(b"plain"))
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(plain, "127.0.0.1", 0)
        async with server, Network(LOCAL) as network:
            await network.request("GET", f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

    with pytest.raises(PeerFailed):
        asyncio.run(run())


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    """Whoever stands at the right address without its certificate gets neither our token nor our message."""
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())
        writer.close()

    async def run() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self_signed(tmp_path))
        server = await asyncio.start_server(listen, "127.0.0.1", 0, ssl=context)
        async with server, Network(LOCAL) as network:
            await network.request("GET", f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

    with pytest.raises(PeerFailed, match="certificate that cannot be trusted"):
        asyncio.run(run())
    assert b"".join(heard) == b""


def self_signed(folder: Path) -> Path:
    """Return a file with a key and a certificate for 127.0.0.1 that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    )
    return path


# --- streams ----------------------------------------------------------------------------------------------------------


def stream(answer: Answer, sink: io.BytesIO, **how: object) -> Response:
    """Stream from a server that answers so into `sink`."""

    async def run() -> Response:
        async with served(answer) as base, Network(LOCAL) as network:
            return await network.stream("GET", base, sink, **how)  # type: ignore[arg-type]

    return asyncio.run(run())


def test_a_stream_lands_in_its_sink() -> None:
    """A file goes to the sink piece by piece and is not in the response."""
    data = os.urandom(1_000_000)
    sink = io.BytesIO()
    response = stream(always(reply(data, "Content-Type: application/netcdf")), sink)
    assert sink.getvalue() == data
    assert (response.status, response.body, response.headers["content-type"]) == (200, b"", "application/netcdf")


@pytest.mark.parametrize("status", ["302 Found", "403 Forbidden", "500 Broken"])
def test_a_refused_stream_leaves_the_sink_empty(status: str) -> None:
    """An error page never ends up in a data file; its words are in the response, and not without limit."""
    sink = io.BytesIO()
    response = stream(always(reply(b"why" * 100_000, status=status)), sink)
    assert sink.getvalue() == b""
    assert response.body == (b"why" * 100_000)[: 64 * 1024]


def test_t10_a_stream_above_its_limit_is_broken_off() -> None:
    """A download stops at its limit and says so."""
    sink = io.BytesIO()
    with pytest.raises(PeerFailed, match="more than"):
        stream(always(reply(b"x" * 200_000, "Connection: close", length=200_000)), sink, limit=100_000)
    assert len(sink.getvalue()) <= 100_000


# --- what is said -----------------------------------------------------------------------------------------------------


def test_t08_neither_log_nor_refusal_repeats_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    """Tokens in headers, queries and bodies of calls that succeed or fail are in no log line and no refusal."""
    caplog.set_level(logging.DEBUG)
    answers = [reply(b"canary"), reply(b"canary", status="500 A"), b"canary\r\n\r\n", reply(b"canary", length=99)]
    told: list[str] = []
    with structlog.testing.capture_logs() as lines:
        for data in answers:
            try:

                async def answer(_head: bytes, writer: asyncio.StreamWriter, data: bytes = data) -> None:
                    writer.write(data)
                    await writer.drain()
                    raise ConnectionError

                response = fetch(answer, path="/data?sig=canary#canary", headers={"Authorization": "Bearer canary"})
                response.checked()
            except PeerFailed as failed:
                told.append(str(failed))
    assert len(told) == 3
    assert [line["url"].rpartition("/")[2] for line in lines] == ["data", "data"]
    assert "canary" not in repr(lines) + repr(told) + caplog.text


def test_the_client_opens_again_after_it_was_closed() -> None:
    """`close` ends connections, not the client: a late retry of the outbox still goes out."""

    async def run() -> None:
        async with served(always(reply(b"x"))) as base:
            network = Network(LOCAL)
            await network.close()
            await network.request("GET", base)
            await network.close()
            assert (await network.request("GET", base)).body == b"x"
            await network.close()

    asyncio.run(run())
