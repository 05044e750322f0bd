"""A counterparty that plays the kit's cases and takes nothing that the protocol does not allow.

It is a participant of its own with a server: what it hears has to be in the plain form, pass the published schemas
(or, where they are not at hand, ours), survive a JSON-LD processor, come to the right address about the right
process, prove who it is from, and be a legal move. Everything else is refused and kept as a fault, which fails the
case. It shares with the connector only the standards: messages, tables, contexts.
"""

import json
import queue
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx2

from connector.errors import IllegalMove, InvalidInput
from connector.standards import rdf
from connector.standards.dsp import messages
from connector.standards.dsp.negotiation import Role
from connector.standards.dsp.schema import CONTEXT, NAMESPACE
from tests.conformance.cases import PULL, Case, Step, offer_from, offer_of
from tests.conftest import REFERENCES
from tests.standards.dsp import official

PATIENCE: Final = 10.0
"""Seconds that it waits for a message."""

PUBLISHED: Final[Path] = REFERENCES / "standards" / "dsp-2025-1"
VALIDATORS: Final = official.validators(official.schemas(PUBLISHED)) if PUBLISHED.is_dir() else {}

TYPES: Final[Mapping[str, str]] = {
    "negotiations/request": "ContractRequestMessage",
    "negotiations/offers": "ContractOfferMessage",
    "negotiations/agreement": "ContractAgreementMessage",
    "negotiations/agreement/verification": "ContractAgreementVerificationMessage",
    "negotiations/events": "ContractNegotiationEventMessage",
    "negotiations/termination": "ContractNegotiationTerminationMessage",
    "transfers/request": "TransferRequestMessage",
    "transfers/start": "TransferStartMessage",
    "transfers/suspension": "TransferSuspensionMessage",
    "transfers/completion": "TransferCompletionMessage",
    "transfers/termination": "TransferTerminationMessage",
}
"""Which message comes to which address, without the id of the process."""

ADDRESSES: Final[Mapping[str, str]] = {
    "request": "request",
    "offer": "offers/",  # some peers end an address in a slash, and so does the kit
    "accept": "events",
    "agree": "agreement",
    "verify": "agreement/verification",
    "finalize": "events",
    "start": "start",
    "suspend": "suspension",
    "complete": "completion",
    "terminate": "termination/",
}
"""Where each move is told to the connector, below the process."""

RULES: Final[Mapping[str, Any]] = {"permission": [{"action": "use"}]}


def checked(body: bytes, kind: str) -> dict[str, Any]:
    """Return the document in `body`, which has to be a `kind` in the plain form, in every respect.

    Raises:
        AssertionError: it is not; the text says what is wrong.
    """
    document = json.loads(body)
    assert document.get("@type") == kind, f"a {kind} was expected: {body[:200]!r}"
    assert isinstance(document["@context"], list), "the context is no array"
    if validator := VALIDATORS.get(kind):
        faults = [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(document)]
        assert not faults, f"{kind}: {faults}"
    try:
        if kind in messages.TYPES:
            messages.decode(body)
        (node,) = rdf.expand(document)
    except InvalidInput as refusal:
        raise AssertionError(f"{kind}: {refusal}") from refusal
    names = {"Catalog": rdf.PREFIXES["dcat"], "Dataset": rdf.PREFIXES["dcat"]}
    assert node["@type"] == [names.get(kind, NAMESPACE) + kind], f"for a processor it is a {node['@type']}"
    for pid in ("consumerPid", "providerPid"):
        # Some types of the published context say that an id is one, others leave it a text.
        found = [each.get("@id", each.get("@value")) for each in node.get(NAMESPACE + pid, ())]
        assert found == ([document[pid]] if pid in document else []), f"for a processor the {pid} is {found}"
    return dict(document)


