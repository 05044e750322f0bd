"""Tokens and signed documents: what proves something, and everything that must not."""

import base64
import hmac
import json
import string
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from connector.errors import InvalidInput, Unauthenticated
from connector.standards.vc import keys, tokens

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
US, THEM, THIRD = "did:web:weather.example", "did:web:climate.example", "did:web:third.example"
KEYS: dict[str, keys.Key] = {
    "P-256": ECKey.generate_key("P-256"),
    "P-384": ECKey.generate_key("P-384"),
    "P-521": ECKey.generate_key("P-521"),
    "Ed25519": OKPKey.generate_key("Ed25519"),
}
KEY = KEYS["P-256"]
ATTACKER = ECKey.generate_key("P-256")
KID = keys.key_id(US, KEY)
KNOWN = {KID: keys.public_key(keys.public_jwk(US, KEY))}
CLAIMS: dict[str, Any] = {
    "iss": US,
    "sub": US,
    "aud": THEM,
    "iat": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 300,
    "jti": "1f0",
}
HEADER: dict[str, Any] = {"alg": "ES256", "kid": KID, "typ": "JWT"}


def part(value: Any) -> str:
    """Return base64url of bytes, or of the JSON of a value."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forge(header: Any, payload: Any, key: keys.Key = KEY) -> str:
    """Return a token with any header and payload and a genuine ES256 signature over them."""
    genuine = f"{part(header)}.{part(payload)}"
    # The library signs only headers it approves of; its algorithm signs whatever it is given.
    signature = jws.JWSRegistry.algorithms["ES256"].sign(genuine.encode(), key)
    return f"{genuine}.{part(signature)}"


def check(token: str, **how: Any) -> tokens.Claims:
    """Verify a token as THEM would."""
    usual: dict[str, Any] = {"keys": KNOWN, "issuer": US, "audience": THEM, "now": NOW}
    return tokens.verify(token, **(usual | how))


@pytest.mark.parametrize("curve", KEYS)
def test_a_token_says_what_was_signed(curve: str) -> None:
    """A token of every kind of key we accept verifies with the public key and gives back its claims."""
    key = KEYS[curve]
    said = tokens.Claims(
        issuer=US, audience=THEM, issued=NOW, expires=NOW + timedelta(minutes=5), id="1f0", extra={"scope": ["a"]}
    )
    token = tokens.sign(said, key, keys.key_id(US, key))
    known = keys.keys_by_id(keys.key_set(US, {"keys": [keys.public_jwk(US, key)]}))
    assert tokens.issuer_of(token) == US
    assert check(token, keys=known) == check(token, keys=next(iter(known.values()))) == said
    assert json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "==")) == {
        "alg": keys.algorithms(key)[0],
        "kid": keys.key_id(US, key),
        "typ": "JWT",
    }


def test_the_forger_of_these_tests_can_make_a_genuine_token() -> None:
    """The forged tokens below fail for what is wrong with them, not because the forger cannot sign."""
    assert check(forge(HEADER, CLAIMS)).id == "1f0"
    assert check(forge(HEADER, CLAIMS | {"aud": [THEM]})).audience == THEM


def test_an_ed25519_key_may_use_the_newer_name() -> None:
    """Peers that follow RFC 9864 name the algorithm `Ed25519`, others `EdDSA`; both are the same signature."""
    key = KEYS["Ed25519"]
    header = {"alg": "Ed25519", "kid": keys.key_id(US, key), "typ": "JWT"}
    token = jws.serialize_compact(header, json.dumps(CLAIMS), key, ["Ed25519"])
    assert check(token, keys=key).id == "1f0"


# --- threat 3: which key, which algorithm -----------------------------------------------------------------------------

PUBLIC_FORMS = {
    "pem": KEY.as_pem(private=False),
    "der": KEY.as_der(private=False),
    "jwk": json.dumps(KEY.as_dict(private=False)).encode(),
    "x": str(KEY.as_dict(private=False)["x"]).encode(),
}


@pytest.mark.parametrize("form", PUBLIC_FORMS)
@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_t03_a_public_key_is_no_shared_secret(algorithm: str, form: str) -> None:
    """An HMAC made with our public key, in any of its forms, is no signature."""
    # Made by hand: the library refuses to take a public key for a secret even when signing.
    signed = f"{part(HEADER | {'alg': algorithm})}.{part(CLAIMS)}"
    proof = hmac.new(PUBLIC_FORMS[form], signed.encode(), algorithm.replace("HS", "sha")).digest()
    token = f"{signed}.{part(proof)}"
    with pytest.raises(Unauthenticated):
        check(token)


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "nOnE", "", None, 0, ["ES256"], "ES384", "RS256", "EdDSA", "es256"]
)
@pytest.mark.parametrize("signature", ["", "AAAA", part(b"\0" * 64)])
def test_t03_no_algorithm_but_the_keys_own(algorithm: Any, signature: str) -> None:
    """`none` in any spelling, another family or another type of value is not accepted."""
    with pytest.raises(Unauthenticated):
        check(f"{part(HEADER | {'alg': algorithm})}.{part(CLAIMS)}.{signature}")
    with pytest.raises(Unauthenticated, match="algorithm is not the key's"):
        check(forge(HEADER | {"alg": algorithm}, CLAIMS))


@pytest.mark.parametrize(
    "key",
    [ATTACKER, ECKey.generate_key("P-384"), OKPKey.generate_key("Ed25519"), RSAKey.generate_key(2048)],
    ids=lambda key: key.key_type,
)
def test_t03_a_key_in_the_header_is_not_looked_at(key: Any) -> None:
    """A token that brings its own key, or says where to fetch one, is judged by the key we know."""
    algorithm = {"RSA": "PS256", "OKP": "Ed25519"}.get(
        key.key_type, "ES384" if key.key_type == "EC" and key is not ATTACKER else "ES256"
    )
    for extra in (
        {"jwk": key.as_dict(private=False)},
        {"jku": "https://third.example/jwks.json"},
        {"x5u": "https://third.example/chain.pem"},
        {"x5c": ["MIIB"]},
    ):
        header = HEADER | {"alg": algorithm} | extra
        with pytest.raises(Unauthenticated):
            check(jws.serialize_compact(header, json.dumps(CLAIMS), key, [algorithm]))
        assert check(forge(HEADER | extra, CLAIMS)).issuer == US


@pytest.mark.parametrize(
    "extra", [{"crit": ["exp"], "exp": 0}, {"crit": ["b64"], "b64": False}, {"crit": []}, {"b64": True}, {"crit": "x"}]
)
def test_t03_an_extension_that_is_not_understood_is_refused(extra: dict[str, Any]) -> None:
    """`crit` demands understanding (RFC 7515 §4.1.11); nothing it could name is understood here."""
    with pytest.raises(Unauthenticated):
        check(forge(HEADER | extra, CLAIMS))


@pytest.mark.parametrize("kind", ["vc+jwt", "vp+jwt", "at+jwt", "jwt", "", None, 1, tokens.DOCUMENT_TYPE])
def test_t03_what_was_signed_for_another_purpose_is_no_token(kind: Any) -> None:
    """A credential, an access token or a document's signature by the same key does not speak for its holder."""
    with pytest.raises(Unauthenticated):
        check(forge(HEADER | {"typ": kind}, CLAIMS))
    with pytest.raises(Unauthenticated):
        check(forge({name: value for name, value in HEADER.items() if name != "typ"}, CLAIMS))


