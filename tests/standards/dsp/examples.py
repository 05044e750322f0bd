"""One message of each type in our own words, with every part that the protocol knows somewhere in it."""

from typing import Any, Final

CONTEXT: Final = "https://w3id.org/dspace/2025/1/context.jsonld"

CONSTRAINTS: Final[list[Any]] = [
    {"leftOperand": "odrl:dateTime", "operator": "lteq", "rightOperand": "2030-12-31T00:00:00Z"},
    {"leftOperand": "odrl:count", "operator": "lt", "rightOperand": {"@value": "5", "@type": "xsd:integer"}},
    {"leftOperand": "odrl:spatial", "operator": "isAnyOf", "rightOperand": ["DE", "FR"]},
    {
        "or": [
            {"leftOperand": "odrl:purpose", "operator": "eq", "rightOperand": "research"},
            {
                "and": [
                    {"leftOperand": "odrl:recipient", "operator": "neq", "rightOperand": "did:web:rival.example"},
                    {"leftOperand": "odrl:event", "operator": "gt", "rightOperand": {"@id": "urn:event:flood"}},
                ]
            },
        ]
    },
    {"xone": [{"leftOperand": "odrl:media", "operator": "isA", "rightOperand": "urn:media:paper"}]},
    {"andSequence": [{"leftOperand": "odrl:unitOfCount", "operator": "eq", "rightOperand": "urn:unit:day"}]},
]
RULES: Final[dict[str, Any]] = {
    "permission": [{"action": "use", "constraint": CONSTRAINTS}, {"action": "odrl:archive"}],
    "prohibition": [{"action": "odrl:sell", "constraint": []}],
    "obligation": [{"action": "odrl:attribute", "constraint": [CONSTRAINTS[0]]}],
}
OFFER: Final[dict[str, Any]] = {
    "@id": "urn:offer:1",
    "@type": "Offer",
    "profile": ["urn:profile:1", "urn:profile:2"],
    **RULES,
}
PIDS: Final = {"consumerPid": "urn:uuid:consumer", "providerPid": "urn:uuid:provider"}
CAUSE: Final[dict[str, Any]] = {"code": "E-7", "reason": ["Too late.", {"@value": "Zu spät.", "@language": "de"}]}
ADDRESS: Final[dict[str, Any]] = {
    "@type": "DataAddress",
    "endpointType": "https://w3id.org/idsa/v4.1/HTTP",
    "endpoint": "https://provider.example/data/1",
    "endpointProperties": [
        {"@type": "EndpointProperty", "name": "authorization", "value": "s3cr3t"},
        {"@type": "EndpointProperty", "name": "authType", "value": "bearer"},
    ],
}
CALLBACK: Final = {"callbackAddress": "https://consumer.example/dsp"}


def message(kind: str, **parts: Any) -> dict[str, Any]:
    """Return a message of a type, with an id of its own."""
    return {"@context": [CONTEXT], "@type": kind, "@id": "urn:uuid:message", **parts}


MESSAGES: Final[list[dict[str, Any]]] = [
    message("CatalogRequestMessage", filter=["rain", {"@value": "snow", "@language": "en"}]),
    message("CatalogRequestMessage"),
    message("DatasetRequestMessage", dataset="urn:dataset:1"),
    message("CatalogError", **CAUSE),
    message("ContractRequestMessage", consumerPid="c", offer={**OFFER, "target": "urn:dataset:1"}, **CALLBACK),
    message("ContractRequestMessage", **PIDS, offer={"@id": "o", "@type": "Offer", "permission": [{"action": "use"}]}),
    message("ContractOfferMessage", providerPid="p", offer={**OFFER, "target": "urn:dataset:1"}, **CALLBACK),
    message("ContractOfferMessage", **PIDS, offer={**OFFER, "target": "urn:dataset:1"}),
    message(
        "ContractAgreementMessage",
        **PIDS,
        agreement={
            **OFFER,
            "@type": "Agreement",
            "profile": "urn:profile:1",
            "target": "urn:dataset:1",
            "assigner": "did:web:provider.example",
            "assignee": "did:web:consumer.example",
            "timestamp": "2026-03-01T12:00:00.5+01:00",
        },
    ),
    message("ContractAgreementVerificationMessage", **PIDS),
    message("ContractNegotiationEventMessage", **PIDS, eventType="ACCEPTED"),
    message("ContractNegotiationEventMessage", **PIDS, eventType="FINALIZED"),
    message("ContractNegotiationTerminationMessage", **PIDS, **CAUSE),
    message("ContractNegotiation", **PIDS, state="VERIFIED"),
    message("ContractNegotiationError", **PIDS, **CAUSE),
    message("TransferRequestMessage", consumerPid="c", agreementId="a", format="HttpData-PULL", **CALLBACK),
    message(
        "TransferRequestMessage",
        consumerPid="c",
        agreementId="urn:agreement:1",
        format="HttpData-PUSH",
        dataAddress=ADDRESS,
        **CALLBACK,
    ),
    message("TransferStartMessage", **PIDS, dataAddress=ADDRESS),
    message("TransferStartMessage", **PIDS),
    message("TransferSuspensionMessage", **PIDS, **CAUSE),
    message("TransferCompletionMessage", **PIDS),
    message("TransferTerminationMessage", **PIDS),
    message("TransferProcess", **PIDS, state="SUSPENDED"),
    message("TransferError", **PIDS, **CAUSE),
]

SERVICE: Final[dict[str, Any]] = {
    "@id": "urn:service:1",
    "@type": "DataService",
    "endpointURL": "https://provider.example/dsp",
}
OPEN: Final[dict[str, Any]] = {"@id": "urn:offer:2", "@type": "Offer", "permission": [{"action": "use"}]}
SMALL: Final[dict[str, Any]] = {
    "@id": "urn:dataset:2",
    "hasPolicy": [OPEN],
    "distribution": [{"format": "HttpData-PUSH", "accessService": "urn:service:1", "hasPolicy": [OPEN]}],
}
DATASET: Final[dict[str, Any]] = {
    "@id": "urn:dataset:1",
    "@type": "Dataset",
    "hasPolicy": [OFFER],
    "distribution": [{"@type": "Distribution", "format": "HttpData-PULL", "accessService": SERVICE}],
}
CATALOG: Final[dict[str, Any]] = {
    "@context": [CONTEXT],
    "@id": "urn:catalog:1",
    "@type": "Catalog",
    "participantId": "did:web:provider.example",
    "service": [{**SERVICE, "servesDataset": [SMALL]}],
    "dataset": [DATASET],
    "catalog": [{"@id": "urn:catalog:2", "@type": "Catalog", "dataset": [SMALL], "service": [SERVICE]}],
}
