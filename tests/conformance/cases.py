"""The cases of the conformance kit as data: who says what, in which order, and what must be refused.

One table drives everything: the script that the connector under test follows, the ids that the kit is given, the
same conversations in Python, and the page of results. A conversation is written from the counterparty's seat: `<` is
what it says and the connector takes, `>` is what it hears, `x` is what it says and the connector must refuse. Where
nothing more is written the connector keeps still.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from connector.standards.dsp import negotiation, transfer
from connector.standards.dsp.negotiation import Role

KIT: Final = "org.eclipse.dataspacetck.dsp 1.0.0-RC6"
PULL: Final = "HttpData-PULL"


class Step(NamedTuple):
    """One message of a conversation."""

    how: str
    move: str


@dataclass(frozen=True)
class Case:
    """One case of the kit.

    `talk` is empty where no process is part of it; the kit leaves out the cases in `DISABLED`.
    """

    id: str
    talk: str
    shows: str

    @property
    def name(self) -> str:
        """Return the id as part of a name: `cn_c_01_01`."""
        return self.id.lower().replace(":", "_").replace("-", "_")

    @property
    def group(self) -> str:
        """Return what the id begins with: `CN_C`."""
        return self.id.partition(":")[0]

    @property
    def seed(self) -> str:
        """Return the id of the dataset or the agreement that this case is about."""
        name = SEEDS[self.group] + self.id.partition(":")[2].replace("-", "")
        return name if name == GIVEN or self.group.startswith("TP") else NAMES + name

    @property
    def role(self) -> Role:
        """Return the side that the connector under test takes."""
        return Role.CONSUMER if self.group.endswith("_C") else Role.PROVIDER

    @property
    def machine(self) -> Any:
        """Return the state machine that the conversation goes by."""
        return transfer if self.group.startswith("TP") else negotiation

    @property
    def steps(self) -> tuple[Step, ...]:
        """Return the conversation, message by message."""
        return tuple(Step(word[0], word[1:]) for word in self.talk.split())

    def states(self) -> list[str]:
        """Return the state after each step; a refused one leaves it as it was."""
        found: list[Any] = [None]
        for step in self.steps:
            sender = self.role if step.how == ">" else self.role.other
            move = self.machine.Move(step.move)
            found.append(found[-1] if step.how == "x" else self.machine.apply(found[-1], move, sender))
        return [str(state) for state in found[1:]]

    def script(self, after: float) -> list[dict[str, Any]]:
        """Return what the connector under test does by itself, as the script of an automation rule.

        Args:
            after: seconds that it waits before each of its own steps.
        """
        before = [None, *self.states()]
        return [
            {"on": state, "do": step.move, "after": after} | ({"reason": self.shows} if step.move in _SAID else {})
            for state, step in zip(before, self.steps, strict=False)
            if step.how == ">" and state is not None
        ]

    def settings(self) -> Mapping[str, str]:
        """Return the ids that the kit is given for this case."""
        key = self.id.replace(":", "_").replace("-", "_")
        match self.group:
            case "TP" | "TP_C":
                return {f"{key}_AGREEMENTID": self.seed, f"{key}_FORMAT": PULL}
            case "CN":
                return {f"{key}_DATASETID": self.seed, f"{key}_OFFERID": offer_of(self.seed)}
            case "CN_C" | "CAT":
                return {f"{key}_DATASETID": self.seed}
        return {}


_SAID: Final = {"terminate", "suspend"}
"""Moves that may say why."""

SEEDS: Final = {"MET": "MET", "CAT": "CAT", "CN": "ACN", "CN_C": "ACNC", "TP": "ATP", "TP_C": "ATPC"}
NAMES: Final = "urn:tck:"
"""What the kit's names of datasets get before them: the product's datasets have IRIs."""
GIVEN: Final = "ACN0102"
"""The one dataset that the kit calls by this name whatever it is told; it has no file, so no catalog has it."""
MISSING: Final = f"{NAMES}CAT0103"
"""The dataset that must not exist."""


def offer_of(dataset: str) -> str:
    """Return the id of the offer of one of our datasets; one case of the kit takes this form for granted."""
    return f"CD123:{dataset}:456"


def offer_from(dataset: str) -> str:
    """Return the id of the offer of one of the kit's datasets: it gets the dataset back by cutting the first word."""
    return f"offer{dataset}"


