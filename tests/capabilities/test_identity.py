"""Who is speaking: peers by tokens that count once, users by API keys, strangers never."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import example, given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OKPKey, RSAKey
from sqlmodel import col

from connector.capabilities import identity
from connector.capabilities.identity import ROLES, Context, Identity, NewKey, Principal
from connector.errors import InvalidInput, NotFound, Unauthenticated
from connector.standards.vc import keys, tokens
from connector.storage.tables import ApiKey, Evidence, OutboxRow, Peer, UsedToken
from connector.storage.work import Database, Work
from tests.fixtures import Clock, NewDatabase

US, THEM, THIRD = "did:web:weather.example", "did:web:climate.example", "did:web:third.example"
ADDRESS = "https://climate.example/dsp"
OUR_KEY, THEIR_KEY, THIRD_KEY = (ECKey.generate_key("P-256") for _ in range(3))


def accept(_url: str) -> None:
    """Accept any address: which ones are refused is the network's matter."""


class World:
    """Two connectors that trust each other, and a third that nobody does."""

    def __init__(self, database: Database, clock: Clock, new_id: Callable[[], str]) -> None:
        self.database = database
        self.clock = clock
        self.us = self.connector(US, OUR_KEY, new_id)
        self.them = self.connector(THEM, THEIR_KEY, new_id)
        self.third = self.connector(THIRD, THIRD_KEY, new_id)
        self.us.trust(THEM, "Climate", ADDRESS, self.them.public_keys())
        self.them.trust(US, "Weather", "https://weather.example/dsp", self.us.public_keys())

    def connector(self, participant: str, key: keys.Key, new_id: Callable[[], str]) -> Identity:
        """Return the identity of a participant in the one database."""
        return Identity(
            begin=self.database.begin,
            read=self.database.read,
            now=self.clock,
            new_id=new_id,
            participant=participant,
            key=key,
            check_url=accept,
        )

    def ask(self, token: str | None, by: Identity | None = None) -> Principal:
        """Show a token to us, or to another."""
        return (by or self.us).authenticate_peer(None if token is None else f"Bearer {token}")


@pytest.fixture
def world(database: Database, clock: Clock, new_id: Callable[[], str]) -> World:
    """Return the world of these tests."""
    return World(database, clock, new_id)


# --- peers ------------------------------------------------------------------------------------------------------------


def test_a_trusted_peer_proves_itself(world: World) -> None:
    """What one connector mints for another, the other accepts as from the one, and as nothing more than a peer."""
    assert world.ask(world.them.mint(US)) == Principal(THEM, "peer", frozenset(), "Climate")
    assert world.ask(world.us.mint(THEM), by=world.them).participant == US


def test_a_minted_token_is_bound_and_short(world: World) -> None:
    """Our tokens name us, one audience and five minutes, and each has an id of its own."""
    first, second = (
        tokens.verify(world.us.mint(THEM), OUR_KEY, issuer=US, audience=THEM, now=world.clock()) for _ in range(2)
    )
    assert (first.issuer, first.subject, first.audience) == (US, US, THEM)
    assert first.expires - first.issued == timedelta(minutes=5)
    assert first.id != second.id


def raised(call: Callable[[], object]) -> str:
    """Return the words of the refusal that a call ends in."""
    with pytest.raises(Unauthenticated) as refused:
        call()
    return str(refused.value)


