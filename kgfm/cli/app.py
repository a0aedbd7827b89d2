"""``kgfm``: find the command, run it, and turn what goes wrong into one line."""

from __future__ import annotations

import io
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import TextIO

import kgfm
from kgfm.registry import nearest

COMMANDS = {
    "graph build": "compile RDF, tables, a public layout or a server's graph into a snapshot",
    "graph refresh": "bring a snapshot up to date with a new dump of its source",
    "graph info": "count what a graph holds, and draw its degrees",
    "graph check": "say what in a graph will hurt linking or training, and how to mend it",
    "link": "find the entities that texts name",
    "questions": "make questions with answers from a graph, to train on",
    "train": "train a recipe and save the pipeline",
    "evaluate": "measure a saved pipeline",
    "controls": "train a recipe with, without and with a shuffled graph",
    "predict": "ask a saved pipeline",
    "explain": "show the triples that an answer rests on",
    "senses train": "learn WordNet's word senses from SemCor",
    "senses merge": "average taggers of word senses",
    "senses tag": "write the sense keys of the WSD framework's XML",
    "demo": "all of it on a small real graph, in minutes",
}
"""Each command, and what it does in a line; :mod:`kgfm.cli.commands` has one function for each."""

_QUIET = {
    # Two trainings on a busy machine otherwise spend their time waiting for each other's threads
    # in a loop: OpenMP's threads spin when they have nothing to do, unless told to sleep.
    "OMP_WAIT_POLICY": "PASSIVE",
    # The tokenizer's own threads and the packing processes get in each other's way, and it warns.
    "TOKENIZERS_PARALLELISM": "false",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 2 for a user's mistake, 130 after Ctrl-C."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)  # before anything imports torch
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # half a surrogate pair of a text can be printed
            stream.reconfigure(errors="backslashreplace")
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [argument for argument in given if argument != "--debug"]
    name, rest = _command(given)
    try:
        if name not in COMMANDS:
            return _no_command(name, given)
        with warnings.catch_warnings():
            _quiet_others()
            return _run(name, rest)
    except BrokenPipeError:  # `kgfm ... | head`; nothing is left to be said
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, LookupError, TypeError, OSError, ImportError) as error:
        if debug:
            traceback.print_exc()
        else:
            print(f"kgfm: {_one_line(error)}", file=sys.stderr)
        return 2


def _run(name: str, rest: Sequence[str]) -> int:
    try:
        from kgfm.cli.commands import RUN  # takes a while too, so Ctrl-C may come here

        RUN[name](rest)
    except (KeyboardInterrupt, SystemExit) as stop:
        # Lightning answers Ctrl-C by sys.exit(1).
        if isinstance(stop, SystemExit) and not isinstance(stop.__context__, KeyboardInterrupt):
            return int(stop.code or 0) if isinstance(stop.code, int | None) else 2
        print(f"\nkgfm: interrupted.{_RESUME.get(name, '')}", file=sys.stderr)
        return 130
    return 0


_RESUME = {
    "link": " The same command with --out goes on where this one stopped.",
    "senses train": " The same command with --resume goes on from the last finished epoch.",
    "train": " The same command with --resume goes on from the last finished epoch.",
    "controls": " The same command goes on where this one stopped.",
    "demo": " The same command goes on where this one stopped.",
}


def _command(given: Sequence[str]) -> tuple[str, list[str]]:
    """Split off the command's name, of one or two words."""
    for words in (2, 1):
        name = " ".join(given[:words])
        if len(given) >= words and name in COMMANDS:
            return name, list(given[words:])
    return (given[0] if given else "--help"), list(given[1:])


def _no_command(name: str, given: Sequence[str]) -> int:
    if name == "--version":
        print(f"kgfm {kgfm.__version__}")
        return 0
    if name in ("-h", "--help"):
        print(_help(COMMANDS))
        return 0
    below = {command: text for command, text in COMMANDS.items() if command.startswith(f"{name} ")}
    if below and given[1:] and given[1] not in ("-h", "--help"):
        raise ValueError(
            f"no command {' '.join(given[:2])!r}.{nearest(' '.join(given[:2]), below)} "
            f"There are {', '.join(below)}."
        )
    if below:
        print(_help(below))
        return 0
    raise ValueError(
        f"no command {name!r}.{nearest(name, COMMANDS)} There are {', '.join(COMMANDS)}."
    )


def _help(commands: dict[str, str]) -> str:
    width = max(map(len, commands))
    lines = [f"  {name.ljust(width)}  {text}" for name, text in commands.items()]
    return "\n".join(
        [
            "usage: kgfm COMMAND ...",
            "",
            "Put a knowledge graph inside a language model.",
            "",
            *lines,
            "",
            "kgfm COMMAND --help says what a command takes. Every command that prints figures",
            "also writes them with --json FILE; --debug shows where an error comes from.",
        ]
    )


def _one_line(error: BaseException) -> str:
    """Return the message in a line; a KeyError would put it in quotes."""
    message = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    text = " ".join(message.split())
    known = isinstance(error, ValueError | TypeError | LookupError) or bool(text)
    return text if text and known else f"{type(error).__name__}; --debug shows where."


def _quiet_others() -> None:
    """Keep libraries' advice out of the output; a warning of kgfm's is one line."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        print(f"kgfm: warning: {' '.join(str(message).split())}", file=file or sys.stderr)

    for category in (DeprecationWarning, FutureWarning, PendingDeprecationWarning):
        warnings.filterwarnings("ignore", category=category)
    warnings.showwarning = show
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
