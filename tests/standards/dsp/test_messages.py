"""Messages in and out: every form of the same message, extras kept, refusals that say what, where and how to mend."""

import copy
import json
from collections.abc import Mapping
from typing import Any, Final

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from connector.errors import InvalidInput, TooLarge
from connector.standards import rdf
from connector.standards.dsp import linked, schema
from connector.standards.dsp.messages import (
    TYPES,
    CatalogError,
    ContractAgreementMessage,
    ContractNegotiation,
    ContractNegotiationError,
    ContractOfferMessage,
    ContractRequestMessage,
    DataAddress,
    TransferError,
    TransferStartMessage,
    decode,
    dump,
    encode,
    error,
    load,
    load_address,
)
from tests.standards.dsp import examples

each_message = pytest.mark.parametrize("document", examples.MESSAGES, ids=lambda found: found["@type"])
REQUEST: Final = next(found for found in examples.MESSAGES if found["@type"] == "ContractRequestMessage")
AGREEMENT: Final = next(found for found in examples.MESSAGES if found["@type"] == "ContractAgreementMessage")


def wired(document: Any) -> bytes:
    """Return the bytes of a document."""
    return json.dumps(document).encode()


def prefixed(value: Any, context: Mapping[str, str]) -> Any:
    """Return an expanded document with prefixed names wherever a prefix fits."""
    if isinstance(value, list):
        return [prefixed(each, context) for each in value]
    if isinstance(value, dict):
        return {prefixed(key, context): prefixed(each, context) for key, each in value.items()}
    if isinstance(value, str):
        for prefix, namespace in context.items():
            if value.startswith(namespace):
                return f"{prefix}:{value.removeprefix(namespace)}"
    return value


@each_message
def test_reading_and_writing_is_the_identity(document: dict[str, Any]) -> None:
    """Each message comes out as it went in, and its struct has the name of the type."""
    message = decode(wired(document), TYPES[document["@type"]])
    assert type(message).__name__ == document["@type"]
    assert json.loads(encode(message)) == document
    assert decode(encode(message)) == load(dump(message)) == message


@each_message
def test_the_expanded_form_is_the_same_message(document: dict[str, Any]) -> None:
    """A peer that sends expanded JSON-LD means, and gets, the same as one that sends the plain form."""
    assert decode(wired(rdf.expand(document))) == decode(wired(document))
    assert decode(wired(rdf.expand(document)[0])) == decode(wired(document))


@each_message
def test_the_prefixed_form_is_the_same_message(document: dict[str, Any]) -> None:
    """So does one that writes prefixed names under an inline context."""
    names = {name: rdf.PREFIXES[name] for name in ("dspace", "odrl", "xsd")}
    node = prefixed(rdf.expand(document)[0], names)
    assert "dspace:" in node["@type"][0]
    assert decode(wired({"@context": names, **node})) == decode(wired(document))


@each_message
@pytest.mark.parametrize("context", [examples.CONTEXT, [examples.CONTEXT, {"ex": "urn:ex:"}]], ids=["bare", "inline"])
def test_a_context_that_is_no_array_of_text_is_understood(document: dict[str, Any], context: Any) -> None:
    """A compacting library turns the array of one context into a bare string; that is no reason to refuse."""
    assert decode(wired({**document, "@context": context})) == decode(wired(document))


@each_message
def test_the_type_with_a_prefix_is_the_type(document: dict[str, Any]) -> None:
    """`dspace:ContractRequestMessage` beside the protocol's own context is the plain type."""
    plain = {key: value for key, value in document.items() if key in {"@context", "@id"}}
    terms = {key: value for key, value in document.items() if key not in plain and key != "@type"}
    expanded = rdf.expand({**plain, **terms, "@type": document["@type"]})[0]
    mixed = {"@context": [examples.CONTEXT, "https://unknown.example/context"], **expanded}
    mixed["@type"] = "dspace:" + document["@type"]
    assert decode(wired(mixed)) == decode(wired(document))


