"""The reader that does the pages: it sees what a page says, and when the program does something else."""

import contextlib
import socket
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.docs.pages import Malformed, commands, matches, steps
from tests.docs.shell import Failed, Reader

GOOD = """\
# A page

```console
$ mkdir made && cd made
$ export WORD=hello
$ echo $WORD \\
> world
hello world
$ printf 'one\\ntwo\\nthree\\n'
one
...
three
```

<!-- file: deep/record.toml -->
```toml
title = "Sea"
```

```sh
test -f ../deep/record.toml
cat ../deep/record.toml
```

<!-- output -->
```text
title = "Sea"
```

```python
import os, pathlib
here = pathlib.Path.cwd().name
print(os.environ["WORD"], here)
```

<!-- output -->
```text
hello made
```

```python
>>> here
'made'
>>> [1, 2, 3, 4]
[1, ..., 4]
```

<!-- exits: 3 -->
```console
$ bash -c 'exit 3'
```

<!-- run: test "$WORD" = hello -->

```mermaid
graph LR
```
"""


SERVER = """\
```console
$ python -m http.server --bind 127.0.0.1 8093 &
```

```python
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:8093/docs/").status)
print("at 8093")
```

<!-- output -->
```text
200
at 8093
```
"""


def read(tmp_path: Path, text: str) -> Reader:
    """Do a page with this text, and return its reader."""
    page = tmp_path / "page.md"
    page.write_text(text)
    folder = tmp_path / "reader"
    folder.mkdir()
    with Reader(folder) as reader:
        reader.read(page)
    return reader


def test_a_page_is_one_visit(tmp_path: Path) -> None:
    """Folder, variables, files and names stay from block to block, as on a reader's own machine."""
    read(tmp_path, GOOD)


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("hello world\n", "hello you\n", "hello world"),
        ("<!-- exits: 3 -->", "<!-- exits: 4 -->", "exit status 3, not 4"),
        ("cat ../deep", "cat ../nowhere", "exit status 1"),
        ("hello made", "hello there", "hello made"),
        ("'made'", "'make'", "Got:"),
        ("print(os", "print(nobody", "NameError"),
        ('"$WORD" = hello', '"$WORD" = bye', "exit status 1"),
    ],
)
def test_a_page_that_is_wrong_fails(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    """Each kind of step notices when the program does something else than the page says."""
    assert right in GOOD
    with pytest.raises(Failed, match=said):
        read(tmp_path, GOOD.replace(right, wrong))


def test_a_traceback_names_the_line_of_the_page(tmp_path: Path) -> None:
    """An author finds the line at once."""
    with pytest.raises(Failed, match=r'File "page\.md", line 5'):
        read(tmp_path, "# A\n\n```python\nfine = 1\nraise ValueError(fine)\n```\n")


def test_servers_of_a_page_run_in_the_background_and_end_with_it(tmp_path: Path) -> None:
    """The next step finds the server listening; nothing is left when the page is done."""
    before = set(psutil.Process().children(recursive=True))
    read(tmp_path, SERVER)
    assert set(psutil.Process().children(recursive=True)) <= before


def test_a_taken_port_is_replaced(tmp_path: Path) -> None:
    """Pages are done while something else on the machine has their port."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # somebody has it already, which serves as well
            taken.bind(("127.0.0.1", 8094))
            taken.listen()
        reader = read(tmp_path, "```console\n$ echo http://localhost:8094/\nhttp://localhost:8094/\n```\n")
    assert reader.ports["8094"] != "8094"


def test_a_server_that_dies_at_once_is_reported(tmp_path: Path) -> None:
    """What it said on its way out is what its author needs."""
    with pytest.raises(Failed, match=r"ended at once:[\s\S]*no such luck"):
        read(tmp_path, "```console\n$ bash -c 'echo no such luck; exit 1' &\n```\n")


def test_a_page_goes_on_where_another_ended(tmp_path: Path) -> None:
    """A longer story needs no second preparation, and a circle is noticed."""
    (tmp_path / "one.md").write_text("```console\n$ export ONE=1\n```\n")
    read(tmp_path, "<!-- first: one.md -->\n\n```console\n$ echo $ONE\n1\n```\n")


def test_pages_that_wait_for_each_other_are_noticed(tmp_path: Path) -> None:
    """A circle of pages ends with a sentence."""
    (tmp_path / "one.md").write_text("<!-- first: page.md -->\n")
    with pytest.raises(Failed, match="waits for this page"):
        read(tmp_path, "<!-- first: one.md -->\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```\nx\n```\n", "must be one of"),
        ("```bash\nx\n```\n", "must be one of"),
        ("```sh\nx\n", "without an end"),
        ("<!-- not run: because -->\n\nWords.\n", "stand before no block"),
        ("<!-- output -->\n", "stand before no block"),
    ],
)
def test_a_malformed_page_is_refused(text: str, said: str) -> None:
    """A block that nobody would run, by mistake, is no block."""
    with pytest.raises(Malformed, match=said):
        list(steps(text))


def test_a_console_block_begins_with_a_command() -> None:
    """Output that no command printed is a mistake of the author."""
    (step,) = steps("```console\nhello\n$ echo hello\n```\n")
    with pytest.raises(Malformed, match="begins with"):
        commands(step)


@given(st.lists(st.text("ab", max_size=5), min_size=1, max_size=4), st.lists(st.text("ab\n", max_size=5), max_size=4))
def test_dots_stand_for_anything(parts: list[str], between: list[str]) -> None:
    """An author shows what matters and leaves out what changes from run to run."""
    printed = parts[0] + "".join(filling + part for filling, part in zip(between, parts[1:], strict=False))
    shown = "...".join(parts[: len(between) + 1])
    assert matches(f"<{shown}>", f"<{printed}>")
    assert not matches(f"<{shown}>", f"<{printed}>c")
