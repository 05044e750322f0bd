"""Where a provider is to put data: the data address of a transfer in a push format, read into what is needed for it.

The names are those that Eclipse EDC gives to its sinks, plain or under its IRI, and the protocol's own suggestions.
"""

from typing import Final

from msgspec import Struct

from connector.errors import InvalidInput
from connector.standards.dsp.address import EDC
from connector.standards.dsp.messages import DataAddress
from connector.standards.s3 import Bucket

HTTP_PULL: Final = "HttpData-PULL"
HTTP_PUSH: Final = "HttpData-PUSH"
S3_PUSH: Final = "AmazonS3-PUSH"
S3_PULL: Final = "AmazonS3-PULL"
PUSHES: Final = frozenset({HTTP_PUSH, S3_PUSH})
"""The formats in which the provider brings the data to an address that the consumer gives."""


class HttpTarget(Struct, frozen=True):
    """An address to which a file is PUT, and the `Authorization` for it, empty where none is needed."""

    url: str
    authorization: str = ""

    def __repr__(self) -> str:
        """Say that it is one, without what opens it."""
        return "HttpTarget(…)"

    @property
    def url_to_check(self) -> str:
        """What is going to be called."""
        return self.url

    def of(self, name: str) -> "HttpTarget":
        """Return the target for one of several files."""
        path, mark, query = self.url.partition("?")
        return HttpTarget(f"{path.rstrip('/')}/{name}{mark}{query}", self.authorization)


class S3Target(Struct, frozen=True):
    """An object in a bucket."""

    bucket: Bucket
    key: str

    @property
    def url_to_check(self) -> str:
        """What is going to be called."""
        return self.bucket.base

    def of(self, name: str) -> "S3Target":
        """Return the target for one of several files."""
        return S3Target(self.bucket, f"{self.key.rstrip('/')}/{name}")


Target = HttpTarget | S3Target


def read(format: str, address: DataAddress | None) -> Target:  # noqa: A002 - the protocol's word
    """Return where a transfer in a push `format` is to put its data.

    Raises:
        InvalidInput: there is no address, or something in it is missing or malformed.
    """
    if address is None:
        raise _wrong(f"The format {format} needs a data address: the provider brings the data there.")
    values = {each.name.removeprefix(EDC): each.value for each in address.endpoint_properties}
    return _http(address, values) if format == HTTP_PUSH else _s3(address, values)


def _http(address: DataAddress, values: dict[str, str]) -> HttpTarget:
    url = address.endpoint or values.get("endpoint") or values.get("baseUrl")
    if not url:
        raise _wrong("The data address has no endpoint.")
    secret = values.get("authorization") or values.get("authCode", "")
    if secret and values.get("authType", "").lower() == "bearer":
        secret = f"Bearer {secret}"
    return HttpTarget(url, secret)


def _s3(address: DataAddress, values: dict[str, str]) -> S3Target:
    key = values.get("objectName") or values.get("keyName") or ""
    if folder := values.get("folderName"):
        key = f"{folder.rstrip('/')}/{key}"
    bucket = Bucket(
        name=values.get("bucketName", ""),
        region=values.get("region", ""),
        key_id=values.get("accessKeyId", ""),
        secret=values.get("secretAccessKey", ""),
        token=values.get("sessionToken", ""),
        endpoint=values.get("endpointOverride") or address.endpoint or "",
    )
    if not bucket.is_sound:
        raise _wrong(
            "The data address names no bucket that can be written to.",
            fix="Give bucketName, region, accessKeyId, secretAccessKey, and endpointOverride unless it is Amazon's.",
        )
    if not key or len(key.encode()) > 1024 or not key.isprintable() or {"", ".", ".."} & set(key.split("/")):  # noqa: PLR2004 - S3's limit
        raise _wrong("The data address names no object.", fix="Give objectName, without empty or dotted parts.")
    return S3Target(bucket, key)


def _wrong(
    message: str, fix: str = "Give a dataAddress as the how-to on delivering data describes it."
) -> InvalidInput:
    return InvalidInput(message, where="dataAddress", fix=fix)
