"""How long the demo takes, from the command to its table, and how much of it passes in which part."""

import re
import subprocess
import sys
import time

from tests.bench.running import show

STEP = re.compile(r"^(\d+) .* (\d+) ms$", re.MULTILINE)
STARTED = 2
"""The steps up to this one start the connectors and make them known to each other."""


def main(*flags: str) -> None:
    """Run the demo once and print what it took."""
    begun = time.perf_counter()
    run = subprocess.run(
        [sys.executable, "-m", "connector", "demo", *flags], check=True, capture_output=True, text=True
    )
    whole = time.perf_counter() - begun
    steps = {int(number): int(took) / 1000 for number, took in STEP.findall(run.stdout)}
    starting = sum(took for number, took in steps.items() if number <= STARTED)
    words = " ".join(["make demo", *flags])
    show([
        (f"{words}: from the command to its end", f"{whole:.0f} s"),
        ("of it, five connectors made, started and known to each other", f"{starting:.0f} s"),
        (f"of it, the other {len(steps) - STARTED} steps", f"{sum(steps.values()) - starting:.0f} s"),
    ])  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
