"""Files on their way in, while the connector goes about its chores."""

from connector.capabilities.health import TidyDue
from tests.web.conftest import House


def test_tidying_leaves_an_upload_on_its_way_alone(house: House) -> None:
    """A large file takes longer to arrive than the time between two rounds of chores."""
    connector = house.running.connector
    with connector.objects.receive() as incoming:
        incoming.write(b"first half, ")
        connector.health.tidy(TidyDue(subject=house.running.participant), house.running.participant)
        incoming.write(b"second half")
    assert connector.objects.path(incoming.digest).read_bytes() == b"first half, second half"
