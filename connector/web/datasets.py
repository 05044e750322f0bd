"""Own API: register, list and withdraw datasets."""

from typing import Any

import msgspec
from litestar import Controller, Response, get, post
from litestar.params import FromQuery, JSONBody, RawBody
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED

from connector.capabilities.datasets import DEFAULT_PROFILE, Datasets, Registered
from connector.web.auth import needs
from connector.web.given import By, Given, MediaType
from connector.web.views import shown

Desk = Given[Datasets]


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which dataset is meant."""

    id: str


class DatasetController(Controller):
    """The records of this participant."""

    path = "/api"
    tags = ("datasets",)

    @post("/datasets", guards=[needs("provider")], sync_to_thread=True)
    def register(
        self, body: RawBody, datasets: Desk, by: By, content_type: MediaType, profile: FromQuery[str] = DEFAULT_PROFILE
    ) -> Response[Registered]:
        """Publish a record: 201 for a new one, 200 for a new version or the same again."""
        done = datasets.register(body, content_type, by, profile)
        return Response(done, status_code=HTTP_201_CREATED if done.created else HTTP_200_OK)

    @get("/datasets", guards=[needs()], sync_to_thread=True)
    def all(self, datasets: Desk) -> list[dict[str, Any]]:
        """List the published records."""
        return [shown(row) for row in datasets.all()]

    @post("/datasets/withdraw", status_code=HTTP_200_OK, guards=[needs("provider")], sync_to_thread=True)
    def withdraw(self, data: JSONBody[Key], datasets: Desk, by: By) -> dict[str, Any]:
        """Take a dataset out of the catalog."""
        return shown(datasets.withdraw(data.id, by))
