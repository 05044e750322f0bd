"""Signed tokens (RFC 7519) and signed documents: what a participant says, and proves to have said.

House rules, after RFC 8725 (JSON Web Token Best Current Practices):

1. The key decides the algorithm (§3.1). The header may only agree.
2. The key comes from what we know, by its id. Keys, addresses and certificates in the header are never looked at.
3. Every kind of thing signed has its own `typ` (§3.11), so that one can never be shown in place of another.
4. Issuer and audience are compared as exact text, times with at most ten seconds of grace, and no token lives long.
"""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Never

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode, urlsafe_b64encode

from connector.errors import InvalidInput, Unauthenticated
from connector.standards.canonical import Uncanonical, canonical
from connector.standards.vc.keys import Key, algorithms, keys_by_id

TOKEN_TYPE: Final = "JWT"  # noqa: S105 - the media type of a token, not a password
DOCUMENT_TYPE: Final = "jcs+jws"
"""House `typ` of a signature over canonical JSON (RFC 8785)."""

TOKEN_CHARACTERS: Final = 16 * 1024
DOCUMENT_BYTES: Final = 1024 * 1024
LEEWAY: Final = 10
"""Seconds by which two clocks may differ."""
MAX_AGE: Final = 600
"""Longest life of a token, in seconds."""
ID_CHARACTERS: Final = 256
LAST_SECOND: Final = 253402300800
"""The year 10000, where calendars end."""


