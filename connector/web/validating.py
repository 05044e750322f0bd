"""Own API: hold a record to a profile; nothing is kept."""

from litestar import Controller, Response, post
from litestar.params import FromQuery, RawBody
from litestar.status_codes import HTTP_200_OK

from connector.capabilities.datasets import DEFAULT_PROFILE, Datasets
from connector.web.auth import needs
from connector.web.given import Given, MediaType


class ValidationController(Controller):
    """Records that are checked and not kept."""

    path = "/api"
    tags = ("datasets",)

    @post("/validate", status_code=HTTP_200_OK, guards=[needs()], sync_to_thread=True)
    def validate(
        self,
        body: RawBody,
        datasets: Given[Datasets],
        content_type: MediaType,
        profile: FromQuery[str] = DEFAULT_PROFILE,
    ) -> Response[bytes]:
        """Check a record; nothing is kept."""
        report = datasets.validate(body, content_type, profile)
        return Response(report.json(), media_type="application/json")