def test_t03_a_documents_signature_is_no_token_and_the_reverse() -> None:
    """The claims of a token, signed as a document, stay a document; a token does not sign a document."""
    head, _, proof = tokens.sign_document(CLAIMS, KEY, KID).split(".")
    with pytest.raises(Unauthenticated):
        check(f"{head}.{part(json.dumps(CLAIMS, sort_keys=True, separators=(',', ':')).encode())}.{proof}")
    token = forge(HEADER, json.dumps(CLAIMS, sort_keys=True, separators=(",", ":")).encode())
    assert check(token).id == "1f0"
    with pytest.raises(InvalidInput):
        tokens.verify_document(CLAIMS, f"{token.split('.')[0]}..{token.split('.')[2]}", KNOWN)


@pytest.mark.parametrize(
    "kid",
    [f"{THIRD}#key-1", US, f"{US}x#key-1", "", None, 1, keys.thumbprint(KEY), f"{KID} "],
    # The key is new in each process: named by its value, a case would not be the same one in two of them.
    ids=["third", "no-key", "longer", "empty", "none", "number", "thumbprint", "blank"],
)
def test_t03_the_key_id_is_one_of_the_issuers(kid: Any) -> None:
    """A token names a known key of its issuer, exactly."""
    with pytest.raises(Unauthenticated):
        check(forge(HEADER | {"kid": kid}, CLAIMS))
    foreign = {f"{THIRD}#key-1": KEY}
    with pytest.raises(Unauthenticated):
        check(forge(HEADER | {"kid": f"{THIRD}#key-1"}, CLAIMS), keys=foreign)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "alg": st.sampled_from(["none", "HS256", "ES256", "ES384", "RS256", "EdDSA", None, 1]),
            "typ": st.sampled_from(["JWT", "vc+jwt", None, 3]),
            "kid": st.sampled_from([KID, f"{THIRD}#a", "", None, 5, [KID]]),
            "jwk": st.sampled_from([ATTACKER.as_dict(private=False), "x", None, 1]),
            "jku": st.sampled_from(["https://third.example", 1]),
            "x5c": st.sampled_from([["MIIB"], "x", 1]),
            "crit": st.sampled_from([["b64"], [], "b64", None]),
            "b64": st.booleans(),
            "cty": st.sampled_from(["JWT", None, 1]),
        },
    ),
    st.sampled_from([KEY, ATTACKER]),
)
def test_t03_no_header_makes_a_strangers_token_pass(header: dict[str, Any], key: keys.Key) -> None:
    """Of all headers only those pass that name our type, the known key and its algorithm, signed by that very key."""
    try:
        claims = check(forge(header, CLAIMS, key))
    except Unauthenticated:
        return
    assert key is KEY
    assert claims.issuer == US
    assert {name: header[name] for name in HEADER} == HEADER
    assert "crit" not in header
    assert "b64" not in header


