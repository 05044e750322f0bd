"""What the documentation shows works: every page is done from its first step to its last, as a reader would."""

import re
from pathlib import Path

import pytest

from tests.architecture.project import named
from tests.docs.pages import Step, commands, pages, steps
from tests.docs.shell import Reader

NOT_HERE = re.compile(
    r"make (?:demo|test|check|chaos|setup|bench|lock)\b|(?:docker|podman) compose |sudo |git clone |cd |systemctl "
)
"""What a page may leave unrun: minutes of work with tests of their own, or what changes the machine itself."""

RUN = {"console", "sh", "python", "run", "first"}


def runnable(page: Path) -> bool:
    """Tell whether there is anything to do on `page`."""
    return any(step.kind in RUN for step in steps(page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", [page for page in pages() if runnable(page)], ids=named)
def test_the_page_works(page: Path, tmp_path: Path) -> None:
    """A reader who copies a command gets what the page promises."""
    with Reader(tmp_path) as reader:
        reader.read(page)


@pytest.mark.parametrize("page", pages(), ids=named)
def test_what_is_not_run_has_a_reason(page: Path) -> None:
    """No page escapes by calling its commands special."""
    for step in steps(page.read_text(encoding="utf-8")):
        if step.kind == "not run":
            assert len(step.value) >= len("see above"), f"line {step.line}: the reason is missing"
            listed = [command.text for command in commands(step)] if "$ " in step.text else step.text.splitlines()
            assert all(NOT_HERE.match(line) for line in listed if line.strip()), f"line {step.line}: {listed}"


def test_a_step_knows_its_line() -> None:
    """A failure points at the page, not at the test."""
    (step,) = steps("# Title\n\n```sh\ntrue\n```\n")
    assert step == Step("sh", 4, "true\n")
