"""Our connector with so many datasets in its catalog, served as the command serves it.

    python -m tests.bench.catalog.served FOLDER PORT DATASETS DATABASE KEYS KIND

KIND is `rich` for records of some twenty statements, `plain` for a title and a description, which is all that the
assets of the connector beside it have.

It believes the bare identity header of Eclipse EDC's mock beside signed tokens, so that both can be asked alike.
What it reads from standard input, one word a line, it does: `change N` gives dataset N another title, `more N` adds N.
"""

import json
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import uvicorn
from pyoxigraph import Literal, NamedNode, Triple

from connector import app, settings
from connector.capabilities.identity import Principal, SignedTokens
from connector.capabilities.offers import offer_id
from connector.capabilities.search import WHOLE
from connector.standards import rdf
from connector.standards.odrl import intake, templates
from connector.storage.tables import Asset, Dataset, Offer
from tests.conformance.edc.identity import MockJson

US: Final = "did:web:catalog.example"
PEER: Final = "did:web:load.example"
HOME: Final = "https://catalog.example/datasets/asset-"
OPERATOR: Final = Principal(US, "user", frozenset({"admin"}), "bench")
BATCH: Final = 500
THEME: Final = "http://publications.europa.eu/resource/authority/data-theme/ENVI"
THEN: Final = datetime(2026, 1, 1, tzinfo=UTC)


def record(number: int, title: str = "") -> rdf.Triples:
    """Return a record of 22 triples, or of three where records are plain."""
    key = f"{HOME}{number:06}"
    dataset, agent = NamedNode(key), NamedNode("https://catalog.example/agent")
    said: list[tuple[NamedNode, str, NamedNode | Literal]] = [
        (dataset, "rdf:type", NamedNode(rdf.full("dcat:Dataset"))),
        (dataset, "dct:title", Literal(title or f"Asset asset-{number:06}", language="en")),
        (dataset, "dct:description", Literal(f"Rain at station {number}, hour by hour, since 1961.", language="en")),
        (dataset, "dct:identifier", Literal(f"asset-{number:06}")),
        (dataset, "dct:issued", Literal("2026-01-01", datatype=NamedNode(rdf.full("xsd:date")))),
        (dataset, "dct:publisher", agent),
        (dataset, "dcat:theme", NamedNode(THEME)),
        (dataset, "dcat:contactPoint", NamedNode("https://catalog.example/contact")),
        (agent, "rdf:type", NamedNode(rdf.full("foaf:Agent"))),
        (agent, "foaf:name", Literal("Weather service", language="en")),
    ]
    said += [(dataset, "dcat:keyword", Literal(word, language="en")) for word in ("rain", "climate", f"k{number % 50}")]
    if "plain" in sys.argv:
        said = said[:3]
    for name in () if "plain" in sys.argv else ("csv", "nc"):
        file = NamedNode(f"{key}#{name}")
        said += [
            (dataset, "dcat:distribution", file),
            (file, "rdf:type", NamedNode(rdf.full("dcat:Distribution"))),
            (file, "dct:title", Literal(f"rain.{name}")),
            (file, "dcat:mediaType", NamedNode(f"https://www.iana.org/assignments/media-types/text/{name}")),
        ]
    return tuple(Triple(subject, NamedNode(rdf.full(name)), value) for subject, name, value in said)


def rows(number: int, title: str = "") -> Iterator[Dataset | Asset | Offer]:
    """Yield what makes a dataset one that can be had."""
    key, text = f"{HOME}{number:06}", rdf.canonical(record(number, title))
    yield Dataset(
        participant=US, origin=US, id=key, title=title or f"Asset {number}", profile="dcat-ap", record=text,
        fingerprint=rdf.fingerprint(text), created=THEN, updated=THEN,
    )  # fmt: skip
    file = {"object": "0" * 64, "filename": "rain.csv", "media_type": "text/csv"}
    yield Asset(participant=US, dataset=key, distribution=f"{key}#csv", size=1, format=None, **file)
    terms, mark = _terms()
    named = {**terms, "@id": offer_id(key, mark), "@type": "Offer", "assigner": US}
    yield Offer(participant=US, id=named["@id"], dataset=key, policy=named, fingerprint=mark, created=THEN)


@cache
def _terms() -> tuple[dict[str, Any], str]:
    terms = intake.write(intake.read(templates.fill("time-limited", until="2099-12-31")))
    return terms, intake.fingerprint(terms)


def add(connector: app.Connector, first: int, count: int) -> None:
    """Add datasets, as rows: what registering checks of each is not what is measured here."""
    for start in range(first, first + count, BATCH):
        with connector.database.begin(US) as work:
            for number in range(start, min(start + BATCH, first + count)):
                for row in rows(number):
                    work.add(row)
    while connector.catalog.renew():
        pass


def change(connector: app.Connector, number: int, title: str) -> None:
    """Give a dataset another title."""
    with connector.database.begin(US) as work:
        row = work.need(Dataset, US, f"{HOME}{number:06}", lock=True)
        row.record = rdf.canonical(record(number, title))


def obey(connector: app.Connector, known: int) -> None:
    """Do what is said on standard input, and say when it is done."""
    for turn, line in enumerate(sys.stdin):
        word, _, number = line.strip().partition(" ")
        if word == "change":
            change(connector, int(number), f"Changed {turn}")
        else:
            add(connector, known, int(number))
            known += int(number)
        sys.stdout.write("done\n")
        sys.stdout.flush()


def main() -> None:
    """Serve."""
    folder, port, count, database = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    folder.mkdir(parents=True, exist_ok=True)
    values = {
        "participant": US,
        "name": "Weather service",
        "server": {"port": port},
        "storage": {"database": database},
        "outbound": {"allow_http": True, "allow_loopback": True},
        "federation": {"crawl_seconds": 0},
    }
    connector = app.build(settings.check(values, folder, "bench"), authenticators=(SignedTokens(), MockJson()))
    connector.identity.trust(PEER, "A peer", "http://127.0.0.1:1/dsp", json.loads(sys.argv[5]))
    connector.triples.apply((), sequence=WHOLE)  # the projections for search are none of this
    add(connector, 0, count)
    threading.Thread(target=obey, args=(connector, count), daemon=True).start()
    uvicorn.run(app.web(connector), port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
