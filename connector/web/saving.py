"""Own API: drafts that are kept as they are typed, valid or not, until they are published."""

from typing import Any

import msgspec
from litestar import Controller, Response, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, RawBody
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED

from connector.capabilities.datasets import DEFAULT_PROFILE, Registered
from connector.capabilities.drafts import Drafts
from connector.storage.tables import SavedDraft
from connector.web.auth import needs
from connector.web.given import By, Given, MediaType
from connector.web.views import shown

Desk = Given[Drafts]


class Seen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which revision was looked at."""

    revision: int


class SavedDraftController(Controller):
    """Records in the making."""

    path = "/api/datasets/drafts"
    tags = ("datasets",)

    @post("/", status_code=HTTP_201_CREATED, guards=[needs("provider")], sync_to_thread=True)
    def save(
        self, body: RawBody, drafts: Desk, by: By, content_type: MediaType, profile: FromQuery[str] = DEFAULT_PROFILE
    ) -> dict[str, Any]:
        """Keep a draft exactly as it is, and tell what is found in it."""
        return _whole(drafts.save(body, content_type, by, profile))

    @get("/", guards=[needs()], sync_to_thread=True)
    def all(self, drafts: Desk) -> list[dict[str, Any]]:
        """List the drafts, those last worked at first."""
        return [shown(row) for row in drafts.all()]

    @get("/{pid:str}", guards=[needs()], sync_to_thread=True)
    def one(self, pid: FromPath[str], drafts: Desk) -> dict[str, Any]:
        """Give a draft with its content and what was found in it."""
        return _whole(drafts.get(pid))

    @put("/{pid:str}", guards=[needs("provider")], sync_to_thread=True)
    def update(
        self,
        pid: FromPath[str],
        body: RawBody,
        drafts: Desk,
        by: By,
        content_type: MediaType,
        revision: FromQuery[int],
        profile: FromQuery[str] = DEFAULT_PROFILE,
    ) -> dict[str, Any]:
        """Save the next revision; 409 with the differences where somebody saved meanwhile."""
        return _whole(drafts.update(pid, body, content_type, revision, by, profile))

    @delete("/{pid:str}", guards=[needs("provider")], sync_to_thread=True)
    def discard(self, pid: FromPath[str], drafts: Desk) -> None:
        """Throw a draft away."""
        drafts.discard(pid)

    @post("/{pid:str}/publish", guards=[needs("provider")], sync_to_thread=True)
    def publish(self, pid: FromPath[str], data: JSONBody[Seen], drafts: Desk, by: By) -> Response[Registered]:
        """Register what the draft says: only what is valid is published, the draft stays."""
        done = drafts.publish(pid, data.revision, by)
        return Response(done, status_code=HTTP_201_CREATED if done.created else HTTP_200_OK)


def _whole(draft: SavedDraft) -> dict[str, Any]:
    """Return a draft with its content as text; bytes that are no text are shown as the replacement character."""
    return {**shown(draft), "content": draft.content.decode("utf-8", "replace")}
