"""Own API: offers, negotiations, agreements and transfers."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Controller, get, post
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED

from connector.capabilities.agreements import Agreements
from connector.capabilities.evidence import EvidenceBook
from connector.capabilities.negotiations import Negotiations
from connector.capabilities.offers import Offers
from connector.capabilities.processes import timeline
from connector.capabilities.transfers import Transfers
from connector.errors import InvalidInput
from connector.standards.dsp import messages, targets
from connector.standards.dsp.automation import Automation
from connector.standards.odrl import explain, intake, templates
from connector.web.auth import needs
from connector.web.given import By, Given
from connector.web.views import shown

Pid = FromPath[str]
Json = dict[str, Any]


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a client posts; a key that is not known is refused."""


class Rule(_Body, frozen=True, kw_only=True):
    """How we answer: `automation`, and the `script` of a scripted rule, steps of `on`, `do`, `after`, `reason`."""

    automation: Automation
    script: list[Json] = []


class OfferRule(Rule, frozen=True, kw_only=True):
    """How requests for the offer `id` are answered."""

    id: str


class NewOffer(_Body, frozen=True):
    """Terms for a dataset: a `policy` of one's own, or a `template` with its `values`."""

    dataset: str
    policy: Json | None = None
    template: str | None = None
    values: dict[str, Any] = {}
    automation: Automation = "approve"
    script: list[Json] = []


class NewNegotiation(_Body, frozen=True):
    """A request for a contract; `accept` is `any` or the policies one agrees to, `id` lets one ask again safely."""

    peer: str
    dataset: str
    offer: str
    accept: str | list[Json]
    purpose: str | None = None
    id: str | None = None
    automation: Automation = "approve"
    script: list[Json] = []


class SentOffer(_Body, frozen=True):
    """One of our offers, for a `peer` that did not ask; `id` lets one send it again safely."""

    peer: str
    offer: str
    id: str | None = None


class Terms(_Body, frozen=True):
    """Other terms for the dataset of a negotiation."""

    policy: Json


class NewTransfer(_Body, frozen=True):
    """A request for the data of an agreement; `id` lets one ask again safely.

    `format` says how the data is to come; in a push format `dataAddress` says whereto.
    """

    agreement: str
    id: str | None = None
    format: str = targets.HTTP_PULL
    data_address: dict[str, Any] | None = msgspec.field(default=None, name="dataAddress")


class Reason(_Body, frozen=True):
    """Why something ends; the other side is told."""

    reason: str


class Key(_Body, frozen=True):
    """Which thing is meant."""

    id: str


class OfferController(Controller):
    """Terms of our own datasets."""

    path = "/api"
    tags = ("offers",)

    @post("/offers", guards=[needs("provider")], sync_to_thread=True)
    def make(self, data: JSONBody[NewOffer], offers: Given[Offers], by: By) -> Json:
        """Offer a dataset; the same terms again are the same offer."""
        if (data.policy is None) == (data.template is None):
            raise InvalidInput("An offer has a policy or a template, one of the two.", where="policy, template")
        policy = data.policy or templates.fill(str(data.template), **data.values)
        return shown(offers.make(data.dataset, policy, data.automation, by, data.script))

    @get("/offers", guards=[needs()], sync_to_thread=True)
    def all(self, offers: Given[Offers], dataset: FromQuery[str | None] = None) -> list[Json]:
        """List all offers, or those of one dataset."""
        return [shown(row) for row in offers.all(dataset)]

    @post("/offers/automation", status_code=HTTP_200_OK, guards=[needs("provider", "business")], sync_to_thread=True)
    def automate(self, data: JSONBody[OfferRule], offers: Given[Offers], by: By) -> Json:
        """Change how requests for an offer are answered from now on."""
        return shown(offers.automate(data.id, data.automation, data.script, by))

    @post("/offers/close", status_code=HTTP_200_OK, guards=[needs("provider")], sync_to_thread=True)
    def close(self, data: JSONBody[Key], offers: Given[Offers], by: By) -> Json:
        """Take an offer back."""
        return shown(offers.close(data.id, by))

    @get("/templates", guards=[needs()], sync_to_thread=True)
    def templates(self) -> list[Json]:
        """List the policy templates and their parameters."""
        return [msgspec.to_builtins(template) for template in templates.templates()]


