"""A counterparty that behaves as Eclipse EDC 0.15.1 was seen to; `edc/habits.py` asks the real one for the same."""

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from uuid import uuid4

import httpx2

from tests.builders import Answer, Heard, Puppet, puppet
from tests.conformance.edc.identity import header
from tests.running import Running
from tests.standards.odrl.strategies import as_edc_writes

EDC: Final = "did:web:edc.example"
NS: Final = "https://w3id.org/edc/v0.0.1/ns/"
CONTEXT: Final = ("https://w3id.org/dspace/2025/1/context.jsonld", "https://w3id.org/edc/dspace/v0.0.1")
SERVER_ERROR: Final = (
    b'<html>\n<head>\n<meta http-equiv="Content-Type" content="text/html;charset=ISO-8859-1"/>\n'
    b"<title>Error 500 Internal Server Error</title>\n</head>\n<body>\n<h2>HTTP ERROR 500</h2>\n</body>\n</html>\n"
)
PAGE: Final = 2


def message(kind: str, **fields: Any) -> dict[str, Any]:
    """Return a message as EDC writes it: its own context beside the protocol's, a new id each time, context last."""
    return {"@id": str(uuid4()), "@type": kind, **fields, "@context": list(CONTEXT)}


def refusal(status: int, why: str, kind: str = "ContractNegotiationError") -> Answer:
    """Return EDC's error object, which has the status as code and no pids."""
    return _json(status, {"@type": kind, "code": str(status), "reason": [why], "@context": list(CONTEXT)})


