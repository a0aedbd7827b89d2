"""The order of the layers, and what stays unloaded until it is needed."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

import pytest

import kgfm

PACKAGE = Path(kgfm.__file__).parent

ROWS: list[tuple[int, tuple[str, ...]]] = [
    (0, ("types", "registry")),
    (0, ("inputs",)),
    (0, ("storage",)),
    (0, ("shards",)),
    (1, ("graph",)),
    (2, ("stores",)),
    (2, ("walks",)),
    (3, ("questions",)),
    (3, ("retrieval",)),
    (4, ("vectors",)),
    (4, ("metrics",)),
    (4, ("linking",)),
    (4, ("synthetic", "datasets")),
    # tensors begin here
    (5, ("batch",)),
    (6, ("backbones",)),
    (6, ("encoders", "fusion", "tasks")),
    (6, ("scorers",)),
    (6, ("frozen",)),
    (7, ("model",)),
    (8, ("adapt", "training")),
    (9, ("explain",)),
    (9, ("draw",)),
    (10, ("pipeline",)),
    (11, ("apps",)),
    (11, ("senses",)),
    (12, ("recipes",)),
    (12, ("controls", "serve", "demo")),
    (12, ("cli",)),
]
"""The table of ARCHITECTURE.md, row by row."""
ROW_OF = {name: row for row, (_, names) in enumerate(ROWS) for name in names}
LAYER_OF = {name: layer for layer, names in ROWS for name in names}
LAST_WITHOUT_TENSORS = 4
TENSOR_LIBRARIES = {"torch", "transformers", "torch_geometric", "lightning", "tokenizers", "peft"}
OPENED_WHEN_NEEDED = {
    *TENSOR_LIBRARIES,
    "matplotlib",
    "neo4j",
    "networkx",
    "pandas",
    "pyarrow",
    "pyoxigraph",
    "rdflib",
    "spacy",
}

LOADED_BY = {"kgfm.linking.spacy_component": "spacy"}
"""Modules that nothing in kgfm imports: that library loads them, through an entry point."""

# The package's own module (__init__) stands outside the layers: it names them and loads none.
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if "_graphs" not in path.parts and path != PACKAGE / "__init__.py"
}


def home(module: str) -> str:
    """``kgfm.graph.names`` lives in ``graph``."""
    return module.split(".")[1]


def is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def run_at_import(node: ast.AST) -> Iterator[ast.AST]:
    """The statements that run when a module is loaded; what stands in a function does not."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and is_type_checking(child.test):
            for other in child.orelse:
                yield other
                yield from run_at_import(other)
            continue
        yield child
        yield from run_at_import(child)