class NegotiationController(Controller):
    """Contract negotiations, in both roles."""

    path = "/api/negotiations"
    tags = ("negotiations",)

    @post(status_code=HTTP_201_CREATED, guards=[needs("consumer", "business")], sync_to_thread=True)
    def request(self, data: JSONBody[NewNegotiation], negotiations: Given[Negotiations], by: By) -> Json:
        """Ask a peer for a contract on one of its offers."""
        if isinstance(data.accept, str) and data.accept != "any":
            raise InvalidInput(
                f"{data.accept!r} are no terms.", where="accept", fix='Say "any", or give the policies you agree to.'
            )
        claims = {"purpose": data.purpose} if data.purpose else {}
        rule = (data.automation, data.script)
        row = negotiations.request(data.peer, data.dataset, data.offer, claims, data.accept, by, data.id, *rule)
        return shown(row)

    @post("/offered", status_code=HTTP_201_CREATED, guards=[needs("provider", "business")], sync_to_thread=True)
    def offer(self, data: JSONBody[SentOffer], negotiations: Given[Negotiations], by: By) -> Json:
        """Send one of our offers to a peer that did not ask."""
        return shown(negotiations.offer(data.peer, data.offer, by, data.id))

    @get(guards=[needs()], sync_to_thread=True)
    def all(self, negotiations: Given[Negotiations]) -> list[Json]:
        """List all negotiations, newest first."""
        return [shown(row) for row in negotiations.all()]

    @get("/offers", guards=[needs()], sync_to_thread=True)
    def offers(
        self, negotiations: Given[Negotiations], participant: FromQuery[str], dataset: FromQuery[str]
    ) -> list[Json]:
        """List the terms under which a peer offers a dataset, with a sentence for people."""
        found = negotiations.offers(participant, dataset)
        return [{"id": each.get("@id"), "policy": each, "sentence": in_words(each)} for each in found]

    @get("/{pid:str}", guards=[needs()], sync_to_thread=True)
    def one(self, pid: Pid, negotiations: Given[Negotiations]) -> Json:
        """Show one negotiation."""
        return shown(negotiations.get(pid))

    @get("/{pid:str}/timeline", guards=[needs()], sync_to_thread=True)
    def timeline(self, pid: Pid, negotiations: Given[Negotiations], evidence: Given[EvidenceBook]) -> list[Json]:
        """Show what happened in a negotiation: state, who, when, why, and the id of the message."""
        return timeline(evidence.about(negotiations.get(pid).pid), evidence.waiting(pid))

    @post(
        "/{pid:str}/propose",
        status_code=HTTP_200_OK,
        guards=[needs("business", "consumer", "provider")],
        sync_to_thread=True,
    )
    def propose(self, pid: Pid, data: JSONBody[Terms], negotiations: Given[Negotiations], by: By) -> Json:
        """Put other terms on the table: a counter-offer as provider, a counter-request as consumer."""
        return shown(negotiations.propose(pid, data.policy, by))

    @post("/{pid:str}/approve", status_code=HTTP_200_OK, guards=[needs("business")], sync_to_thread=True)
    def approve(self, pid: Pid, negotiations: Given[Negotiations], by: By) -> Json:
        """Say yes to what waits for a person."""
        return shown(negotiations.approve(pid, by))

    @post("/{pid:str}/terminate", status_code=HTTP_200_OK, guards=[needs("business", "consumer")], sync_to_thread=True)
    def terminate(self, pid: Pid, data: JSONBody[Reason], negotiations: Given[Negotiations], by: By) -> Json:
        """End a negotiation."""
        return shown(negotiations.terminate(pid, data.reason, by))


def in_words(policy: Mapping[str, Any]) -> str:
    """Return the terms of a policy as sentences, or what of it is not understood."""
    unknown = intake.understood(policy)
    return f"Not understood: {' '.join(unknown)}" if unknown else explain.explain(intake.read(policy))