def test_t03_t04_whatever_is_wrong_the_refusal_is_the_same(world: World) -> None:
    """Missing, foreign, forged, expired, misdirected, replayed: one refusal, from which nothing can be learned."""
    used, old = world.them.mint(US), world.them.mint(US)
    world.ask(used)
    forged = replace(world.them, key=THIRD_KEY)
    pretended = replace(world.third, participant=THEM)
    headers = [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer x.y.z",
        "Bearer a.b.c.d",
        f"Bearer {world.third.mint(US)}",  # nobody trusts it
        f"Bearer {world.us.mint(US)}",  # our own
        f"Bearer {world.them.mint(THIRD)}",  # meant for another
        f"Bearer {world.them.mint(THEM)}",
        f"Bearer {forged.mint(US)}",
        f"Bearer {pretended.mint(US)}",
        f"Bearer {used}",
        f"Bearer {world.them.mint(US)[:-4]}AAAA",
        f"Basic {world.them.mint(US)}",
        world.them.mint(US),
    ]
    said = {raised(lambda header=header: world.us.authenticate_peer(header)) for header in headers}  # type: ignore[misc]
    world.clock.move(minutes=6)
    said.add(raised(lambda: world.ask(old)))
    assert len(said) == 1


def test_t04_a_token_shown_on_by_its_audience_proves_nothing(world: World) -> None:
    """A peer that received our token cannot use it to speak as us to a third that trusts us."""
    world.third.trust(US, "Weather", "https://weather.example/dsp", world.us.public_keys())
    token = world.us.mint(THEM)
    with pytest.raises(Unauthenticated):
        world.ask(token, by=world.third)
    assert world.ask(token, by=world.them).participant == US


def test_t03_a_key_proves_only_its_owner(world: World) -> None:
    """A trusted participant cannot speak as another trusted participant."""
    world.us.trust(THIRD, "Third", "https://third.example/dsp", world.third.public_keys())
    liar = replace(world.third, participant=THEM)
    with pytest.raises(Unauthenticated):
        world.ask(liar.mint(US))
    now = world.clock()
    claims = tokens.Claims(issuer=THEM, audience=US, issued=now, expires=now + timedelta(minutes=1), id="1")
    with pytest.raises(Unauthenticated):
        world.ask(tokens.sign(claims, THIRD_KEY, keys.key_id(THIRD, THIRD_KEY)))


def test_t05_of_eight_who_show_a_token_at_once_one_is_let_in(world: World) -> None:
    """A token counts once, however many show it at the same moment."""
    token = world.them.mint(US)
    ready = threading.Barrier(8)

    def show(_: int) -> bool:
        ready.wait()
        try:
            return world.ask(token).participant == THEM
        except Unauthenticated:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(show, range(8))) == 1


def test_t05_a_restart_does_not_forget_what_was_used(
    world: World, new_database: NewDatabase, new_id: Callable[[], str]
) -> None:
    """A used token stays used for another process on the same database."""
    token = world.them.mint(US)
    world.ask(token)
    again = replace(world.us, begin=(other := new_database()).begin, read=other.read, new_id=new_id)
    with pytest.raises(Unauthenticated):
        world.ask(token, by=again)


def test_t05_a_token_is_spent_before_anything_else_happens(world: World) -> None:
    """What fails after authentication does not give the token back."""
    token = world.them.mint(US)
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the whole story of a request that breaks
        world.ask(token)
        raise ZeroDivisionError
    with pytest.raises(Unauthenticated):
        world.ask(token)


def test_t05_a_refused_token_spends_nothing(world: World) -> None:
    """A forger cannot use up the ids of genuine tokens."""
    genuine = world.them.mint(US)
    claims = tokens.verify(genuine, THEIR_KEY, issuer=THEM, audience=US, now=world.clock())
    forged = tokens.sign(claims, THIRD_KEY, keys.key_id(THEM, THEIR_KEY))
    with pytest.raises(Unauthenticated):
        world.ask(forged)
    assert world.ask(genuine).participant == THEM


