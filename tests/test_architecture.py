"""Who may import whom, what start-up may import, and how long a file may be: read from the source, module by module.

Imports for type checkers alone count for nothing. Imports inside functions may reach the registry from anywhere
(`genaudio.plugins.manager`), and otherwise follow the same rule; only a module's own imports can be heavy at start-up.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "genaudio"
FILES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 400  # lines
HEAVY = {"torch", "torchaudio", "numpy", "scipy", "soundfile", "soxr", "matplotlib", "nnAudio", "safetensors"}

COMPONENTS = ("datasets", "representations", "networks", "preconditioners", "samplers")
WORK = ("training", "evaluation", "audit", "reports")
# What a folder's modules may import of genaudio, beside their own folder. `genaudio` is the package itself.
ALLOWED: dict[str, tuple[str, ...]] = {
    "core": (),
    "plugins": ("core",),
    # The conformance kit holds third parties' components to their contracts: above the components, imported by none.
    "plugins.testing": ("core", "plugins", *COMPONENTS),
    **dict.fromkeys(COMPONENTS, ("core",)),
    "training": ("core", *COMPONENTS),
    "evaluation": ("core", *COMPONENTS),
    "audit": ("core", *COMPONENTS, "evaluation"),
    "reports": ("core", *COMPONENTS, "evaluation", "audit"),
    "runs": ("core", "plugins", *COMPONENTS, *WORK, "genaudio"),
    "cli": ("core", "plugins", "runs", "genaudio"),
    "genaudio": (),  # genaudio/__init__.py: everything is imported when first used
}


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def folder_of(module: str) -> str:
    """`core`, `plugins.testing`, …; `genaudio` for the package itself; `python -m genaudio` belongs to `cli`."""
    parts = module.split(".")[1:]
    if parts == ["__main__"]:
        return "cli"
    if parts[:2] == ["plugins", "testing"]:
        return "plugins.testing"
    return parts[0] if parts else "genaudio"


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _run_at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run at import: not those in functions, nor under `if TYPE_CHECKING`."""
    for node in body:
        yield node
        if isinstance(node, ast.If):
            for_checkers = "TYPE_CHECKING" in ast.unparse(node.test)
            yield from _run_at_import(node.orelse if for_checkers else [*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            handlers = [statement for handler in node.handlers for statement in handler.body]
            yield from _run_at_import([*node.body, *handlers, *node.orelse, *node.finalbody])
        elif isinstance(node, ast.ClassDef | ast.With | ast.For | ast.While):
            yield from _run_at_import(node.body)


def _names(node: ast.AST) -> list[str]:
    """The modules that one import statement names; a name may also be an attribute of the module before it."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


@cache
def modules() -> frozenset[str]:
    return frozenset(module_of(path) for path in FILES)


def _resolved(name: str) -> str:
    """`genaudio.core.errors` for `genaudio.core.errors.RunError`; other packages as they are."""
    while name.startswith("genaudio.") and name not in modules():
        name = name.rpartition(".")[0]
    return name


@cache
def imports(path: Path) -> tuple[str, ...]:
    """The modules that importing this file imports, as written in it."""
    found = [name for node in _run_at_import(tree_of(path).body) for name in _names(node)]
    return tuple(dict.fromkeys(_resolved(name) for name in found))


def late_imports(path: Path) -> set[str]:
    """The modules of genaudio that are imported inside functions."""
    functions = [n for n in ast.walk(tree_of(path)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    names = [name for function in functions for node in ast.walk(function) for name in _names(node)]
    return {_resolved(name) for name in names if name.split(".")[0] == "genaudio"}


def of_genaudio(path: Path) -> list[str]:
    return [name for name in imports(path) if name.split(".")[0] == "genaudio"]


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_a_module_imports_only_what_its_folder_may(path: Path) -> None:
    here = folder_of(module_of(path))
    assert {name for name in of_genaudio(path) if folder_of(name) not in (here, *ALLOWED[here])} == set()


def test_every_folder_has_its_rule() -> None:
    folders = {folder_of(module_of(path)) for path in FILES}
    assert folders <= set(ALLOWED)
    assert {name for name in folders if name not in ("genaudio", "plugins.testing")} == {
        path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()
    }


@pytest.mark.parametrize("path", [p for p in FILES if folder_of(module_of(p)) != "core"], ids=module_of)
def test_an_import_inside_a_function_does_not_go_round_the_rule(path: Path) -> None:
    here = folder_of(module_of(path))
    upward = {name for name in late_imports(path) if folder_of(name) not in (here, *ALLOWED[here])}
    assert {name for name in upward if name != "genaudio.plugins.manager"} == set()


def test_core_reaches_plugins_only_inside_functions_and_nothing_else_at_all() -> None:
    late = {name for path in FILES if folder_of(module_of(path)) == "core" for name in late_imports(path)}
    assert {name for name in late if folder_of(name) != "core"} == {"genaudio.plugins.manager"}


def test_the_conformance_kit_sees_contracts_and_is_seen_by_nobody() -> None:
    kit = [path for path in FILES if folder_of(module_of(path)) == "plugins.testing"]
    used = {name for path in kit for name in of_genaudio(path) if folder_of(name) in COMPONENTS}
    assert all(name.endswith(".base") for name in used)
    users = {module_of(path) for path in FILES if any(folder_of(name) == "plugins.testing" for name in imports(path))}
    assert {folder_of(user) for user in users} == {"plugins.testing"}


def test_no_module_imports_itself_round_a_circle() -> None:
    graph = {module_of(path): [name for name in of_genaudio(path) if name != "genaudio"] for path in FILES}
    done: set[str] = set()

    def walk(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail[trail.index(module) :], module))
        if module not in done:
            for other in graph[module]:
                walk(other, (*trail, module))
            done.add(module)

    for module in graph:
        walk(module, ())


@pytest.mark.parametrize(
    "path", [p for p in FILES if folder_of(module_of(p)) in ("core", "plugins", "cli", "genaudio")], ids=module_of
)
def test_what_gen_starts_with_imports_nothing_heavy(path: Path) -> None:
    assert {name.split(".")[0] for name in imports(path)} & HEAVY == set()


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_a_module_says_what_it_is_and_is_not_too_long(path: Path) -> None:
    assert ast.get_docstring(tree_of(path))
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_the_reader_of_imports_sees_what_runs_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "import torch\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import scipy\n"
        "else:\n    import soxr\n"
        "try:\n    import numpy\nexcept ImportError:\n    import matplotlib\n"
        "class A:\n    import safetensors\n"
        "def f():\n    import soundfile\n    from genaudio.core.errors import RunError\n"
    )
    assert imports(path) == ("torch", "typing.TYPE_CHECKING", "soxr", "numpy", "matplotlib", "safetensors")
    assert late_imports(path) == {"genaudio.core.errors"}
