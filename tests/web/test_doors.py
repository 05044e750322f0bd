"""Who gets in where: every route of the program, every kind of principal."""

import pytest
from litestar.routes import ASGIRoute, HTTPRoute

from connector import app
from connector.web.catalog import SERVED
from tests.web.conftest import OTHER, PEER, STRANGER, House

OPEN = {
    ("GET", "/.well-known/dspace-version"),
    ("GET", "/dsp/2025-1/.well-known/dspace-version"),
    ("GET", "/catalog"),
    ("GET", "/datasets/{key:path}"),
    ("GET", "/style.css"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
}
"""Open to everyone; whatever is not listed here needs a proof."""

GRANTED = {
    ("GET", "/data/{pid:str}"),
    ("HEAD", "/data/{pid:str}"),
    ("GET", "/data/{pid:str}/files/{name:str}"),
    ("HEAD", "/data/{pid:str}/files/{name:str}"),
}
"""Opened by the grant of a data address."""

ROLES = {
    ("POST", "/api/drafts"): {"provider"},
    ("POST", "/api/datasets"): {"provider"},
    ("POST", "/api/datasets/withdraw"): {"provider"},
    ("POST", "/api/datasets/delete"): {"provider"},
    ("POST", "/api/datasets/drafts"): {"provider"},
    ("PUT", "/api/datasets/drafts/{pid:str}"): {"provider"},
    ("DELETE", "/api/datasets/drafts/{pid:str}"): {"provider"},
    ("POST", "/api/datasets/drafts/{pid:str}/publish"): {"provider"},
    ("POST", "/api/imports"): {"provider"},
    ("POST", "/api/quality/check"): {"provider"},
    ("POST", "/api/offers"): {"provider"},
    ("POST", "/api/offers/close"): {"provider"},
    ("POST", "/api/offers/automation"): {"provider", "business"},
    ("POST", "/api/negotiations"): {"consumer", "business"},
    ("POST", "/api/negotiations/offered"): {"provider", "business"},
    ("POST", "/api/negotiations/{pid:str}/propose"): {"business", "consumer", "provider"},
    ("POST", "/api/negotiations/{pid:str}/approve"): {"business"},
    ("POST", "/api/negotiations/{pid:str}/terminate"): {"consumer", "business"},
    ("POST", "/api/agreements/{pid:str}/automation"): {"provider", "business"},
    ("POST", "/api/agreements/{pid:str}/terminate"): {"provider", "business"},
    ("POST", "/api/transfers"): {"consumer"},
    ("POST", "/api/transfers/{pid:str}/access"): {"consumer"},
    ("POST", "/api/transfers/{pid:str}/suspend"): {"consumer", "provider"},
    ("POST", "/api/transfers/{pid:str}/start"): {"consumer", "provider"},
    ("POST", "/api/transfers/{pid:str}/complete"): {"consumer"},
    ("POST", "/api/transfers/{pid:str}/terminate"): {"consumer", "provider"},
    ("POST", "/api/peers"): set(),
    ("POST", "/api/peers/distrust"): set(),
    ("POST", "/api/peers/crawl"): {"consumer"},
    ("POST", "/api/reindex"): set(),
    ("POST", "/api/failures/{row:int}/retry"): set(),
    ("GET", "/metrics"): set(),
}
"""Roles that may beside `admin`; every other route of the API takes any key."""

ANY_KEY = {
    ("GET", "/api/identity"),
    ("GET", "/api/ledger"),
    ("GET", "/api/failures"),
    ("GET", "/api/evidence"),
    ("GET", "/api/waiting"),
    ("GET", "/api/peers"),
    ("GET", "/api/datasets"),
    ("GET", "/api/datasets/versions"),
    ("GET", "/api/datasets/version"),
    ("GET", "/api/datasets/quality"),
    ("GET", "/api/datasets/drafts"),
    ("GET", "/api/datasets/drafts/{pid:str}"),
    ("GET", "/api/quality"),
    ("GET", "/api/imports"),
    ("GET", "/api/imports/{pid:str}"),
    ("GET", "/api/imports/{pid:str}/results"),
    ("POST", "/api/validate"),
    ("GET", "/api/offers"),
    ("GET", "/api/templates"),
    ("GET", "/api/negotiations"),
    ("GET", "/api/negotiations/offers"),
    ("GET", "/api/negotiations/{pid:str}"),
    ("GET", "/api/negotiations/{pid:str}/timeline"),
    ("GET", "/api/agreements"),
    ("GET", "/api/agreements/{pid:str}"),
    ("GET", "/api/agreements/{pid:str}/evidence"),
    ("GET", "/api/transfers"),
    ("GET", "/api/transfers/{pid:str}"),
    ("GET", "/api/transfers/{pid:str}/timeline"),
    ("GET", "/search"),
    ("GET", "/sparql"),
    ("POST", "/sparql"),
}

VALUES = {"{pid:str}": "urn:uuid:none", "{row:int}": "1", "{key:path}": "none", "{name:str}": "none"}


def filled(path: str) -> str:
    """Return a path with something in its blanks."""
    for blank, value in VALUES.items():
        path = path.replace(blank, value)
    return path


@pytest.fixture(scope="module")
def routes(house: House) -> set[tuple[str, str]]:
    """Give every route of the program, without the framework's own for OPTIONS and the API's description."""
    program = app.web(house.running.connector)
    found = {
        (method, route.path)
        for route in program.routes
        if isinstance(route, HTTPRoute)
        for method in route.methods
        if method != "OPTIONS"
    }
    plain = [route for route in program.routes if isinstance(route, ASGIRoute) and SERVED in route.route_handler.opt]
    found |= {(method, route.path) for route in plain for method in route.route_handler.opt[SERVED]}
    return {(method, path) for method, path in found if not path.startswith("/api/schema")}


def test_every_route_has_its_row(routes: set[tuple[str, str]]) -> None:
    """A new route without a decision about who may use it fails here."""
    protocol = {(method, path) for method, path in routes if path.startswith("/dsp/") and (method, path) not in OPEN}
    assert routes - protocol == OPEN | GRANTED | ANY_KEY | set(ROLES)


def test_without_a_proof_only_the_open_routes_answer(house: House, routes: set[tuple[str, str]]) -> None:
    """t25: a stranger gets 401 everywhere but where the list says open, and no bug anywhere."""
    for method, path in sorted(routes):
        answer = house.running.call(method, filled(path), key="")
        if (method, path) in OPEN:
            assert answer.status_code in {200, 404}, (method, path)
        else:
            assert answer.status_code == 401, (method, path, answer.text)


@pytest.mark.parametrize("role", ["provider", "consumer", "business", "admin"])
def test_each_role_may_what_its_row_says(house: House, routes: set[tuple[str, str]], role: str) -> None:
    """A key with one role passes the guard of exactly its routes; `admin` passes all of them."""
    key = house.key_with(role)
    for method, path in sorted(routes):
        if path.startswith(("/dsp/", "/data/")) or (method, path) in OPEN or path == "/api/reindex":
            continue
        answer = house.running.call(method, filled(path), key=key)
        may = role == "admin" or (method, path) in ANY_KEY or role in ROLES[method, path]
        assert (answer.status_code != 403) == may, (method, path, answer.text)
        assert answer.status_code < 500, (method, path, answer.text)


def test_a_key_is_no_peer_and_a_peer_no_key(house: House) -> None:
    """Proofs do not pass for each other: an API key at the protocol, a peer's token at the API, are both 401."""
    assert house.running.say("/catalog/request", b"{}", house.running.api_key).status_code == 401
    assert house.running.call("GET", "/api/peers", key=house.token()).status_code == 401


def test_t05_a_token_counts_once(house: House) -> None:
    """A token that was presented is spent, for any other request too."""
    token = house.token()
    assert house.running.say("/negotiations/urn:uuid:none", b"", token, "GET").status_code == 404
    assert house.running.say("/negotiations/urn:uuid:none", b"", token, "GET").status_code == 401


def bad_token(house: House, kind: str) -> str | None:
    """Return a proof that proves nothing."""
    match kind:
        case "stranger":
            return house.token(STRANGER)
        case "foreign key":
            return house.token(PEER, key=house.keys[OTHER])
        case "other audience":
            return house.token(audience="did:web:elsewhere.example")
        case "expired" | "future":
            return house.token(age=3600 if kind == "expired" else -3600)
    return None


@pytest.mark.parametrize("kind", ["none", "stranger", "foreign key", "other audience", "expired", "future"])
@pytest.mark.parametrize("path", ["/catalog/request", "/negotiations/request", "/transfers/request"])
def test_t03_t04_a_bad_token_is_401_with_an_error_object(house: House, kind: str, path: str) -> None:
    """No, foreign, misdirected or expired proof: 401, and the body is the protocol's error as application/json."""
    token = bad_token(house, kind)
    answer = house.running.say(path, b"{}", token)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/json"
    family = {"catalog": "CatalogError", "negotiations": "ContractNegotiationError", "transfers": "TransferError"}
    assert answer.json()["@type"] == family[path.split("/")[1]]
