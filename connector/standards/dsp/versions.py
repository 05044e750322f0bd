"""Which versions of the protocol a connector speaks: the document at `/.well-known/dspace-version` (chapter 4)."""

from collections.abc import Mapping
from typing import Any, Final

from connector.errors import InvalidInput
from connector.standards.dsp import wire
from connector.standards.dsp.schema import array, demand, one, shape, text

VERSION: Final = "2025-1"
WELL_KNOWN: Final = "/.well-known/dspace-version"

_AUTH: Final = shape({"protocol": text, "version": text, "profile": array(text)}, ("protocol", "version"))
_ENTRY: Final = shape(
    {
        "version": text,
        "path": text,
        "binding": one("HTTPS"),
        "identifierType": text,
        "serviceId": text,
        "auth": _AUTH,
    },
    ("version", "path", "binding"),
)
VERSIONS: Final = shape({"protocolVersions": array(_ENTRY, least=1)}, ("protocolVersions",))


def version_document(
    path: str,
    *,
    service_id: str | None = None,
    identifier_type: str | None = None,
    auth: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the version document of a connector whose endpoints hang under `path`.

    Args:
        path: appended to the address that serves the document; begins with `/`, or is empty.
        service_id: groups entries that are the same service.
        identifier_type: how participants are named, such as `did:web`.
        auth: `{"protocol": …, "version": …, "profile": […]}`.
    """
    entry = {"version": VERSION, "path": path, "binding": "HTTPS"}
    more = {"serviceId": service_id, "identifierType": identifier_type, "auth": dict(auth) if auth else None}
    return {"protocolVersions": [entry | {key: value for key, value in more.items() if value is not None}]}


def common_path(data: bytes) -> str:
    """Return the path under which a peer speaks our version of the protocol, from its version document.

    Raises:
        InvalidInput: it is not a version document, or the peer speaks other versions only.
    """
    document = wire.read(data)
    demand(shape({"protocolVersions": array(least=1)}, ("protocolVersions",)), document)
    # An entry that breaks the schema is not ours to use, and costs no other.
    entries = [entry for entry in document["protocolVersions"] if next(_ENTRY(entry, "$"), None) is None]
    for entry in entries:
        if entry["version"] == VERSION:
            return str(entry["path"])
    spoken = ", ".join(sorted({entry["version"] for entry in entries})) or "none"
    raise InvalidInput(
        f"The peer speaks version {spoken} of the Dataspace Protocol, and this connector {VERSION}.",
        where="$.protocolVersions",
        fix="Ask the peer to offer a common version; until then there is no talking to it.",
    )
