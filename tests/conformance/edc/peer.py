"""A real Eclipse EDC connector as counterparty, and what its operator can ask of it.

It keeps everything in memory, believes whoever says who they are (mock identity), and listens on this machine only.
"""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2

from tests.conformance import java

HERE: Final = Path(__file__).parent
MAIN: Final = "org.eclipse.edc.boot.system.runtime.BaseRuntime"
NS: Final = "https://w3id.org/edc/v0.0.1/ns/"
PROTOCOL: Final = "dataspace-protocol-http:2025-1"
PULL: Final = "HttpData-PULL"
OPTIONS: Final = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""Options of the Java machine for a walk: small, and soon warm. A benchmark takes others."""
USE: Final = {"action": "use"}
PORTS: Final = ("default", "control", "management", "protocol")
READY: Final = 90.0
"""Seconds that it has to start."""
PATIENCE: Final = 20.0
"""Seconds that one step of a process may take."""
LOOK: Final = 0.01


class Refused(Exception):  # noqa: N818 - refusals read as claims, as in the product
    """EDC said no, or did not do in time what was waited for."""


@dataclass(frozen=True)
class Edc:
    """A running EDC connector, seen through its management API."""

    participant: str
    address: str
    """The base of its protocol endpoints, version 2025-1."""
    log: Path
    http: httpx2.Client = field(repr=False)

    # --- as provider ----------------------------------------------------------------------------------------------

    def offer(self, asset: str, source: str, *rules: Mapping[str, Any], **properties: Any) -> None:
        """Offer what lies at the address `source`, under these permissions (one for any use when there is none)."""
        self.add(asset, source, **properties)
        self.allow(asset, [criterion("id", "=", asset)], *rules)

    def add(self, asset: str, source: str, **properties: Any) -> None:
        """Make an asset known; it is in no catalog before something allows it."""
        address = {"type": "HttpData", "baseUrl": source}
        self.post("/assets", {"@id": asset, "properties": {"name": asset, **properties}, "dataAddress": address})

    def allow(self, name: str, assets: Sequence[Mapping[str, Any]], *rules: Mapping[str, Any]) -> None:
        """Show the assets that fulfil the criteria to everybody, and contract them on these permissions."""
        for kind, permissions in (("access", [USE]), ("contract", list(rules) or [USE])):
            policy = {"@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Set", "permission": permissions}
            self.post("/policydefinitions", {"@id": f"{kind}-{name}", "policy": policy})
        policies = {"accessPolicyId": f"access-{name}", "contractPolicyId": f"contract-{name}"}
        self.post("/contractdefinitions", {"@id": name, **policies, "assetsSelector": list(assets)})

    # --- as consumer ----------------------------------------------------------------------------------------------

    def catalog(self, peer: "Party", **query: Any) -> dict[str, Any]:
        """Return a provider's catalog as it came; `query` is a QuerySpec."""
        found: dict[str, Any] = self.post("/catalog/request", {**_counterparty(peer), "querySpec": query})
        return found

    def dataset(self, peer: "Party", key: str) -> dict[str, Any]:
        """Return one dataset of a provider, asked for by its id."""
        found: dict[str, Any] = self.post("/catalog/dataset/request", {**_counterparty(peer), "@id": key})
        return found

    def negotiate(self, peer: "Party", dataset: str, offer: Mapping[str, Any]) -> str:
        """Begin a negotiation about an offer of the catalog and return its id."""
        terms = {**offer, "@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Offer"}
        terms |= {"assigner": peer.participant, "target": dataset}
        wanted = {"@type": "ContractRequest", **_counterparty(peer), "policy": terms}
        return str(self.post("/contractnegotiations", wanted)["@id"])

    def agreed(self, negotiation: str) -> str:
        """Return EDC's own id of the agreement of a negotiation once it is FINALIZED; see `shared`."""
        path = f"/contractnegotiations/{negotiation}"
        return str(self.wait(path, "FINALIZED")["contractAgreementId"])

    def shared(self, negotiation: str) -> dict[str, Any]:
        """Return a negotiation's agreement; its `agreementId` is the id that both sides know it by."""
        found: dict[str, Any] = self.get(f"/contractnegotiations/{negotiation}/agreement")
        return found

    def transfer(self, peer: "Party", agreement: str, kind: str = PULL) -> str:
        """Begin a transfer and return its id."""
        wanted = {"@type": "TransferRequest", **_counterparty(peer), "contractId": agreement, "transferType": kind}
        return str(self.post("/transferprocesses", wanted)["@id"])

    def reference(self, transfer: str) -> dict[str, str]:
        """Return `endpoint`, `authorization` and the rest of a started transfer, which come a moment after it."""
        end = time.monotonic() + PATIENCE
        while True:
            with suppress(Refused):
                found = self.get(f"/edrs/{transfer}/dataaddress")
                return {_local(key): _value(value) for key, value in _node(found).items()}
            if time.monotonic() > end:
                raise Refused(f"There is no data address of {transfer}.")
            time.sleep(LOOK)

    # --- either ---------------------------------------------------------------------------------------------------

    def wait(self, path: str, *states: str) -> dict[str, Any]:
        """Return a process once it is in one of `states`."""
        end = time.monotonic() + PATIENCE
        while (found := self.get(path))["state"] not in states:
            over = found["state"] == "TERMINATED" or time.monotonic() > end
            if over:
                why = found.get("errorDetail", "no reason given")
                raise Refused(f"{path} is {found['state']}, not {states[0]}: {why}")
            time.sleep(LOOK)
        return dict(found)

    def get(self, path: str) -> Any:
        """Return the answer to a GET of the management API."""
        return _checked(self.http.get(path))

    def delete(self, path: str) -> None:
        """Take something back."""
        _checked(self.http.delete(path))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the answer to a POST to the management API."""
        return _checked(self.http.post(path, json={"@context": {"@vocab": NS}, **body}))


@dataclass(frozen=True)
class Party:
    """Whom EDC is to speak to."""

    participant: str
    address: str


@contextmanager
def started(
    participant: str, folder: Path, *, tuned: bool = True, options: Sequence[str] = OPTIONS, **settings: str
) -> Iterator[Edc]:
    """Run an EDC connector until the block ends; it is built first where it has not been yet.

    Args:
        participant: its id, an IRI.
        folder: where its log goes.
        tuned: 50 ms between two looks of its state machines; 1 s, its default, otherwise.
        options: of the Java machine.
        settings: more of EDC's settings.

    Raises:
        Refused: it did not become ready; the end of its log is in the message.
    """
    path = os.pathsep.join([str(HERE / "extension"), java.class_path(HERE / "pom.xml", [HERE / "Counterparty.java"])])
    ports = dict(zip(PORTS, _free(len(PORTS)), strict=True))
    given = _settings(participant, ports, tuned=tuned) | settings
    command = ["java", *options, f"-Dedc.fs.config={HERE / 'edc.properties'}"]
    command += [f"-D{key}={value}" for key, value in given.items()]
    log = folder / f"edc-{ports['protocol']}.log"
    with ExitStack() as stack:
        output = stack.enter_context(log.open("w"))
        running = subprocess.Popen([*command, "-cp", path, MAIN, "--no-color"], stdout=output, stderr=output)
        stack.callback(_stop, running)
        api = f"http://127.0.0.1:{ports['management']}/management/v3"
        http = stack.enter_context(httpx2.Client(base_url=api, timeout=60, trust_env=False))
        edc = Edc(participant, f"http://127.0.0.1:{ports['protocol']}/protocol/2025-1", log, http)
        _await_ready(edc, running)
        yield edc


def _settings(participant: str, ports: Mapping[str, int], *, tuned: bool) -> dict[str, str]:
    given = {f"web.http.{name}.port": str(port) for name, port in ports.items() if name != "default"}
    given |= {"web.http.port": str(ports["default"]), "edc.participant.id": participant}
    given["edc.dsp.callback.address"] = f"http://127.0.0.1:{ports['protocol']}/protocol"
    given["edc.control.endpoint"] = f"http://127.0.0.1:{ports['control']}/control"
    lines = (HERE / "tuned.properties").read_text(encoding="utf-8").splitlines() if tuned else []
    return given | dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def _await_ready(edc: Edc, running: subprocess.Popen[bytes]) -> None:
    """Return when the data plane is known: before that no dataset of its catalog has a distribution."""
    end = time.monotonic() + READY
    while time.monotonic() < end and running.poll() is None:
        with suppress(Refused, httpx2.TransportError):
            if any(plane.get("state") == "AVAILABLE" for plane in edc.get("/dataplanes")):
                return
        time.sleep(LOOK * 5)
    said = "\n".join(edc.log.read_text(encoding="utf-8", errors="replace").splitlines()[-25:])
    raise Refused(f"EDC did not become ready:\n{said}")


def _stop(running: subprocess.Popen[bytes]) -> None:
    running.terminate()
    try:
        running.wait(10)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()


def _free(count: int) -> list[int]:
    """Return ports of this machine that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _counterparty(peer: Party) -> dict[str, str]:
    return {"counterPartyId": peer.participant, "counterPartyAddress": peer.address, "protocol": PROTOCOL}


def criterion(left: str, operator: str, right: Any) -> dict[str, Any]:
    """Return one condition of a QuerySpec; a property without a namespace is one of EDC's."""
    left = left if "://" in left else NS + left
    return {"@type": "Criterion", "operandLeft": left, "operator": operator, "operandRight": right}


def _checked(answer: httpx2.Response) -> Any:
    if not answer.is_success:
        raise Refused(f"{answer.request.method} {answer.url.path}: {answer.status_code} {answer.text[:2000]}")
    return json.loads(answer.content) if answer.content else None


def _node(document: Any) -> dict[str, Any]:
    """Return a document's one node; the API of data addresses answers in expanded form."""
    return dict(document[0] if isinstance(document, list) else document)


def _value(value: Any) -> str:
    first = value[0] if isinstance(value, list) else value
    return str(first.get("@value", first.get("@id")) if isinstance(first, dict) else first)


def _local(key: str) -> str:
    return key.removeprefix(NS).removeprefix("edc:")
