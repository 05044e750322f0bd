"""The types of what `conftest.py` gives to tests."""

from datetime import datetime, timedelta
from typing import Protocol

from connector.storage.events import Event
from connector.storage.work import Database


class Clock:
    """A clock that moves only when told to."""

    def __init__(self, start: datetime) -> None:
        self.moment = start

    def __call__(self) -> datetime:
        """Return the moment."""
        return self.moment

    def move(self, **by: float) -> None:
        """Move on by `seconds=…`, `hours=…` and so on."""
        self.moment += timedelta(**by)


class NewUrl(Protocol):
    """Makes the address of a database of its own, empty or at the newest schema."""

    def __call__(self, *, empty: bool = False) -> str:
        """Return the address."""
        ...


class NewDatabase(Protocol):
    """Opens the test's database, once more on each call, as another process would."""

    def __call__(self, subscribers: dict[type[Event], tuple[str, ...]] | None = None) -> Database:
        """Open it with these subscribers."""
        ...
