"""``kgfm link``: options in, a verb called, lines out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from jsonargparse import ArgumentParser, Namespace

from kgfm.cli import show
from kgfm.cli.options import (
    add_json_option,
    add_text_options,
    command_parser,
    parse_options,
    say,
    silence,
    write_figures,
)
from kgfm.training import FINE_TUNING, TrainingConfig


def _link_parser() -> ArgumentParser:
    from kgfm.cli import linking

    parser = command_parser("link", link.__doc__ or "")
    parser.add_argument("graph", help="A snapshot's folder, or a file of RDF or triples.")
    add_text_options(parser)
    parser.add_argument(
        "--out", type=str | None, help="Write here, not to the terminal; goes on if interrupted."
    )
    parser.add_argument("--jobs", type=int, default=1, help="Processes; with --out.")
    parser.add_argument(
        "--engine", type=str, default="processes", help="processes, or ray; with --out."
    )
    parser.add_argument("--linker", type=str | None, help="The folder of a linker that was fitted.")
    parser.add_argument(
        "--fit", type=str | None, help="Learn from a file of gold mentions; --out gets the linker."
    )
    parser.add_argument(
        "--fine-tune", action="store_true", help="Train the text encoder too; with --fit."
    )
    parser.add_argument(
        "--folds",
        type=int,
        default=2,
        help="With --fine-tune: so many encoders more, each trained without one part of the texts, "
        "so that the weights are learned from texts that the encoder does not know.",
    )
    parser.add_argument(
        "--resume", action="store_true", help="Go on with a --fine-tune that was interrupted."
    )
    parser.add_argument(
        "--calibrate",
        type=str | None,
        help="Fit the probabilities to a file of texts without mentions; --out gets the linker.",
    )
    parser.add_argument("--seed", type=int, default=0, help="Of what --fit leaves to chance.")
    parser.add_argument("--evaluate", type=str | None, help="A file of texts with gold mentions.")
    parser.add_argument("--format", type=str, default="jsonl", help=f"Of gold: {linking.GOLD}.")
    parser.add_argument(
        "--ids",
        type=str | None,
        help="Attribute that has gold's names of entities, if not the key.",
    )
    parser.add_argument(
        "--gold-spans", action="store_true", help="Link gold's spans only; with --evaluate."
    )
    parser.add_argument(
        "--fuzzy", action="store_true", help="Partial names, typos and acronyms too."
    )
    parser.add_argument(
        "--ranked", action="store_true", help="Weigh the candidates of a text together; NIL."
    )
    parser.add_argument(
        "--context", action="store_true", help="Also by a text encoder; implies --ranked."
    )
    parser.add_argument("--cache", type=str, default="cache", help="Keeps what is compiled.")
    add_json_option(parser)
    parser.add_class_arguments(TrainingConfig, "training", as_group=True)
    parser.set_defaults({f"training.{name}": value for name, value in asdict(FINE_TUNING).items()})
    return parser


def link(given: Sequence[str]) -> None:
    """Find the entities that texts name; one line of JSON for each text, in the same order.

    With --evaluate it compares with gold mentions instead, and says where the linker goes wrong;
    with --fit it learns from them.
    """
    from kgfm.cli import linking

    options = parse_options(_link_parser(), given)
    _check(options)
    linker = {
        name: getattr(options, name)
        for name in ("fuzzy", "ranked", "context")
        if getattr(options, name)
    }
    made = linking.Made(options.graph, linker, options.linker, options.cache)
    if linker.get("context") or options.linker:
        silence()
    gold = options.fit or options.evaluate
    if options.fit is not None:
        linking.fit(
            made,
            linking.Gold(gold, options.format, options.ids),
            options.out,
            fine_tune=TrainingConfig(**vars(options.training)) if options.fine_tune else False,
            folds=options.folds,
            resume=options.resume,
            seed=options.seed,
            say=say,
        )
    elif options.calibrate is not None:
        linking.calibrate(made, options.calibrate, options.out, say=say)
    elif options.evaluate is not None:
        given_gold = linking.Gold(gold, options.format, options.ids)
        found = linking.evaluate(made, given_gold, gold_spans=options.gold_spans)
        say(show.evaluation(found))
        write_figures(options.json, found.record())
    elif options.out is None:
        linking.print_mentions(made, options.texts, options.file)
    else:
        linking.link_file(made, options.file, options.out, jobs=options.jobs, engine=options.engine)


def _check(options: Namespace) -> None:
    """Refuse options that do not go together."""
    gold = options.fit or options.evaluate
    if options.fit and options.evaluate:
        raise ValueError(
            "--fit or --evaluate, not both: a linker is not measured on what it knows."
        )
    if gold and (options.texts or options.file):
        raise ValueError("The file of gold mentions has the texts; leave out texts and --file.")
    if options.evaluate and options.out:
        raise ValueError("--evaluate writes no links; leave out --out.")
    if options.calibrate and (gold or options.texts or options.file):
        raise ValueError("--calibrate has its own texts; leave out --fit, --evaluate and the like.")
    if (options.fit or options.calibrate) and not options.out:
        raise ValueError("--fit and --calibrate go with --out, the folder of the saved linker.")
    if options.fine_tune and not (options.fit and (options.context or options.linker)):
        raise ValueError("--fine-tune goes with --fit and --context.")
    if options.resume and not options.fine_tune:
        raise ValueError("--resume goes with --fine-tune; --file with --out goes on by itself.")
    if options.folds < 2:
        raise ValueError(f"--folds={options.folds}: give at least 2.")
    if options.gold_spans and not options.evaluate:
        raise ValueError("--gold-spans goes with --evaluate.")
    if options.json is not None and not options.evaluate:
        raise ValueError("--json goes with --evaluate; --out writes the mentions.")
    learns = options.fit or options.calibrate
    if options.out is not None and not learns and options.file is None:
        raise ValueError("--out goes with --file.")
