"""The commands; see ``kgfm --help``."""

from kgfm.cli.app import main

__all__ = ["main"]
