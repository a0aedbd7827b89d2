"""The commands over jsonargparse: options in, a verb called, lines out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jsonargparse import ArgumentParser, Namespace

from kgfm.cli import senses, show, verbs
from kgfm.cli.link import link
from kgfm.cli.options import (
    add_json_option,
    add_text_options,
    command_parser,
    parse_options,
    say,
    silence,
    with_hint,
    write_figures,
)
from kgfm.cli.questions import questions
from kgfm.recipes import Recipe, evaluate, read_recipe, recipe_parser, train
from kgfm.recipes.read import parse_recipe
from kgfm.training import TrainingConfig

# -- the graph ------------------------------------------------------------------------------------


def graph_build(given: Sequence[str]) -> None:
    """Compile RDF, tables, a public layout or a server's graph into a snapshot.

    A snapshot opens in milliseconds.
    """
    from kgfm.cli import graphs

    parser = command_parser("graph build", (graph_build.__doc__ or "") + _settings_help(given))
    parser.add_argument(
        "source",
        nargs="+",
        help="RDF (.ttl, .nt.gz, ...), one file or several; triples (.tsv, .csv, .parquet); a "
        "folder with --layout; bolt://... or neo4j://...; the http(s) address of a SPARQL "
        "endpoint.",
    )
    parser.add_argument("--out", required=True, type=str, help="The snapshot's folder.")
    graphs.add_build_options(parser)
    graphs.add_common_options(parser)
    add_json_option(parser, "the counts")
    options = parse_options(parser, given)
    built = graphs.build(options)
    say(f"{built!r} in {options.out}")
    for line in show.conventions(built.manifest["source"], guessed=not options.convention):
        say(line)
    write_figures(options.json, built.manifest["counts"])


def _settings_help(given: Sequence[str]) -> str:
    """Return what ``--set`` may name, if help is asked for."""
    from kgfm.cli import graphs

    asked = "-h" in given or "--help" in given
    return f"\n\nWith --set, the options of {graphs.options_listed()}." if asked else ""


def graph_refresh(given: Sequence[str]) -> None:
    """Bring a snapshot up to date with its source; the old one serves until the new one is whole.

    The source is read the way in which it was when the snapshot was built.
    """
    from kgfm.cli import graphs

    parser = command_parser("graph refresh", (graph_refresh.__doc__ or "") + _settings_help(given))
    parser.add_argument("snapshot", help="The snapshot's folder.")
    parser.add_argument("source", nargs="*", help="The new dump; a server is remembered.")
    graphs.add_common_options(parser)
    add_json_option(parser, "what is different")
    options = parse_options(parser, given)
    found = graphs.refresh(options)
    say(f"{found.graph!r} in {options.snapshot}")
    say(show.counts(found.counts()))
    write_figures(options.json, found.counts())


def graph_info(given: Sequence[str]) -> None:
    """Count what a graph holds."""
    parser = command_parser("graph info", graph_info.__doc__ or "")
    parser.add_argument("graph", help="A snapshot's folder, or a file of RDF or triples.")
    parser.add_argument("--cache", type=str, default="cache", help="Keeps what is compiled.")
    parser.add_argument("--plot", type=str | None, help="Draw the degrees into this PNG.")
    add_json_option(parser, "the counts")
    options = parse_options(parser, given)
    found = verbs.info(options.graph, cache=options.cache, plot=options.plot)
    say(show.graph_info(found))
    write_figures(options.json, found)


def graph_check(given: Sequence[str]) -> None:
    """Say what in a graph will hurt linking or training, and how to mend it.

    The exit code is 1 if there is a fault, with which it cannot work well, else 0.
    """
    parser = command_parser("graph check", graph_check.__doc__ or "")
    parser.add_argument("graph", help="A snapshot's folder, or a file of RDF or triples.")
    parser.add_argument("--cache", type=str, default="cache", help="Keeps what is compiled.")
    add_json_option(parser, "the findings")
    options = parse_options(parser, given)
    found = verbs.check(options.graph, cache=options.cache)
    say(f"names in {verbs.scripts(options.graph, cache=options.cache)}\n")
    say(show.findings(found))
    from kgfm.linking.check import as_json

    write_figures(options.json, as_json(found))
    if any(finding.level == "fault" for finding in found):
        raise SystemExit(1)


# -- recipes --------------------------------------------------------------------------------------


def _recipe_options(name: str, description: str | None) -> ArgumentParser:
    parser = recipe_parser(
        f"kgfm {name} RECIPE",
        f"{description} RECIPE is a YAML file or the name of one that ships with kgfm; each of "
        "its keys can be set here too.",
    )
    add_json_option(parser)
    return parser


def _recipe(parser: ArgumentParser, given: Sequence[str]) -> tuple[Recipe, Namespace]:
    if "-h" in given or "--help" in given:
        parser.print_help()
        raise SystemExit(0)
    if not given or given[0].startswith("-"):
        raise ValueError(f"the recipe comes first: {parser.prog} ...")
    try:
        return parse_recipe(given[0], given[1:], parser)
    except ValueError as error:
        raise ValueError(with_hint(str(error), parser)) from None


def train_command(given: Sequence[str]) -> None:
    """Train a recipe and save the pipeline."""
    parser = _recipe_options("train", train_command.__doc__)
    parser.add_argument(
        "--resume", action="store_true", help="Go on from the last finished epoch in the folder."
    )
    recipe, options = _recipe(parser, given)
    silence()
    found = train(recipe, resume=options.resume, say=say)
    say(show.figures(found))
    say(f'saved in {recipe.folder()}; ask it: kgfm predict {recipe.folder()} "..."')
    write_figures(options.json, found)


def evaluate_command(given: Sequence[str]) -> None:
    """Measure a saved pipeline on the test part of its data set, or on a file."""
    parser = command_parser("evaluate", evaluate_command.__doc__ or "")
    parser.add_argument("run", help="The folder of a trained recipe.")
    parser.add_argument("--recipe", type=str | None, help="Names another data set.")
    parser.add_argument("--data", type=str | None, help="Where the data set is.")
    parser.add_argument("--part", type=str, default="test", help="test, validation or train.")
    parser.add_argument("--file", type=str | None, help="Examples as JSON lines.")
    add_json_option(parser)
    options = parse_options(parser, given)
    silence()
    found = evaluate(
        options.run,
        recipe=read_recipe(options.recipe) if options.recipe else None,
        data=options.data,
        part=options.part,
        file=options.file,
        say=say,
    )
    say(show.figures({options.file or options.part: found}))
    write_figures(options.json, found)


def controls_command(given: Sequence[str]) -> None:
    """Train a recipe with, without and with a shuffled graph, over several seeds, and compare."""
    parser = _recipe_options("controls", controls_command.__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="A run for each.")
    parser.add_argument(
        "--rows",
        type=str,
        nargs="+",
        default=None,
        help="The rows of the table: with, without, shuffled, random, counter, probe, or one of "
        "your own; by default the first three, and the probe for a task with labels. "
        "shuffled:affect and random:affect alter one source of a merged graph.",
    )
    recipe, options = _recipe(parser, given)
    from kgfm.controls import as_text, controls

    silence()
    table = controls(recipe, options.seeds, recipe.folder(), rows=options.rows, say=say)
    say(f"\n{as_text(table)}\n\nsaved in {recipe.folder()}")
    write_figures(options.json, table)


# -- a trained pipeline ---------------------------------------------------------------------------


def predict(given: Sequence[str]) -> None:
    """Ask a saved pipeline; one line for each text."""
    parser = command_parser("predict", predict.__doc__ or "")
    parser.add_argument("run", help="The folder of a trained recipe.")
    add_text_options(parser)
    add_json_option(parser, "the predictions")
    options = parse_options(parser, given)
    texts = verbs.texts_of(options.texts, options.file)
    silence()
    pipeline = verbs.load(options.run)
    verbs.check_mentions(texts, pipeline.graph)
    found = verbs.predict(pipeline, texts)
    for prediction in found:
        line = show.prediction(prediction, pipeline)
        print(line if len(found) == 1 else f"{line}  {' '.join(prediction.text.split())}")
    write_figures(options.json, [verbs.as_record(prediction) for prediction in found])


def explain(given: Sequence[str]) -> None:
    """Show which triples an answer rests on: by how much its score falls without each."""
    parser = command_parser("explain", explain.__doc__ or "")
    parser.add_argument("run", help="The folder of a trained recipe.")
    add_text_options(parser)
    parser.add_argument("--limit", type=int, default=5, help="How many triples are shown.")
    add_json_option(parser, "prediction and evidence")
    options = parse_options(parser, given)
    texts = verbs.texts_of(options.texts, options.file)
    silence()
    pipeline = verbs.load(options.run)
    verbs.check_mentions(texts, pipeline.graph)
    records = []
    for text in texts:
        found, evidence = verbs.explain(pipeline, text)
        line = show.prediction(found, pipeline)
        print(line if len(texts) == 1 else f"{line}  {' '.join(found.text.split())}")
        print(f"named: {show.mentions(found, pipeline.graph)}")
        for place, items in enumerate(evidence):
            if found.about:
                print(show.answer(found.about[place], found.text, pipeline))
            lines = show.evidence(items, pipeline.graph, options.limit) if items else ()
            print(
                "\n".join(["the score falls without:", *lines] if items else ["no triple was read"])
            )
        records.append(verbs.as_record(found, evidence))
    is_one = options.file is None and len(records) == 1
    write_figures(options.json, records[0] if is_one else records)


# -- word senses ----------------------------------------------------------------------------------


def senses_train(given: Sequence[str]) -> None:
    """Learn WordNet's word senses from SemCor; 20 documents are held out to measure on."""
    parser = command_parser("senses train", senses_train.__doc__ or "")
    parser.add_function_arguments(senses.train, skip={"config", "say"})
    parser.add_class_arguments(TrainingConfig, "training", as_group=True)
    add_json_option(parser)
    options = vars(parse_options(parser, given))
    silence()
    config = TrainingConfig(**vars(options.pop("training")))
    path = options.pop("json")
    figures = senses.train(config=config, say=say, **options)
    say("  ".join(f"{name} {value:.4f}" for name, value in figures.items()))
    write_figures(path, figures)