_ECDSA: Final = {"ES256": ECDSA(SHA256()), "ES384": ECDSA(SHA384()), "ES512": ECDSA(SHA512())}


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a token says (RFC 7519 §4.1); `subject` is always the issuer itself."""

    issuer: str
    audience: str
    issued: datetime
    expires: datetime
    id: str
    extra: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """Further claims by name, as they came."""

    @property
    def subject(self) -> str:
        """Whom the token speaks about: its issuer."""
        return self.issuer


class _Unfit(ValueError):  # noqa: N818 - refusals read as claims, see the house names
    """What came in is not what it should be; the message is our own and quotes nothing."""


def sign(claims: Claims, key: Key, kid: str) -> str:
    """Return `claims` as a compact token signed with `key`.

    Args:
        claims: times are cut to whole seconds.
        key: a private key.
        kid: the id under which the audience knows the key, `<issuer>#…`.
    """
    said: dict[str, Any] = {
        **claims.extra,
        "iss": claims.issuer,
        "sub": claims.subject,
        "aud": claims.audience,
        "iat": int(claims.issued.timestamp()),
        "exp": int(claims.expires.timestamp()),
        "jti": claims.id,
    }
    return _sign(json.dumps(said, separators=(",", ":"), allow_nan=False).encode(), key, kid, TOKEN_TYPE)


def issuer_of(token: str) -> str:
    """Return who a token says it is from. Nothing is proved: it only tells whose keys `verify` needs.

    Raises:
        Unauthenticated: it is no token.
    """
    try:
        issuer = _object(_decode(_segments(token)[1])).get("iss")
    except ValueError:
        issuer = None
    if not isinstance(issuer, str) or not issuer:
        raise Unauthenticated("This is not a token, or it does not say who it is from.")
    return issuer


def verify(
    token: str,
    keys: Mapping[str, Key] | Key,
    *,
    issuer: str,
    audience: str,
    now: datetime,
    leeway: int = LEEWAY,
    max_age: int = MAX_AGE,
) -> Claims:
    """Return what `token` says, once everything about it is proved but that it is new.

    Whether its `id` was seen before is the caller's to ask, of a memory that outlives the process.

    Args:
        token: a compact JWS.
        keys: the issuer's keys by id, or its only key.
        issuer: who must have signed it, exactly.
        audience: whom it must be meant for, exactly and alone.
        now: aware.
        leeway: seconds of grace, at most 10.
        max_age: longest life accepted, in seconds.

    Raises:
        Unauthenticated: with the first reason found; say it to the log, not to the stranger.
    """
    payload = _verified(token, keys, issuer)
    claims = _claims(payload)
    if claims.issuer != issuer:
        _no("The issuer is not the one whose key signed the token.")
    if claims.audience != audience:
        _no("The token is meant for somebody else.")
    grace = min(leeway, LEEWAY)
    at, issued, expires = now.timestamp(), claims.issued.timestamp(), claims.expires.timestamp()
    if not 0 < expires - issued <= max_age:
        _no(f"The token is not made for a life of at most {max_age} seconds.")
    if at >= expires + grace:
        _no("The token has expired.")
    if at < issued - grace or at < payload.get("nbf", issued) - grace:
        _no("The token is not valid yet.")
    return claims


def sign_document(document: object, key: Key, kid: str) -> str:
    """Return a signature over a JSON document, as a JWS without the document (RFC 7515 appendix F).

    What is signed is the canonical form (RFC 8785): key order and spacing may change on the way, meaning may not.

    Raises:
        InvalidInput: the document has no canonical form, or more than 1 MiB of it.
    """
    header, _, signature = _sign(_canonical(document), key, kid, DOCUMENT_TYPE).split(".")
    return f"{header}..{signature}"


def verify_document(document: object, signature: str, keys: Mapping[str, Any] | Key) -> None:
    """Check that `signature` is one of these keys' over exactly this document.

    Args:
        document: any JSON value.
        signature: what `sign_document` returned.
        keys: the signer's keys by id, its JWK Set as `keys.key_set` gives it, or its only key.

    Raises:
        InvalidInput: it is not.
    """
    if isinstance(keys, Mapping) and isinstance(keys.get("keys"), list):
        keys = keys_by_id(keys)
    try:
        header, empty, proof = _segments(signature)
        if empty:
            raise InvalidInput("The signature carries a document of its own.")
        payload = urlsafe_b64encode(_canonical(document)).decode()
        _check(f"{header}.{payload}.{proof}", keys, DOCUMENT_TYPE)
    except (ValueError, JoseError) as error:
        raise InvalidInput(f"The signature does not hold: {_words(error)}") from None


def _sign(payload: bytes, key: Key, kid: str, kind: str) -> str:
    algorithm = algorithms(key)[0]
    signed = f"{_header(algorithm, kid, kind)}.{urlsafe_b64encode(payload).decode()}"
    signature = _signature(algorithm, signed.encode(), key)
    return f"{signed}.{urlsafe_b64encode(signature).decode()}"


def _signature(algorithm: str, message: bytes, key: Key) -> bytes:
    """Return the signature over a message, in the form of RFC 7518 §3.4 where it is one of two numbers."""
    if not isinstance(key, ECKey):
        return JWSRegistry.algorithms[algorithm].sign(message, key)
    # The library writes the two numbers digit by digit, which takes as long as the signature itself.
    numbers = decode_dss_signature(key.get_op_key("sign").sign(message, _ECDSA[algorithm]))
    size = (key.curve_key_size + 7) // 8
    return b"".join(number.to_bytes(size, "big") for number in numbers)


@lru_cache(maxsize=64)
def _header(algorithm: str, kid: str, kind: str) -> str:
    """Return the first part of everything that a key signs; it is the same each time."""
    header = {"alg": algorithm, "kid": kid, "typ": kind}
    return urlsafe_b64encode(json.dumps(header, separators=(",", ":")).encode()).decode()


def _verified(token: str, keys: Mapping[str, Key] | Key, issuer: str) -> dict[str, Any]:
    """Return the claims of a token whose signature holds."""
    if len(token) > TOKEN_CHARACTERS:
        _no("The token is too long.")
    try:
        header, payload = _check(token, keys, TOKEN_TYPE)
        said = _object(payload)
    except (ValueError, JoseError) as error:
        raise Unauthenticated(_words(error)) from None
    if not str(header.get("kid", f"{issuer}#")).startswith(f"{issuer}#"):
        _no("The token's key id is not one of its issuer's.")
    return said


def _check(compact: str, keys: Mapping[str, Any] | Key, kind: str) -> tuple[dict[str, Any], bytes]:
    """Return header and payload of a JWS that one of `keys` signed; ValueError or JoseError if none did.

    The library does the arithmetic and nothing else: of the header only what is named here takes part.
    """
    first, second, third = _segments(compact)
    if len(first) > TOKEN_CHARACTERS or len(second) > 2 * DOCUMENT_BYTES:
        raise _Unfit("It is too long.")
    header = _object(_decode(first))
    if header.get("typ") != kind:
        raise _Unfit("It is signed for another purpose.")
    if "crit" in header or "b64" in header:
        raise _Unfit("It demands an extension that is not understood.")
    kid = header.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise _Unfit("Its key id is not text.")
    key = keys.get(kid) if isinstance(keys, Mapping) and isinstance(kid, str) else keys
    if key is None or isinstance(key, Mapping):
        raise _Unfit("It is not signed with a known key.")
    algorithm = header.get("alg")
    if algorithm not in algorithms(key):
        raise _Unfit("Its algorithm is not the key's.")
    proof = _decode(third)
    if not JWSRegistry.algorithms[algorithm].verify(f"{first}.{second}".encode(), proof, key):
        raise JoseError("The signature does not hold.")
    return header, _decode(second)


def _claims(said: Mapping[str, Any]) -> Claims:
    audience = said.get("aud")
    if isinstance(audience, list) and len(audience) == 1:
        audience = audience[0]  # RFC 7519 §4.1.3: a list of one is the same as the one
    names = (said.get("iss"), audience, said.get("jti"))
    if not all(isinstance(name, str) and name for name in names):
        _no("The token lacks an issuer, a single audience or an id.")
    if len(said["jti"]) > ID_CHARACTERS or not said["jti"].isascii() or not said["jti"].isprintable():
        _no("The token's id is not plain, short text.")
    if said.get("sub", said["iss"]) != said["iss"]:
        _no("The token speaks about somebody else than its issuer.")
    if not _is_time(said.get("iat")) or not _is_time(said.get("exp")) or not _is_time(said.get("nbf", 0)):
        _no("The token does not say, in seconds, from when and until when it is valid.")
    return Claims(
        issuer=said["iss"],
        audience=str(audience),
        issued=datetime.fromtimestamp(said["iat"], UTC),
        expires=datetime.fromtimestamp(said["exp"], UTC),
        id=said["jti"],
        extra={name: value for name, value in said.items() if name not in {"iss", "sub", "aud", "iat", "exp", "jti"}},
    )


def _is_time(value: object) -> bool:
    """Tell whether it is a NumericDate (RFC 7519 §2) between 1970 and the year 9999."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and 0 <= value < LAST_SECOND