class EdcLike:
    """EDC as provider and as consumer; what it is told early, it answers with 409.

    Attributes:
        puppet: the server, with what it heard.
        ours: who it speaks to.
        early: by the end of a path, how often it is not ready yet.
        datasets: what it offers.
        flow: whether it goes on by itself.
    """

    def __init__(self, made: Puppet, ours: Running) -> None:
        self.puppet = made
        self.ours = ours
        self.early: Counter[str] = Counter()
        self.datasets: list[dict[str, Any]] = []
        self.flow = True
        made.script = self.answer

    # --- what it says ---------------------------------------------------------------------------------------------

    def say(self, path: str, body: Mapping[str, Any] | bytes, **headers: str | None) -> httpx2.Response:
        """Send us a message; headers of these names take the place of the right ones, None leaves one out."""
        right = {"authorization": header(EDC, self.ours.participant), "content_type": "application/json"}
        sent = {name.replace("_", "-"): value for name, value in (right | headers).items() if value is not None}
        content = body if isinstance(body, bytes) else json.dumps(body)
        return httpx2.post(self.ours.address + path, content=content, headers=sent, timeout=30, trust_env=False)

    def request(self, dataset: str, offer: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
        """Return its first request for an offer of ours: the values of the terms have become text."""
        terms = {**as_edc_writes(offer), "assigner": self.ours.participant, "target": dataset}
        fields = {"consumerPid": str(uuid4()), "callbackAddress": self.puppet.address, "offer": terms}
        return message("ContractRequestMessage", **fields | changes)

    def catalog(self, *datasets: dict[str, Any]) -> dict[str, Any]:
        """Return a catalog document with these datasets."""
        service = {"@id": str(uuid4()), "@type": "DataService", "endpointDescription": "dspace:connector"}
        service["endpointURL"] = self.puppet.address
        more = {"dataset": list(datasets)} if datasets else {}
        return message("Catalog", **more, service=[service], participantId=EDC)

    def dataset(self, key: str, **terms: Any) -> dict[str, Any]:
        """Return a dataset of its catalog: an offer id of base64, both formats, the service in each distribution."""
        offer = {
            "@id": f"ZGVm==:{key.encode().hex()}==:{uuid4().hex}",
            "@type": "Offer",
            "permission": [{"action": "use"}],
        }
        service = {"@id": str(uuid4()), "@type": "DataService", "endpointURL": self.puppet.address}
        formats = [
            {"@type": "Distribution", "format": each, "accessService": service}
            for each in ("HttpData-PULL", "HttpData-PUSH")
        ]
        found = {"@id": key, "@type": "Dataset", "hasPolicy": [offer | terms], "distribution": formats}
        return {**found, "edc:name": f"Asset {key}", "id": key}

    # --- what it answers ------------------------------------------------------------------------------------------

    def answer(self, heard: Heard) -> Answer:
        """Answer as EDC does, and go on by itself a moment later."""
        try:
            who = json.loads(heard.authorization)["clientId"]
        except ValueError:
            return Answer(500, SERVER_ERROR, (("Content-Type", "text/html;charset=iso-8859-1"),))
        assert who == self.ours.participant
        path = heard.path.removeprefix("/dsp")
        end = path.partition("?")[0].rpartition("/")[2]
        if self.early[end]:
            self.early[end] -= 1
            return refusal(409, f"Cannot process {heard.message['@type']} because it is too early")
        if path.startswith("/catalog/request"):
            return self._page(path)
        if self.flow:
            threading.Timer(0.01, self._go_on, (heard.message if heard.body else {},)).start()
        if end == "request":
            kind = "ContractNegotiation" if "negotiations" in path else "TransferProcess"
            pid = heard.message["consumerPid"]
            return _json(200, message(kind, consumerPid=pid, providerPid=f"edc-{pid}", state="REQUESTED"))
        return Answer(200, b"", (("Content-Type", "application/json"),))

    def _page(self, path: str) -> Answer:
        """Return a page of the catalog; a Link leads to the next, to be asked for by POST, and to the one before."""
        found = re.search(r"continuationToken=(\d+)", path)
        at = int(found[1]) if found else 0
        url = f"{self.puppet.address}/catalog/request?continuationToken="
        links = [f'<{url}{at + PAGE}>; rel="next"'] if at + PAGE < len(self.datasets) else []
        links += [f'<{url}{at - PAGE}>; rel="prev"'] if at else []
        headers = (("Link", ", ".join(links)),) if links else ()
        return _json(200, self.catalog(*self.datasets[at : at + PAGE]), *headers)

    def _go_on(self, told: Mapping[str, Any]) -> None:
        """Make the next move."""
        pair = {key: told.get(key) for key in ("consumerPid", "providerPid")}
        match told.get("@type"):
            case "ContractRequestMessage":
                parties = {"assigner": EDC, "assignee": self.ours.participant, "target": told["offer"]["target"]}
                rules = as_edc_writes({key: told["offer"][key] for key in ("permission",)})
                terms = {"@id": str(uuid4()), "@type": "Agreement", **rules, **parties}
                pair["providerPid"] = f"edc-{told['consumerPid']}"
                agreed = message(
                    "ContractAgreementMessage", **pair, agreement=terms | {"timestamp": "2026-01-01T00:00:00Z"}
                )
                self.say(f"/negotiations/{told['consumerPid']}/agreement", agreed)
            case "ContractAgreementVerificationMessage":
                final = message("ContractNegotiationEventMessage", **pair, eventType="FINALIZED")
                self.say(f"/negotiations/{told['consumerPid']}/events", final)
            case "ContractAgreementMessage":
                verified = message("ContractAgreementVerificationMessage", **pair)
                self.say(f"/negotiations/{told['providerPid']}/agreement/verification", verified)
            case "TransferRequestMessage":
                pair["providerPid"] = f"edc-{told['consumerPid']}"
                names = {"endpoint": f"{self.puppet.address}/public", "authType": "bearer", "authorization": "eyJ.a.b"}
                properties = [{"@type": "EndpointProperty", "name": NS + n, "value": v} for n, v in names.items()]
                where: dict[str, Any] = {"@type": "DataAddress", "endpointType": "https://w3id.org/idsa/v4.1/HTTP"}
                where["endpointProperties"] = properties
                self.say(
                    f"/transfers/{told['consumerPid']}/start",
                    message("TransferStartMessage", **pair, dataAddress=where),
                )


def _json(status: int, document: Mapping[str, Any], *headers: tuple[str, str]) -> Answer:
    return Answer(status, json.dumps(document).encode(), (("Content-Type", "application/json"), *headers))


@contextmanager
def edc_like(ours: Running) -> Iterator[EdcLike]:
    """Let such a counterparty answer until the block ends, known to `ours`."""
    with puppet(EDC) as made:
        found = EdcLike(made, ours)
        ours.space.trust({"participant": EDC, "address": made.address, "keys": made.public_keys()}, "EDC")
        yield found
