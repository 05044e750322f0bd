"""How long one negotiation takes between two connectors, and how many are done with eight at a time.

A negotiation is four messages with their acknowledgements, signed by both sides, each step in a transaction on disk.
Beside it: four messages of the same size that a bare server of the same stack sends back.
"""

import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import httpx2

from tests.bench.running import Member, echo, folder, median, member, postgresql, show

ALONE, TOGETHER, THREADS = 30, 80, 8
MESSAGES, BODY = 4, b"{" + b" " * 1500 + b"}"
FILE = Path(__file__).resolve().parents[2] / "connector" / "demo" / "data" / "IOWA_NETGEN_annual.sdmx1.csv"
OVER = {"FINALIZED", "TERMINATED"}


def negotiate(consumer: Member, provider: str, dataset: str, offer: str) -> float:
    """Negotiate once and return the seconds until the consumer has the agreement in force."""
    wanted = {"peer": provider, "dataset": dataset, "offer": offer, "accept": "any"}
    connection = consumer.space.connection
    begun = time.perf_counter()
    pid = connection.post("/api/negotiations", wanted)["pid"]
    while (seen := connection.get(f"/api/negotiations/{pid}"))["state"] not in OVER:
        time.sleep(0.004)
    assert seen["state"] == "FINALIZED", seen["reason"]
    return time.perf_counter() - begun


def prepare(provider: Member, consumer: Member) -> tuple[str, str]:
    """Let the two trust each other, publish a file at the provider, and return the ids of dataset and offer."""
    consumer.space.trust(provider.space.identity(), "provider")
    provider.space.trust(consumer.space.identity(), "consumer")
    dataset = provider.space.register(provider.space.draft(FILE).record)["id"]
    offer = provider.space.offer(dataset, template="open", automation="accept")["id"]
    consumer.space.crawl(provider.participant)
    return dataset, offer


def measure(engine: str) -> None:
    """Measure one engine and print the figures."""
    stores = nullcontext(["", ""]) if engine == "sqlite" else postgresql("provider", "consumer")
    with folder() as place, stores as urls, echo() as bare:
        with httpx2.Client() as http:
            floor = [_four(http, bare.url) for _ in range(ALONE)]
        with (
            member(place, "provider", urls[0]) as provider,
            member(place, "consumer", urls[1]) as consumer,
        ):
            dataset, offer = prepare(provider, consumer)
            for _ in range(3):
                negotiate(consumer, provider.participant, dataset, offer)
            alone = [negotiate(consumer, provider.participant, dataset, offer) for _ in range(ALONE)]
            begun = time.perf_counter()
            with ThreadPoolExecutor(THREADS) as hands:
                wanted = (provider.participant, dataset, offer)
                together = list(hands.map(lambda _: negotiate(consumer, *wanted), range(TOGETHER)))
            rate = TOGETHER / (time.perf_counter() - begun)
    deciles = statistics.quantiles(alone, n=10)
    show([
        (f"{engine}: one negotiation alone, median", f"{median(alone):.0f} ms"),
        (f"{engine}: nine of ten are done within", f"{deciles[-1] * 1000:.0f} ms"),
        (f"{engine}: {THREADS} at a time, median", f"{median(together):.0f} ms"),
        (f"{engine}: {THREADS} at a time, finished", f"{rate:.1f} a second"),
        ("four messages to a bare server and back, median", f"{median(floor):.1f} ms"),
        ("negotiation to bare messages", f"{median(alone) / median(floor):.0f} to 1"),
    ])  # fmt: skip


def _four(http: httpx2.Client, url: str) -> float:
    begun = time.perf_counter()
    for _ in range(MESSAGES):
        http.post(url, content=BODY).raise_for_status()
    return time.perf_counter() - begun


if __name__ == "__main__":
    for name in sys.argv[1:] or ("sqlite", "postgresql"):
        measure(name)
