"""The protocol's catalog at the wire: filters, links, tags and codings, as peers of every kind use them."""

import gzip
import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.standards.dsp import catalog as dsp
from connector.standards.dsp.schema import CONTEXT
from tests.journeys.conftest import FILE
from tests.web.conftest import OTHER, House

EDC: Final = "https://w3id.org/edc/v0.0.1/ns/"
SHELF: Final = 7
"""Datasets beside the one of the house."""


@pytest.fixture(scope="module")
def stocked(house: House) -> House:
    """Give a house with a shelf of several datasets, each under an offer."""
    drafted = house.running.space.draft(FILE).record
    for number in range(SHELF):
        record = {**drafted, "id": named(house, number), "title": {"en": f"Rain no. {number}"}}
        key = house.running.space.register(record)["id"]
        house.running.space.offer(key, template="open")
    return house


def named(house: House, number: int) -> str:
    """Return the id of a dataset on the shelf."""
    return f"{house.dataset}-{number}"


def ask(house: House, *, method: str = "POST", url: str = "", who: str = "", **parts: Any) -> httpx2.Response:
    """Ask for the catalog, or follow a link, with a fresh proof; `query` is a QuerySpec without its type."""
    query, headers = parts.pop("query", None), parts.pop("headers", {})
    message: dict[str, Any] = {"@context": [CONTEXT], "@type": "CatalogRequestMessage"}
    if query is not None:
        message["filter"] = [{"@type": "QuerySpec", **query}]
    content = json.dumps(parts.pop("message", message)).encode() if method == "POST" else None
    token = house.token(who) if who else house.token()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **headers}
    address = url or f"{house.running.address}/catalog/request"
    return httpx2.request(method, address, content=content, headers=headers, timeout=30)


def ids(answer: httpx2.Response) -> list[str]:
    """Return the ids of the datasets on a page."""
    assert answer.status_code == 200, answer.text
    return [each.id for each in dsp.read_catalog(answer.content).datasets]


def one(operand: str, operator: str, right: Any) -> dict[str, Any]:
    """Return a query with one criterion as EDC writes it."""
    return {
        "offset": 0,
        "limit": 50,
        "sortOrder": "ASC",
        "filterExpression": [
            {"@type": "Criterion", "operandLeft": operand, "operator": operator, "operandRight": right}
        ],
    }


# --- filters ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operand", "operator", "right"),
    [
        (f"{EDC}id", "=", "{id}"),
        ("id", "in", ["{id}", "urn:none"]),
        ("name", "=", "Rain no. 3"),
        ("http://purl.org/dc/terms/title", "like", "Rain%3"),
        ("dct:title", "ilike", "RAIN NO_ 3"),
        ("title", "contains", "no. 3"),
    ],
)
def test_a_filter_to_one_finds_one(stocked: House, operand: str, operator: str, right: Any) -> None:
    """However the operand is spelt, the one dataset comes, and no other."""
    wanted = named(stocked, 3)
    right = json.loads(json.dumps(right).replace("{id}", wanted))
    assert ids(ask(stocked, query=one(operand, operator, right))) == [wanted]


CRITERION: Final = one("id", "=", "x")["filterExpression"][0]
BAD: Final[dict[str, Any]] = {
    "no query": {"filter": ["rain"]},
    "no type": {"filter": [{"offset": 0}]},
    "unknown type": {"filter": [{"@type": "Sieve"}]},
    "two queries": {"filter": [{"@type": "QuerySpec"}, {"@type": "QuerySpec"}]},
    "unknown term": {"filter": [{"@type": "QuerySpec", "page": 2}]},
    "unknown operator": {"filter": [{"@type": "QuerySpec", **one("id", "~", "x")}]},
    "unknown operand": {"filter": [{"@type": "QuerySpec", **one("colour", "=", "x")}]},
    "unknown operand of EDC": {"filter": [{"@type": "QuerySpec", **one(f"{EDC}colour", "=", "x")}]},
    "no right operand": {"filter": [{"@type": "QuerySpec", "filterExpression": [{"operandLeft": "id"}]}]},
    "object as operand": {"filter": [{"@type": "QuerySpec", **one("id", "=", {"a": 1})}]},
    "number as pattern": {"filter": [{"@type": "QuerySpec", **one("id", "like", 5)}]},
    "NUL": {"filter": [{"@type": "QuerySpec", **one("id", "=", "\x00")}]},
    "offset below zero": {"filter": [{"@type": "QuerySpec", "offset": -1}]},
    "limit of nothing": {"filter": [{"@type": "QuerySpec", "limit": 0}]},
    "limit as text": {"filter": [{"@type": "QuerySpec", "limit": "50"}]},
    "limit beyond numbers": {"filter": [{"@type": "QuerySpec", "limit": 10**30}]},
    "unknown order": {"filter": [{"@type": "QuerySpec", "sortOrder": "UP"}]},
    "unknown sort": {"filter": [{"@type": "QuerySpec", "sortField": "description"}]},
    "too many criteria": {
        "filter": [{"@type": "QuerySpec", "filterExpression": one("id", "=", "x")["filterExpression"] * 21}]
    },
    "too long": {"filter": [{"@type": "QuerySpec", **one("id", "=", "x" * 1001)}]},
}


