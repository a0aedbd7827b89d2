"""What the commands share: their options, their lines and their files of figures."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentError
from collections.abc import Sequence

from jsonargparse import ArgumentParser, Namespace

from kgfm.recipes import write_json
from kgfm.registry import nearest


def say(line: str) -> None:
    """Tell what is being done."""
    print(line, flush=True)


def command_parser(name: str, description: str) -> ArgumentParser:
    return ArgumentParser(
        prog=f"kgfm {name}", description=description, exit_on_error=False, allow_abbrev=False
    )


def parse_options(parser: ArgumentParser, given: Sequence[str]) -> Namespace:
    try:
        return parser.parse_args(list(given))
    except ArgumentError as error:
        raise ValueError(with_hint(str(error), parser)) from None


def with_hint(message: str, parser: ArgumentParser) -> str:
    """Name options as they are typed, and the one that is nearest to an unknown one."""
    known = set(re.findall(r"--[\w.-]+", parser.format_help()))
    needed = re.fullmatch(r"(.*arguments are required: )(.*)", message)
    if needed is not None:
        names = [
            name if f"--{name}" not in known else f"--{name}" for name in needed[2].split(", ")
        ]
        return f"{needed[1]}{', '.join(names)}"
    if "--file" in known and re.search(r"[Uu]nrecognized arguments: (?!-)", message):
        return "give texts or --file, not both."
    unknown = re.search(r"[Uu]nrecognized arguments: (--[^\s=]+)", message)
    if unknown is None:
        return message
    return f"no option {unknown[1]!r}.{nearest(unknown[1], known)} See {parser.prog} --help."


def add_json_option(parser: ArgumentParser, what: str = "the figures") -> None:
    parser.add_argument("--json", type=str | None, help=f"Write {what} to this file too.")


def add_text_options(parser: ArgumentParser) -> None:
    parser.add_argument("texts", nargs="*", help="Texts, each in quotes.")
    parser.add_argument("--file", type=str | None, help="A text a line, or JSON lines (.jsonl).")


def write_figures(path: str | None, value: object) -> None:
    if path is not None:
        write_json(path, value)


def silence() -> None:
    """Keep the progress bars of other libraries out of the output."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    sys.stdout.flush()
