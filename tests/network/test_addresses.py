"""What may be called is one reading of an address, and public; threat 1 of docs/explanation/security.md."""

import asyncio
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.errors import InvalidInput, PeerFailed
from connector.network import Egress, Network
from connector.network.addresses import is_public, parsed, unwrapped

REFUSED = [
    # this machine, in every spelling
    "https://127.0.0.1/",
    "https://127.0.0.1:443/",
    "https://127.255.255.254/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://api.localhost/",
    "https://localhost./",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.1/",
    "https://127.0.1/",
    "https://127.0.0.1./",
    "https://0/",
    "https://0.0.0.0/",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://%6c%6fcalhost/",
    "https://127.0.0.1%00.weather.example/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::]/",
    "https://[::127.0.0.1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[64:ff9b::127.0.0.1]/",
    "https://[64:ff9b:1::127.0.0.1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[::1%25lo]/",
    # the networks around it, and what is nobody's server
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://168.63.129.16/",
    "https://100.64.0.1/",
    "https://192.0.0.9/",
    "https://192.88.99.1/",
    "https://198.18.0.1/",
    "https://203.0.113.1/",
    "https://224.0.0.1/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "https://[fe80::1]/",
    "https://[fec0::1]/",
    "https://[fd00:ec2::254]/",
    "https://[ff02::1]/",
    "https://[100::1]/",
    "https://[2001:db8::1]/",
    "https://[3fff::1]/",
    "https://[::ffff:192.168.1.1]/",
    "https://[64:ff9b::10.0.0.1]/",
    "https://[2002:c0a8:101::1]/",
    # who it is, and how
    "https://user@weather.example/",
    "https://user:password@weather.example/",
    "https://@weather.example/",
    "https://weather.example@127.0.0.1/",
    "https://weather.example\\@127.0.0.1/",
    "https://wetter.exämple/",
    "https://weather.example:80/",
    "https://weather.example:8443/",
    "https://weather.example:0/",
    "https://weather.example:99999/",
    "https://weather.example:port/",
    "http://weather.example/",
    "ftp://weather.example/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:70/",
    "//weather.example/",
    "weather.example",
    "https:weather.example",
    "https://",
    "https:///path",
    "https://[::1",
    "https://-a.example/",
    "https://a..example/",
    "https://weather.example/\nHost: other.example",
    " https://weather.example/",
    "https://weather.example/a b",
    "https://weather.example/" + "a" * 2048,
    "",
]

ACCEPTED = [
    "https://weather.example/dsp",
    "HTTPS://Weather.Example/dsp",
    "https://weather.example:443/dsp?page=2#part",
    "https://xn--exmple-cua.example/",
    "https://a_b.weather.example/",
    "https://1.weather.example/",
    "https://8.8.8.8/",
    "https://[2606:4700:4700::1111]/",
    "https://[::ffff:8.8.8.8]/",
    "https://[64:ff9b::8.8.8.8]/",
    "https://weather.example/ä",
]


@pytest.mark.parametrize("url", REFUSED)
def test_t01_an_address_that_is_not_plainly_public_is_refused(url: str) -> None:
    """No spelling of an inner address, foreign scheme, port or user name passes intake."""
    with pytest.raises(InvalidInput):
        Network().check_url(url)


@pytest.mark.parametrize("url", REFUSED)
def test_t01_a_refused_address_is_not_called_either(url: str) -> None:
    """What intake refuses is refused before anything is resolved or connected, too."""

    async def never(host: str, port: int) -> Sequence[str]:
        raise AssertionError(f"{host}:{port} was looked up.")

    async def call() -> None:
        async with Network(lookup=never) as network:
            await network.request("GET", url)

    with pytest.raises(InvalidInput):
        asyncio.run(call())


@pytest.mark.parametrize("url", ACCEPTED)
def test_t01_a_public_address_is_accepted(url: str) -> None:
    """The guard does not stand in the way of ordinary addresses."""
    Network().check_url(url)


@pytest.mark.parametrize(
    ("egress", "url"),
    [
        (Egress(allow_http=True), "http://weather.example/"),
        (Egress(ports=(443, 8443)), "https://weather.example:8443/"),
        (Egress(allow_loopback=True), "https://127.0.0.1:51234/"),
        (Egress(allow_loopback=True), "https://localhost:51234/"),
        (Egress(allow_loopback=True), "https://[::1]:51234/"),
        (Egress(networks=("10.20.0.0/16",)), "https://10.20.3.4/"),
        (Egress(networks=("fd00:20::/32",)), "https://[fd00:20::1]/"),
    ],
)
def test_t01_what_is_closed_opens_by_its_own_setting_only(egress: Egress, url: str) -> None:
    """Each opening has its setting, and every other setting leaves the address refused."""
    Network(egress).check_url(url)
    others = [
        Egress(allow_http=True),
        Egress(ports=(443, 8443)),
        Egress(allow_loopback=True),
        Egress(networks=("10.20.0.0/16",)),
        Egress(networks=("fd00:20::/32",)),
    ]
    for other in others:
        if other != egress:
            with pytest.raises(InvalidInput):
                Network(other).check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://10.0.0.1:51234/",
        "https://weather.example:51234/",
        "http://127.0.0.1:51234/",
        "https://localhost.weather.example:51234/",
        "https://0.0.0.0:51234/",
        "https://[::]/",
    ],
)
def test_t01_to_open_loopback_opens_nothing_else(url: str) -> None:
    """A demonstration on one machine can call that machine, still not its network, other ports or without TLS."""
    with pytest.raises(InvalidInput):
        Network(Egress(allow_loopback=True)).check_url(url)


