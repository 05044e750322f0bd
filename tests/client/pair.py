"""Two connectors in processes of their own, as the tests of the SDK see them."""

from dataclasses import dataclass

from connector.client import Agreement, Hit, Space
from connector.demo.cast import BUSINESS, WEATHER
from connector.demo.fleet import Fleet, Member


@dataclass
class Pair:
    """Two connectors that know each other, and a dataset of the one that the other found."""

    fleet: Fleet
    dataset: str

    @property
    def provider(self) -> Member:
        """Who shares."""
        return self.fleet[WEATHER]

    @property
    def consumer(self) -> Member:
        """Who looks for data."""
        return self.fleet[BUSINESS]

    @property
    def space(self) -> Space:
        """The data space as the consumer sees it."""
        return self.consumer.space

    def found(self) -> Hit:
        """Return the dataset as the consumer finds it."""
        return next(hit for hit in self.space.search() if hit.id == self.dataset)

    def agree(self) -> Agreement:
        """Return a fresh agreement on the dataset."""
        return self.found().negotiate(accept="any")
