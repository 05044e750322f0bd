"""The IRIs of our records: minted under one base, kept for ever, and where each of them can be looked up."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import quote

from connector.capabilities.drafting import slug

_VERSION: Final = re.compile(r"(?P<key>.+)/versions/(?P<number>[1-9][0-9]{0,8})", re.DOTALL)


class Meant(NamedTuple):
    """What an address may mean: a dataset, or one version of it."""

    key: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Names:
    """How the records of this participant are called.

    Attributes:
        base: under which IRIs are minted, without a slash at the end; such as a redirecting w3id address.
        home: where the connector shows its datasets, without a slash at the end.
    """

    base: str
    home: str

    def mint(self, title: str, content: bytes, attempt: int = 1) -> str:
        """Return an IRI for a record that has none: the same content gets the same one, unless it was taken.

        Args:
            title: for people; the IRI begins with it.
            content: what is told apart.
            attempt: counted from 1; each gives another IRI.
        """
        mark = hashlib.sha256(content).hexdigest()[:8]
        return f"{self.base}/{slug(title)}-{mark}" + (f"-{attempt}" if attempt > 1 else "")

    def page(self, key: str) -> str:
        """Return the address under which a record is shown: its own IRI, or one below ours."""
        if key.startswith((f"{self.home}/", f"{self.base}/")):
            return key
        return f"{self.home}/{quote(key, safe=':/@!$&()*+,;=~')}"

    def version(self, key: str, number: int) -> str:
        """Return the IRI of one version of a record."""
        return f"{self.page(key)}/versions/{number}"

    def record(self, key: str) -> str:
        """Return the IRI of the entry that our catalog has about a record (dcat:CatalogRecord)."""
        return f"{self.page(key)}#record"

    def meanings(self, name: str) -> Iterator[Meant]:
        """Yield what `name`, the end of an address below ours, may mean, the likeliest first."""
        for key in self._keys(name):
            yield Meant(key)
        if found := _VERSION.fullmatch(name):
            for key in self._keys(found["key"]):
                yield Meant(key, int(found["number"]))

    def versions(self, key: str) -> Iterator[Meant]:
        """Yield the versions of other records whose address an IRI is, or would be shown under."""
        tails = (key.removeprefix(f"{each}/") for each in dict.fromkeys((self.home, self.base)))
        for name in dict.fromkeys((key, *tails)):
            yield from (meant for meant in self.meanings(name) if meant.version is not None)

    def _keys(self, name: str) -> Iterator[str]:
        yield from (name,) if ":" in name else dict.fromkeys((f"{self.base}/{name}", f"{self.home}/{name}"))
