"""Agreements and the data under them: fetch the bytes, check them, open them."""

import atexit
import base64
import hashlib
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

import httpx2

from connector import errors
from connector.client.connection import Connection, patiently
from connector.client.opening import open_file

STARTED: Final = "STARTED"

BUCKET: Final = "AmazonS3"
"""Endpoint type of an address into a bucket, which opens by itself."""


@dataclass(frozen=True)
class Transfer:
    """A running transfer: where its bytes are, and the right to fetch them."""

    connection: Connection
    id: str

    @property
    def state(self) -> dict[str, Any]:
        """The transfer as our connector sees it now."""
        found: dict[str, Any] = self.connection.get(f"/api/transfers/{self.id}")
        return found

    def fetch(self, folder: str | Path) -> Path:
        """Fetch the file into `folder` and return its path; a broken connection is taken up where it broke.

        Raises:
            Denied: the provider does not give it any more, with its reasons.
            Conflict: the transfer is not running; says why.
            PeerFailed: the provider stays away, or what came is not what it announced.
        """
        download = _Download(Path(folder))
        try:
            patiently(lambda: download.go_on(self.connection, *self._access()), self.connection.patience)
            return download.finish()
        finally:
            download.drop()

    def complete(self) -> None:
        """Say that all data was had, so that the provider need not keep it at hand any longer."""
        self.connection.post(f"/api/transfers/{self.id}/complete")

    def _access(self) -> tuple[str, str]:
        """Return where the data is, and a fresh token for it: each holds for minutes, a download may take longer."""
        access = self.connection.post(f"/api/transfers/{self.id}/access")
        properties = {each["name"]: each["value"] for each in access.get("endpointProperties", ())}
        endpoint, token = access.get("endpoint"), properties.get("authorization", "")
        if not endpoint or not (token or access.get("endpointType") == BUCKET):
            raise errors.PeerFailed(
                "The provider did not say where the data is, or with which token it is fetched.",
                retryable=False,
                fix="Ask the provider; the transfer shows what it said.",
            )
        return endpoint, token


@dataclass
class _Download:
    """A file on its way, kept over broken connections."""

    folder: Path
    name: str = "data"
    tag: str = ""
    size: int = 0
    whole: int | None = None
    announced: str = ""
    digest: Any = field(default_factory=hashlib.sha256)
    partial: Path | None = None

    def go_on(self, connection: Connection, url: str, token: str) -> None:
        """Fetch what is missing."""
        if self.whole is not None and self.size == self.whole:
            return  # it broke after the last byte
        partial = self.partial = self.partial or self.folder / f".{uuid4()}.part"
        more = {"Range": f"bytes={self.size}-", "If-Range": self.tag} if self.size else {}
        # The bytes are counted and taken up as they are on the wire, so nothing may be packed on the way.
        headers = {"Accept-Encoding": "identity", **more}
        if token:  # an address into a bucket opens by itself, and would not if anything else tried to
            headers["Authorization"] = f"Bearer {token}"
        with connection.stream(url, headers) as answer, partial.open("ab") as file:
            if answer.status_code != httpx2.codes.PARTIAL_CONTENT:
                file.truncate(0)
                self.size, self.digest = 0, hashlib.sha256()
                self.whole = _number(answer.headers.get("content-length", ""))
            self.tag = answer.headers.get("etag", "")
            self.announced = _sha256(answer.headers.get("repr-digest", "")) or self.announced
            self.name = _name(answer.headers.get("content-disposition", "")) or self.name
            for piece in answer.iter_raw():  # as it comes: what is collected first is lost when the connection breaks
                file.write(piece)
                self.digest.update(piece)
                self.size += len(piece)

    def finish(self) -> Path:
        """Give the file its name, if its bytes are those that were announced."""
        if self.announced not in {"", self.digest.hexdigest()}:
            raise errors.PeerFailed("The bytes that came are not those that the provider announced.", retryable=False)
        target = self.folder / self.name
        if self.partial is not None:
            self.partial.replace(target)
        return target

    def drop(self) -> None:
        """Leave nothing behind of a file that did not come whole."""
        if self.partial is not None:
            self.partial.unlink(missing_ok=True)


@dataclass(frozen=True)
class Agreement:
    """A signed agreement on a dataset, with us as consumer or as provider."""

    connection: Connection
    id: str

    @property
    def state(self) -> dict[str, Any]:
        """The agreement as our connector has it now: parties, rules, signatures, state, uses."""
        found: dict[str, Any] = self.connection.get(f"/api/agreements/{_path(self.id)}")
        return found

    @property
    def evidence(self) -> list[dict[str, Any]]:
        """Everything our connector recorded about it, in order."""
        found: list[dict[str, Any]] = self.connection.get("/api/evidence", subject=self.id)
        return found

    def automate(self, automation: str, script: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
        """Change what happens by itself in transfers under it from now on, and return the agreement.

        Args:
            automation: `accept` at once, `approve` by a person, `none`, or `scripted`.
            script: the steps of a scripted rule: `on` (state), `do` (move), `after` (seconds), `reason`.
        """
        body = {"automation": automation, "script": [dict(step) for step in script]}
        found: dict[str, Any] = self.connection.post(f"/api/agreements/{_path(self.id)}/automation", body)
        return found

    def transfer(self, *, timeout: float = 60.0) -> Transfer:
        """Ask the provider for the data and return the transfer once it runs. Each transfer is one use.

        Raises:
            Denied: the provider refuses it, with its reasons.
            Conflict: the agreement is not in force.
            TimedOut: the provider has not started it in time.
        """
        wanted = {"agreement": self.id, "id": f"urn:uuid:{uuid4()}"}
        transfer = Transfer(self.connection, self.connection.post("/api/transfers", wanted)["pid"])
        seen = self.connection.wait(
            lambda: transfer.state, lambda state: state["state"] != "REQUESTED", timeout, "The transfer"
        )
        if seen["state"] != STARTED:
            raise errors.Denied("The provider refuses the data.", reasons=[str(each) for each in seen["reason"]])
        return transfer

    def download(self, folder: str | Path, *, timeout: float = 60.0) -> Path:
        """Fetch the data into `folder` under a new transfer, complete it, and return the file's path.

        Errors as for `transfer` and `Transfer.fetch`.
        """
        transfer = self.transfer(timeout=timeout)
        path = transfer.fetch(folder)
        transfer.complete()
        return path

    def open(self, *, timeout: float = 60.0) -> Any:
        """Fetch the data and open it: xarray for NetCDF and GRIB, rasterio for GeoTIFF, pandas for tables.

        The file lies in the temporary folder for as long as this program runs.

        Raises:
            InvalidInput: the file is of another kind (`download` gives it as it is), or its reader is not installed.
        """
        folder = tempfile.mkdtemp(prefix="greendeal-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return open_file(self.download(folder, timeout=timeout))

    def terminate(self, reason: str) -> None:
        """End the agreement at once; running transfers end too, and the other side is told why."""
        self.connection.post(f"/api/agreements/{_path(self.id)}/terminate", {"reason": reason})


def _path(key: str) -> str:
    """Return an id, which a foreign provider may have chosen, as one part of a path."""
    return quote(key, safe=":")


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _sha256(digests: str) -> str:
    """Return the SHA-256 in a `Repr-Digest` (RFC 9530) as hexadecimal digits; empty where there is none."""
    found = re.search(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):", digests)
    return base64.b64decode(found[1]).hex() if found else ""


def _name(disposition: str) -> str:
    """Return the file name of a `Content-Disposition`, without folders."""
    _, _, quoted = disposition.partition('filename="')
    return Path(quoted.partition('"')[0]).name
