"""Files that lie on the connector's own machine, in folders that its operator opened for drafts."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from connector.capabilities.drafting import Draft, drafted
from connector.errors import InvalidInput, NotFound, Refusal
from connector.formats import Description
from connector.formats.sandbox import gather
from connector.formats.sandbox.isolation import Progress
from connector.formats.series import gathered
from connector.standards.dcat import model

Describe = Callable[[Path, Progress | None], Description]


@dataclass(frozen=True, slots=True)
class LocalFiles:
    """The open folders, and drafts of what lies in them; nothing is copied or kept."""

    folders: tuple[Path, ...]
    home: str
    publisher: model.Agent
    describe: Describe

    def draft(self, named: str, progress: Progress | None = None) -> Draft:
        """Draft a record from a file, a dataset folder, or a folder of files as a series.

        Args:
            named: its path, whole or from one of the open folders on.
            progress: is told now and then how many bytes of how many of a file were read.

        Raises:
            InvalidInput: no folder is open, a link is in the way, or the file cannot be read.
            NotFound: there is no such file in an open folder.
        """
        root, path = self._find(named)
        (group,) = gather.gather(str(path))
        found: Description | Refusal
        if group.several:
            found, _ = gathered([(str(each.relative_to(root)), self._read(each, progress)) for each in group.paths])
        else:
            found = self._read(group.paths[0], progress)
        if isinstance(found, Refusal):
            raise found
        return drafted(found, path.name, home=self.home, publisher=self.publisher)

    def _read(self, path: Path, progress: Progress | None) -> Description | Refusal:
        try:
            return self.describe(path, progress)
        except InvalidInput as no:
            return no

    def _find(self, named: str) -> tuple[Path, Path]:
        """Return the open folder that holds `named`, and the path of it, in which nothing is a link."""
        if not self.folders:
            raise InvalidInput(
                "No folder of this machine is open for drafts.",
                where="path",
                fix="Upload the file, or have the operator name its folder in the setting drafting.folders.",
            )
        if "\0" in named:
            raise InvalidInput("This is no path.", where="path")
        for folder in self.folders:
            root = folder.resolve()
            path = Path(os.path.normpath(root / named))
            if not path.is_relative_to(root):
                continue
            steps = [root.joinpath(*path.relative_to(root).parts[: count + 1]) for count in range(_depth(root, path))]
            if any(step.is_symlink() for step in steps):
                raise InvalidInput("There is a link in this path.", where=named, fix="Name the file itself.")
            if path.exists():
                return root, path
        raise NotFound("file in an open folder", named)


def _depth(root: Path, path: Path) -> int:
    return len(path.relative_to(root).parts)
