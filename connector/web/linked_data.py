"""The catalog as linked data: one address for people and machines, the form by content negotiation."""

from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Controller, Request, Response, get
from litestar.params import FromPath
from litestar.status_codes import HTTP_304_NOT_MODIFIED, HTTP_410_GONE

from connector.capabilities.catalog import Catalog, etag, record_triples
from connector.capabilities.datasets import Datasets
from connector.capabilities.offers import Offers
from connector.errors import InvalidInput, NotFound
from connector.standards import rdf
from connector.standards.dcat import graph, model
from connector.standards.odrl import explain, intake
from connector.storage.tables import Dataset, Tombstone
from connector.web.accept import best
from connector.web.given import Given
from connector.web.paths import tail

HTML: Final = "text/html"
FORMS: Final = {
    form.media_type: form for form in (rdf.Format.TURTLE, rdf.Format.JSON_LD, rdf.Format.RDF_XML, rdf.Format.N_TRIPLES)
}
POLICY: Final = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

pages: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)
pages.globals["words"] = model.words
pages.filters["moment"] = lambda text: text.removesuffix("T00:00:00Z").replace("T", " ").replace("Z", " UTC")

Asked = Request[Any, Any, Any]


class LinkedDataController(Controller):
    """`/catalog` and `/datasets/…`, open to everyone."""

    path = "/"
    tags = ("linked data",)

    @get("/catalog", sync_to_thread=True)
    def catalog(self, request: Asked, catalog: Given[Catalog], datasets: Given[Datasets]) -> Response[bytes]:
        """Give the catalog with every own dataset whole."""
        media_type = best(request.headers.get("accept"), [*FORMS, HTML])
        if media_type == HTML:
            records = [graph.read(record_triples(row.record), row.id) for row in datasets.all()]
            kinds = {kind: [each for each in records if each.kind == kind] for kind in ("dataset", "series")}
            return _page("catalog.html", catalog=catalog, datasets=kinds["dataset"], series=kinds["series"])
        return _rdf(request, catalog.triples(), media_type)

    @get("/datasets/{key:path}", sync_to_thread=True)
    def dataset(
        self,
        request: Asked,
        key: FromPath[str],  # noqa: ARG002 - the router needs it
        datasets: Given[Datasets],
        offers: Given[Offers],
    ) -> Response[bytes]:
        """Give one dataset, or version of one, by the last part of its address or by its whole IRI.

        What was withdrawn or deleted is 410, with when and why it went.
        """
        name = tail(request.scope, "/datasets/")
        for meant in datasets.publication.names.meanings(name):
            if meant.version is None and (row := datasets.find(meant.key)) is not None:
                return _shown(request, row, datasets, offers)
            if meant.version is not None and (kept := datasets.published_version(meant.key, meant.version)) is not None:
                return _rdf(request, kept, best(request.headers.get("accept"), [*FORMS, HTML]))
            if (stone := datasets.tombstone(meant.key)) is not None:
                return _gone(request, stone, datasets)
        raise NotFound("dataset", name)


def _shown(request: Asked, row: Dataset, datasets: Datasets, offers: Offers) -> Response[bytes]:
    media_type = best(request.headers.get("accept"), [*FORMS, HTML])
    if media_type != HTML:
        return _rdf(request, datasets.described(row), media_type)
    standing = [offer for offer in offers.all(row.id) if offer.state == "open"]
    return _page(
        "dataset.html",
        dataset=graph.read(record_triples(row.record), row.id),
        terms=[(offer.id, explain.explain(intake.read(offer.policy))) for offer in standing],
        files=datasets.files(row.id),
        members=datasets.members(row.id),
        row=row,
        names=datasets.publication.names,
    )


def _gone(request: Asked, stone: Tombstone, datasets: Datasets) -> Response[bytes]:
    media_type = best(request.headers.get("accept"), [*FORMS, HTML])
    if media_type == HTML:
        answer = _page("gone.html", stone=stone)
    else:
        answer = _rdf(request, tuple(datasets.publication.gone(stone)), media_type)
    answer.status_code = HTTP_410_GONE
    return answer


def _rdf(request: Asked, triples: rdf.Triples, media_type: str) -> Response[bytes]:
    media_type = rdf.Format.TURTLE.media_type if media_type == HTML else media_type
    form = FORMS.get(media_type)
    if form is None:
        raise InvalidInput(
            "None of the forms in Accept is offered.", where="Accept", fix=f"Ask for {', '.join(FORMS)}."
        )
    body = rdf.serialise(triples, form)
    headers = {"ETag": etag(body), "Vary": "Accept"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(b"", status_code=HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def _page(template: str, **values: Any) -> Response[bytes]:
    headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Vary": "Accept"}
    body = pages.get_template(template).render(**values).encode()
    return Response(body, media_type=HTML, headers=headers)


@get("/style.css", sync_to_thread=False)
def style() -> Response[bytes]:
    """Give the one style sheet of the pages."""
    return Response(STYLE, media_type="text/css", headers={"Cache-Control": "max-age=3600"})


STYLE: Final = (Path(__file__).parent / "templates" / "style.css").read_bytes()
