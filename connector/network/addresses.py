"""Which addresses may be called: one reading of a URL, and which IP addresses are public. Pure."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from yarl import URL

from connector.errors import InvalidInput

Address = IPv4Address | IPv6Address

URL_CHARACTERS: Final = 2048
NAME_CHARACTERS: Final = 253
"""Longest host name, RFC 1035 §2.3.4."""

# `ipaddress` calls these global, yet none of them is somebody's public server.
NOT_PUBLIC: Final = tuple(
    map(
        ip_network,
        (
            "168.63.129.16/32",  # a cloud's metadata service on a public address
            "192.0.0.0/24",  # protocol assignments, RFC 6890
            "192.31.196.0/24",  # AS112, RFC 7535
            "192.52.193.0/24",  # AMT relays, RFC 7450
            "192.88.99.0/24",  # 6to4 relays, RFC 7526
            "192.175.48.0/24",  # AS112, RFC 7534
            "2001::/23",  # protocol assignments with Teredo, RFC 2928
            "2001:db8::/32",  # documentation, RFC 3849
            "2620:4f:8000::/48",  # AS112, RFC 7534
            "3fff::/20",  # documentation, RFC 9637
        ),
    )
)
UNICAST_V6: Final = ip_network("2000::/3")
NAT64: Final = ip_network("64:ff9b::/96")
_AUTHORITY: Final = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)
_FORBIDDEN: Final = re.compile(r"[\x00-\x20\\\x7f]")
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


def parsed(text: str) -> URL:
    """Return `text` as an absolute http or https URL with one possible reading.

    Spellings that programs read differently (numbers as hosts, backslashes, non-ASCII digits, user information)
    are refused rather than interpreted.

    Raises:
        InvalidInput: it is not such a URL.
    """
    if len(text) > URL_CHARACTERS:
        raise InvalidInput(f"The address is longer than {URL_CHARACTERS} characters.")
    if _FORBIDDEN.search(text):
        raise InvalidInput("The address holds blanks, control characters or backslashes.")
    start = _AUTHORITY.match(text)
    if start is None:
        raise InvalidInput("The address is not an absolute http or https URL.")
    if "@" in start[1] or not start[1].isascii():
        raise InvalidInput(
            "The address holds a user name or letters outside ASCII before its path.",
            fix="Leave the user name out; write an international name in its xn-- form.",
        )
    try:
        url = URL(text)
        named = bool(url.raw_host) and url.port is not None
    except ValueError:
        named = False
    if not named or not _is_host(url.raw_host or ""):
        raise InvalidInput("The address has no valid host name, or an IP address in an unusual spelling.")
    return url


def unwrapped(address: Address) -> Address:
    """Return the IPv4 address an IPv6 address stands for (mapped, NAT64, 6to4), or else the address itself."""
    if isinstance(address, IPv6Address):
        if address in NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def is_public(address: Address) -> bool:
    """Tell whether an unwrapped address can be somebody's server on the public internet."""
    if isinstance(address, IPv6Address) and address not in UNICAST_V6:
        return False
    plain = address.is_global and not address.is_multicast and not address.is_reserved
    return plain and not any(address in network for network in NOT_PUBLIC)


@lru_cache(maxsize=4096)
def literal(host: str) -> Address | None:
    """Return the IP address that `host` spells, or None when it is a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _is_host(host: str) -> bool:
    if literal(host) is not None:
        return "%" not in host
    labels = host.lower().split(".")
    # A last label that is a number makes resolvers read the whole name as an IPv4 address (WHATWG URL, "ends in
    # a number"): 127.1, 0x7f.1 and 2130706433 all mean this machine.
    return len(host) <= 253 and all(map(_LABEL.fullmatch, labels)) and not _NUMBER.fullmatch(labels[-1])  # noqa: PLR2004 - RFC 1035 §2.3.4
