"""Recipes: YAML whose keys are constructor arguments and nothing else, and what runs them."""

from kgfm.recipes.read import read_recipe, recipe_parser, shipped, write_recipe
from kgfm.recipes.recipe import Recipe, check_parts, digest
from kgfm.recipes.report import aligned, as_json, write_json
from kgfm.recipes.run import (
    Say,
    build_pipeline,
    evaluate,
    load_dataset,
    result_of,
    start_folder,
    text_vectors,
    train,
    versions,
)

__all__ = [
    "Recipe",
    "Say",
    "aligned",
    "as_json",
    "build_pipeline",
    "check_parts",
    "digest",
    "evaluate",
    "load_dataset",
    "read_recipe",
    "recipe_parser",
    "result_of",
    "shipped",
    "start_folder",
    "text_vectors",
    "train",
    "versions",
    "write_json",
    "write_recipe",
]
