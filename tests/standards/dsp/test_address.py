"""Data addresses: what we say is found by every kind of peer, and what they say is found by us."""

from hypothesis import given
from hypothesis import strategies as st

from connector.standards.dsp import messages
from connector.standards.dsp.address import EDC, RENEWAL, plain, pull

TEXT = st.text(min_size=1, max_size=20)
NAMES = st.sampled_from(["authorization", "authType", EDC + "authorization", EDC + "authType", EDC + "endpoint", "x"])


def address(values: dict[str, str], endpoint: str | None = None) -> messages.DataAddress:
    """Return an address with these properties."""
    properties = tuple(messages.EndpointProperty(name=name, value=value) for name, value in values.items())
    return messages.DataAddress(endpoint_type="urn:type", endpoint=endpoint, endpoint_properties=properties)


def test_a_pull_is_found_under_both_kinds_of_names() -> None:
    """A peer that reads the protocol's names and one that reads only EDC's find the same place and token."""
    said = pull("https://data.example/1", "token", "https://data.example/1/renewal")
    assert said.endpoint == said.get(EDC + "endpoint") == "https://data.example/1"
    assert said.get("authorization") == said.get(EDC + "authorization") == "token"
    assert said.get("authType") == said.get(EDC + "authType") == "bearer"
    assert said.get(RENEWAL) == "https://data.example/1/renewal"
    assert messages.load_address(messages.dump(said)) == said


def test_an_address_in_edcs_names_is_read() -> None:
    """EDC says everything, the endpoint too, in properties of its own; users of ours look for the protocol's names."""
    long = {"endpoint": "https://edc.example/public", "authorization": "t", "authType": "bearer"}
    found = plain(address({EDC + name: value for name, value in long.items()} | {"flowType": "PULL"}))
    assert found == address({"flowType": "PULL", "authorization": "t", "authType": "bearer"}, long["endpoint"])


@given(st.dictionaries(NAMES, TEXT), st.none() | TEXT)
def test_the_plain_form_loses_nothing_and_stays(values: dict[str, str], endpoint: str | None) -> None:
    """Whatever stands there: plain names win, no other property changes, and reading twice is reading once."""
    found = plain(address(values, endpoint))
    assert plain(found) == found
    assert found.endpoint == (endpoint or values.get(EDC + "endpoint"))
    for name in ("authorization", "authType"):
        assert found.get(name) == values.get(name, values.get(EDC + name))
    assert found.get("x") == values.get("x")


@given(TEXT, TEXT, TEXT)
def test_what_we_say_we_read(endpoint: str, token: str, renewal: str) -> None:
    """Our own addresses come back as they were meant."""
    found = plain(pull(endpoint, token, renewal))
    assert (found.endpoint, found.get("authorization"), found.get(RENEWAL)) == (endpoint, token, renewal)
    assert not [each for each in found.endpoint_properties if each.name.startswith(EDC)]
