"""Small faults put into our own code: do its tests notice? Long runs only; `python -m bench.faults.mutants MODULE`.

Each mutant is a process of its own that hands the changed module to the import system and runs the module's own tests;
the files stay as they are. A mutant lives if they still pass.
"""

from __future__ import annotations

import ast
import importlib
import importlib.abc
import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from bench.faults.table import Run

ROOT = Path(__file__).parents[2]
TESTS = {
    "dashboard.links": ("tests/test_links.py",),
    "dashboard.filters": ("tests/test_filters.py",),
    "dashboard.calls": ("tests/test_calls.py",),
    "dashboard.callkaro.report": ("tests/test_report.py",),
    "dashboard.outside.addresses": ("tests/test_recordings_fetch.py",),
    "dashboard.sheets": ("tests/test_sheets.py",),
    "dashboard.masking": ("tests/test_masking.py",),
}
# What our modules and their tests import of others, imported once before all forks: it took two thirds of every mutant.
PRELOADED = (
    "alembic",
    "argon2",
    "httpx",
    "hypercorn.asyncio",
    "hypothesis",
    "hypothesis.strategies",
    "jinja2",
    "psycopg",
    "pyroaring",
    "pytest",
    "quart",
    "quart.testing",
    "sqlmodel",
)
LEAST_SCORE = 0.85
SECONDS = 60
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
}


def mutants(source: str) -> Iterator[tuple[str, ast.Module]]:
    """Every version of a module that differs in one place, and in words where and how."""
    number = 0
    while True:
        tree = ast.parse(source)
        changed = _change(tree, number)
        if changed is None:
            return
        if changed:
            yield changed, ast.fix_missing_locations(tree)
        number += 1


def _change(tree: ast.Module, number: int) -> str | None:
    """Change the tree's place of that number; "" where nothing there can be changed, None past the last."""
    for place, (node, field, index) in enumerate(_places(tree)):
        if place == number:
            return _changed(node, field, index)
    return None


def _places(tree: ast.Module) -> Iterator[tuple[ast.AST, str, int]]:
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            yield from ((node, "ops", index) for index in range(len(node.ops)))
        elif isinstance(node, ast.BoolOp | ast.BinOp):
            yield node, "op", 0
        elif isinstance(node, ast.Constant) and id(node) not in documentation:
            yield node, "value", 0
        elif isinstance(node, ast.If | ast.IfExp | ast.While):
            yield node, "test", 0
        elif isinstance(node, ast.Return) and node.value is not None:
            yield node, "value", 0


def _changed(node: ast.AST, field: str, index: int) -> str:
    where = f"line {getattr(node, 'lineno', '?')}"
    old = getattr(node, field)
    if isinstance(old, list):
        operator = SWAPS.get(type(old[index]))
        if operator:
            old[index], words = operator(), f"{type(old[index]).__name__} → {operator.__name__}"
            return f"{where}: {words}"
        return ""
    new = _other(node, old)
    if new is None:
        return ""
    setattr(node, field, new)
    return f"{where}: {type(node).__name__} {_word(old)} → {_word(new)}"


def _other(node: ast.AST, old: object) -> object:
    if isinstance(node, ast.Constant):
        return _other_constant(old)
    if isinstance(old, ast.operator | ast.boolop):
        operator = SWAPS.get(type(old))
        return operator() if operator else None
    if isinstance(node, ast.Return):
        is_none = isinstance(old, ast.Constant) and old.value is None
        return None if is_none else ast.Constant(None)
    return ast.UnaryOp(ast.Not(), old) if isinstance(old, ast.expr) else None


def _other_constant(old: object) -> object:
    if isinstance(old, bool):
        return not old
    if isinstance(old, int | float):
        return old + 1
    if isinstance(old, str) and old:
        return "XX" + old
    return None


def _word(value: object) -> str:
    return (
        ast.unparse(value)[:60]
        if isinstance(value, ast.expr)
        else getattr(type(value), "__name__", "") + f" {value!r:.40}"
    )


class Swapped(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives the import system a tree of ours instead of one module's file."""

    def __init__(self, name: str, tree: ast.Module, file: Path) -> None:
        self.name, self.tree, self.file = name, tree, file

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self, origin=str(self.file)) if fullname == self.name else None

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = str(self.file)
        exec(compile(self.tree, str(self.file), "exec"), module.__dict__)  # our own file, one place changed


def survives(name: str, tree: ast.Module, file: Path) -> bool:
    """Whether the module's tests pass with this tree in its place; what hangs is noticed, too."""
    child = os.fork()
    if not child:
        signal.alarm(SECONDS)
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        sys.meta_path.insert(0, Swapped(name, tree, file))
        import pytest

        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=0"]
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # preloaded on purpose
        code = 1
        try:
            code = int(pytest.main([*options, *TESTS[name]]))
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def score(name: str) -> tuple[int, list[str]]:
    """How many mutants there were, and those that live, in words. Raises AssertionError if its tests fail as it is."""
    file = ROOT / (name.replace(".", "/") + ".py")
    source = file.read_text(encoding="utf-8")
    assert name not in sys.modules, f"{name} is imported already: its mutants would never be loaded"
    for module in PRELOADED:
        importlib.import_module(module)
    assert survives(name, ast.parse(source), file), f"the tests of {name} fail as it is"
    count, living = 0, list[str]()
    for words, tree in mutants(source):
        count += 1
        if survives(name, tree, file):
            living.append(words)
    return count, living


def measure(run: Run) -> None:
    if not run.is_long:
        run.say("  only with LONG=1: some minutes for each module")
        return
    for name in TESTS:
        # In a fresh process: what is imported already would stay as it is, and every mutant would live.
        command = [sys.executable, "-m", "bench.faults.mutants", name]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        first, *living = ran.stdout.splitlines()
        noticed, count = map(int, re.findall(r"\d+", first)[:2])
        for words in living:
            run.say(f"  {name} {words.strip()}")
        what = f"faults put into {name.removeprefix('dashboard.')}: noticed by its own tests"
        is_enough = noticed / count >= LEAST_SCORE
        run.row(what, f"{noticed} of {count} ({noticed / count:.0%})", f"≥ {LEAST_SCORE:.0%}", is_enough)


def main() -> int:
    for name in sys.argv[1:] or TESTS:
        began = time.monotonic()
        count, living = score(name)
        print(f"{count - len(living)} of {count} noticed in {name}, {time.monotonic() - began:.0f} s; these live:")
        print(*(f"  {words}" for words in living), sep="\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
