"""The Python of one page: runs blocks one after the other in one namespace; a program that `shell.py` starts.

Each request is a line of JSON `{name, line, text, cwd, environment}`; each answer one of `{printed, failed}`.
"""

import contextlib
import doctest
import io
import json
import os
import sys
import traceback
from typing import Any

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def run(request: dict[str, Any], namespace: dict[str, Any]) -> dict[str, str]:
    """Run one block; return what it printed, and why it failed if it did."""
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    printed = io.StringIO()
    failed = ""
    with contextlib.redirect_stdout(printed):
        try:
            if ">>> " in request["text"]:
                failed = _examples(request, namespace)
            else:
                # Empty lines in front, so that a traceback names the line of the page.
                source = "\n" * (request["line"] - 1) + request["text"]
                exec(compile(source, request["name"], "exec"), namespace)  # noqa: S102 - running the page is the point
        except BaseException:  # noqa: BLE001 - whatever a page raises is reported to its author, SystemExit too
            failed = traceback.format_exc()
    return {"printed": printed.getvalue(), "failed": failed}


def _examples(request: dict[str, Any], namespace: dict[str, Any]) -> str:
    test = doctest.DocTestParser().get_doctest(
        request["text"], {}, request["name"], request["name"], request["line"] - 1
    )
    test.globs = namespace
    report = io.StringIO()
    doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=report.write, clear_globs=False)
    return report.getvalue()


def main() -> None:
    """Answer requests until there are no more."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    answers = sys.stdout
    for line in sys.stdin:
        answers.write(json.dumps(run(json.loads(line), namespace)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
