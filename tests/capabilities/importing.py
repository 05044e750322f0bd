"""A program that imports a file and may be killed at any moment; it says `done` when nothing is left to do."""

import asyncio
import sys
from pathlib import Path

from connector import app, settings
from connector.capabilities.identity import Principal

US = "did:web:us.example"
BY = Principal(US, "user", frozenset({"admin"}), "operator")


def main(url: str, folder: Path, file: Path) -> None:
    """Go on with the import, or begin it, until it is over."""
    told = {"participant": US, "name": "The house", "storage": {"database": url}}
    connector = app.build(settings.check(told, folder, "test"))
    digest, _ = connector.objects.put(file)
    run = connector.imports.start(digest, file.name, "application/n-triples", BY, "dcat-ap")

    async def work() -> None:
        stop = asyncio.Event()
        delivering = asyncio.create_task(connector.outbox.run(stop))
        while (await asyncio.to_thread(connector.imports.get, run.id)).state not in {"done", "failed"}:  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.02)
        stop.set()
        await delivering
        await connector.network.close()

    asyncio.run(work())
    connector.close()
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