@given(shown=st.lists(st.integers(0, 700), max_size=6).map(sorted), purges=st.sets(st.integers(0, 700), max_size=4))
@example(shown=[301, 309], purges={305})  # within the grace, after the end
@example(shown=[0, 309], purges={309})
def test_t05_a_purge_never_lets_a_token_in_again(shown: list[int], purges: set[int]) -> None:
    """However shows and purges fall in time, grace included, a token is accepted at most once."""
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    clock, remembered = Clock(start), dict[tuple[str, str], datetime]()

    class Memory(Work):
        def __init__(self) -> None:
            """Need no database: only two methods are called."""

        def use_token(self, issuer: str, jti: str, expires: datetime) -> bool:
            return remembered.setdefault((issuer, jti), expires) is expires

        def forget_tokens(self, before: datetime) -> int:
            old = [key for key, expires in remembered.items() if expires < before]
            return len([remembered.pop(key) for key in old])

        def find(self, *_: Any, **__: Any) -> Any:
            return Peer(participant=US, id=THEM, name="Climate", address=ADDRESS, keys=KNOWN)

    @contextmanager
    def begin(_: str) -> Iterator[Work]:
        yield Memory()

    us = Identity(begin, begin, clock, lambda: "id", US, OUR_KEY, accept)
    token = replace(us, participant=THEM, key=THEIR_KEY).mint(US)
    accepted = 0
    for second in sorted({*shown, *purges}):
        clock.moment = start + timedelta(seconds=second)
        if second in purges:
            us.purge()
        if second in shown:
            try:
                us.authenticate_peer(f"Bearer {token}")
                accepted += 1
            except Unauthenticated:
                pass
    assert accepted == (1 if shown and shown[0] < 310 else 0)


KNOWN = {"keys": [keys.public_jwk(THEM, THEIR_KEY)]}


def test_t05_a_purge_keeps_what_could_still_be_shown(world: World) -> None:
    """The memory is cleared of tokens that are over, and of no others."""
    world.ask(world.them.mint(US))
    world.clock.move(minutes=4)
    young = world.them.mint(US)
    world.ask(young)
    world.clock.move(minutes=2)
    assert world.us.purge() == 1
    assert world.us.purge() == 0
    with pytest.raises(Unauthenticated):
        world.ask(young)
    with world.database.read(US) as work:
        assert len(work.select(UsedToken)) == 1


def test_t24_a_distrusted_peer_is_a_stranger_at_once(world: World) -> None:
    """Taking trust away ends the next request, whatever keys were remembered."""
    world.ask(world.them.mint(US))
    world.us.distrust(THEM, by="Ada")
    with pytest.raises(Unauthenticated):
        world.ask(world.them.mint(US))
    with pytest.raises(NotFound):
        world.us.distrust(THEM)
    assert world.us.peers() == []


def test_t24_a_replaced_key_proves_nothing_any_more(world: World) -> None:
    """After a key was rotated only the new one counts; while both are listed both do."""
    fresh = OKPKey.generate_key("Ed25519")
    renewed = replace(world.them, key=fresh)
    both = {"keys": world.them.public_keys()["keys"] + renewed.public_keys()["keys"]}
    world.us.trust(THEM, "Climate", ADDRESS, both)
    assert world.ask(world.them.mint(US)) == world.ask(renewed.mint(US))
    world.us.trust(THEM, "Climate", ADDRESS, renewed.public_keys())
    assert world.ask(renewed.mint(US)).participant == THEM
    with pytest.raises(Unauthenticated):
        world.ask(world.them.mint(US))


def test_t06_one_participants_peers_are_not_anothers(world: World) -> None:
    """In a database shared by participants each trusts whom it trusts."""
    with pytest.raises(Unauthenticated):
        world.ask(world.us.mint(THIRD), by=world.third)
    assert [peer.id for peer in world.us.peers()] == [THEM]
    assert world.us.peer(THEM).name == "Climate"
    with pytest.raises(NotFound):
        world.us.peer(US)
    with pytest.raises(NotFound):
        world.us.peer("\0")


def test_a_peer_is_kept_as_it_was_trusted(world: World) -> None:
    """Trusting again changes the particulars and adds no second peer; evidence and events tell of it."""
    peer = world.us.trust(THEM, "Climate centre", f"{ADDRESS}/", world.them.public_keys(), "urn:country:de", by="Ada")
    assert (peer.name, peer.address, peer.country) == ("Climate centre", ADDRESS, "urn:country:de")
    assert [(found.name, found.keys) for found in world.us.peers()] == [("Climate centre", KNOWN)]
    with world.database.read(US) as work:
        told = work.select(Evidence, col(Evidence.subject) == THEM, order_by=col(Evidence.seq))
    assert [(row.kind, row.actor) for row in told] == [("peer.trusted", "operator"), ("peer.trusted", "Ada")]
    assert told[1].body["keys"] == KNOWN


