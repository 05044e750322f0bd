"""What becomes of one's own records: versions, their end, drafts, imports and quality."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from connector.client.connection import Connection

PLAIN: Final = "application/json"
TURTLE: Final = "text/turtle"
SECONDS: Final = 24 * 3600.0
"""Longest that an import is waited for."""

OVER: Final = frozenset({"done", "failed"})


class Records:
    """The records of one's own connector, after they were registered."""

    connection: Connection

    # --- versions and the end ---------------------------------------------------------------------------------------

    def versions(self, dataset: str) -> list[dict[str, Any]]:
        """Return the versions of a dataset, the oldest first, with the files that were behind each."""
        found: list[dict[str, Any]] = self.connection.get("/api/datasets/versions", id=dataset)
        return found

    def version(self, dataset: str, number: int) -> bytes:
        """Return the record of one version as it was registered, in canonical N-Triples."""
        return self.connection.send("GET", "/api/datasets/version", params={"id": dataset, "number": number}).content

    def withdraw(self, dataset: str, reason: str = "") -> dict[str, Any]:
        """Take a dataset out of the catalog; published again it comes back as a new version."""
        found: dict[str, Any] = self.connection.post("/api/datasets/withdraw", {"id": dataset, "reason": reason})
        return found

    def delete(self, dataset: str, reason: str = "") -> dict[str, Any]:
        """Delete a dataset for good and return its tombstone: `kept` where agreements need it, else `erased`."""
        found: dict[str, Any] = self.connection.post("/api/datasets/delete", {"id": dataset, "reason": reason})
        return found

    # --- quality ----------------------------------------------------------------------------------------------------

    def quality(self, dataset: str, language: str = "en") -> dict[str, Any]:
        """Return the score of a published record: `points`, `max`, `rating`, `indicators`, and `fixes` for more."""
        found: dict[str, Any] = self.connection.get("/api/datasets/quality", id=dataset, language=language)
        return found

    def quality_measurements(self, dataset: str) -> bytes:
        """Return the score of a published record as DQV in Turtle."""
        headers = {"Accept": TURTLE}
        return self.connection.send("GET", "/api/datasets/quality", params={"id": dataset}, headers=headers).content

    def catalog_quality(self, language: str = "en") -> dict[str, Any]:
        """Return the score of the whole catalog: per indicator how many pass, of how many, and the points."""
        found: dict[str, Any] = self.connection.get("/api/quality", language=language)
        return found

    def catalog_quality_measurements(self) -> bytes:
        """Return the score of the whole catalog as DQV in Turtle."""
        return self.connection.send("GET", "/api/quality", headers={"Accept": TURTLE}).content

    def check_addresses(self, dataset: str | None = None) -> int:
        """Have the addresses of a record, or of all, asked whether they answer, and return how many there are."""
        return int(self.connection.post("/api/quality/check", {"id": dataset})["addresses"])

    # --- drafts -----------------------------------------------------------------------------------------------------

    def save_draft(
        self,
        record: Mapping[str, Any] | str | bytes,
        profile: str = "dcat-ap",
        *,
        key: str | None = None,
        revision: int | None = None,
    ) -> dict[str, Any]:
        """Keep a draft as it is, valid or not, and return it with what was found in it.

        Args:
            record: plain, or Turtle.
            profile: what it is held to.
            key: of the draft that this is the next revision of; None for a new one.
            revision: the one it was made from.

        Raises:
            Conflict: somebody saved another revision meanwhile; the reasons are the fields that differ.
        """
        path = f"/api/datasets/drafts/{key}" if key else "/api/datasets/drafts"
        params = {"profile": profile, **({"revision": revision} if key else {})}
        method, parts = "PUT" if key else "POST", _content(record)
        found: dict[str, Any] = self.connection.send(method, path, params=params, **parts).json()
        return found

    def drafts(self) -> list[dict[str, Any]]:
        """Return the drafts without their content, those last worked at first."""
        found: list[dict[str, Any]] = self.connection.get("/api/datasets/drafts")
        return found

    def saved_draft(self, key: str) -> dict[str, Any]:
        """Return a draft with its content."""
        found: dict[str, Any] = self.connection.get(f"/api/datasets/drafts/{key}")
        return found

    def discard_draft(self, key: str) -> None:
        """Throw a draft away."""
        self.connection.send("DELETE", f"/api/datasets/drafts/{key}")

    def publish_draft(self, key: str, revision: int) -> dict[str, Any]:
        """Register what a draft says; one that is not valid is refused and stays."""
        found: dict[str, Any] = self.connection.post(f"/api/datasets/drafts/{key}/publish", {"revision": revision})
        return found

    # --- imports ----------------------------------------------------------------------------------------------------

    def start_import(self, path: str | Path, profile: str = "dcat-ap", *, again: bool = False) -> dict[str, Any]:
        """Upload a file of many records and have them registered in the background; return the import.

        The same file is the same import: it goes on where it was, and one that is done is repeated with `again`.
        """
        path = Path(path)
        about = {"filename": path.name, "profile": profile, "again": "true" if again else "false"}
        found: dict[str, Any] = self.connection.upload("/api/imports", path, **about)
        return found

    def await_import(self, key: str, told: Callable[[dict[str, Any]], None] | None = None) -> dict[str, Any]:
        """Wait until an import is over and return it; `told` hears how far it is, whenever it got further."""
        last: list[tuple[Any, Any]] = []

        def look() -> dict[str, Any]:
            seen: dict[str, Any] = self.connection.get(f"/api/imports/{key}")
            if told is not None and last != [(seen["done"], seen["total"])]:
                last[:] = [(seen["done"], seen["total"])]
                told(seen)
            return seen

        return self.connection.wait(look, lambda seen: seen["state"] in OVER, SECONDS, "The import")

    def import_results(self, key: str) -> Iterator[dict[str, Any]]:
        """Yield what became of each record of an import, in the order of the file."""
        after = 0
        while page := self.connection.get(f"/api/imports/{key}/results", after=after):
            yield from page
            after = page[-1]["number"]


def _content(record: Mapping[str, Any] | str | bytes) -> dict[str, Any]:
    """Return the parts of a request that carry a record: plain as JSON, anything else as Turtle."""
    if isinstance(record, Mapping):
        return {"json": dict(record)}
    content = record.encode() if isinstance(record, str) else record
    return {"content": content, "headers": {"Content-Type": TURTLE}}
