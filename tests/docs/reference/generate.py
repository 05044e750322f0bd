"""Writes the pages of `docs/reference` that are made from the code: `make docs`."""

import sys
from collections.abc import Callable, Mapping

from tests.architecture.project import ROOT
from tests.docs.reference import conformance, crosswalks, files, program, rules, web

FOLDER = ROOT / "docs" / "reference"

PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": program.settings,
    "cli.md": program.commands,
    "events.md": program.events,
    "errors.md": web.refusals,
    "api.md": web.routes,
    "states.md": rules.states,
    "policies.md": rules.policies,
    "profiles.md": rules.profiles,
    "formats.md": files.formats,
    "crosswalks.md": crosswalks.crosswalks,
    "conformance.md": conformance.conformance,
}


def main() -> None:
    """Write every page that is not as the code has it, and say which."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, made in PAGES.items():
        path, text = FOLDER / name, made()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"docs/reference/{name}\n")


if __name__ == "__main__":
    main()