CASES: Final[Sequence[Case]] = (
    Case("MET:01-01", "", "The version document lists 2025-1, with its path and its binding."),
    Case("CAT:01-01", "", "The catalog has the dataset."),
    Case("CAT:01-02", "", "A dataset can be asked for by its id."),
    Case("CAT:01-03", "", "An unknown dataset is answered with a CatalogError."),
    # the connector as provider, negotiating
    Case("CN:01-01", "<request >offer <terminate", "A consumer declines the provider's offer."),
    Case("CN:01-02", "<request >offer <request >terminate", "A provider declines other terms than it offered."),
    Case("CN:01-03", "<request >offer <accept >agree <verify >finalize", "An accepted offer becomes an agreement."),
    Case("CN:01-04", "<request >agree <verify >finalize", "A request becomes an agreement at once."),
    Case("CN:02-01", "<request >terminate", "A provider declines a request."),
    Case("CN:02-02", "<request <terminate", "A consumer takes its request back."),
    Case("CN:02-03", "<request >agree <terminate", "A consumer does not verify, and ends it."),
    Case("CN:02-04", "<request >offer <terminate", "A consumer ends it when it should answer an offer."),
    Case("CN:02-05", "<request >offer >terminate", "A provider takes its offer back."),
    Case("CN:02-06", "<request >offer <accept >terminate", "A provider ends it after its offer was accepted."),
    Case("CN:02-07", "<request >agree <verify >terminate", "A provider ends it after the verification."),
    Case("CN:03-01", "<request >agree <verify >finalize xterminate", "What is finalized cannot be ended."),
    Case("CN:03-02", "<request >offer xverify", "An offer cannot be verified."),
    Case("CN:03-03", "<request >offer <accept xverify", "There is nothing to verify before the agreement."),
    Case("CN:03-04", "<request >offer <request xrequest", "A consumer does not ask twice in a row."),
    # the connector as consumer, negotiating
    Case("CN_C:01-01", ">request <offer >accept <agree >verify <finalize", "A consumer takes an offer to the end."),
    Case("CN_C:01-02", ">request <offer >request <terminate", "A consumer asks for other terms, and is declined."),
    Case("CN_C:01-03", ">request <offer >terminate", "A consumer declines an offer."),
    Case("CN_C:01-04", ">request <agree >verify <finalize", "A consumer verifies an agreement and sees it final."),
    Case("CN_C:02-01", ">request <terminate", "A provider declines our request."),
    Case("CN_C:02-02", ">request >terminate", "A consumer takes its request back."),
    Case("CN_C:02-03", ">request <agree >terminate", "A consumer ends it in place of verifying."),
    Case("CN_C:02-04", ">request <offer <terminate", "A provider takes its offer back."),
    Case("CN_C:02-05", ">request <offer >accept <terminate", "A provider ends it after we accepted."),
    Case("CN_C:02-06", ">request <agree >verify <terminate", "A provider ends it after we verified."),
    Case("CN_C:03-01", ">request xfinalize", "A request cannot be finalized."),
    Case("CN_C:03-02", ">request <offer xagree", "An offer that nobody accepted is no agreement."),
    Case("CN_C:03-03", ">request <offer xfinalize", "An offer cannot be finalized."),
    Case("CN_C:03-04", ">request <offer >accept xfinalize", "What is accepted is not yet agreed."),
    Case("CN_C:03-05", ">request <offer >accept xoffer", "What is accepted cannot be offered again."),
    Case("CN_C:03-06", ">request <offer >accept <agree xfinalize", "Nothing is final before we verified."),
    # the connector as provider, transferring
    Case("TP:01-01", "<request >start >terminate", "A provider starts a transfer and ends it."),
    Case("TP:01-02", "<request >start >complete", "A provider starts a transfer and completes it."),
    Case("TP:01-03", "<request >start >suspend >terminate", "A provider suspends a transfer and ends it."),
    Case("TP:01-04", "<request >start >suspend >start >complete", "A provider suspends, goes on, and completes."),
    Case("TP:01-05", "<request >terminate", "A provider declines a transfer."),
    Case("TP:02-01", "<request >start <terminate", "A consumer ends a transfer."),
    Case("TP:02-02", "<request >start <complete", "A consumer completes a transfer."),
    Case("TP:02-03", "<request >start <suspend <terminate", "A consumer suspends a transfer and ends it."),
    Case("TP:02-04", "<request >start <suspend <start <complete", "A consumer suspends, goes on, and completes."),
    Case("TP:02-05", "<request <terminate", "A consumer takes its request back."),
    Case("TP:03-01", "<request xcomplete", "What has not started cannot be completed."),
    Case("TP:03-02", "<request xsuspend", "What has not started cannot be suspended."),
    Case("TP:03-03", "<request >start <suspend xcomplete", "What is suspended cannot be completed."),
    Case("TP:03-04", "<request >start <terminate xstart", "What has ended cannot be started."),
    Case("TP:03-05", "<request >start <terminate xsuspend", "What has ended cannot be suspended."),
    Case("TP:03-06", "<request >start <terminate xcomplete", "What has ended cannot be completed."),
    # the connector as consumer, transferring
    Case("TP_C:01-01", ">request <start <terminate", "A provider ends our transfer."),
    Case("TP_C:01-02", ">request <start <complete", "A provider completes our transfer."),
    Case("TP_C:01-03", ">request <start <suspend <terminate", "A provider suspends our transfer and ends it."),
    Case("TP_C:01-04", ">request <start <suspend <start <complete", "A provider suspends, goes on, and completes."),
    Case("TP_C:01-05", ">request <terminate", "A provider declines our transfer."),
    Case("TP_C:02-01", ">request <start >terminate", "A consumer ends its transfer."),
    Case("TP_C:02-02", ">request <start >complete", "A consumer completes its transfer."),
    Case("TP_C:02-03", ">request <start >suspend >terminate", "A consumer suspends its transfer and ends it."),
    Case("TP_C:02-04", ">request <start >suspend >start >complete", "A consumer suspends, goes on, and completes."),
    Case("TP_C:02-05", ">request >terminate", "A consumer takes its request back."),
    Case("TP_C:03-01", ">request xcomplete", "What the provider has not started it cannot complete."),
    Case("TP_C:03-02", ">request xsuspend", "What the provider has not started it cannot suspend."),
    Case("TP_C:03-03", ">request <start <suspend xcomplete", "What the provider suspended it cannot complete."),
    Case("TP_C:03-04", ">request <start <terminate xstart", "What the provider ended it cannot start."),
    Case("TP_C:03-05", ">request <start <terminate xsuspend", "What the provider ended it cannot suspend."),
    Case("TP_C:03-06", ">request <start <terminate xcomplete", "What the provider ended it cannot complete."),
)

DISABLED: Final = frozenset({"TP:02-04", "TP_C:02-04"})
"""What the kit has and does not run."""

ACTIVE: Final = tuple(case.id for case in CASES if case.id not in DISABLED)