def test_trust_and_distrust_are_announced(new_database: NewDatabase, clock: Clock, new_id: Callable[[], str]) -> None:
    """Whoever crawls catalogs hears of new and lost peers."""
    database = new_database({identity.PeerTrusted: ("federation",), identity.PeerDistrusted: ("federation",)})
    world = World(database, clock, new_id)
    world.us.distrust(THEM)
    with database.read(US) as work:
        rows = work.select(OutboxRow, order_by=col(OutboxRow.id))
    assert [(row.event, row.subject) for row in rows] == [("PeerTrusted", THEM), ("PeerDistrusted", THEM)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"participant": US},
        {"participant": "weather"},
        {"participant": f"{THEM}#key-1"},
        {"participant": "did:web:a b"},
        {"participant": ""},
        {"participant": "did:web:" + "a" * 600},
        {"participant": "did:web:a\0"},
        {"name": " "},
        {"name": "x" * 201},
        {"country": "Germany"},
        {"keys": {}},
        {"keys": {"keys": [RSAKey.generate_key(2048).as_dict(private=False)]}},
        {"keys": {"keys": [ECKey.generate_key("P-256").as_dict(private=True)]}},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_peer_with_a_wrong_particular_is_not_trusted(world: World, wrong: dict[str, Any]) -> None:
    """Nobody is trusted by half: a wrong name, address or key leaves everything as it was."""
    right = {"participant": THIRD, "name": "Third", "address": ADDRESS, "keys": world.third.public_keys()}
    with pytest.raises(InvalidInput):
        world.us.trust(**(right | wrong))
    assert [peer.id for peer in world.us.peers()] == [THEM]


def test_t01_a_peers_address_is_judged_before_it_is_kept(world: World) -> None:
    """An address that could never be called is refused when it is entered."""

    def refuse(url: str) -> None:
        raise InvalidInput(f"{url} is refused.")

    with pytest.raises(InvalidInput, match="refused"):
        replace(world.us, check_url=refuse).trust(THIRD, "Third", "http://127.0.0.1/", world.third.public_keys())
    assert [peer.id for peer in world.us.peers()] == [THEM]


def test_our_signature_holds_with_our_published_keys(world: World) -> None:
    """What we sign, a peer checks with the keys it trusts us by."""
    signature = world.us.sign({"agreement": 1})
    tokens.verify_document({"agreement": 1}, signature, world.them.peer(US).keys)
    with pytest.raises(InvalidInput):
        tokens.verify_document({"agreement": 2}, signature, world.them.peer(US).keys)


# --- the plug point ---------------------------------------------------------------------------------------------------


class Handshake:
    """A proof of another kind: the word `Handshake` and a name."""

    def authenticate(self, authorization: str, context: Context) -> Principal | None:
        """Let in whoever greets us by name, once."""
        scheme, _, name = authorization.partition(" ")
        if scheme != "Handshake":
            return None
        if not context.spend(name, "greeting", context.now + timedelta(hours=1)):
            raise Unauthenticated("canary")
        return Principal(participant=name, kind="peer")