def test_numbers_lists_and_objects_of_json_ld_become_what_the_schema_asks_for() -> None:
    """Native numbers, `@list`, single logical operands and references are written as the plain form has them."""
    odrl = "http://www.w3.org/ns/odrl/2/"
    rule = {odrl + "leftOperand": {"@id": odrl + "count"}, odrl + "operator": {"@id": odrl + "lt"}}
    request = rdf.expand(REQUEST)[0]
    (offer,) = request[examples.CONTEXT.replace("context.jsonld", "offer")]
    offer[odrl + "permission"] = [
        {
            odrl + "action": [{"@id": odrl + "use"}],
            odrl + "constraint": [
                {odrl + "and": [{"@list": [{**rule, odrl + "rightOperand": 5}]}]},
                {odrl + "or": [{**rule, odrl + "rightOperand": True}]},
                {**rule, odrl + "rightOperand": 1.5},
            ],
        }
    ]
    request["https://w3id.org/dspace/2025/1/callbackAddress"] = [{"@id": "https://c.example/dsp"}]
    message = decode(wired([request]), ContractRequestMessage)
    assert message.callback_address == "https://c.example/dsp"
    plain = {"leftOperand": "odrl:count", "operator": "lt"}
    assert message.offer["permission"][0]["constraint"] == [
        {"and": [{**plain, "rightOperand": {"@value": "5", "@type": "xsd:integer"}}]},
        {"or": [{**plain, "rightOperand": {"@value": "true", "@type": "xsd:boolean"}}]},
        {**plain, "rightOperand": {"@value": "1.5", "@type": "xsd:double"}},
    ]


def test_pids_of_a_transfer_error_may_be_references() -> None:
    """The context types these two pids as text, peers write them as references: both are the pid."""
    (node,) = rdf.expand(next(found for found in examples.MESSAGES if found["@type"] == "TransferError"))
    node["https://w3id.org/dspace/2025/1/consumerPid"] = [{"@id": "urn:uuid:consumer"}]
    assert decode(wired(node), TransferError).consumer_pid == "urn:uuid:consumer"


KEYS = st.sampled_from(["urn:greendeal:ns:purpose", "urn:greendeal:ns:signature", "https://x.example/y", "dct:title"])
EXTRAS = st.dictionaries(KEYS | st.text(min_size=1).filter(lambda key: key[0] != "@"), st.text() | st.lists(st.text()))


@given(st.sampled_from(examples.MESSAGES), EXTRAS)
def test_keys_we_do_not_know_are_kept_and_sent_on(document: dict[str, Any], extra: dict[str, Any]) -> None:
    """Purposes and signatures travel as extra keys; so does what another connector adds."""
    known = {name for kind in TYPES.values() for name in kind.__struct_encode_fields__}
    extra = {key: value for key, value in extra.items() if key not in known}
    message = decode(wired({**document, **extra}))
    assert message.extra == extra
    assert json.loads(encode(message)) == {**document, **extra}


@pytest.mark.parametrize(
    ("document", "key"),
    [
        (REQUEST, "urn:greendeal:ns:purpose"),
        (AGREEMENT, "urn:greendeal:ns:signature"),
        (examples.message("ContractAgreementVerificationMessage", **examples.PIDS), "urn:greendeal:ns:signature"),
    ],
)
def test_our_own_extras_survive_a_detour_through_json_ld(document: dict[str, Any], key: str) -> None:
    """What we add has full IRIs, so a peer that expands and compacts what it passes on loses nothing."""
    sent = load(document)
    sent = type(sent)(
        **{name: getattr(sent, name) for name in sent.__struct_fields__ if name != "extra"}, extra={key: "x"}
    )
    assert decode(wired(rdf.expand(json.loads(encode(sent))))) == sent


def test_further_contexts_are_kept() -> None:
    """A message of Eclipse EDC names a second context that does not ship: it is plain JSON all the same."""
    contexts = [examples.CONTEXT, "https://w3id.org/edc/dspace/v0.0.1"]
    message = decode(wired({**REQUEST, "@context": contexts}), ContractRequestMessage)
    assert message.context == tuple(contexts)
    assert json.loads(encode(message))["@context"] == contexts