@pytest.mark.parametrize("case", BAD)
def test_a_filter_that_is_not_understood_is_a_catalog_error(stocked: House, case: str) -> None:
    """400 with a CatalogError that says what is known; never an answer to another question, never a bug."""
    message = {"@context": [CONTEXT], "@type": "CatalogRequestMessage", **BAD[case]}
    answer = ask(stocked, message=message)
    assert answer.status_code == 400, answer.text
    assert answer.json()["@type"] == "CatalogError"
    assert answer.json()["reason"][0]


@pytest.mark.parametrize("spelling", ["short", "prefixed", "full", "expanded"])
def test_a_filter_in_any_spelling_of_json_ld_is_the_same(stocked: House, spelling: str) -> None:
    """Through the fallback for JSON-LD too: what no context defines is not left out of the question."""
    key = named(stocked, 2)
    name = {"short": "", "prefixed": "edc:", "full": EDC, "expanded": EDC}[spelling]
    criterion = {f"{name}operandLeft": f"{EDC}id", f"{name}operator": "=", f"{name}operandRight": key}
    query = {"@type": f"{name}QuerySpec", f"{name}offset": 0, f"{name}filterExpression": [criterion]}
    message: Any = {"@context": [CONTEXT], "@type": "CatalogRequestMessage", "filter": [query]}
    assert ids(ask(stocked, message=message)) == [key]
    message["@type"] = "dspace:CatalogRequestMessage"
    if spelling == "expanded":
        space = "https://w3id.org/dspace/2025/1/"
        wrapped = {at: [{"@value": value}] for at, value in criterion.items()}
        query = {"@type": [f"{EDC}QuerySpec"], f"{EDC}filterExpression": [wrapped], f"{EDC}limit": [{"@value": 5}]}
        message = [{"@type": [f"{space}CatalogRequestMessage"], f"{space}filter": [query]}]
    assert ids(ask(stocked, message=message)) == [key]


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["@type", "@value", "@id", "@list", "offset", "limit", "filterExpression", "sortField"])
            | st.sampled_from(
                ["operandLeft", "operator", "operandRight", f"{EDC}offset", "edc:limit", "sortOrder", "x"]
            ),
            inner | st.sampled_from(["QuerySpec", "id", "=", "in", "like", "ASC", "title", 5]),
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60)
@given(given_filter=st.lists(JSON, max_size=2))
def test_no_filter_breaks_the_catalog(stocked: House, given_filter: list[Any]) -> None:
    """Whatever a filter holds: a page, or a refusal in the protocol's words."""
    message = {"@context": [CONTEXT], "@type": "CatalogRequestMessage", "filter": given_filter}
    answer = ask(stocked, message=message)
    assert answer.status_code in {200, 400}, answer.text
    assert answer.json()["@type"] == {200: "Catalog", 400: "CatalogError"}[answer.status_code]


# --- pages ------------------------------------------------------------------------------------------------------------


def test_a_crawler_that_pages_by_offset_comes_to_an_end(stocked: House) -> None:
    """As EDC's: it goes on until a page is shorter than its limit, and has then seen each dataset once."""
    seen: list[str] = []
    while True:
        page = ids(ask(stocked, query={"offset": len(seen), "limit": 3}))
        seen += page
        if len(page) < 3:
            break
    assert len(seen) == len(set(seen)) == SHELF + 1


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_links_lead_on_and_back_by_post_and_get(stocked: House, method: str) -> None:
    """The specification does not say how a link is followed: either way gives the same pages, and the query goes on."""
    query = {"offset": 0, "limit": 3, "sortField": "id", "sortOrder": "DESC"}
    answer = ask(stocked, query=query)
    pages = [ids(answer)]
    assert "previous" not in answer.links
    while "next" in answer.links:
        answer = ask(stocked, method=method, url=answer.links["next"]["url"], query=query)
        pages.append(ids(answer))
    assert [len(page) for page in pages] == [3, 3, 2]
    seen = [key for page in pages for key in page]
    assert seen == sorted(set(seen), reverse=True)
    back = []
    while (link := answer.headers.get("link", "")) and 'rel="previous prev"' in link:
        url = link.split('rel="previous prev"')[0].rpartition("<")[2].partition(">")[0]
        answer = ask(stocked, method=method, url=url, query=query)
        back.append(ids(answer))
    assert back == [pages[1], pages[0]]


