"""`greendeal offer | negotiate | agreement | transfer …`: terms and what is done under them."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import uuid4

import typer

from connector.cli.output import Form, Output, say, write
from connector.cli.remote import HERE, ApiKey, Url, space
from connector.errors import InvalidInput

OFFER: Final = ["id", "dataset", "automation", "state"]
NEGOTIATION: Final = ["pid", "role", "peer", "state", "dataset", "pending"]
AGREEMENT: Final = ["id", "role", "peer", "state", "dataset", "uses"]
TRANSFER: Final = ["pid", "role", "peer", "state", "dataset"]

STEP: Final = ["at", "who", "what", "state", "why", "message"]
ANSWER: Final = "What happens by itself: accept, approve (a person decides), none, or scripted."


class Answer(StrEnum):
    """The automation rules."""

    ACCEPT = "accept"
    APPROVE = "approve"
    NONE = "none"
    SCRIPTED = "scripted"


Script = Annotated[
    Path | None, typer.Option(exists=True, help='The steps of a scripted rule: a JSON list of {"on", "do", "after"}.')
]
Terms = Annotated[Path, typer.Option("--policy", exists=True, help="A file with an ODRL policy.")]
Key = Annotated[str, typer.Argument(help="Its id.")]
Why = Annotated[str, typer.Option("--reason", help="Why; the other side is told.")]

offers = typer.Typer(help="Terms of our own datasets.", no_args_is_help=True)
negotiations = typer.Typer(help="Contract negotiations.", no_args_is_help=True)
agreements = typer.Typer(help="Agreements.", no_args_is_help=True)
transfers = typer.Typer(help="Transfers of data.", no_args_is_help=True)


@offers.command("make")
def make_offer(
    dataset: Annotated[str, typer.Argument(help="The dataset's IRI.")],
    template: Annotated[str | None, typer.Option(help="Name of a policy template; see `offer templates`.")] = None,
    value: Annotated[
        list[str] | None, typer.Option(help="A template's parameter, name=value; may be repeated.")
    ] = None,
    policy: Annotated[Path | None, typer.Option(exists=True, help="A file with an ODRL policy instead.")] = None,
    answer: Annotated[Answer, typer.Option(help=ANSWER)] = Answer.APPROVE,
    script: Script = None,
    url: Url = HERE,
    api_key: ApiKey = "",
    output: Output = Form.TABLE,
) -> None:
    """Offer a dataset."""
    terms = json.loads(policy.read_bytes()) if policy else None
    here = space(url, api_key)
    values = _values(value or [])
    rule = _rule(answer, script)
    write(here.offer(dataset, template=template, values=values, policy=terms, **rule), output, OFFER)


@offers.command("automate")
def automate_offer(
    key: Key,
    answer: Annotated[Answer, typer.Option(help=ANSWER)],
    script: Script = None,
    url: Url = HERE,
    api_key: ApiKey = "",
    output: Output = Form.TABLE,
) -> None:
    """Change how requests for an offer are answered from now on."""
    body = {"id": key, **_rule(answer, script)}
    write(space(url, api_key).connection.post("/api/offers/automation", body), output, OFFER)


@offers.command("send")
def send_offer(
    key: Key,
    peer: Annotated[str, typer.Argument(help="The participant IRI of who is to get it.")],
    url: Url = HERE,
    api_key: ApiKey = "",
    output: Output = Form.TABLE,
) -> None:
    """Send an offer to a peer that did not ask."""
    body = {"peer": peer, "offer": key, "id": f"urn:uuid:{uuid4()}"}
    write(space(url, api_key).connection.post("/api/negotiations/offered", body), output, NEGOTIATION)


@offers.command("list")
def list_offers(url: Url = HERE, api_key: ApiKey = "", output: Output = Form.TABLE) -> None:
    """List our offers."""
    write(space(url, api_key).connection.get("/api/offers"), output, OFFER)


@offers.command("close")
def close_offer(key: Key, url: Url = HERE, api_key: ApiKey = "") -> None:
    """Take an offer back; agreements made under it stay."""
    space(url, api_key).connection.post("/api/offers/close", {"id": key})
    say(f"{key} is closed.")


@offers.command("templates")
def templates(url: Url = HERE, api_key: ApiKey = "", output: Output = Form.TABLE) -> None:
    """List the policy templates."""
    write(space(url, api_key).connection.get("/api/templates"), output, ["name", "title", "sentence"])


@negotiations.command("start")
def start(
    peer: Annotated[str, typer.Argument(help="The provider's participant IRI.")],
    dataset: Annotated[str, typer.Argument(help="The dataset's IRI.")],
    accept: Annotated[str, typer.Option(help="`any`, or a file with the policies that you agree to.")],
    purpose: Annotated[str | None, typer.Option(help="IRI of what the data is for.")] = None,
    offer: Annotated[str | None, typer.Option(help="Id of the offer, where there are several.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the end.")] = 60.0,
    url: Url = HERE,
    api_key: ApiKey = "",
    output: Output = Form.TABLE,
) -> None:
    """Negotiate for a dataset that was found, and wait for the agreement."""
    from connector.client.spaces import Accept, Hit  # noqa: PLC0415 - see the package

    here = space(url, api_key)
    wanted: Accept = "any" if accept == "any" else json.loads(Path(accept).read_bytes())
    hit = Hit(here.connection, peer, dataset, dataset)
    agreement = hit.negotiate(accept=wanted, purpose=purpose, offer=offer, timeout=timeout)
    write(agreement.state, output, AGREEMENT)


@negotiations.command("offers")
def found_offers(
    peer: Annotated[str, typer.Argument(help="The provider's participant IRI.")],
    dataset: Annotated[str, typer.Argument(help="The dataset's IRI.")],
    url: Url = HERE,
    api_key: ApiKey = "",
    output: Output = Form.TABLE,
) -> None:
    """List the terms under which a peer offers a dataset."""
    answer = space(url, api_key).connection.get("/api/negotiations/offers", participant=peer, dataset=dataset)
    write(answer, output, ["id", "sentence"])


@negotiations.command("list")
def list_negotiations(url: Url = HERE, api_key: ApiKey = "", output: Output = Form.TABLE) -> None:
    """List the negotiations, newest first."""
    write(space(url, api_key).connection.get("/api/negotiations"), output, NEGOTIATION)


@negotiations.command("show")
def show_negotiation(key: Key, url: Url = HERE, api_key: ApiKey = "", output: Output = Form.TABLE) -> None:
    """Show one negotiation."""
    write(space(url, api_key).connection.get(f"/api/negotiations/{key}"), output)


@negotiations.command("timeline")
def negotiation_timeline(key: Key, url: Url = HERE, api_key: ApiKey = "", output: Output = Form.TABLE) -> None:
    """Show what happened in a negotiation, who did it, when and why."""
    write(space(url, api_key).connection.get(f"/api/negotiations/{key}/timeline"), output, STEP)


@negotiations.command("propose")
def propose(key: Key, policy: Terms, url: Url = HERE, api_key: ApiKey = "", output: Output = Form.TABLE) -> None:
    """Put other terms on the table: a counter-offer as provider, a counter-request as consumer."""
    body = {"policy": json.loads(policy.read_bytes())}
    write(space(url, api_key).connection.post(f"/api/negotiations/{key}/propose", body), output, NEGOTIATION)


@negotiations.command("approve")
def approve(key: Key, url: Url = HERE, api_key: ApiKey = "", output: Output = Form.TABLE) -> None:
    """Say yes to what waits for a person."""
    write(space(url, api_key).connection.post(f"/api/negotiations/{key}/approve"), output, NEGOTIATION)


@negotiations.command("terminate")
def terminate_negotiation(key: Key, reason: Why, url: Url = HERE, api_key: ApiKey = "") -> None:
    """End a negotiation."""
    space(url, api_key).connection.post(f"/api/negotiations/{key}/terminate", {"reason": reason})
    say(f"{key} is terminated.")


@agreements.command("list")
def list_agreements(url: Url = HERE, api_key: ApiKey = "", output: Output = Form.TABLE) -> None:
    """List the agreements, newest first."""
    write(space(url, api_key).connection.get("/api/agreements"), output, AGREEMENT)


@agreements.command("show")
def show_agreement(key: Key, url: Url = HERE, api_key: ApiKey = "", output: Output = Form.JSON) -> None:
    """Show one agreement with its rules and signatures."""
    write(space(url, api_key).agreement(key).state, output)


@agreements.command("evidence")
def evidence(key: Key, url: Url = HERE, api_key: ApiKey = "", output: Output = Form.TABLE) -> None:
    """Show what was recorded about an agreement, negotiation, transfer or dataset."""
    write(space(url, api_key).agreement(key).evidence, output, ["seq", "at", "kind", "actor", "digest"])


@agreements.command("automate")
def automate_agreement(
    key: Key,
    answer: Annotated[Answer, typer.Option(help=ANSWER)],
    script: Script = None,
    url: Url = HERE,
    api_key: ApiKey = "",
    output: Output = Form.TABLE,
) -> None:
    """Change what happens by itself in transfers under an agreement from now on."""
    agreement = space(url, api_key).agreement(key)
    write(agreement.automate(**_rule(answer, script)), output, AGREEMENT)


@agreements.command("terminate")
def terminate_agreement(key: Key, reason: Why, url: Url = HERE, api_key: ApiKey = "") -> None:
    """End an agreement at once; its running transfers end too."""
    space(url, api_key).agreement(key).terminate(reason)
    say(f"{key} is terminated.")


@transfers.command("list")
def list_transfers(url: Url = HERE, api_key: ApiKey = "", output: Output = Form.TABLE) -> None:
    """List the transfers, newest first."""
    write(space(url, api_key).connection.get("/api/transfers"), output, TRANSFER)


@transfers.command("timeline")
def transfer_timeline(key: Key, url: Url = HERE, api_key: ApiKey = "", output: Output = Form.TABLE) -> None:
    """Show what happened in a transfer, who did it, when and why."""
    write(space(url, api_key).connection.get(f"/api/transfers/{key}/timeline"), output, STEP)


@transfers.command("start")
def start_transfer(key: Key, url: Url = HERE, api_key: ApiKey = "", output: Output = Form.TABLE) -> None:
    """Start a transfer that waits for a person, or go on with a suspended one."""
    write(space(url, api_key).connection.post(f"/api/transfers/{key}/start"), output, TRANSFER)


@transfers.command("suspend")
def suspend_transfer(key: Key, reason: Why, url: Url = HERE, api_key: ApiKey = "", output: Output = Form.TABLE) -> None:
    """Pause a running transfer."""
    write(space(url, api_key).connection.post(f"/api/transfers/{key}/suspend", {"reason": reason}), output, TRANSFER)


@transfers.command("get")
def get(
    agreement: Annotated[str, typer.Argument(help="The agreement's id.")],
    folder: Annotated[Path, typer.Option(file_okay=False, exists=True, help="Where the file goes.")] = Path(),
    url: Url = HERE,
    api_key: ApiKey = "",
) -> None:
    """Fetch the data of an agreement; one use of it."""
    path = space(url, api_key).agreement(agreement).download(folder)
    say(f"{path}: {path.stat().st_size:,} bytes")


def _rule(answer: Answer, script: Path | None) -> dict[str, Any]:
    return {"automation": answer.value, "script": json.loads(script.read_bytes()) if script else []}


def _values(given: list[str]) -> dict[str, Any]:
    """Return template parameters from `name=value`; a parameter that is given several times is a list."""
    found: dict[str, Any] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InvalidInput(f"{pair!r} is no parameter.", where="--value", fix="Write name=value.")
        if name in found:
            before = found[name]
            found[name] = [*(before if isinstance(before, list) else [before]), value]
        else:
            found[name] = value
    return found
