"""Public and private keys as JSON Web Keys (RFC 7517), and which of them the connector works with.

The gate is our own and narrow: three NIST curves and Ed25519. RSA, symmetric keys and every other curve stay
outside, so no token can make a public key stand for a shared secret.
"""

from collections.abc import Mapping
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from connector.errors import InvalidInput

Key = ECKey | OKPKey

ALGORITHMS: Final[Mapping[str, tuple[str, ...]]] = {
    "P-256": ("ES256",),
    "P-384": ("ES384",),
    "P-521": ("ES512",),
    "Ed25519": ("EdDSA", "Ed25519"),
}
"""Curve to the signature algorithms its keys may be used with; the first is the one we sign with."""

KEYS_AT_MOST: Final = 20
"""Keys one participant may have at a time: enough for any rotation, too few to be a burden."""


def public_key(jwk: object) -> Key:
    """Return the public key that a JWK describes.

    Raises:
        InvalidInput: not a JWK, of a type the gate keeps out, not for signatures, or a private key.
    """
    if isinstance(jwk, Mapping) and "d" in jwk:
        raise InvalidInput("This is a private key.", fix="Give its public part only, and replace the key: it is known.")
    return _import(jwk, private=False)


def private_key(jwk: object) -> Key:
    """Return the private key that a JWK describes; refusals as `public_key`."""
    if isinstance(jwk, Mapping) and not isinstance(jwk.get("d"), str):
        raise InvalidInput("This is not a private key.")
    return _import(jwk, private=True)


def curve(key: Key) -> str:
    """Return the name of the key's curve (RFC 7518 §6.2.1.1, RFC 8037 §2)."""
    return str(key.curve_name)


def algorithms(key: Key) -> tuple[str, ...]:
    """Return the algorithms this key may be used with, the preferred one first."""
    return ALGORITHMS[curve(key)]


def thumbprint(key: Key) -> str:
    """Return the key's SHA-256 thumbprint (RFC 7638): 43 characters, the same for public and private part."""
    return key.thumbprint()


def key_id(participant: str, key: Key) -> str:
    """Return the id under which a participant's key is named in tokens: `<participant>#<thumbprint>`."""
    return f"{participant}#{thumbprint(key)}"


def public_jwk(participant: str, key: Key) -> dict[str, Any]:
    """Return the public part of `key` as the participant publishes it."""
    return _parts(key, private=False) | {"kid": key_id(participant, key), "alg": algorithms(key)[0], "use": "sig"}


def private_jwk(key: Key) -> dict[str, Any]:
    """Return the whole key, to be kept by its owner.

    Raises:
        InvalidInput: the key has no private part.
    """
    if not key.is_private:
        raise InvalidInput("This is not a private key.")
    return _parts(key, private=True)


def key_set(participant: str, document: object) -> dict[str, Any]:
    """Return a participant's JWK Set (RFC 7517 §5) in the form we keep: public parts, absolute and distinct ids.

    A key without an id gets its thumbprint; a relative id (`key-1`, `#key-1`) becomes the participant's.

    Raises:
        InvalidInput: not a JWK Set, no or too many keys, one that the gate keeps out, an id of somebody else or twice.
    """
    given = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(given, list) or not 0 < len(given) <= KEYS_AT_MOST:
        raise InvalidInput(
            f"The keys are not a JWK Set of 1 to {KEYS_AT_MOST} keys.", fix='Give {"keys": [{"kty": "EC", …}]}.'
        )
    kept: dict[str, dict[str, Any]] = {}
    for number, jwk in enumerate(given):
        try:
            key = public_key(jwk)
            kid = _absolute(participant, jwk.get("kid", thumbprint(key)))
        except InvalidInput as refusal:
            refusal.where = f"keys[{number}]"
            raise
        if kid in kept:
            raise InvalidInput("Two keys have the same id.", where=f"keys[{number}].kid")
        kept[kid] = public_jwk(participant, key) | {"kid": kid}
    return {"keys": list(kept.values())}


def keys_by_id(kept: Mapping[str, Any]) -> dict[str, Key]:
    """Return the keys of a set in the form `key_set` gives, by id."""
    return {jwk.get("kid", ""): public_key(jwk) for jwk in kept["keys"]}


def _absolute(participant: str, kid: object) -> str:
    if not isinstance(kid, str) or not kid:
        raise InvalidInput("The id of a key is not text.")
    if "#" not in kid:
        return f"{participant}#{kid}"
    owner, _, fragment = kid.partition("#")
    if owner not in {"", participant} or not fragment:
        raise InvalidInput(f"The id {kid!r} names a key of somebody else than {participant}.")
    return f"{participant}#{fragment}"


def _parts(key: Key, *, private: bool) -> dict[str, Any]:
    whole = key.as_dict(private=private)
    return {name: whole[name] for name in ("kty", "crv", "x", "y", "d") if name in whole}


def _import(jwk: object, *, private: bool) -> Key:
    if not isinstance(jwk, Mapping):
        raise InvalidInput("The key is not a JWK, that is, not a JSON object.")
    kty, crv = jwk.get("kty"), jwk.get("crv")
    if not isinstance(crv, str) or crv not in ALGORITHMS or kty != ("OKP" if crv == "Ed25519" else "EC"):
        raise InvalidInput(
            f"A key of type {kty!r} on curve {crv!r} is not accepted.",
            fix=f"Use a key on one of the curves {', '.join(ALGORITHMS)}.",
        )
    if jwk.get("use", "sig") != "sig" or jwk.get("alg", ALGORITHMS[crv][0]) not in ALGORITHMS[crv]:
        raise InvalidInput("The key is meant for another use than signatures of its own type.")
    # Only what makes the key is taken over: no certificate, address or id of the JWK has any say later.
    parts = {name: jwk[name] for name in ("kty", "crv", "x", "y", *(("d",) if private else ())) if name in jwk}
    try:
        return ECKey.import_key(parts) if kty == "EC" else OKPKey.import_key(parts)
    except (JoseError, ValueError, TypeError) as error:
        raise InvalidInput("The key's numbers are not a key on its curve.") from error