def test_a_link_goes_with_its_own_query(stocked: House) -> None:
    """A message with another query, and a link that was changed or made up, are told so; a bare message goes on."""
    url = ask(stocked, query={"limit": 3}).links["next"]["url"]
    bare = ask(stocked, url=url)
    assert len(ids(bare)) == 3
    assert ask(stocked, url=url, query={"limit": 4}).status_code == 400
    for made_up in (
        f"{url}x",
        f"{url[:-8]}",
        url.replace("continuation=", "continuation=%00"),
        url + "&continuation=x",
    ):
        answer = ask(stocked, method="GET", url=made_up)
        assert answer.status_code in {200, 400}
        assert answer.json()["@type"] in {"Catalog", "CatalogError"}
    assert (
        ask(stocked, method="GET", url=f"{stocked.running.address}/catalog/request?continuation=nonsense").status_code
        == 400
    )


# --- tags and codings -------------------------------------------------------------------------------------------------


def test_what_is_known_already_is_not_sent_again(stocked: House) -> None:
    """A page and a dataset have tags; who knows them gets 304 without a body, and who does not, the whole."""
    dataset = f"{stocked.running.address}/catalog/datasets/{named(stocked, 1)}"
    for method, url in (("POST", ""), ("GET", dataset)):
        first = ask(stocked, method=method, url=url)
        tag = first.headers["etag"]
        assert tag.startswith('W/"peers-')
        for known in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
            again = ask(stocked, method=method, url=url, headers={"If-None-Match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        other = ask(stocked, method=method, url=url, headers={"If-None-Match": '"other"'})
        assert (other.status_code, other.content) == (200, first.content)


def test_a_tag_changes_with_what_it_is_of(stocked: House) -> None:
    """An offer more, and the page and the dataset have other tags; pages it is not on keep theirs."""
    key = named(stocked, 4)
    elsewhere = one("id", "=", named(stocked, 5))
    before = [ask(stocked, query=query).headers["etag"] for query in (one("id", "=", key), elsewhere)]
    stocked.running.space.offer(key, template="attribution")
    after = [ask(stocked, query=query).headers["etag"] for query in (one("id", "=", key), elsewhere)]
    assert after[0] != before[0]
    assert after[1] == before[1]


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("zstd", "zstd"),
        ("gzip", "gzip"),
        ("gzip, zstd", "zstd"),
        ("gzip;q=1, zstd;q=0.5", "gzip"),
        ("gzip, deflate, br", "gzip"),
        ("*", "zstd"),
        ("zstd;q=0, *;q=0.1", "gzip"),
        ("identity", None),
        ("br", None),
        ("", None),
    ],
)
def test_a_page_comes_in_a_coding_that_is_liked(stocked: House, accept: str, coding: str | None) -> None:
    """Packed or not, it is the same document under the same tag, and caches are told what it depends on."""
    plain = ask(stocked, headers={"Accept-Encoding": "identity"})
    with httpx2.Client() as http:
        parts = urlsplit(f"{stocked.running.address}/catalog/request")
        message = json.dumps({"@context": [CONTEXT], "@type": "CatalogRequestMessage"}).encode()
        headers = {"Authorization": f"Bearer {stocked.token()}", "Accept-Encoding": accept}
        with http.stream("POST", parts.geturl(), content=message, headers=headers) as answer:
            raw = b"".join(answer.iter_raw())
    assert answer.headers.get("content-encoding") == coding
    unpack: dict[str | None, Callable[[bytes], bytes]] = {"zstd": zstd.decompress, "gzip": gzip.decompress}
    assert unpack.get(coding, bytes)(raw) == plain.content
    assert answer.headers["etag"] == plain.headers["etag"]
    assert answer.headers["vary"] == "Authorization, Accept-Encoding"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert int(answer.headers["content-length"]) == len(raw)


def test_every_peer_sees_the_same_catalog(stocked: House) -> None:
    """Nothing restricts who sees what: the one class of visibility is in the tag, the same for two peers."""
    assert ask(stocked).headers["etag"] == ask(stocked, who=OTHER).headers["etag"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(stocked: House, method: str) -> None:
    """A catalog is asked for, nothing else; and who does not say who they are is not told even that."""
    answer = ask(stocked, method=method)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    assert httpx2.request(method, f"{stocked.running.address}/catalog/request", timeout=30).status_code == 401
