"""How many lines of code each floor has, and how many lines of tests: without empty lines, comments and docstrings."""

import ast
import io
import sys
import tokenize
from collections import Counter
from pathlib import Path

from tests.architecture.project import ROOT, modules, named

NOT_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def code_lines(path: Path) -> int:
    """Return the number of lines that hold code."""
    text = path.read_text(encoding="utf-8")
    lines = set[int]()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in NOT_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def floor(path: Path) -> str:
    """Return the floor of a module of the program, or the folder of a test."""
    parts = path.relative_to(ROOT).parts
    return f"{parts[0]}/{parts[1]}"


def main() -> None:
    """Print a line for each floor and the sums."""
    sums: Counter[str] = Counter()
    for path in modules("connector", "tests"):
        sums[floor(path)] += code_lines(path)
        sums[named(path).split("/")[0]] += code_lines(path)
    for name, number in sorted(sums.items()):
        sys.stdout.write(f"{name}: {number}\n")
    sys.stdout.write(f"lines of tests for each line of the program: {sums['tests'] / sums['connector']:.2f}\n")


if __name__ == "__main__":
    main()
