"""Health: which parts work, how many of each thing there are, and what could not be delivered."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlmodel import SQLModel, col

from connector.capabilities.evidence import Begin, Clock
from connector.errors import Refusal
from connector.storage.events import Event, name_of
from connector.storage.tables import Agreement, Dataset, Evidence, Negotiation, Offer, OutboxRow, Peer, Transfer

TIDY_EVERY: Final = timedelta(hours=1)

COUNTED: Final[tuple[type[SQLModel], ...]] = (
    Dataset,
    Offer,
    Negotiation,
    Agreement,
    Transfer,
    Peer,
    Evidence,
    OutboxRow,
)


class TidyDue(Event, frozen=True, kw_only=True):
    """It is time to throw away what nobody needs any more; `subject` is the participant."""


@dataclass(frozen=True, slots=True)
class Health:
    """The state of this connector.

    `checks` raise when a part does not work; `chores` throw away what nobody needs any more; `validated` says how many
    records were checked and what became of them.
    """

    begin: Begin
    read: Begin
    now: Clock
    participant: str
    revive: Callable[[str, int], None]
    checks: Mapping[str, Callable[[], object]]
    chores: tuple[Callable[[], object], ...]
    validated: Callable[[], Mapping[str, int]] = dict

    def wind_up(self) -> None:
        """Set the first time to tidy, unless one is set."""
        with self.begin(self.participant) as work:
            if not work.count(OutboxRow, col(OutboxRow.event) == name_of(TidyDue), col(OutboxRow.state) == "waiting"):
                work.emit(TidyDue(subject=self.participant), due=self.now())

    def tidy(self, event: TidyDue, participant: str) -> None:
        """Do the chores, and set the next time."""
        for chore in self.chores:
            chore()
        with self.begin(participant) as work:
            # A process that was killed right after this hears the event again: there is one timer all the same.
            if not work.count(OutboxRow, col(OutboxRow.event) == name_of(TidyDue), col(OutboxRow.due) > self.now()):
                work.emit(event, due=self.now() + TIDY_EVERY)

    def parts(self) -> dict[str, str]:
        """Return each part with `ok`, or with what is wrong with it."""
        return {name: _state(check) for name, check in self.checks.items()}

    def failures(self) -> list[OutboxRow]:
        """Return the events that were given up, oldest first."""
        with self.read(self.participant) as work:
            return work.select(OutboxRow, col(OutboxRow.state) == "failed", order_by=col(OutboxRow.id))

    def waiting(self) -> list[OutboxRow]:
        """Return the events that are due and not delivered yet, oldest first; timers are not due."""
        with self.read(self.participant) as work:
            due = (col(OutboxRow.state) == "waiting", col(OutboxRow.due) <= self.now())
            return work.select(OutboxRow, *due, order_by=col(OutboxRow.id))

    def retry(self, row: int) -> None:
        """Deliver an event that was given up again, or raise NotFound."""
        self.revive(self.participant, row)

    def metrics(self) -> str:
        """Return the figures in the Prometheus text format."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        with self.read(self.participant) as work:
            for kind in COUNTED:
                name = f"greendeal_{kind.__tablename__}_rows"
                yield f"# TYPE {name} gauge"
                yield f"{name} {work.count(kind)}"
            yield "# TYPE greendeal_undeliverable_events gauge"
            yield f"greendeal_undeliverable_events {work.count(OutboxRow, col(OutboxRow.state) == 'failed')}"
        for what, number in self.validated().items():
            yield f"# TYPE greendeal_records_{what}_total counter"
            yield f"greendeal_records_{what}_total {number}"


def _state(check: Callable[[], object]) -> str:
    try:
        check()
    except (Refusal, OSError) as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - a part that breaks in a way nobody foresaw does not work either
        return f"It failed with {type(error).__name__}."
    return "ok"
