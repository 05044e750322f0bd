"""Identity: who we are, whom we trust, and who is speaking.

Two kinds of principals speak to a connector. Other connectors prove themselves with a token they signed, checked by
the authenticators of the plug point `connector.identity`, which may also say how we prove ourselves to them. People
and programs of our own organisation show an API key. Whoever fails gets the same refusal, whatever the reason; the
reason goes to the log.
"""

import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Protocol, cast, get_args, runtime_checkable

import msgspec
import structlog
from joserfc.jwk import ECKey
from sqlmodel import col

from connector.errors import InvalidInput, NotFound, Unauthenticated
from connector.standards.vc import keys as jwk
from connector.standards.vc import tokens
from connector.standards.vc.keys import Key
from connector.storage.events import Event
from connector.storage.tables import ApiKey, Peer
from connector.storage.work import Clock, NewId, Work

log = structlog.get_logger(__name__)

Begin = Callable[[str], AbstractContextManager[Work]]
"""Opens a unit of work for a participant."""
Role = Literal["provider", "consumer", "business", "admin"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
PLUG_POINT: Final = "connector.identity"
TOKEN_LIFE: Final = timedelta(minutes=5)
KEY_PREFIX: Final = "gdc_"
"""First letters of every API key, so that scanners for lost secrets can find them."""
NAME_CHARACTERS: Final = 200
IRI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s#<>\"{}|\\^`\x00-\x20\x7f-\x9f]{1,500}")
"""A participant: an absolute IRI without fragment, since its keys are named `<participant>#…`."""


class PeerTrusted(Event, frozen=True, kw_only=True):
    """We know another participant, or know it under a new address or new keys; `subject` is the participant."""


class PeerDistrusted(Event, frozen=True, kw_only=True):
    """We no longer know another participant; `subject` is the participant."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is speaking.

    A `peer` is another participant's connector and has no roles here; a `user` acts for our own participant.
    """

    participant: str
    kind: Literal["peer", "user"]
    roles: frozenset[str] = frozenset()
    name: str = ""


class NewKey(NamedTuple):
    """A fresh API key; this is the only time its secret exists outside its owner's hands."""

    id: str
    secret: str

    def __repr__(self) -> str:
        """Leave the secret out: a value that reaches a log must not open the door."""
        return f"NewKey(id={self.id!r})"


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """An API key as its administrators see it, without its secret and without what is derived from it."""

    id: str
    name: str
    roles: tuple[str, ...]
    created: datetime
    revoked: datetime | None


# --- the plug point ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Context:
    """What an authenticator may know and do."""

    participant: str
    """Who we are: the audience of every proof shown to us, and whoever ours are from."""
    now: datetime
    peer: Callable[[str], Peer | None]
    """The trusted peer of this IRI."""
    spend: Callable[[str, str, datetime], bool]
    """Remember (issuer, id, until when) for good; False if it was remembered before. Committed at once."""


class Authenticator(Protocol):
    """One kind of proof of identity: the contract of the entry point group `connector.identity`.

    An entry point names a class without arguments, or an object, of this form. It is called in a worker thread,
    possibly in several at once. One that is a `Prover` too also speaks for us.
    """

    def authenticate(self, authorization: str, context: Context) -> Principal | None:
        """Return who proved to be speaking, or None if this is not the kind of proof known here.

        Args:
            authorization: the request's `Authorization` header, never empty. It must not be logged or kept.
            context: whom we are and trust, and the memory against replay.

        Raises:
            Unauthenticated: it is that kind of proof and does not hold; no other authenticator is asked.
        """
        ...


@runtime_checkable
class Prover(Protocol):
    """The outbound side of a kind of proof: how we show a peer who we are."""

    def prove(self, peer: str, context: Context) -> str | None:
        """Return the whole value of the `Authorization` header of a message to a peer, or None to leave it to others.

        It is asked for every message anew, also when one is sent again, and must answer at once: a proof that has to
        be fetched from elsewhere is fetched beforehand.

        Args:
            peer: the participant whom the message is for: the audience of the proof.
            context: whom we are and trust.
        """
        ...


class SignedTokens:
    """Proof by a self-signed token whose keys we know from configuration."""

    def authenticate(self, authorization: str, context: Context) -> Principal | None:
        """Verify the token with the keys of the trusted peer it is from, and spend it."""
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or token.count(".") != 2:  # noqa: PLR2004 - a compact token has three parts
            return None
        issuer = tokens.issuer_of(token)
        peer = context.peer(issuer)
        if peer is None:
            return None
        trusted = _keys(issuer, msgspec.json.encode(peer.keys))
        claims = tokens.verify(token, trusted, issuer=issuer, audience=context.participant, now=context.now)
        if not context.spend(issuer, claims.id, claims.expires + timedelta(seconds=tokens.LEEWAY)):
            raise Unauthenticated("The token was used before.")
        return Principal(participant=issuer, kind="peer", name=peer.name)


@lru_cache(maxsize=256)
def _keys(participant: str, document: bytes) -> Mapping[str, Key]:
    """Return a peer's keys by id; to read them costs more than to verify with them."""
    return jwk.keys_by_id(jwk.key_set(participant, json.loads(document)))


def installed() -> tuple[Authenticator, ...]:
    """Return the built-in authenticator and those that installed packages bring, in the order of their names."""
    found = sorted(entry_points(group=PLUG_POINT), key=lambda point: point.name)
    return SignedTokens(), *(made() if isinstance(made := point.load(), type) else made for point in found)


# --- our own key ------------------------------------------------------------------------------------------------------


def new_key() -> Key:
    """Return a fresh private key, P-256: the cheapest to sign and verify with that every participant accepts."""
    return ECKey.generate_key("P-256", private=True)


def load_or_create_key(path: Path) -> Key:
    """Return the private key kept at `path`, made there first if there is none.

    Of several processes that start together one makes the key and all use it. Only the owner may read the file.

    Raises:
        InvalidInput: the file is no private key, or others may read it.
    """
    if not path.exists():
        _keep(path, json.dumps(jwk.private_jwk(new_key())).encode())
    if path.stat().st_mode & 0o077:
        raise InvalidInput("Others may read the private key.", where=str(path), fix=f"Run `chmod 600 {path}`.")
    try:
        return jwk.private_key(json.loads(path.read_bytes()))
    except (ValueError, InvalidInput):
        # Nothing of the content is repeated, not even in a chained error.
        raise InvalidInput(
            "The file is not a private key.",
            where=str(path),
            fix="Restore it from a backup, or remove it for a new one.",
        ) from None


def _keep(path: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all, and never replaces one that is there."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


# --- the use cases ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Identity:
    """Our own identity, the peers we trust, and the keys to our own API."""

    begin: Begin
    read: Begin
    now: Clock
    new_id: NewId
    participant: str
    key: Key = field(repr=False)
    check_url: Callable[[str], None]
    """Refuses addresses that could never be called."""
    authenticators: tuple[Authenticator, ...] = (SignedTokens(),)
    _provers: tuple[Prover, ...] = field(init=False)
    _key_id: str = field(init=False)

    def __post_init__(self) -> None:
        """Work out what every proof needs."""
        object.__setattr__(self, "_provers", tuple(each for each in self.authenticators if isinstance(each, Prover)))
        object.__setattr__(self, "_key_id", jwk.key_id(self.participant, self.key))

    # --- who we are -------------------------------------------------------------------------------------------------

    def public_keys(self) -> dict[str, Any]:
        """Return our public keys as a JWK Set, for peers to trust."""
        return {"keys": [jwk.public_jwk(self.participant, self.key)]}

    def prove(self, peer: str) -> str:
        """Return the `Authorization` header of a message to `peer`: the first prover's that has one, or our token."""
        context = Context(self.participant, self.now(), self._peer, self._spend)
        for prover in self._provers:
            if (shown := prover.prove(peer, context)) is not None:
                return shown
        return f"Bearer {self.mint(peer)}"

    def mint(self, audience: str) -> str:
        """Return a token that proves to `audience`, once and for five minutes, that we are speaking."""
        now = self.now()
        claims = tokens.Claims(
            issuer=self.participant, audience=audience, issued=now, expires=now + TOKEN_LIFE, id=self.new_id()
        )
        return tokens.sign(claims, self.key, self._key_id)

    def sign(self, document: object) -> str:
        """Return our signature over a JSON document, to be checked with `tokens.verify_document`."""
        return tokens.sign_document(document, self.key, self._key_id)

    # --- who is speaking --------------------------------------------------------------------------------------------

    def authenticate_peer(self, authorization: str | None) -> Principal:
        """Return the peer that the `Authorization` header of a request proves.

        A token counts once: it is spent in a unit of work of its own, before anything is done for its bearer.

        Raises:
            Unauthenticated: nothing is proved. The words are the same for every reason; the log has the reason.
        """
        context = Context(self.participant, self.now(), self._peer, self._spend)
        reason = "No authenticator knows this proof, or whom it is from."
        try:
            for authenticator in self.authenticators if authorization else ():
                found = authenticator.authenticate(cast("str", authorization), context)
                if found is not None:
                    return found
        except Unauthenticated as refusal:
            reason = refusal.message
        log.info("peer.refused", reason=reason if authorization else "There is no Authorization header.")
        raise Unauthenticated(
            "The request does not prove which participant it is from.",
            fix="Send a fresh token for this participant, and make sure that it trusts your keys.",
        )

    def authenticate_key(self, header: str | None) -> Principal:
        """Return the user whose API key this is.

        Args:
            header: the value of `Authorization` (`Bearer gdc_…`) or of `X-Api-Key`.

        Raises:
            Unauthenticated: there is no such key, or no longer.
        """
        scheme, _, rest = (header or "").strip().partition(" ")
        secret = rest.strip() if scheme.lower() == "bearer" else scheme
        found = self._key_of(secret) if secret.startswith(KEY_PREFIX) else None
        if found is None or found.revoked is not None:
            raise Unauthenticated(
                "There is no valid API key in the request.",
                fix="Send `Authorization: Bearer gdc_…` with a key that an administrator made for you.",
            )
        return Principal(self.participant, "user", frozenset(found.roles), found.name)

    def _key_of(self, secret: str) -> ApiKey | None:
        # The secret has 256 random bits: a plain digest cannot be searched, and finding its row tells nothing of it.
        digest = _digest(secret)
        with self.read(self.participant) as work:
            rows = work.select(ApiKey, col(ApiKey.digest) == digest, limit=1)
        return next((row for row in rows if hmac.compare_digest(row.digest, digest)), None)

    def _peer(self, participant: str) -> Peer | None:
        if not IRI.fullmatch(participant):
            return None
        with self.read(self.participant) as work:
            return work.find(Peer, participant)

    def _spend(self, issuer: str, token: str, until: datetime) -> bool:
        with self.begin(self.participant) as work:
            return work.use_token(issuer, token, until)

    def purge(self) -> int:
        """Forget the tokens that would be refused as expired by now, and say how many."""
        with self.begin(self.participant) as work:
            return work.forget_tokens(self.now())

    # --- keys to our own API ----------------------------------------------------------------------------------------

    def create_key(self, name: str, roles: Collection[str], *, by: str = "operator") -> NewKey:
        """Make an API key; its secret is returned once and not kept.

        Args:
            name: whose key it is, for people.
            roles: one or several of `ROLES`.
            by: name of who makes it, for the evidence.

        Raises:
            InvalidInput: no name, no role, or a role that does not exist.
        """
        _check_name(name)
        unknown = sorted(set(roles) - set(ROLES))
        if unknown or not roles:
            raise InvalidInput(
                f"There is no role {unknown[0]!r}." if unknown else "A key needs a role.",
                where="roles",
                fix=f"Choose from {', '.join(ROLES)}.",
            )
        made = NewKey(self.new_id(), KEY_PREFIX + secrets.token_urlsafe(32))
        row = ApiKey(
            participant=self.participant,
            id=made.id,
            name=name,
            roles=sorted(set(roles)),
            digest=_digest(made.secret),
            created=self.now(),
        )
        with self.begin(self.participant) as work:
            work.add(row)
            work.record(made.id, "key.created", by, {"name": name, "roles": row.roles})
        return made

    def revoke_key(self, key: str, *, by: str = "operator") -> None:
        """End an API key at once; to end it twice changes nothing.

        Raises:
            NotFound: there is no such key.
        """
        with self.begin(self.participant) as work:
            row = work.need(ApiKey, key, lock=True)
            if row.revoked is None:
                row.revoked = self.now()
                work.record(key, "key.revoked", by, {"name": row.name})

    def list_keys(self) -> list[IssuedKey]:
        """Return all API keys, revoked ones too, the newest first."""
        with self.read(self.participant) as work:
            rows = work.select(ApiKey, order_by=[col(ApiKey.created).desc(), col(ApiKey.id)])
        return [IssuedKey(row.id, row.name, tuple(row.roles), row.created, row.revoked) for row in rows]

    # --- whom we trust ----------------------------------------------------------------------------------------------

    def trust(
        self,
        participant: str,
        name: str,
        address: str,
        keys: Mapping[str, Any],
        country: str | None = None,
        *,
        by: str = "operator",
    ) -> Peer:
        """Know another participant from now on by these keys; known already, it gets the new particulars, if any.

        Args:
            participant: its IRI.
            name: for people.
            address: base URL of its DSP endpoint.
            keys: its public keys, a JWK Set. Keys left out are no longer trusted.
            country: IRI of the country it is established in.
            by: name of who trusts it, for the evidence.

        Raises:
            InvalidInput: a particular is wrong, or it is ourselves.
        """
        self._check_peer(participant, name, address, country)
        kept = jwk.key_set(participant, keys)
        with self.begin(self.participant) as work:
            peer = work.find(Peer, participant, lock=True) or work.add(
                Peer(participant=self.participant, id=participant, name=name, address="")
            )
            told = name, address.rstrip("/"), kept, country
            if (peer.name, peer.address, peer.keys, peer.country) == told:
                return peer
            peer.name, peer.address, peer.keys, peer.country = told
            body = {"name": name, "address": peer.address, "keys": kept, "country": country}
            work.record(participant, "peer.trusted", by, body)
            work.emit(PeerTrusted(subject=participant))
        return peer

    def distrust(self, participant: str, *, by: str = "operator") -> None:
        """Forget another participant: from now on its tokens prove nothing.

        Raises:
            NotFound: it was not trusted.
        """
        with self.begin(self.participant) as work:
            work.delete(work.need(Peer, participant, lock=True))
            work.record(participant, "peer.distrusted", by, {})
            work.emit(PeerDistrusted(subject=participant))

    def peers(self) -> list[Peer]:
        """Return the participants we trust, by name."""
        with self.read(self.participant) as work:
            return work.select(Peer, order_by=[col(Peer.name), col(Peer.id)])

    def peer(self, participant: str) -> Peer:
        """Return a participant we trust.

        Raises:
            NotFound: it is not trusted.
        """
        found = self._peer(participant)
        if found is None:
            raise NotFound("peer", participant)
        return found

    def _check_peer(self, participant: str, name: str, address: str, country: str | None) -> None:
        if participant == self.participant:
            raise InvalidInput("This is our own participant.", where="participant", fix="Name another one.")
        for where, value in (("participant", participant), ("country", country)):
            if value is not None and not IRI.fullmatch(value):
                raise InvalidInput(
                    "This is not an absolute IRI without fragment.",
                    where=where,
                    fix="Give one such as did:web:weather.example.",
                )
        _check_name(name)
        self.check_url(address)


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > NAME_CHARACTERS:
        raise InvalidInput(f"A name has 1 to {NAME_CHARACTERS} characters.", where="name")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