def module_level_imports(source: str, package: str) -> set[str]:
    """Full names of what is imported; ``from kgfm.x import y`` gives ``kgfm.x.y``."""
    names: set[str] = set()
    for node in run_at_import(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            base = resolve_name(origin, package) if node.level else origin
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return names


def imports_of(module: str) -> set[str]:
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return module_level_imports(path.read_text(encoding="utf-8"), package)


def homes_of_kgfm(names: set[str]) -> set[str]:
    """Where the names imported from kgfm live; ``from kgfm import Linker`` means ``linking``."""
    parts = {name.split(".")[1] for name in names if name.startswith("kgfm.")}
    return {kgfm._HOMES.get(part, part) for part in parts} - {"__version__"}


def modules_loaded_by(*modules: str) -> dict[str, list[str]]:
    """Import modules one after another in a new process; what each added, top-level names only."""
    script = """
import importlib, json, sys
added = {}
for module in sys.argv[1:]:
    before = set(sys.modules)
    importlib.import_module(module)
    added[module] = sorted({name.partition(".")[0] for name in set(sys.modules) - before})
print(json.dumps(added))
"""
    command = [sys.executable, "-c", script, *modules]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return answer


def below_the_tensor_line() -> list[str]:
    known = [module for module in MODULES if LAYER_OF.get(home(module), 99) <= LAST_WITHOUT_TENSORS]
    return sorted(known, key=lambda module: (ROW_OF[home(module)], module))


def test_every_module_has_its_place_in_the_table() -> None:
    strangers = {home(module) for module in MODULES} - set(ROW_OF) - {"__main__"}
    assert not strangers, (
        f"{sorted(strangers)} stand in no layer. Put them into ROWS here and into the table of "
        "ARCHITECTURE.md, with the reason."
    )


def test_the_table_in_architecture_md_is_the_same() -> None:
    text = (PACKAGE.parent / "ARCHITECTURE.md").read_text(encoding="utf-8")
    written: list[tuple[int, tuple[str, ...]]] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 3 and cells[1].isdigit():
            written.append((int(cells[1]), tuple(re.findall(r"`(\w+)`", cells[2]))))
    assert written == ROWS


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_rows_above_its_own(module: str) -> None:
    own = home(module)
    if own == "__main__":
        return
    for other in homes_of_kgfm(imports_of(module)) - {own}:
        assert ROW_OF.get(other, len(ROWS)) < ROW_OF[own], (
            f"{module} (layer {LAYER_OF[own]}) imports {other} (layer {LAYER_OF.get(other)}) as it "
            "is loaded. Move the code down, or import inside the function that opens this door."
        )


@pytest.mark.parametrize("module", below_the_tensor_line())
def test_nothing_below_the_tensor_line_imports_a_tensor_library(module: str) -> None:
    found = {name.split(".")[0] for name in imports_of(module)} & TENSOR_LIBRARIES
    assert not found, f"{module} imports {sorted(found)}; tensors begin in kgfm.batch."


def test_loading_what_lies_below_the_tensor_line_loads_no_heavy_library() -> None:
    modules = [module for module in below_the_tensor_line() if module not in LOADED_BY]
    for module, added in modules_loaded_by(*modules).items():
        heavy = OPENED_WHEN_NEEDED & set(added)
        assert not heavy, f"{module} loads {sorted(heavy)}: import it where it is needed."


def test_what_another_library_loads_is_loaded_by_nothing_else() -> None:
    for module in MODULES:
        assert not {*LOADED_BY} & {
            part for name in imports_of(module) for part in (name, name.rpartition(".")[0])
        }, f"{module} loads a module that is for {sorted(set(LOADED_BY.values()))} to load."


def test_the_graph_and_its_stores_load_no_compiler() -> None:
    modules = [module for module in below_the_tensor_line() if LAYER_OF[home(module)] <= 2]
    for module, added in modules_loaded_by(*modules).items():
        assert "numba" not in added, f"{module} loads numba, which is for kgfm.retrieval only."


def test_import_kgfm_loads_nothing_beyond_the_standard_library() -> None:
    added = set(modules_loaded_by("kgfm")["kgfm"])
    assert added - sys.stdlib_module_names == {"kgfm"}


def test_the_public_names_are_few() -> None:
    assert len(kgfm.__all__) <= 20
    assert len(set(kgfm.__all__)) == len(kgfm.__all__)


@pytest.mark.parametrize("name", kgfm.__all__)
def test_each_public_name_loads(name: str) -> None:
    assert getattr(kgfm, name) is not None
    assert name in dir(kgfm)


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Pipelin"):
        _ = kgfm.Pipelin


def test_the_reader_of_imports_sees_what_runs_and_nothing_else() -> None:
    source = """
from typing import TYPE_CHECKING
import kgfm.types
from . import graph
from .linking.names import Linker
if TYPE_CHECKING:
    import torch
else:
    import first
try:
    import second
except ImportError:
    import third
class A:
    import fourth
    def f(self):
        import lightning
"""
    assert module_level_imports(source, "kgfm") == {
        "typing.TYPE_CHECKING",
        "kgfm.types",
        "kgfm.graph",
        "kgfm.linking.names.Linker",
        "first",
        "second",
        "third",
        "fourth",
    }
