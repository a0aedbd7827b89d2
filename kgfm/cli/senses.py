"""``kgfm senses``: train a tagger of WordNet senses, and tag the WSD framework's XML with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kgfm.datasets.jsonl import open_graph
from kgfm.linking.formats import wsd
from kgfm.registry import check_probabilities
from kgfm.training import TrainingConfig

Say = Callable[[str], None]


def train(
    graph: str | Path,
    semcor: str | Path,
    out: str | Path,
    config: TrainingConfig,
    *,
    freeze: int = 3,
    head_epochs: int = 3,
    tune: bool = True,
    pointers: bool = True,
    prior: bool = True,
    lesk: bool = True,
    own_dropout: float = 0.0,
    examples: bool = True,
    seed: int = 0,
    cache: str | Path = "cache",
    resume: bool = False,
    say: Say,
) -> dict[str, Any]:
    """Train on SemCor less 20 documents, save the tagger, and measure it on those documents.

    Args:
        graph: A snapshot of WordNet.
        semcor: SemCor's table; see :func:`kgfm.linking.formats.wsd.read_semcor`.
        out: The run's folder.
        config: How to train.
        freeze: Number of MiniLM's layers that are not trained.
        head_epochs: Epochs in which all but MiniLM learns, before the layers above learn too.
        tune: Let MiniLM's layers above ``freeze`` learn too, after the head.
        pointers: Let synsets read their neighbours in the graph.
        prior: Use the order in which WordNet lists the senses of a word.
        lesk: After training, add how well the glosses suit the whole window.
        own_dropout: Probability that a synset's own vector is left out of a training step.
        examples: Train on the examples in WordNet's glosses too.
        seed: Of all that is random.
        cache: Keeps the states after frozen layers.
        resume: Go on from the last checkpoint in ``out``.
        say: Told what is being done.
    """
    from kgfm.senses import SenseTagger
    from kgfm.senses.corpus import forms_of, split_semcor, usage_examples

    check_probabilities(own_dropout=own_dropout)  # before anything is read
    wordnet = open_graph(graph, Path(cache) / "graphs")
    learnt, held = split_semcor(wsd.read_semcor(semcor))
    tagger = SenseTagger(
        wordnet,
        {"name": "minilm", "freeze": freeze},
        pointers=pointers,
        prior=prior,
        lesk=lesk,
        own_dropout=own_dropout,
        max_tokens=config.max_tokens,
        seed=seed,
    )
    shown = list(usage_examples(wordnet, forms_of(learnt))) if examples else []
    say(f"{tagger!r}: {len(learnt):,} sentences, {len(shown):,} examples; {len(held):,} held out")
    figures = tagger.fit(
        learnt,
        held,
        config,
        folder=out,
        examples=shown,
        head_epochs=head_epochs,
        tune=tune,
        cache=cache,
        resume=resume,
        say=say,
    )
    tagger.save(out)
    return figures


def merge(runs: Sequence[str | Path], semcor: str | Path, out: str | Path) -> dict[str, float]:
    """Average the weights of taggers, and choose the rest on the documents that are held out."""
    from kgfm.senses import SenseTagger
    from kgfm.senses.corpus import split_semcor
    from kgfm.senses.merge import merge as average

    _, held = split_semcor(wsd.read_semcor(semcor))
    tagger = average([SenseTagger.load(run) for run in runs])
    figures = tagger.calibrate(held)
    tagger.training = {"validation": figures, "runs": len(runs)}
    tagger.save(out)
    return figures


def tag(
    run: str | Path, file: str | Path, out: str | Path | None, *, max_tokens: int | None = None
) -> dict[str, Any]:
    """Write the key file of an XML; with a gold key file beside it, return the scores too."""
    from kgfm.senses import SenseTagger

    sentences = wsd.read(file)
    tagger = SenseTagger.load(run)
    answers = tagger(sentences, max_tokens=max_tokens)
    if out is not None:
        wsd.write_keys(out, answers)
    instances = [one for sentence in sentences for one in sentence.instances]
    figures: dict[str, Any] = {"instances": len(instances), "answered": len(answers)}
    gold = {one.id: one.keys for one in instances if one.keys}
    if gold:
        figures |= wsd.score(gold, answers)._asdict()
    return figures