class AgreementController(Controller):
    """Agreements, and what proves them."""

    path = "/api/agreements"
    tags = ("agreements",)

    @get(guards=[needs()], sync_to_thread=True)
    def all(self, agreements: Given[Agreements]) -> list[Json]:
        """List all agreements, newest first."""
        return [shown(row) for row in agreements.all()]

    @get("/{pid:str}", guards=[needs()], sync_to_thread=True)
    def one(self, pid: Pid, agreements: Given[Agreements]) -> Json:
        """Show one agreement with its signatures."""
        return shown(agreements.get(pid))

    @get("/{pid:str}/evidence", guards=[needs()], sync_to_thread=True)
    def evidence(self, pid: Pid, evidence: Given[EvidenceBook]) -> list[Json]:
        """Show everything recorded about one agreement, negotiation, transfer or dataset."""
        return [shown(row) for row in evidence.about(pid)]

    @post("/{pid:str}/automation", status_code=HTTP_200_OK, guards=[needs("business", "provider")], sync_to_thread=True)
    def automate(self, pid: Pid, data: JSONBody[Rule], agreements: Given[Agreements], by: By) -> Json:
        """Change what happens by itself in transfers under an agreement from now on."""
        return shown(agreements.automate(pid, data.automation, data.script, by))

    @post("/{pid:str}/terminate", status_code=HTTP_200_OK, guards=[needs("business", "provider")], sync_to_thread=True)
    def terminate(self, pid: Pid, data: JSONBody[Reason], agreements: Given[Agreements], by: By) -> Json:
        """End an agreement at once."""
        return shown(agreements.terminate(pid, data.reason, by))


class TransferController(Controller):
    """Transfers of data under agreements."""

    path = "/api/transfers"
    tags = ("transfers",)

    @post(status_code=HTTP_201_CREATED, guards=[needs("consumer")], sync_to_thread=True)
    def request(self, data: JSONBody[NewTransfer], transfers: Given[Transfers], by: By) -> Json:
        """Ask for the data of an agreement."""
        place = messages.load_address(data.data_address) if data.data_address is not None else None
        return shown(transfers.request(data.agreement, by, data.id, data.format, place))

    @get(guards=[needs()], sync_to_thread=True)
    def all(self, transfers: Given[Transfers]) -> list[Json]:
        """List all transfers, newest first."""
        return [shown(row) for row in transfers.all()]

    @get("/{pid:str}", guards=[needs()], sync_to_thread=True)
    def one(self, pid: Pid, transfers: Given[Transfers]) -> Json:
        """Show one transfer."""
        return shown(transfers.get(pid))

    @get("/{pid:str}/timeline", guards=[needs()], sync_to_thread=True)
    def timeline(self, pid: Pid, transfers: Given[Transfers], evidence: Given[EvidenceBook]) -> list[Json]:
        """Show what happened in a transfer: state, who, when, why, and the id of the message."""
        return timeline(evidence.about(transfers.get(pid).pid), evidence.waiting(pid))

    @post("/{pid:str}/suspend", status_code=HTTP_200_OK, guards=[needs("consumer", "provider")], sync_to_thread=True)
    def suspend(self, pid: Pid, data: JSONBody[Reason], transfers: Given[Transfers], by: By) -> Json:
        """Pause a transfer."""
        return shown(transfers.suspend(pid, data.reason, by))

    @post("/{pid:str}/start", status_code=HTTP_200_OK, guards=[needs("consumer", "provider")], sync_to_thread=True)
    def start(self, pid: Pid, transfers: Given[Transfers], by: By) -> Json:
        """Start a transfer that waits for a person, or go on with a suspended one."""
        return shown(transfers.start(pid, by))

    @post("/{pid:str}/access", status_code=HTTP_200_OK, guards=[needs("consumer")])
    async def access(self, pid: Pid, transfers: Given[Transfers]) -> Json:
        """Get the address of the data and a fresh token for it."""
        return messages.dump(await transfers.data_access(pid))

    @post("/{pid:str}/complete", status_code=HTTP_200_OK, guards=[needs("consumer")], sync_to_thread=True)
    def complete(self, pid: Pid, transfers: Given[Transfers], by: By) -> Json:
        """Say that all data was had."""
        return shown(transfers.complete(pid, by))

    @post("/{pid:str}/terminate", status_code=HTTP_200_OK, guards=[needs("consumer", "provider")], sync_to_thread=True)
    def terminate(self, pid: Pid, data: JSONBody[Reason], transfers: Given[Transfers], by: By) -> Json:
        """End a transfer."""
        return shown(transfers.terminate(pid, data.reason, by))
