"""Read recipes with jsonargparse, and write them."""

from __future__ import annotations

import json
from argparse import ArgumentError
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from jsonargparse import ArgumentParser, Namespace, get_loader

import kgfm
from kgfm.recipes.recipe import PARTS, Recipe, as_mapping, check_parts
from kgfm.registry import check_arguments
from kgfm.storage import replace_file
from kgfm.training import TrainingConfig


def recipe_parser(prog: str = "kgfm train", description: str = "") -> ArgumentParser:
    """Return the parser whose options are the keys of a recipe."""
    parser = ArgumentParser(
        prog=prog, description=description, exit_on_error=False, allow_abbrev=False
    )
    parser.add_class_arguments(Recipe, skip={"training"})
    parser.add_class_arguments(TrainingConfig, "training", as_group=True)
    return parser


def read_recipe(
    path: str | Path, overrides: Sequence[str] = (), *, parser: ArgumentParser | None = None
) -> Recipe:
    """Read a recipe.

    Args:
        path: A YAML file, or the name of a recipe that ships with kgfm, such as ``world``.
        overrides: As on the command line: ``["--training.epochs=5", "--encoder.width=64"]``.
        parser: One made by :func:`recipe_parser`, with options of your own.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A key is unknown, and the message names the nearest one; or a value is of a
            wrong kind.
    """
    return parse_recipe(path, overrides, parser or recipe_parser())[0]


def parse_recipe(
    path: str | Path, overrides: Sequence[str], parser: ArgumentParser
) -> tuple[Recipe, Namespace]:
    """Read a recipe, and whatever else the parser knows."""
    file = find_recipe(path)
    given = _load(file)
    try:
        parsed = parser.parse_args(_with_names(overrides), namespace=parser.parse_object(given))
    except ArgumentError as error:
        raise ValueError(f"{file}: {error}") from None
    values = parsed.as_dict()
    settings = {field.name: values[field.name] for field in fields(Recipe)}
    settings["training"] = TrainingConfig(**settings["training"])
    recipe = Recipe(**settings)
    check_parts(recipe, deep=False)
    if recipe.out is None:
        recipe = replace(recipe, out=f"runs/{file.stem}")
    return recipe, parsed


def _with_names(overrides: Sequence[str]) -> list[str]:
    """Write ``--encoder=text`` as ``--encoder={"name": "text"}``."""
    parts = {f"--{kind}" for kind in PARTS}
    written: list[str] = []
    for token in overrides:
        option, equals, value = token.partition("=")
        if equals and option in parts:
            token = f"{option}={_as_part(value)}"
        elif written and written[-1] in parts:
            token = _as_part(token)
        written.append(token)
    return written


def _as_part(value: str) -> str:
    return value if value.startswith("{") or value == "null" else json.dumps({"name": value})


def _load(file: Path) -> dict[str, Any]:
    try:
        given = get_loader("yaml")(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is no YAML: {error}") from None
    if not isinstance(given, Mapping):
        raise ValueError(f"{file} holds no recipe: it needs keys, such as 'dataset: world'.")
    check_arguments(f"{file}: a recipe", Recipe, given)
    training = given.get("training") or {}
    if not isinstance(training, Mapping):
        raise ValueError(f"{file}: training needs keys, such as 'epochs: 3'.")
    check_arguments(f"{file}: training", TrainingConfig, training)
    parts = {kind: as_mapping(kind, given[kind]) for kind in PARTS if kind in given}
    if "dataset" not in parts:
        raise ValueError(f"{file}: a recipe needs a dataset, such as 'dataset: world'.")
    return {**given, **parts, "training": dict(training)}


def find_recipe(path: str | Path) -> Path:
    """Return the file of a recipe; a bare name may be one that ships with kgfm."""
    path = Path(path)
    if path.is_file():
        return path
    known = shipped()
    if str(path) in known:
        return known[str(path)]
    raise FileNotFoundError(f"No recipe {path}; those that ship with kgfm are {', '.join(known)}.")


def shipped() -> dict[str, Path]:
    """Return the recipes that ship with kgfm: in the package, or in a checkout beside it."""
    package = Path(kgfm.__file__).parent
    for folder in (package / "_recipes", package.parent / "recipes"):
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    return {}


def write_recipe(recipe: Recipe, path: str | Path) -> None:
    """Write a recipe with all that was left open resolved; :func:`read_recipe` reads it again."""
    text = yaml.safe_dump(asdict(recipe), sort_keys=False, allow_unicode=True)
    replace_file(Path(path), text.encode())