def flip(token: str, at: int, to: str) -> str:
    """Return the token with one character changed."""
    return token[:at] + to + token[at + 1 :]


ALPHABET = string.ascii_letters + string.digits + "-_.=+/ "
GENUINE = forge(HEADER, CLAIMS)


@given(st.integers(0, len(GENUINE) - 1), st.sampled_from(ALPHABET))
def test_t03_no_character_of_a_token_can_be_changed(at: int, to: str) -> None:
    """Every single character counts, the last bits of each part too."""
    assume(GENUINE[at] != to)
    with pytest.raises(Unauthenticated):
        check(flip(GENUINE, at, to))


@given(
    st.text()
    | st.text(alphabet=ALPHABET).map(lambda text: f"{part(HEADER)}.{text}.AAAA")
    | st.binary().map(lambda data: f"{part(data)}.{part(data)}.{part(data)}")
)
@example(f"{part(b'[' * 100_000)}.e30.AAAA")
@example(f"{part(HEADER)}.{part(b'[' * 5_000)}.AAAA")
@example("a" * 100_000)
@example("..")
def test_t12_no_text_causes_an_accident(text: str) -> None:
    """Whatever stands where a token should is refused as one."""
    with pytest.raises(Unauthenticated):
        check(text)
    with pytest.raises(Unauthenticated):
        tokens.issuer_of(text)


# --- threat 4: for whom, when, and by whom ----------------------------------------------------------------------------


@given(st.sampled_from([US, THEM, THIRD]), st.sampled_from([US, THEM, THIRD]))
def test_t04_a_token_for_another_audience_proves_nothing(meant_for: str, shown_to: str) -> None:
    """Whoever receives a token cannot use it on a third."""
    token = forge(HEADER, CLAIMS | {"aud": meant_for})
    if meant_for == shown_to:
        assert check(token, audience=shown_to).audience == shown_to
    else:
        with pytest.raises(Unauthenticated):
            check(token, audience=shown_to)


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": [THEM, THIRD]},
        {"aud": []},
        {"aud": f"{THEM}/"},
        {"aud": THEM.upper()},
        {"aud": f" {THEM}"},
        {"aud": {"a": THEM}},
        {"aud": None},
        {"iss": THIRD},
        {"iss": THIRD, "sub": THIRD},
        {"iss": f"{US}/"},
        {"iss": None},
        {"iss": 7},
        {"sub": THIRD},
        {"sub": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": None},
        {"jti": "a" * 257},
        {"jti": "a\0b"},
        {"jti": "ä"},
        {"exp": None},
        {"exp": "2026"},
        {"exp": True},
        {"iat": None},
        {"iat": False},
        {"nbf": "now"},
    ],
    ids=str,
)
def test_t04_a_claim_that_is_not_exact_is_refused(wrong: dict[str, Any]) -> None:
    """Issuer, subject, audience and id are single, exact texts, and times are numbers."""
    with pytest.raises(Unauthenticated):
        check(forge(HEADER, CLAIMS | wrong))


