"""Data addresses of an HTTP pull: where the bytes are and with which token, under the names that peers look for.

The protocol suggests `authorization` and `authType` and leaves every name open (clause 10.3.2). Eclipse EDC looks only
at properties under full IRIs of its own, the endpoint among them, and sends only those. Ours say both.
"""

from typing import Final

from connector.standards.dsp.messages import DataAddress, EndpointProperty
from connector.standards.rdf import GD

HTTP: Final = "https://w3id.org/idsa/v4.1/HTTP"
"""Endpoint type of an HTTP pull."""

RENEWAL: Final = f"{GD}renewal"
"""Endpoint property: where the consumer's connector gets a fresh token while the transfer runs."""

EDC: Final = "https://w3id.org/edc/v0.0.1/ns/"
_NAMES: Final = ("authorization", "authType")


def pull(endpoint: str, token: str, renewal: str) -> DataAddress:
    """Return the address of data at `endpoint` for whoever bears `token`; `renewal` gives a fresh one."""
    said = {"authorization": token, "authType": "bearer"}
    foreign = {EDC + "endpoint": endpoint, **{EDC + name: said[name] for name in _NAMES}}
    return DataAddress(
        endpoint_type=HTTP,
        endpoint=endpoint,
        endpoint_properties=_properties({**said, RENEWAL: renewal, **foreign}),
    )


def plain(address: DataAddress) -> DataAddress:
    """Return an address of any connector under the protocol's names; what stands there under both keeps the plain one.

    Everything else of it stays as it is.
    """
    given = {each.name: each.value for each in address.endpoint_properties}
    endpoint = given.pop(EDC + "endpoint", None)
    for name in _NAMES:
        if (value := given.pop(EDC + name, None)) is not None:
            given.setdefault(name, value)
    return DataAddress(
        endpoint_type=address.endpoint_type,
        endpoint=address.endpoint or endpoint,
        endpoint_properties=_properties(given),
        extra=address.extra,
    )


def _properties(values: dict[str, str]) -> tuple[EndpointProperty, ...]:
    return tuple(EndpointProperty(name=name, value=value) for name, value in values.items())
