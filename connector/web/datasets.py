"""Own API: register, list, withdraw and delete datasets, their versions, and how good their records are."""

from typing import Any, Final

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.params import FromQuery, JSONBody, RawBody
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_202_ACCEPTED

from connector.capabilities.datasets import DEFAULT_PROFILE, Datasets, Registered
from connector.capabilities.quality import Quality
from connector.standards import rdf
from connector.web.accept import best
from connector.web.auth import needs
from connector.web.given import By, Given, MediaType
from connector.web.views import shown

Desk = Given[Datasets]
JSON: Final = "application/json"
FORMS: Final = {form.media_type: form for form in (rdf.Format.TURTLE, rdf.Format.JSON_LD, rdf.Format.N_TRIPLES)}


class Ended(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which dataset ends, and why; the reason is shown at its address."""

    id: str
    reason: str = ""


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose addresses are asked: of one dataset, or of all."""

    id: str | None = None


class DatasetController(Controller):
    """The records of this participant."""

    path = "/api"
    tags = ("datasets",)

    @post("/datasets", guards=[needs("provider")], sync_to_thread=True)
    def register(
        self, body: RawBody, datasets: Desk, by: By, content_type: MediaType, profile: FromQuery[str] = DEFAULT_PROFILE
    ) -> Response[Registered]:
        """Publish a record: 201 for a new one, 200 for a new version or the same again; with its quality score."""
        done = datasets.register(body, content_type, by, profile)
        return Response(done, status_code=HTTP_201_CREATED if done.created else HTTP_200_OK)

    @get("/datasets", guards=[needs()], sync_to_thread=True)
    def all(self, datasets: Desk) -> list[dict[str, Any]]:
        """List the published records."""
        return [shown(row) for row in datasets.all()]

    @post("/datasets/withdraw", status_code=HTTP_200_OK, guards=[needs("provider")], sync_to_thread=True)
    def withdraw(self, data: JSONBody[Ended], datasets: Desk, by: By) -> dict[str, Any]:
        """Take a dataset out of the catalog; published again it comes back as a new version."""
        return shown(datasets.withdraw(data.id, by, data.reason))

    @post("/datasets/delete", status_code=HTTP_200_OK, guards=[needs("provider")], sync_to_thread=True)
    def delete(self, data: JSONBody[Ended], datasets: Desk, by: By) -> dict[str, Any]:
        """Delete a dataset for good; what somebody has an agreement on is kept behind a tombstone."""
        return shown(datasets.delete(data.id, by, data.reason))

    @get("/datasets/versions", guards=[needs()], sync_to_thread=True)
    def versions(self, datasets: Desk, id: FromQuery[str]) -> list[dict[str, Any]]:  # noqa: A002 - as in the other calls
        """List the versions of a dataset, the oldest first, with the files that were behind each."""
        names = datasets.publication.names
        return [{**shown(row), "iri": names.version(id, row.number)} for row in datasets.versions(id)]

    @get("/datasets/version", guards=[needs()], sync_to_thread=True)
    def version(self, datasets: Desk, id: FromQuery[str], number: FromQuery[int]) -> Response[bytes]:  # noqa: A002 - as above
        """Give the record of one version, byte for byte as it was registered, in canonical N-Triples."""
        return Response(datasets.version(id, number).record, media_type=rdf.Format.N_TRIPLES.media_type)

    @get("/datasets/quality", guards=[needs()], sync_to_thread=True)
    def quality(
        self,
        request: Request[Any, Any, Any],
        quality: Given[Quality],
        id: FromQuery[str],  # noqa: A002 - as above
        language: FromQuery[str] = "en",
    ) -> Response[Any]:
        """Give the score of a record and what to do for more: JSON, or as DQV in an RDF form that is asked for."""
        media_type = best(request.headers.get("accept"), [JSON, *FORMS])
        if media_type in FORMS:
            body = rdf.serialise(quality.measurements(id), FORMS[media_type])
            return Response(body, media_type=media_type, headers={"Vary": "Accept"})
        return Response(quality.score(id, language), headers={"Vary": "Accept"})

    @get("/quality", guards=[needs()], sync_to_thread=True)
    def catalog_quality(
        self, request: Request[Any, Any, Any], quality: Given[Quality], language: FromQuery[str] = "en"
    ) -> Response[Any]:
        """Give the score of the whole catalog, per indicator the share of what passes: JSON, or DQV in an RDF form."""
        media_type = best(request.headers.get("accept"), [JSON, *FORMS])
        if media_type in FORMS:
            body = rdf.serialise(quality.catalog_measurements(), FORMS[media_type])
            return Response(body, media_type=media_type, headers={"Vary": "Accept"})
        return Response(quality.catalog(language), headers={"Vary": "Accept"})

    @post("/quality/check", status_code=HTTP_202_ACCEPTED, guards=[needs("provider")], sync_to_thread=True)
    def check(self, data: JSONBody[Asked], quality: Given[Quality]) -> dict[str, int]:
        """Have addresses in records asked whether they answer, in the background; says how many."""
        return {"addresses": quality.ask(data.id)}