PUBLIC_V4 = st.integers(0, 2**32 - 1).map(IPv4Address)
ANY_V6 = st.integers(0, 2**128 - 1).map(IPv6Address)


@given(PUBLIC_V4)
@example(IPv4Address("127.0.0.1"))
@example(IPv4Address("8.8.8.8"))
def test_t01_an_ipv4_address_is_judged_the_same_in_every_wrapping(inner: IPv4Address) -> None:
    """Mapped, NAT64 and 6to4 forms are as public as the IPv4 address they lead to."""
    number = int(inner)
    wrappings = [
        IPv6Address((0xFFFF << 32) | number),
        IPv6Address((0x64FF9B << 96) | number),
        IPv6Address((0x2002 << 112) | (number << 80) | 1),
    ]
    assert {unwrapped(address) for address in wrappings} == {inner}
    assert {is_public(unwrapped(address)) for address in wrappings} == {is_public(inner)}


@given(PUBLIC_V4 | ANY_V6)
def test_t01_nothing_private_is_public(address: IPv4Address | IPv6Address) -> None:
    """Whatever the standard library calls not global, multicast, reserved or link-local is refused by us."""
    inner = unwrapped(address)
    if is_public(inner):
        assert inner.is_global
        inward = ("is_private", "is_loopback", "is_link_local", "is_multicast", "is_reserved", "is_unspecified")
        assert [name for name in inward if getattr(inner, name)] == []


@given(st.text(alphabet=st.sampled_from("htps:/@.\\[]%#?01279afx-_localexmp \n\tß①"), max_size=40))
@example("https://127.0.0.1#@weather.example/")
def test_t01_what_is_read_as_an_address_has_one_reading(text: str) -> None:
    """Any text is refused as input, or is an address whose host stands in it as plain as it is called."""
    for candidate in (text, f"https://{text}"):
        try:
            url = parsed(candidate)
        except InvalidInput:
            continue
        authority = candidate.split("://", 1)[1].split("/")[0].split("?")[0].split("#")[0]
        assert url.user is None
        assert url.password is None
        host = url.raw_host or ""
        if "[" in authority:
            assert ip_address(authority[1 : authority.index("]")]) == ip_address(host)
        else:
            assert authority.lower().split(":")[0] == host


def test_t01_dns_rebinding_cannot_move_a_checked_name_inside() -> None:
    """A name that is public when checked and loopback when called is refused when called."""
    answers = iter([["8.8.8.8"], ["127.0.0.1"]])

    async def rebinding(host: str, port: int) -> Sequence[str]:  # noqa: ARG001 - the signature of a look-up
        return next(answers)

    async def call() -> None:
        await rebinding("rebind.example", 443)  # somebody's check, a moment ago
        async with Network(lookup=rebinding) as network:
            network.check_url("https://rebind.example/")
            await network.request("GET", "https://rebind.example/")

    with pytest.raises(InvalidInput, match="not on the public internet"):
        asyncio.run(call())
    assert next(answers, None) is None


@pytest.mark.parametrize(
    "found",
    [
        ["8.8.8.8", "127.0.0.1"],
        ["2606:4700:4700::1111", "::1"],
        ["8.8.8.8", "::ffff:10.0.0.1"],
        ["fe80::1%eth0"],
    ],
)
def test_t01_one_inner_address_refuses_the_whole_name(found: list[str]) -> None:
    """A name with a public and an inner address is not called, whichever would have been tried first."""

    async def mixed(host: str, port: int) -> Sequence[str]:  # noqa: ARG001 - the signature of a look-up
        return found

    async def call() -> None:
        async with Network(lookup=mixed) as network:
            await network.request("GET", "https://mixed.example/")

    with pytest.raises(InvalidInput):
        asyncio.run(call())


def test_t01_the_socket_judges_what_no_resolver_saw() -> None:
    """Even when an address slips past reading and resolving, no socket is made for it."""
    network = Network()
    with pytest.raises(InvalidInput):
        network._socket((2, 1, 6, "", ("127.0.0.1", 443)))
    with pytest.raises(InvalidInput):
        network._socket((2, 1, 6, "", ("8.8.8.8", 25)))


def test_t01_a_name_that_is_unknown_is_the_peers_failure() -> None:
    """A look-up that fails is worth another try, and says so without the system's own words."""

    async def unknown(host: str, port: int) -> Sequence[str]:  # noqa: ARG001 - the signature of a look-up
        raise OSError("name server said: secret")

    async def call() -> None:
        async with Network(lookup=unknown) as network:
            await network.request("GET", "https://unknown.example/?sig=secret")

    with pytest.raises(PeerFailed, match="not a known host") as failed:
        asyncio.run(call())
    assert failed.value.retryable
    assert "secret" not in str(failed.value)
