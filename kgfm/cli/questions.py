"""``kgfm questions``: questions with their answers made from a graph, as JSON lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from kgfm.cli import show
from kgfm.cli.options import add_json_option, command_parser, parse_options, say, write_figures
from kgfm.datasets.jsonl import open_graph
from kgfm.questions import PARTS, Made, make, make_parts, write
from kgfm.types import KINDS


def questions(given: Sequence[str]) -> None:
    """Make questions with answers from a graph, in words from the labels of its relations.

    They are JSON lines as the data set jsonl reads them, with what each names and the triples that
    its answer rests on.
    """
    parser = command_parser("questions", questions.__doc__ or "")
    parser.add_argument("graph", help="A snapshot's folder, or a file of RDF or triples.")
    parser.add_argument(
        "--out", required=True, type=str, help="The file (.jsonl); with --split a folder."
    )
    parser.add_argument("--number", type=int, default=2000, help="How many questions.")
    parser.add_argument("--hops", type=int, default=2, help="Most steps from a topic.")
    parser.add_argument("--seed", type=int, default=0, help="Of all that is left to chance.")
    parser.add_argument(
        "--patterns",
        type=str | None,
        help="A file of patterns of your own: JSON lines, or a list in YAML or JSON.",
    )
    parser.add_argument(
        "--split",
        action="store_true",
        help=f"Write {', '.join(f'{part}.jsonl' for part in PARTS)}, about disjoint sets of "
        "entities, into the folder --out.",
    )
    parser.add_argument("--cache", type=str, default="cache", help="Keeps what is compiled.")
    add_json_option(parser, "the counts")
    options = parse_options(parser, given)
    out = Path(options.out)
    _check(out, options.split)
    graph = open_graph(options.graph, Path(options.cache) / "graphs")
    how = {name: options[name] for name in ("number", "hops", "seed", "patterns")}
    if options.split:
        made = {out / f"{part}.jsonl": part for part in PARTS}
        parts = make_parts(graph, **how)
        files = {path: parts[part] for path, part in made.items()}
    else:
        files = {out: make(graph, **how)}
    empty = [path.name for path, some in files.items() if not some]
    if options.split and 0 < len(empty) < len(files):
        raise ValueError(
            f"there is no question for {' and '.join(empty)}: --number {options.number} is too "
            "small, or the graph has too few entities to part them; leave out --split."
        )
    if empty:
        raise ValueError(
            f"{options.graph} gives no question: that takes entities with names, and relations or "
            "attributes with labels in words. kgfm graph check says more."
        )
    for path, some in files.items():
        write(some, path)
        say(f"{show.counts(_counts(some))} in {path}")
    total = sum(map(len, files.values()))
    if total < options.number:
        say(f"{total:,} and not {options.number:,}: the graph gives no more that differ.")
    if options.split:
        say(f"a recipe reads them as {_dataset(options.graph, files)}")
    counts = {path.name: _counts(some) for path, some in files.items()}
    write_figures(options.json, counts if options.split else counts[out.name])


def _check(out: Path, split: bool) -> None:
    """Refuse a file where a folder is needed, and a folder where a file is."""
    if split and (out.is_file() or out.suffix in (".jsonl", ".json")):
        raise ValueError(f"--split writes three files, so --out is a folder; got {out}.")
    if not split and out.is_dir():
        raise ValueError(f"--out {out} is a folder; name a file, such as {out / 'q.jsonl'}.")


def _counts(made: Sequence[Made]) -> dict[str, int]:
    """Count questions, and those of each kind that have an answer."""
    found = Counter(one.example.kind for one in made if one.example.target)
    kinds = {str(kind): found[kind] for kind in KINDS if found[kind]}
    both = sum(one.sought is not None and len(one.sought.walks) > 1 for one in made)
    without = sum(not one.example.target for one in made)
    return {"questions": len(made), **kinds, "without_answer": without, "of_two_topics": both}


def _dataset(graph: str, files: Mapping[Path, object]) -> str:
    parts = "".join(f", {path.stem}: {path}" for path in files)
    return f"dataset: {{name: jsonl, graph: {graph}{parts}}}"