def senses_merge(given: Sequence[str]) -> None:
    """Average taggers that learnt from the same texts; 20 documents choose what is left to choose.

    With one run, only that is chosen anew.
    """
    parser = command_parser("senses merge", senses_merge.__doc__ or "")
    parser.add_argument("runs", nargs="+", help="The folders of trained taggers.")
    parser.add_argument("--semcor", type=str, required=True, help="SemCor's table.")
    parser.add_argument("--out", type=str, required=True, help="The folder of the new tagger.")
    add_json_option(parser)
    options = parse_options(parser, given)
    silence()
    figures = senses.merge(options.runs, options.semcor, options.out)
    say("  ".join(f"{name} {value:.4f}" for name, value in figures.items()))
    write_figures(options.json, figures)


def senses_tag(given: Sequence[str]) -> None:
    """Write the sense keys of the WSD framework's XML; with its gold keys beside it, score them."""
    parser = command_parser("senses tag", senses_tag.__doc__ or "")
    parser.add_argument("run", help="The folder of a trained tagger.")
    parser.add_argument("file", help="The .data.xml.")
    parser.add_argument("--out", type=str | None, help="The key file that is written.")
    parser.add_argument(
        "--max_tokens",
        type=int | None,
        help="Of neighbouring sentences that are read together, if not as many as in training.",
    )
    add_json_option(parser)
    options = parse_options(parser, given)
    silence()
    figures = senses.tag(options.run, options.file, options.out, max_tokens=options.max_tokens)
    say("  ".join(f"{name} {value:.6g}" for name, value in figures.items()))
    write_figures(options.json, figures)


def demo(given: Sequence[str]) -> None:
    """Train on the world graph, put the graph on trial, and ask: minutes, no network."""
    parser = command_parser("demo", demo.__doc__ or "")
    parser.add_argument("--out", type=str, default="runs/demo", help="The run's folder.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="A run for each.")
    add_json_option(parser)
    options = parse_options(parser, given)
    from kgfm.demo import demo as run_demo

    silence()
    write_figures(options.json, run_demo(options.out, seeds=options.seeds, say=say))


RUN: dict[str, Callable[[Sequence[str]], None]] = {
    "graph build": graph_build,
    "graph refresh": graph_refresh,
    "graph info": graph_info,
    "graph check": graph_check,
    "link": link,
    "questions": questions,
    "train": train_command,
    "evaluate": evaluate_command,
    "controls": controls_command,
    "predict": predict,
    "explain": explain,
    "senses train": senses_train,
    "senses merge": senses_merge,
    "senses tag": senses_tag,
    "demo": demo,
}