def test_another_kind_of_proof_can_be_plugged_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package adds a kind of proof; the built-in one stays and is asked first."""
    point = EntryPoint(name="handshake", value=f"{__name__}:Handshake", group=identity.PLUG_POINT)
    monkeypatch.setattr(EntryPoint, "load", lambda _: Handshake)
    monkeypatch.setattr(identity, "entry_points", lambda group: EntryPoints([point]).select(group=group))
    us = replace(world.us, authenticators=identity.installed())
    assert us.authenticate_peer(f"Handshake {THIRD}").participant == THIRD
    assert us.authenticate_peer(f"Bearer {world.them.mint(US)}").participant == THEM
    assert "canary" not in raised(lambda: us.authenticate_peer(f"Handshake {THIRD}"))
    with pytest.raises(Unauthenticated):
        world.us.authenticate_peer(f"Handshake {THIRD}")


class Badge(Handshake):
    """A proof in both directions, for some peers."""

    def prove(self, peer: str, context: Context) -> str | None:
        """Show a badge to whoever is third."""
        return f"Badge {context.participant}" if peer == THIRD else None


def test_a_plugged_in_proof_may_also_speak_for_us(world: World) -> None:
    """A kind of proof with an outbound side fills the whole header; what it leaves to others gets our token."""
    us = replace(world.us, authenticators=(identity.SignedTokens(), Handshake(), Badge()))
    assert us.prove(THIRD) == f"Badge {US}"
    assert world.ask(us.prove(THEM).removeprefix("Bearer "), by=world.them).participant == US
    assert world.us.prove(THIRD).startswith("Bearer ey")


def test_without_plug_ins_only_signed_tokens_count() -> None:
    """A bare installation knows one kind of proof."""
    assert type(identity.installed()[0]) is identity.SignedTokens


# --- users ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "{}", " {} "])
def test_a_user_is_known_by_its_key(world: World, form: str) -> None:
    """A fresh key is accepted in either header and carries its roles."""
    made = world.us.create_key("Ada", ["admin", "provider"], by="operator")
    assert made.secret.startswith("gdc_")
    found = world.us.authenticate_key(form.format(made.secret))
    assert found == Principal(US, "user", frozenset({"admin", "provider"}), "Ada")


def test_t20_a_key_is_kept_as_a_digest_only(world: World) -> None:
    """Nothing in the database opens the door: neither the secret nor anything it can be read from."""
    made = world.us.create_key("Ada", list(ROLES))
    with world.database.read(US) as work:
        kept = repr([row.model_dump() for table in (ApiKey, Evidence, OutboxRow) for row in work.select(table)])
        digest = work.need(ApiKey, made.id).digest
    assert made.secret.removeprefix("gdc_") not in kept
    assert len(base64.urlsafe_b64decode(made.secret.removeprefix("gdc_") + "=")) == 32
    with pytest.raises(Unauthenticated):
        world.us.authenticate_key(digest)
    with pytest.raises(Unauthenticated):
        world.us.authenticate_key(f"gdc_{digest}")


def test_a_wrong_revoked_or_foreign_key_is_refused_in_the_same_words(world: World) -> None:
    """A refusal does not tell an unknown key from one that was taken away."""
    revoked, theirs = world.us.create_key("Ada", ["admin"]), world.them.create_key("Eve", ["admin"])
    world.us.revoke_key(revoked.id)
    headers = [
        None,
        "",
        "Bearer",
        "Bearer gdc_",
        "gdc_",
        f"Bearer {revoked.secret}",
        f"Bearer {theirs.secret}",
        f"Bearer {revoked.secret}x",
        f"Basic {revoked.secret}",
        "Bearer gdc_\ud800",
        "Bearer gdc_\0",
        f"Bearer {world.them.mint(US)}",
    ]
    assert len({raised(lambda header=header: world.us.authenticate_key(header)) for header in headers}) == 1  # type: ignore[misc]
    assert world.them.authenticate_key(theirs.secret).name == "Eve"


def test_keys_are_listed_and_revoked_once(world: World) -> None:
    """Administrators see every key and its end, but neither secret nor digest; ending it twice changes nothing."""
    first = world.us.create_key("Ada", ["admin"])
    world.clock.move(hours=1)
    second = world.us.create_key("Bob", ["consumer", "consumer"])
    world.us.revoke_key(first.id, by="Bob")
    ended = world.clock()
    world.clock.move(hours=1)
    world.us.revoke_key(first.id)
    assert [(key.id, key.name, key.roles, key.revoked) for key in world.us.list_keys()] == [
        (second.id, "Bob", ("consumer",), None),
        (first.id, "Ada", ("admin",), ended),
    ]
    with world.database.read(US) as work:
        told = work.select(Evidence, col(Evidence.subject) == first.id, order_by=col(Evidence.seq))
        digest = work.need(ApiKey, first.id).digest
    assert [(row.kind, row.actor) for row in told] == [("key.created", "operator"), ("key.revoked", "Bob")]
    assert digest not in repr(world.us.list_keys())
    with pytest.raises(NotFound):
        world.us.revoke_key("unknown")
    with pytest.raises(NotFound):
        world.them.revoke_key(second.id)


@pytest.mark.parametrize(
    ("name", "roles"), [("", ["admin"]), (" ", ["admin"]), ("x" * 201, ["admin"]), ("Ada", []), ("Ada", ["root"])]
)
def test_a_key_needs_a_name_and_known_roles(world: World, name: str, roles: list[str]) -> None:
    """No key is made that could not be told from others or whose rights nobody defined."""
    with pytest.raises(InvalidInput):
        world.us.create_key(name, roles)
    assert world.us.list_keys() == []


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_t08_no_secret_is_in_a_representation_or_a_log(world: World) -> None:
    """Neither private key, token nor API key shows when objects are printed or requests are refused."""
    made = world.us.create_key("Ada", ["admin"])
    private = keys.private_jwk(OUR_KEY)["d"]
    token = world.them.mint(US)
    with structlog.testing.capture_logs() as lines:
        world.ask(token)
        for header in (f"Bearer {token}", f"Bearer {world.third.mint(US)}", "Bearer canary.canary.canary", "canary"):
            raised(lambda header=header: world.us.authenticate_peer(header))  # type: ignore[misc]
        raised(lambda: world.us.authenticate_key(f"{made.secret}canary"))
    assert {line["event"] for line in lines} == {"peer.refused"}
    said = repr([lines, world.us, made, world.us.list_keys(), NewKey("id", "gdc_canary")]) + str(made) + f"{made}"
    for secret in (private, token.split(".")[2], made.secret, "canary"):
        assert secret not in said


# --- our own key ------------------------------------------------------------------------------------------------------


def test_our_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    """The first start makes a key file for its owner alone; later starts find the same key and leave no drafts."""
    path = tmp_path / "key.json"
    first, second = identity.load_or_create_key(path), identity.load_or_create_key(path)
    assert keys.thumbprint(first) == keys.thumbprint(second)
    assert (keys.curve(first), first.is_private) == ("P-256", True)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert keys.thumbprint(identity.new_key()) != keys.thumbprint(first)


def test_processes_that_start_together_agree_on_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several first starts one makes the key, even when all found none."""
    ready = threading.Barrier(4)
    make = identity.new_key

    def together() -> keys.Key:
        ready.wait()
        return make()

    monkeypatch.setattr(identity, "new_key", together)
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: keys.thumbprint(identity.load_or_create_key(tmp_path / "key.json")), range(4)))
    assert len(found) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_t20_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """The connector does not start on a private key that is no longer private, and says how to mend it."""
    path = tmp_path / "key.json"
    identity.load_or_create_key(path)
    path.chmod(0o640)
    with pytest.raises(InvalidInput, match="chmod 600"):
        identity.load_or_create_key(path)


@pytest.mark.parametrize(
    "content",
    ["canary", "", "[]", "{}", json.dumps(ECKey.generate_key("P-256").as_dict(private=False)), '{"d": "canary"}'],
    ids=range(6),
)
def test_t08_a_broken_key_file_is_refused_and_not_repeated(tmp_path: Path, content: str) -> None:
    """A damaged file is neither replaced nor quoted."""
    path = tmp_path / "key.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(InvalidInput, match="not a private key") as refused:
        identity.load_or_create_key(path)
    assert "canary" not in str(refused.value)
    assert path.read_text() == content