@pytest.mark.parametrize("name", ["iss", "aud", "iat", "exp", "jti"])
def test_t04_no_claim_can_be_left_out(name: str) -> None:
    """A token without one of the claims that bind it is no token."""
    with pytest.raises(Unauthenticated):
        check(forge(HEADER, {key: value for key, value in CLAIMS.items() if key != name}))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1", "1" + "0" * 30, "1" + "0" * 5000])
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
def test_t12_a_number_trick_is_refused(name: str, number: str) -> None:
    """Numbers that are none, or beyond any calendar, make a token invalid and nothing worse."""
    text = json.dumps(CLAIMS | {name: 0}).replace(f'"{name}": 0', f'"{name}": {number}')
    with pytest.raises(Unauthenticated):
        check(forge(HEADER, text.encode()))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_t12_what_is_not_json_is_refused_wherever_it_stands(number: str) -> None:
    """A claim that nobody looks at here could still be read by whoever gets it."""
    with pytest.raises(Unauthenticated):
        check(forge(HEADER, json.dumps(CLAIMS | {"scope": 0}).replace('"scope": 0', f'"scope": {number}').encode()))


@pytest.mark.parametrize(("header", "payload"), [('"alg": "ES256", ', ""), ("", f'"aud": "{THIRD}", ')])
def test_t12_a_token_that_says_something_twice_is_refused(header: str, payload: str) -> None:
    """With a name twice, two readers could read two tokens (RFC 8725 §2.4)."""
    twice = forge(
        ("{" + header + json.dumps(HEADER)[1:]).encode(),
        ("{" + payload + json.dumps(CLAIMS)[1:]).encode(),
    )
    with pytest.raises(Unauthenticated):
        check(twice)


SECONDS = st.integers(-2000, 2000)


@given(issued=SECONDS, life=SECONDS, begins=st.none() | SECONDS, leeway=st.integers(0, 60))
@example(issued=0, life=600, begins=None, leeway=10)
@example(issued=0, life=601, begins=None, leeway=10)
@example(issued=10, life=300, begins=None, leeway=10)
@example(issued=11, life=300, begins=None, leeway=60)
@example(issued=-300, life=300, begins=None, leeway=0)
@example(issued=-309, life=300, begins=None, leeway=60)
@example(issued=-310, life=300, begins=None, leeway=60)
@example(issued=0, life=300, begins=11, leeway=10)
def test_t05_a_token_lives_shortly_and_only_in_its_time(
    issued: int, life: int, begins: int | None, leeway: int
) -> None:
    """Accepted are exactly the tokens made for at most ten minutes that are in their time, give or take ten seconds."""
    start = int(NOW.timestamp()) + issued
    said = CLAIMS | {"iat": start, "exp": start + life}
    if begins is not None:
        said["nbf"] = int(NOW.timestamp()) + begins
    grace = min(leeway, 10)
    in_time = issued <= grace and (begins or 0) <= grace and issued + life + grace > 0
    try:
        check(forge(HEADER, said), leeway=leeway)
    except Unauthenticated:
        assert not (in_time and 0 < life <= 600)
    else:
        assert in_time
        assert 0 < life <= 600


def test_t08_a_refusal_quotes_nothing_of_the_token() -> None:
    """The reason can be logged: it is in our words, whatever the token holds."""
    for header, payload in (
        (HEADER | {"canary": 1, "crit": ["canary"]}, CLAIMS),
        (HEADER | {"alg": "canary"}, CLAIMS),
        (HEADER | {"kid": "canary"}, CLAIMS),
        (HEADER, CLAIMS | {"aud": "canary"}),
        (HEADER, b"canary"),
        (b"canary", CLAIMS),
    ):
        with pytest.raises(Unauthenticated) as refused:
            check(forge(header, payload))
        assert "canary" not in str(refused.value)
        assert refused.value.__cause__ is None


# --- documents --------------------------------------------------------------------------------------------------------

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=6)
LEAF = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
DOCUMENT = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)


def same(one: Any, other: Any) -> bool:
    """Tell whether two JSON values mean the same: numbers by value, never a number for a truth value."""
    if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) and isinstance(one, str) == isinstance(other, str)


@st.composite
def edits(draw: st.DrawFn) -> tuple[Any, Any]:
    """A document and the same one with a single place changed, removed, added or renamed."""
    document = draw(DOCUMENT)
    return document, draw(edited(document))


