"""Places: where the data of a transfer is to be had, or to be put."""

from collections.abc import Callable
from dataclasses import dataclass

from connector.capabilities.evidence import Clock
from connector.errors import InvalidInput
from connector.standards import s3
from connector.standards.dsp import messages, targets
from connector.standards.dsp.address import RENEWAL, plain, pull
from connector.standards.s3 import Bucket
from connector.storage.tables import JsonObject, Transfer


@dataclass(frozen=True, slots=True)
class Places:
    """The data addresses that we give, and what we demand of others'."""

    address: str
    data_address: str
    grant: Callable[[str, str], str]
    check_url: Callable[[str], None]
    now: Clock
    seconds: Callable[[str], int]
    """Takes a transfer's id, returns how long what opens its data may live."""
    shelf: Bucket | None = None
    """A bucket of our own from which consumers may fetch, where there is one."""

    def access(self, ours: Transfer) -> messages.DataAddress | None:
        """Return, as provider, where the data is and a fresh grant for it; None where we bring it ourselves."""
        return None if ours.format in targets.PUSHES else self.pull(ours)

    def pull(self, ours: Transfer) -> messages.DataAddress:
        """Return where the data of a pull is, with a fresh grant."""
        if ours.format == targets.S3_PULL:
            return self._shelved(ours)
        renewal = f"{self.address}/transfers/{ours.pid}/renewal"
        return pull(f"{self.data_address}/{ours.pid}", self.grant(ours.pid, ours.peer), renewal)

    def agreed(self, format: str, address: messages.DataAddress | None) -> JsonObject | None:  # noqa: A002 - the protocol's word
        """Return what is kept of the address that a request in this format names: all of it, or nothing for a pull.

        Raises:
            InvalidInput: a format that we do not speak, or an address that is not fit for it or must not be called.
        """
        if format == targets.HTTP_PULL:
            return None
        if format == targets.S3_PULL and address is None:
            return None
        if format not in targets.PUSHES:
            raise InvalidInput(
                f"The format {format!r} is not offered for this dataset.",
                where="format",
                fix=f"Take one of {', '.join(sorted({targets.HTTP_PULL, *targets.PUSHES}))}.",
            )
        self.check_url(targets.read(format, address).url_to_check)
        return messages.dump(address) if address is not None else None

    def on_shelf(self, pid: str) -> targets.S3Target:
        """Return where the file of a transfer lies in our bucket, under a name that nobody else has.

        Raises:
            InvalidInput: we have no bucket.
        """
        if self.shelf is None:
            raise InvalidInput(
                f"The format {targets.S3_PULL!r} is not offered here.", where="format", fix=f"Take {targets.HTTP_PULL}."
            )
        return targets.S3Target(self.shelf, f"transfers/{pid.rpartition(':')[2]}")

    def _shelved(self, ours: Transfer) -> messages.DataAddress:
        """Return an address at which anybody who knows it may fetch the file, for as long as a grant lives."""
        target = self.on_shelf(ours.pid)
        bucket = target.bucket
        said = {
            RENEWAL: f"{self.address}/transfers/{ours.pid}/renewal",
            "bucketName": bucket.name,
            "objectName": target.key,
            "region": bucket.region,
        } | ({"endpointOverride": bucket.endpoint} if bucket.endpoint else {})
        return messages.DataAddress(
            endpoint_type="AmazonS3",
            endpoint=s3.presign(bucket, "GET", target.key, self.now(), max(1, self.seconds(ours.pid))),
            endpoint_properties=tuple(
                messages.EndpointProperty(name=name, value=value) for name, value in said.items()
            ),
        )

    def received(self, address: messages.DataAddress) -> JsonObject:
        """Return, under the protocol's names, the address that a provider gave us.

        Raises:
            InvalidInput: nobody on our side may call it.
        """
        found = plain(address)
        for url in (found.endpoint, found.get(RENEWAL)):
            if url is not None:
                self.check_url(url)
        return messages.dump(found)