def test_a_message_id_of_another_kind_is_kept() -> None:
    """The schemas say nothing of a message's `@id`, so an odd one is no reason to refuse the message."""
    message = decode(wired({**REQUEST, "@id": 5}))
    assert message.id is None
    assert json.loads(encode(message))["@id"] == 5


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        ({"consumerPid": 5}, "$.consumerPid", "number"),
        ({"consumerPid": None}, "$.consumerPid", "null"),
        ({"providerPid": "p"}, "$", "exactly one"),
        ({"offer": []}, "$.offer", "array"),
        ({"offer": {"@type": "Offer", "permission": [{"action": "use"}]}}, "$.offer", "'@id'"),
        ({"offer": {"@id": "o", "@type": "Offer", "permission": []}}, "$.offer.permission", "empty"),
        ({"offer": {"@id": "o", "@type": "Offer"}}, "$.offer", "permission"),
        ({"offer": {"@id": "o", "@type": "Set", "permission": [{"action": "use"}]}}, "$.offer.@type", "'Offer'"),
        (
            {"offer": {"@id": "o", "@type": "Offer", "permission": [{"action": "use", "target": "x"}]}},
            "$.offer.permission[0]",
            "'target'",
        ),
        (
            {"offer": {"@id": "o", "@type": "Offer", "permission": [{"action": "use", "constraint": [{"or": 5}]}]}},
            "$.offer.permission[0].constraint[0].or",
            "array",
        ),
        (
            {
                "offer": {
                    "@id": "o",
                    "@type": "Offer",
                    "prohibition": [
                        {
                            "action": "use",
                            "constraint": [{"leftOperand": "odrl:count", "operator": "lt", "rightOperand": 5}],
                        }
                    ],
                }
            },
            "$.offer.prohibition[0].constraint[0].rightOperand",
            "@value",
        ),
    ],
)
def test_a_refusal_says_what_where_and_how_to_mend_it(change: dict[str, Any], where: str, words: str) -> None:
    """Somebody who reads the refusal can put the message right without the specification beside them."""
    with pytest.raises(InvalidInput) as refusal:
        decode(wired({**REQUEST, **change}), ContractRequestMessage)
    assert refusal.value.where == where
    assert words in str(refusal.value)
    assert refusal.value.fix


def test_all_that_is_wrong_is_told_at_once() -> None:
    """A message with several faults names them all, up to a bound."""
    with pytest.raises(InvalidInput) as refusal:
        decode(wired({**REQUEST, "consumerPid": 5, "callbackAddress": {}}))
    assert len(refusal.value.reasons) == 2
    with pytest.raises(InvalidInput) as refusal:
        decode(wired({**REQUEST, "offer": {"@id": "o", "@type": "Offer", "permission": [{}] * 1000}}))
    assert len(refusal.value.reasons) == 20


def test_the_wrong_message_is_refused_by_name() -> None:
    """A message that does not belong to the endpoint is named, and so is what belongs there."""
    with pytest.raises(InvalidInput, match="ContractRequestMessage") as refusal:
        decode(wired(REQUEST), ContractAgreementMessage, ContractOfferMessage)
    assert refusal.value.fix is not None
    assert "ContractAgreementMessage or ContractOfferMessage" in refusal.value.fix


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        5,
        "ContractRequestMessage",
        [REQUEST, REQUEST],
        {**REQUEST, "@type": "Unheard"},
        {**REQUEST, "@type": ["ContractRequestMessage", 5]},
        {**REQUEST, "@type": {}},
        {key: value for key, value in REQUEST.items() if key != "@context"},
        {**REQUEST, "@context": None},
        {**REQUEST, "@context": []},
        {**REQUEST, "@context": ["https://unknown.example/context"]},
        {**REQUEST, "@context": "https://unknown.example/context"},
        {**REQUEST, "@context": {"@vocab": "https://w3id.org/dspace/2025/1/"}},
        {**REQUEST, "@context": [examples.CONTEXT, {"ContractRequestMessage": "urn:other"}]},
    ],
)
def test_what_is_no_message_in_any_form_is_refused(document: Any) -> None:
    """Whatever else arrives is refused as such; unknown contexts are not fetched and protected terms not bent."""
    with pytest.raises(InvalidInput):
        decode(wired(document))


