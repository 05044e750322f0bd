"""The files behind our records: which of the uploaded ones a record names, and under which names they are given."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain, count
from typing import Any, Final

from connector.capabilities.drafting import SHA256
from connector.standards.dcat import model
from connector.storage.objects import Objects
from connector.storage.tables import Asset
from connector.storage.work import Work

KEPT: Final = ("distribution", "object", "filename", "media_type", "size", "format")
"""What a version remembers of each file."""


@dataclass(frozen=True, slots=True)
class Files:
    """The uploaded files of this participant."""

    objects: Objects

    def attach(self, work: Work, view: model.Dataset) -> tuple[list[Asset], bool]:
        """Tie the distributions of a record to the uploaded files they name.

        Returns:
            The files, by name, and whether they are others than before.
        """
        wanted = {asset.distribution: asset for asset in self._assets(work.participant, view)}
        moved = False
        for asset in work.find_by(Asset, dataset=view.id):
            if wanted.get(asset.distribution) == asset:
                del wanted[asset.distribution]
            else:
                work.delete(asset)
                moved = True
        for asset in wanted.values():
            work.add(asset)
        return behind(work, view.id), moved or bool(wanted)

    def _assets(self, participant: str, view: model.Dataset) -> Iterator[Asset]:
        """Yield the uploaded files that the record's distributions name, each under a file name of its own."""
        taken: set[str] = set()
        for each in view.distribution:
            digest, media_type = _digest(each), str(each.media_type or "").partition("media-types/")[2]
            if digest not in self.objects:
                continue
            filename = _unused(_filename(model.words(each.title), digest), taken)
            taken.add(filename)
            yield Asset(
                participant=participant,
                dataset=view.id,
                distribution=str(each.id),
                object=digest,
                filename=filename,
                media_type=media_type or "application/octet-stream",
                size=self.objects.size(digest),
                format=each.format,
            )


def behind(work: Work, dataset: str) -> list[Asset]:
    """Return the files behind a dataset, by name."""
    return sorted(work.find_by(Asset, dataset=dataset), key=lambda asset: asset.filename)


def kept(files: Collection[Asset]) -> list[dict[str, Any]]:
    """Return what a version remembers of its files."""
    return [{name: getattr(each, name) for name in KEPT} for each in files]


def _digest(each: model.Distribution) -> str:
    """Return the SHA-256 that a distribution states, or an empty text."""
    stated = each.checksum
    return (stated.value or "") if stated and stated.algorithm == SHA256 else ""


def _filename(title: str, digest: str) -> str:
    """Return the name under which a file is delivered: harmless on every system."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", title).strip("._")
    return name[:120] or digest[:16]


def _unused(name: str, taken: Collection[str]) -> str:
    """Return `name`, with a number before its ending where another file has it: each has to be had by its name."""
    stem, dot, ending = name.rpartition(".") if "." in name else (name, "", "")
    numbered = (f"{stem}-{number}{dot}{ending}" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in taken)