@dataclass
class Talk:
    """One process as the counterparty sees it."""

    case: Case
    pid: str = field(default_factory=lambda: f"urn:uuid:{uuid4()}")
    theirs: str = ""
    state: Any = None
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Held while a message is on its way: what the connector says then is heard after its answer."""
    heard: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)
    ids: set[str] = field(default_factory=set)
    resumed: bool = False
    """Whether we, as consumer, went on with what was suspended."""
    faults: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """Return the first part of every address of this kind of process."""
        return "transfers" if self.case.group.startswith("TP") else "negotiations"

    @property
    def role(self) -> Role:
        """Return our side."""
        return self.case.role.other

    @property
    def pids(self) -> dict[str, str]:
        """Return both ids as every message has them."""
        mine, other = f"{self.role}Pid", f"{self.case.role}Pid"
        return {mine: self.pid, other: self.theirs}

    def move(self, move: str, sender: Role) -> None:
        """Go on, or raise IllegalMove."""
        self.state = self.case.machine.apply(self.state, self.case.machine.Move(move), sender)


class Counterparty:
    """A participant that plays cases against the connector at `address`."""

    def __init__(self, address: str, participant: str, connector: str, authorization: str, trigger: str) -> None:
        """Begin to listen.

        Args:
            address: base of the connector's protocol endpoints.
            participant: who we are.
            connector: who the connector is.
            authorization: the header that both sides show.
            trigger: base of the addresses where the connector is asked to act as consumer.
        """
        self.address, self.participant, self.connector = address, participant, connector
        self.authorization, self.trigger = authorization, trigger
        self.talks: dict[str, Talk] = {}
        self.awaited: dict[str, Talk] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.client = httpx2.Client(headers={"Authorization": authorization}, timeout=PATIENCE)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self.server.shutdown()
        self.server.server_close()
        self.client.close()

    # --- a case -------------------------------------------------------------------------------------------------

    def play(self, case: Case) -> Talk:
        """Play a case to its last step; raise AssertionError where the connector does something else."""
        talk = Talk(case)
        self.talks[talk.pid] = talk
        steps, states = case.steps, case.states()
        for at, (step, state) in enumerate(zip(steps, states, strict=True)):
            self._step(talk, step)
            assert not talk.faults, talk.faults
            if step.how != "x" and (at + 1 == len(steps) or steps[at + 1].how != ">"):
                self.look(talk, state)
        return talk

    def look(self, talk: Talk, state: str) -> None:
        """Ask the connector for the state, which has to be `state`, on both sides."""
        kind = "TransferProcess" if talk.kind == "transfers" else "ContractNegotiation"
        end = time.monotonic() + PATIENCE
        while True:
            answer = self.client.get(f"{self.address}/{talk.kind}/{talk.theirs}")
            assert answer.status_code == 200, answer.text
            found = checked(answer.content, kind)
            # What opened the process may still be reading our answer, which has our id.
            if found[f"{talk.role}Pid"] or time.monotonic() > end:
                break
        assert {key: found[key] for key in talk.pids} == talk.pids
        assert (found["state"], talk.state) == (state, state)

    def _step(self, talk: Talk, step: Step) -> None:
        if step.how == ">":
            if talk.state is None:
                self._ask(talk)
            try:
                assert talk.heard.get(timeout=PATIENCE) == step.move
            except queue.Empty:
                raise AssertionError(f"{step.move} never came; {talk.faults}") from None
        elif step.how == "x":
            self._be_refused(talk, step.move)
        else:
            self._say(talk, step.move)

    def _say(self, talk: Talk, move: str) -> None:
        """Tell the connector of our move, which it has to take."""
        with talk.lock:
            opening = talk.state is None
            answer = self._post(talk, move)
            assert answer.status_code == (201 if opening else 200), answer.text
            if opening:
                kind = "TransferProcess" if talk.kind == "transfers" else "ContractNegotiation"
                found = checked(answer.content, kind)
                assert (found["consumerPid"], found["state"]) == (talk.pid, "REQUESTED")
                talk.theirs = found["providerPid"]
            talk.move(move, talk.role)
            talk.resumed = talk.resumed or (move == "start" and talk.role is Role.CONSUMER)

    def _be_refused(self, talk: Talk, move: str) -> None:
        """Tell the connector of a move that is not legal: it refuses, says so in its terms, and stays where it is."""
        with talk.lock:
            answer = self._post(talk, move)
            assert answer.status_code == 400, f"{answer.status_code}: {answer.text}"
            kind = "TransferError" if talk.kind == "transfers" else "ContractNegotiationError"
            found = checked(answer.content, kind)
            assert {key: found[key] for key in talk.pids} == talk.pids
            assert found["reason"], "it does not say why"
        self.look(talk, talk.state)

    def _post(self, talk: Talk, move: str) -> httpx2.Response:
        process = f"/{talk.theirs}" if talk.theirs else ""
        address = f"{self.address}/{talk.kind}{process}/{ADDRESSES[move]}"
        return self.client.post(address, json=self.message(talk, move))

    def _ask(self, talk: Talk) -> None:
        """Ask the connector to open a process with us."""
        seed = talk.case.seed
        self.awaited[seed] = talk
        asked = {"providerId": self.participant, "connectorAddress": self.url}
        if talk.kind == "transfers":
            path, more = "/tck/transfers/requests", {"agreementId": seed, "format": PULL}
        else:
            path, more = "/tck/negotiations/requests", {"datasetId": seed, "offerId": offer_from(seed)}
        answer = self.client.post(self.trigger + path, json=asked | more)
        assert answer.is_success, answer.text

    # --- what we say --------------------------------------------------------------------------------------------

    def message(self, talk: Talk, move: str) -> dict[str, Any]:
        """Return the message that tells of our move."""
        path = f"{talk.kind}/{ADDRESSES[move].rstrip('/')}"
        head = {"@context": [CONTEXT], "@type": TYPES[path], "@id": f"urn:uuid:{uuid4()}"}
        known = {key: pid for key, pid in talk.pids.items() if pid}
        return {**head, **known, **self._particulars(talk, move)}

    def _particulars(self, talk: Talk, move: str) -> dict[str, Any]:
        """Return what a message has beside the ids."""
        seed, found = talk.case.seed, dict[str, Any]()
        if move == "request":
            found = {} if talk.theirs else {"callbackAddress": self.url}
            transfers = talk.kind == "transfers"
            found |= (
                {"agreementId": seed, "format": PULL} if transfers else {"offer": self._terms(offer_of(seed), seed)}
            )
        elif move == "offer":
            found = {"offer": {**self._terms(offer_from(seed), seed), "assigner": self.participant}}
        elif move == "agree":
            found = {"agreement": self._agreement(seed)}
        elif move in {"accept", "finalize"}:
            found = {"eventType": "ACCEPTED" if move == "accept" else "FINALIZED"}
        elif move == "start" and talk.role is Role.PROVIDER:
            address = {"@type": "DataAddress", "endpointType": "https://w3id.org/idsa/v4.1/HTTP"}
            found = {"dataAddress": {**address, "endpoint": f"{self.url}/data"}}
        elif move in {"suspend", "terminate"}:
            found = {"code": "1", "reason": ["So the case has it."]}
        return found

    def _terms(self, offer: str, dataset: str) -> dict[str, Any]:
        return {"@id": offer, "@type": "Offer", "target": dataset, **RULES}

    def _agreement(self, dataset: str) -> dict[str, Any]:
        parties = {"assigner": self.participant, "assignee": self.connector, "timestamp": "2026-01-01T00:00:00Z"}
        return {"@id": f"urn:uuid:{uuid4()}", "@type": "Agreement", "target": dataset, **RULES, **parties}

    # --- what we hear -------------------------------------------------------------------------------------------

    def hear(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Take a message of the connector and return the status and the body of our answer."""
        try:
            document = self._read(path, headers, body)
            talk = self._talk(path, document)
        except (AssertionError, LookupError, TypeError, ValueError) as fault:
            self._blame(str(fault) or repr(fault))
            return 400, b""
        with talk.lock:
            try:
                return self._take(talk, document)
            except (AssertionError, LookupError, IllegalMove) as fault:
                talk.faults.append(f"{path}: {fault!r}")
                return 400, b""

    def tell(self, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Answer who asks for the state of a process."""
        kind, _, pid = path.strip("/").partition("/")
        talk = self.talks.get(pid)
        if headers.get("Authorization") != self.authorization or talk is None or talk.kind != kind:
            return 404, b""
        with talk.lock:
            return 200, self._state(talk)

    def _state(self, talk: Talk) -> bytes:
        kind = "TransferProcess" if talk.kind == "transfers" else "ContractNegotiation"
        return json.dumps({"@context": [CONTEXT], "@type": kind, **talk.pids, "state": talk.state}).encode()

    def _read(self, path: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        parts = path.strip("/").split("/")
        kind = TYPES.get("/".join(parts)) or TYPES["/".join([parts[0], *parts[2:]])]
        assert headers["Authorization"] == self.authorization, "the header proves nothing"
        assert headers["Content-Type"].partition(";")[0] == "application/json", headers["Content-Type"]
        document = checked(body, kind)
        assert document.get("@id"), "the message has no id"
        return document

    def _talk(self, path: str, document: Mapping[str, Any]) -> Talk:
        parts = path.strip("/").split("/")
        if "/".join(parts) in TYPES:
            assert document["callbackAddress"] == self.address, "the callback is not the base of the endpoints"
            return self.awaited.pop(document.get("agreementId") or document["offer"]["target"])
        return self.talks[parts[1]]

    def _take(self, talk: Talk, document: Mapping[str, Any]) -> tuple[int, bytes]:
        """Go on as the message says, if it may, and return our answer."""
        message: Any = messages.load(document)
        opening = talk.state is None
        if opening:
            talk.theirs = document[f"{talk.case.role}Pid"]
        else:
            assert {key: document[key] for key in talk.pids} == talk.pids, "the ids are not those of the process"
        if document["@id"] in talk.ids:
            return 200, b""
        self._demand(talk, message)
        move = str(talk.case.machine.move_of(message))
        if move == "start" and talk.resumed:
            # Some consumers need to be told anew where the data is. It is no move: we refuse it, and nothing follows.
            talk.resumed = False
            return 400, b""
        talk.move(move, talk.case.role)
        talk.ids.add(document["@id"])
        talk.heard.put(move)
        return 200, self._state(talk) if opening else b""

    def _demand(self, talk: Talk, message: messages.Message) -> None:
        """Hold a message against what the text asks for beyond the schemas."""
        match message:
            case messages.ContractRequestMessage(offer=terms):
                assert terms["@id"] == offer_from(talk.case.seed), "this is not the offer's id"
                assert terms["target"] == talk.case.seed
            case messages.ContractOfferMessage(offer=terms):
                assert (terms["@type"], terms["target"]) == ("Offer", talk.case.seed)
            case messages.ContractAgreementMessage(agreement=terms):
                parties = {"assigner": self.connector, "assignee": self.participant, "target": talk.case.seed}
                assert {key: terms[key] for key in parties} == parties
                assert terms["permission"] == RULES["permission"], "the rules are not those of the offer"
                assert terms["timestamp"]
            case messages.TransferStartMessage(data_address=address) if talk.role is Role.CONSUMER:
                assert address is not None, "nobody can fetch from nowhere"
                assert address.endpoint
                assert address.get("authorization")
                assert address.get("authType") == "bearer"
            case messages.TransferRequestMessage() as request:
                assert (request.agreement_id, request.format) == (talk.case.seed, PULL)

    def _blame(self, fault: str) -> None:
        """Keep a fault that cannot be told to one process for every one that goes on."""
        for talk in self.talks.values():
            talk.faults.append(fault)


def _handler(counterparty: Counterparty) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.answer(*counterparty.hear(self.path, dict(self.headers), body))

        def do_GET(self) -> None:
            self.answer(*counterparty.tell(self.path, dict(self.headers)))

        def answer(self, status: int, answer: bytes) -> None:
            with suppress(ConnectionError):
                # No content type, as the kit: an answer is understood by its status and its content.
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler
