"""How long a connector takes until it is ready, and how much memory it holds when nobody asks it for anything.

Beside it: the bare server of the same stack in the same Python.
"""

import statistics
import time

from tests.bench.running import echo, folder, member, show

RUNS = 5
SETTLE = 2.0
"""Seconds in which a connector comes to rest."""


def main() -> None:
    """Start each a few times and print the medians."""
    ready, resident, bare_ready, bare_resident = [], [], [], []
    with folder() as place:
        for number in range(RUNS):
            with member(place, f"member{number}") as one:
                time.sleep(SETTLE)
                ready.append(one.served.ready)
                resident.append(one.served.resident())
            with echo() as bare:
                bare_ready.append(bare.ready)
                bare_resident.append(bare.resident())
    show([
        ("a connector is ready after", f"{statistics.median(ready):.2f} s"),
        ("a bare server is ready after", f"{statistics.median(bare_ready):.2f} s"),
        ("ratio", f"{statistics.median(ready) / statistics.median(bare_ready):.1f} to 1"),
        ("memory of an idle connector, all processes", f"{statistics.median(resident):.0f} MiB"),
        ("memory of an idle bare server", f"{statistics.median(bare_resident):.0f} MiB"),
        ("ratio", f"{statistics.median(resident) / statistics.median(bare_resident):.1f} to 1"),
    ])  # fmt: skip


if __name__ == "__main__":
    main()