@st.composite
def edited(draw: st.DrawFn, value: Any) -> Any:
    """A value with a change at its top or in one of its parts."""
    if isinstance(value, list | dict) and value and draw(st.booleans()):
        at = draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
        changed: Any = value.copy()
        changed[at] = draw(edited(changed[at]))
        return changed
    changes: list[st.SearchStrategy[Any]] = [LEAF]
    if isinstance(value, list) and value:
        at = draw(st.integers(0, len(value) - 1))
        changes += [st.just(value[:at] + value[at + 1 :]), st.just([*value, value[at]]), st.permutations(value)]
    if isinstance(value, dict) and value:
        key = draw(st.sampled_from(sorted(value)))
        rest = {name: inner for name, inner in value.items() if name != key}
        changes += [st.just(rest), st.just(rest | {f"{key}x": value[key]}), st.just(value | {"": key})]
    return draw(st.one_of(changes))


@given(edits())
def test_t21_any_edit_of_a_signed_document_is_noticed(pair: tuple[Any, Any]) -> None:
    """A signature holds for what was signed, in any key order, and for nothing else."""
    document, edited = pair
    signature = tokens.sign_document(document, KEY, KID)
    shuffled = json.loads(json.dumps(document), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    tokens.verify_document(shuffled, signature, KNOWN)
    if same(document, edited):
        tokens.verify_document(edited, signature, KNOWN)
    else:
        with pytest.raises(InvalidInput):
            tokens.verify_document(edited, signature, KNOWN)


@pytest.mark.parametrize("curve", KEYS)
def test_a_document_is_verified_with_a_key_a_map_or_a_set(curve: str) -> None:
    """Whoever holds the signer's key in one of its usual forms can check."""
    key = KEYS[curve]
    signature = tokens.sign_document({"a": 1}, key, keys.key_id(US, key))
    assert signature.split(".")[1] == ""
    kept = keys.key_set(US, {"keys": [keys.public_jwk(US, key)]})
    for known in (key, keys.keys_by_id(kept), kept):
        tokens.verify_document({"a": 1}, signature, known)
        with pytest.raises(InvalidInput):
            tokens.verify_document({"a": 2}, signature, known)


def test_t21_a_strangers_signature_does_not_hold() -> None:
    """Neither another key under the same id, nor an unknown id, nor no key at all verifies a document."""
    forged = tokens.sign_document({"a": 1}, ATTACKER, KID)
    unknown = tokens.sign_document({"a": 1}, KEY, f"{US}#other")
    for signature, known in ((forged, KNOWN), (unknown, KNOWN), (forged, {}), (unknown, {"keys": []})):
        with pytest.raises(InvalidInput):
            tokens.verify_document({"a": 1}, signature, known)


@given(
    st.text() | st.tuples(st.sampled_from([part(HEADER), part({}), "e30"]), st.text(alphabet=ALPHABET)).map("..".join)
)
def test_t12_no_signature_text_causes_an_accident(text: str) -> None:
    """Whatever stands where a signature should is refused as one."""
    with pytest.raises(InvalidInput):
        tokens.verify_document({"a": 1}, text, KNOWN)


def test_a_signature_with_a_document_inside_is_refused() -> None:
    """Only the document at hand counts, not one the signature brings along."""
    head, _, proof = tokens.sign_document({"a": 1}, KEY, KID).split(".")
    with pytest.raises(InvalidInput, match="of its own"):
        tokens.verify_document({"a": 1}, f"{head}.{part({'a': 1})}.{proof}", KNOWN)


def deep(levels: int) -> Any:
    """Return lists within lists."""
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "document",
    [
        {"a": float("nan")},
        {"a": float("inf")},
        {"a": 2**53},
        {1: "a"},
        {"a": "\ud800"},
        {"a": b"x"},
        {"a": object()},
        deep(20_000),
        "x" * 1024**2,
    ],
    ids=["nan", "infinity", "large", "key", "surrogate", "bytes", "object", "deep", "long"],
)
def test_a_document_without_one_canonical_form_cannot_be_signed(document: Any) -> None:
    """What two programs could write differently is refused before it is signed or verified."""
    with pytest.raises(InvalidInput):
        tokens.sign_document(document, KEY, KID)
    with pytest.raises(InvalidInput):
        tokens.verify_document(document, tokens.sign_document({}, KEY, KID), KNOWN)


def test_a_document_that_is_not_small_can_be_signed() -> None:
    """An agreement with long policies is within the limits."""
    document = {"policy": ["x" * 1000] * 500}
    tokens.verify_document(document, tokens.sign_document(document, KEY, KID), KNOWN)