def _segments(compact: str) -> list[str]:
    parts = compact.split(".") if compact.isascii() else []
    if len(parts) != 3:  # noqa: PLR2004 - RFC 7515 §7.1: header, payload, signature
        raise _Unfit("It is not a compact signature.")
    return parts


def _decode(segment: str) -> bytes:
    return urlsafe_b64decode(segment.encode())


def _object(data: bytes) -> dict[str, Any]:
    """Return a JSON object without repeated names (RFC 8725 §2.4) and without NaN; ValueError if it is not one."""
    try:
        value = json.loads(data, object_pairs_hook=_distinct, parse_constant=_not_json)
    except RecursionError:
        raise _Unfit("It is nested too deeply.") from None
    if not isinstance(value, dict):
        raise _Unfit("It is not a JSON object.")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Unfit("It says something twice.")
    return value


def _not_json(text: str) -> Never:
    raise _Unfit(f"{text} is not JSON.")


def _canonical(document: object) -> bytes:
    try:
        data = canonical(document)
    except Uncanonical:
        raise InvalidInput(
            "The document has no canonical form.",
            fix="Use text keys, finite numbers and integers below 2^53 only, and no deep nesting.",
        ) from None
    if len(data) > DOCUMENT_BYTES:
        raise InvalidInput(f"The document is larger than the {DOCUMENT_BYTES} bytes that can be signed.")
    return data


def _words(error: Exception) -> str:
    """Return a sentence about what is wrong; only our own words, since a library's may quote what came in."""
    return str(error) if isinstance(error, _Unfit) else "It is malformed, or not signed with the key it names."


def _no(reason: str) -> Never:
    raise Unauthenticated(reason)