def test_json_ld_is_tried_on_small_documents_only() -> None:
    """Forms that need a processor a thousand times slower are bounded much more tightly than plain ones."""
    filters = [{"a": 1}] * linked.MAX_NODES
    plain = examples.message("CatalogRequestMessage", filter=filters)
    assert decode(wired(plain)).extra == {}
    with pytest.raises(TooLarge, match="plain"):
        decode(wired({**plain, "@context": examples.CONTEXT}))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["@id", "@value", "x:y"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["@id", "@type", "@value", "@context", "@list", "@set", "@graph", "@reverse", "@included", "@nest"]
            )
            | st.sampled_from(["@language", "@index", "offer", "permission", "dspace:offer", "odrl:and", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(st.sampled_from(examples.MESSAGES), st.sampled_from(["@context", "@type", "@id", "@reverse", "offer"]), values)
def test_broken_json_ld_is_read_or_refused(document: dict[str, Any], key: str, value: Any) -> None:
    """Whatever stands in the places that decide how a document is read, the answer is a message or a refusal."""
    changed = {**copy.deepcopy(document), "@type": "dspace:" + document["@type"], key: value}
    try:
        message = decode(wired(changed))
    except InvalidInput:
        return
    event("read")
    assert next(schema.MESSAGES[type(message).__name__](dump(message), "$"), None) is None


def test_errors_have_what_their_family_needs() -> None:
    """Errors about negotiations and transfers have both pids, even when nobody has one of them."""
    assert error("catalog", "404", ["There is no such dataset."]) == CatalogError(
        code="404", reason=("There is no such dataset.",)
    )
    negotiation = error("negotiation", "400", ["No."], "c")
    transfer = error("transfer", "400", ["No."], "c", "p", id="urn:uuid:1")
    assert isinstance(negotiation, ContractNegotiationError)
    assert isinstance(transfer, TransferError)
    assert (negotiation.consumer_pid, negotiation.provider_pid) == ("c", "")
    assert (transfer.consumer_pid, transfer.provider_pid, transfer.id) == ("c", "p", "urn:uuid:1")
    for said in (negotiation, transfer):
        assert decode(encode(said), type(said)) == said


def test_an_error_without_reasons_leaves_the_key_out() -> None:
    """An empty array is not valid, so no reason means no key."""
    assert "reason" not in dump(error("transfer", "500", []))


def test_an_acknowledgement_carries_both_pids_and_the_state() -> None:
    """An acknowledgement is written as the schema wants it."""
    said = ContractNegotiation(consumer_pid="c", provider_pid="p", state="REQUESTED")
    assert json.loads(encode(said)) == {
        "@context": [examples.CONTEXT],
        "@type": "ContractNegotiation",
        "consumerPid": "c",
        "providerPid": "p",
        "state": "REQUESTED",
    }


def test_a_data_address_is_stored_and_read_back_and_shows_no_token() -> None:
    """A data address goes to the database as plain JSON; its token does not go into a log."""
    message = decode(wired(examples.message("TransferStartMessage", **examples.PIDS, dataAddress=examples.ADDRESS)))
    assert isinstance(message, TransferStartMessage)
    address = message.data_address
    assert isinstance(address, DataAddress)
    assert (address.get("authorization"), address.get("authType"), address.get("none")) == ("s3cr3t", "bearer", None)
    assert dump(address) == examples.ADDRESS
    assert load_address(examples.ADDRESS) == address
    assert "s3cr3t" not in repr(message)
    with pytest.raises(InvalidInput):
        load_address({"@type": "DataAddress"})


def test_every_type_has_a_schema_and_the_other_way_round() -> None:
    """No message is read without a check and no check is without a message."""
    assert set(TYPES) == set(schema.MESSAGES)
