"""How long a reader goes on: a file that streams is read as far as the computing time goes, and said to be."""

import time
from collections.abc import Callable
from typing import Final

from connector.formats.description import Limits

SHARE: Final = 0.7  # of the computing time that the child has; the rest is for what comes after the reading
EVERY: Final = 256  # calls between two looks at the clock


class Budget:
    """The computing time of a child, and how many positions a reader may decode where a header would do, too."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.process_time) -> None:
        self.positions = limits.coordinate_values
        self._clock = clock
        # A child that was forked begins with the time of its parent's imports on its clock: only its own counts.
        self._until = clock() + SHARE * limits.cpu_seconds
        self._calls = 0

    def spent(self) -> bool:
        """Whether the time is over."""
        return self._clock() >= self._until

    def tick(self) -> bool:
        """As `spent`, for inner loops: looks at the clock now and then only."""
        self._calls += 1
        return self._calls % EVERY == 0 and self.spent()
