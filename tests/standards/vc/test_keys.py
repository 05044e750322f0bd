"""Which keys the gate lets in, and under which names."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from connector.errors import InvalidInput
from connector.standards.vc import keys

US = "did:web:weather.example"
GOOD: dict[str, keys.Key] = {
    "P-256": ECKey.generate_key("P-256"),
    "P-384": ECKey.generate_key("P-384"),
    "P-521": ECKey.generate_key("P-521"),
    "Ed25519": OKPKey.generate_key("Ed25519"),
}
BAD: list[Any] = [
    RSAKey.generate_key(2048).as_dict(private=False),
    OctKey.generate_key(256).as_dict(),
    ECKey.generate_key("secp256k1").as_dict(private=False),
    OKPKey.generate_key("X25519").as_dict(private=False),
    OKPKey.generate_key("Ed448").as_dict(private=False),
    GOOD["P-256"].as_dict(private=False) | {"use": "enc"},
    GOOD["P-256"].as_dict(private=False) | {"alg": "HS256"},
    GOOD["P-256"].as_dict(private=False) | {"alg": "ES384"},
    GOOD["P-256"].as_dict(private=False) | {"crv": "P-384"},
    GOOD["P-256"].as_dict(private=False) | {"kty": "OKP"},
    GOOD["P-256"].as_dict(private=False) | {"x": "AAAA"},
    GOOD["P-256"].as_dict(private=False) | {"x": 7},
    GOOD["P-256"].as_dict(private=False) | {"crv": ["P-256"]},
    {"kty": "EC", "crv": "P-256"},
    {},
    [],
    None,
    "key",
]


@pytest.mark.parametrize("curve", GOOD)
def test_a_key_survives_its_own_description(curve: str) -> None:
    """What is published and what is kept read back as the same key, and only the latter holds the secret."""
    key = GOOD[curve]
    public, private = keys.public_jwk(US, key), keys.private_jwk(key)
    assert "d" not in public
    assert keys.curve(keys.public_key(public)) == curve
    assert (
        keys.thumbprint(keys.public_key(public)) == keys.thumbprint(keys.private_key(private)) == keys.thumbprint(key)
    )
    assert public["kid"] == keys.key_id(US, key) == f"{US}#{keys.thumbprint(key)}"


def test_a_thumbprint_is_the_one_of_the_standard() -> None:
    """The id of a key is computed as RFC 7638 says: the example of RFC 8037 appendix A.3 comes out."""
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert keys.thumbprint(keys.public_key(jwk)) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize("jwk", BAD, ids=[f"bad-{number}" for number in range(len(BAD))])
def test_t03_the_gate_keeps_other_keys_out(jwk: Any) -> None:
    """No RSA, shared secret, foreign curve, encryption key or nonsense becomes a key to verify with."""
    with pytest.raises(InvalidInput):
        keys.public_key(jwk)
    with pytest.raises(InvalidInput):
        keys.private_key(jwk)
    with pytest.raises(InvalidInput):
        keys.key_set(US, {"keys": [jwk]})


def test_t08_a_private_key_is_not_taken_for_a_public_one() -> None:
    """Somebody who sends us a private key is told, and the refusal does not repeat it."""
    secret = keys.private_jwk(GOOD["P-256"])
    with pytest.raises(InvalidInput, match="private") as refused:
        keys.public_key(secret)
    assert secret["d"] not in str(refused.value)
    with pytest.raises(InvalidInput, match="not a private key"):
        keys.private_jwk(keys.public_key(keys.public_jwk(US, GOOD["P-256"])))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, None),
        ("key-1", f"{US}#key-1"),
        ("#key-1", f"{US}#key-1"),
        (f"{US}#key-1", f"{US}#key-1"),
    ],
)
def test_a_key_set_is_kept_under_absolute_ids(given: str | None, kept: str | None) -> None:
    """However a participant names its keys, we find them by the id its tokens carry."""
    jwk = GOOD["Ed25519"].as_dict(private=False) | ({"kid": given} if given else {})
    found = keys.keys_by_id(keys.key_set(US, {"keys": [jwk]}))
    assert list(found) == [kept or keys.key_id(US, GOOD["Ed25519"])]
    assert keys.thumbprint(next(iter(found.values()))) == keys.thumbprint(GOOD["Ed25519"])


PUBLIC = GOOD["P-256"].as_dict(private=False)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"keys": []},
        {"keys": "x"},
        {"keys": [PUBLIC] * 2},
        {"keys": [PUBLIC | {"kid": str(n)} for n in range(21)]},
        {"keys": [PUBLIC | {"kid": "did:web:other.example#key-1"}]},
        {"keys": [PUBLIC | {"kid": f"{US}#"}]},
        {"keys": [PUBLIC | {"kid": ""}]},
        {"keys": [PUBLIC | {"kid": 1}]},
    ],
)
def test_t03_a_key_set_that_is_none_or_names_others_is_refused(document: Any) -> None:
    """A participant's keys are its own, distinct, and not many."""
    with pytest.raises(InvalidInput):
        keys.key_set(US, document)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "d", "use", "alg", "kid"]), JSON))
def test_whatever_a_jwk_says_it_is_a_key_or_refused(changes: dict[str, Any]) -> None:
    """No member of a foreign JWK, of whatever type, causes an accident."""
    jwk = PUBLIC | changes
    try:
        key = keys.public_key(jwk)
    except InvalidInput:
        return
    assert keys.curve(key) in keys.ALGORITHMS
    assert not key.is_private
