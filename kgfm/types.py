"""The values that flow through kgfm: text -> Mention -> Subgraph -> Example -> Prediction.

They carry numpy arrays and plain Python values only; tensors begin in :mod:`kgfm.batch`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from operator import index
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

NIL = "NIL"
"""The answer, or the entity, that is not in the graph."""
LINKED = ""
"""In place of the key of an entity that a span stands for: the linker decides which it is."""
Kind = Literal["entity", "count", "yesno", "literal"]
KINDS: tuple[Kind, ...] = ("entity", "count", "yesno", "literal")
"""What an answer is: entities, their number, yes or no, or values such as numbers and dates."""
Refused = Literal["unnamed", "lacking", "unsure"]
"""Why there is no answer."""


@dataclass(frozen=True, slots=True, repr=False)
class Mention:
    """A stretch of text and the entity it names.

    Args:
        start: First character, counted in code points of the original text.
        end: One past the last character.
        text: ``source[start:end]``.
        entity: Key of the entity in the graph, or ``None`` for NIL.
        score: How sure the linker is, from 0 to 1.
        candidates: Entities that it weighed: (key, score), best first.
    """

    start: int
    end: int
    text: str
    entity: str | None
    score: float = 1.0
    candidates: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(
                f"A mention needs 0 <= start <= end, got start={self.start}, end={self.end}."
            )

    def __repr__(self) -> str:
        return f"Mention({self.text!r} -> {self.entity or NIL}, {self.score:.2f})"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Asked:
    """What a retriever sees of one text.

    Args:
        text: The text, all of it.
        mentions: What it names, with offsets and the linker's candidates; NIL is kept.
        rows: Row in the graph of each mention's entity; -1 for NIL.
        without: Triples, as rows (head, relation, tail) of the graph, that are hidden from this
            text: it is answered as if the graph did not hold them. So evidence is measured.
        words: Words of the text that are entities too, such as those of a lexicon: seeds, which
            tokens are aligned with, and nothing that the text is about.
        word_rows: Row in the graph of each of them.

    Raises:
        TypeError: Rows are no flat array of integers.
        ValueError: There is not one row for each mention and each word, or ``without`` holds no
            triples.
    """

    text: str
    mentions: tuple[Mention, ...]
    rows: Int[np.ndarray, "mention"]
    without: Int[np.ndarray, "triple 3"] = field(
        default_factory=lambda: np.empty((0, 3), dtype=np.int64)
    )
    words: tuple[Mention, ...] = ()
    word_rows: Int[np.ndarray, "word"] = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def __post_init__(self) -> None:
        for what, named, rows in (
            ("mentions", self.mentions, self.rows),
            ("words", self.words, self.word_rows),
        ):
            _check_rows(rows)
            if len(rows) != len(named):
                raise ValueError(f"{len(named)} {what}, but {len(rows)} rows.")
        if self.without.ndim != 2 or self.without.shape[1] != 3:
            raise ValueError(f"without has shape {self.without.shape}; a triple is three rows.")

    @property
    def seeds(self) -> Int[np.ndarray, "seed"]:
        """Rows of the entities that are named, in the order of the text; repeats are kept.

        Those of words come last.
        """
        named = np.concatenate([self.rows, self.word_rows]) if self.words else self.rows
        return named[named >= 0]

    @classmethod
    def at(
        cls,
        rows: Sequence[int] | np.ndarray,
        text: str = "",
        *,
        without: Sequence[tuple[int, int, int]] | np.ndarray = (),
    ) -> Asked:
        """Ask about entities by their rows, as if a text named them one after the other."""
        found = np.asarray(rows)
        found = found.astype(np.int64) if not found.size else found
        _check_rows(found)
        named = tuple(Mention(0, 0, "", str(row)) for row in found)
        return cls(text, named, found, np.asarray(without, np.int64).reshape(-1, 3))

    def __repr__(self) -> str:
        hidden = f", without {len(self.without)} triples" if len(self.without) else ""
        return f"Asked({len(self.mentions)} mentions, {len(self.seeds)} seeds{hidden})"


def _check_rows(rows: np.ndarray) -> None:
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise TypeError(
            f"The seeds of a text are a flat array of rows (integers), got shape {rows.shape} of "
            f"{rows.dtype}; graph.rows(keys) makes rows of keys."
        )


@dataclass(frozen=True, slots=True)
class Path:
    """A walk through a subgraph, from an entity that the text names to one that may answer.

    Args:
        nodes: Positions in the subgraph's ``nodes``, in the order of the walk.
        edges: Positions in the subgraph's ``edge_type``; each edge joins two neighbours of
            ``nodes``, in either direction.
        score: How likely the walk is, larger is better; paths stand best first.
    """

    nodes: tuple[int, ...]
    edges: tuple[int, ...]
    score: float = 0.0

    def __post_init__(self) -> None:
        if len(self.nodes) != len(self.edges) + 1:
            raise ValueError(f"A path of {len(self.edges)} edges has {len(self.nodes)} nodes.")


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a retriever thinks is asked for: a whole set, whatever the budget of nodes.

    Args:
        sought: The walks that lead to it, a :class:`kgfm.walks.Sought`; ``None`` where there is
            none.
        rows: Rows of all entities of the set, in the order of their keys; those that bear the
            values, or that are counted.
        values: The answers that are no entities: numbers, dates, strings, yes or no.
        score: How likely this is what is asked for, from 0 to 1.
        lacking: How likely the graph lacks what is asked for.
        refused: Why there is no answer: ``unnamed`` (nothing that is named is in the graph),
            ``lacking`` (the graph does not tell), ``unsure``; ``None`` where there is one.
        near: What else may be meant, with its score, best first.
    """

    sought: Any
    rows: Int[np.ndarray, "answer"]
    values: tuple[str, ...] = ()
    score: float = 0.0
    lacking: float = 0.0
    refused: Refused | None = None
    near: tuple[tuple[Any, float], ...] = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Subgraph:
    """The part of the graph that matters for one text; each triple stands once, head to tail.

    Args:
        nodes: Rows of the entities in the graph, the seeds first.
        edge_index: Heads (row 0) and tails (row 1), as positions in ``nodes``.
        edge_type: Row of each edge's relation in the graph.
        hops: Distance of each node from the nearest seed; 0 marks the seeds.
        prior: How likely the retriever thinks each node to be the answer, as a logit; ``None``
            where it has no opinion.
        paths: Walks from seeds to nodes that the retriever found worth showing, best first.
        found: What the retriever thinks is asked for; ``None`` where it does not look for that.
        edge_weight: How much each edge says, 1 being as much as usual; ``None`` where all say 1.
    """

    nodes: Int[np.ndarray, "node"]
    edge_index: Int[np.ndarray, "2 edge"]
    edge_type: Int[np.ndarray, "edge"]
    hops: Int[np.ndarray, "node"]
    prior: Float[np.ndarray, "node"] | None = None
    paths: tuple[Path, ...] = ()
    found: Found | None = None
    edge_weight: Float[np.ndarray, "edge"] | None = None

    def __post_init__(self) -> None:
        if self.edge_weight is not None and len(self.edge_weight) != len(self.edge_type):
            raise ValueError(f"{len(self.edge_type)} edges, but {len(self.edge_weight)} weights.")
        if self.prior is not None and len(self.prior) != len(self.nodes):
            raise ValueError(f"{len(self.nodes)} nodes, but {len(self.prior)} priors.")
        if self.edge_index.shape != (2, len(self.edge_type)):
            raise ValueError(
                f"edge_index has shape {self.edge_index.shape}, "
                f"but there are {len(self.edge_type)} edge types."
            )
        if len(self.nodes) != len(self.hops):
            raise ValueError(f"{len(self.nodes)} nodes, but {len(self.hops)} hops.")

    @property
    def num_seeds(self) -> int:
        return int(np.count_nonzero(self.hops == 0))

    def __repr__(self) -> str:
        return (
            f"Subgraph({len(self.nodes)} nodes, {len(self.edge_type)} edges, "
            f"{self.num_seeds} seeds)"
        )


@dataclass(frozen=True, slots=True)
class About:
    """What a question is about: a span of its text, or two for the relation between them.

    Args:
        spans: (start, end) of each, counted in characters as a :class:`Mention` counts.
        entities: Key of the entity that each span stands for, ``None`` for one that is outside the
            graph, and :data:`LINKED` for one that the linker decides; left out, it decides all.
        labels: What is right about it; ``None`` where unknown.

    Raises:
        ValueError: There are neither one nor two spans, one is reversed or empty, or there is not
            one entity for each.
        TypeError: ``labels`` are no strings, or a span is no pair of whole numbers.
    """

    spans: tuple[tuple[int, int], ...]
    entities: tuple[str | None, ...] | None = None
    labels: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        spans = tuple((index(start), index(end)) for start, end in self.spans)
        object.__setattr__(self, "spans", spans)
        if len(self.spans) not in (1, 2):
            raise ValueError(f"A question is about one span or two, got {len(self.spans)}.")
        for start, end in self.spans:
            if not 0 <= start < end:
                raise ValueError(f"A span needs 0 <= start < end, got ({start}, {end}).")
        if self.entities is not None and len(self.entities) != len(self.spans):
            raise ValueError(f"{len(self.spans)} spans, but {len(self.entities)} entities.")
        if self.entities is not None and {*self.entities} == {LINKED}:
            object.__setattr__(self, "entities", None)
        if self.labels is not None:
            object.__setattr__(self, "labels", _labels(self.labels, "labels"))


Span = tuple[int, int]
"""First character and one past the last, counted in code points."""


@dataclass(frozen=True, slots=True)
class Row:
    """One text that the model reads for an example, or a pair of texts.

    Args:
        text: The text.
        pair: What stands behind it, as a second segment of the same input.
        quotes: Whether the pair only repeats words of the text, so that it names nothing more.
        marks: (place, string): what is written into the text for the model alone, in this order.
            Offsets stay those of the text without it.
        focus: Spans of the text that must be read, in groups of such as must be read together. Of a
            text that is too long another part is read then, and in several rows where the groups
            lie too far apart; without them its beginning.
    """

    text: str
    pair: str | None = None
    quotes: bool = False
    marks: tuple[tuple[int, str], ...] = ()
    focus: tuple[tuple[Span, ...], ...] = ()

    @property
    def source(self) -> str:
        """Both texts, in which mentions are counted: the second begins behind a line break."""
        return self.text if self.pair is None or self.quotes else f"{self.text}\n{self.pair}"


@dataclass(frozen=True, slots=True)
class Example:
    """A text with what is known about it.

    Args:
        text: The text itself.
        target: What is right: labels, or the keys of entities (empty: nothing is), as the task
            reads it. ``None`` where unknown.
        mentions: Given mentions; ``None`` lets the linker find them.
        choices: Texts to choose among, for a task that does.
        about: Spans that are asked about, for a task that reads them.
        kind: What the answers of a question are: ``entity``, ``count``, ``yesno`` or ``literal``.
            The target of all but the first are strings, such as ``3``, ``yes`` and ``1995``.
        gold: Triples (head, relation, tail), by key, that the answer rests on, if known. The
            tail of an attribute is its value as a string.
        words: Given words that are entities too; ``None`` lets the second linker find them.

    Raises:
        TypeError: The text or a target is no string, or gold holds what is no triple; the message
            says what to write.
        ValueError: What is asked about ends behind the text or is blank, or there is no such kind.
    """

    text: str
    target: tuple[str, ...] | None = None
    mentions: tuple[Mention, ...] | None = None
    choices: tuple[str, ...] = ()
    about: tuple[About, ...] = ()
    kind: Kind = "entity"
    gold: tuple[tuple[str, str, str], ...] = ()
    words: tuple[Mention, ...] | None = None
    where: str = field(default="", repr=False, compare=False)
    """Where it was read, such as a file and its line; what is wrong with it is said with that."""

    def __post_init__(self) -> None:
        where = f"{self.where}: " if self.where else ""
        if not isinstance(self.text, str):
            raise TypeError(f"{where}An example's text is a str, got {type(self.text).__name__}.")
        if self.target is not None:
            object.__setattr__(self, "target", _labels(self.target, f"{where}target"))
        if self.kind not in KINDS:
            raise ValueError(
                f"{where}The kind {self.kind!r} is none of {', '.join(KINDS)}; leave it out where "
                "entities or labels are right."
            )
        object.__setattr__(self, "gold", as_triples(self.gold, f"{where}gold"))
        for one in about_spans(self.about):
            _check_span(one, self.text, where)


def _check_span(span: tuple[int, int], text: str, where: str) -> None:
    start, end = span
    if end > len(text):
        raise ValueError(
            f"{where}The span {span} ends behind the text, which has {len(text)} characters."
        )
    if not text[start:end].strip():
        raise ValueError(
            f"{where}The span {span} holds only blanks, {text[start:end]!r:.40}; give the "
            "characters of what it is about."
        )


def _labels(given: Any, what: str) -> tuple[str, ...]:
    """Return labels or keys as a tuple, strings among them as plain ones."""
    name = what.rpartition(" ")[2]
    if isinstance(given, str):
        raise TypeError(f"{what} is a tuple of strings; write ({str(given)!r},).")
    if not isinstance(given, tuple | list):
        instead = f"tuple({name})" if hasattr(given, "__iter__") else f"(str({given!r:.80}),)"
        raise TypeError(
            f"{what} is a tuple of strings; got {given!r:.80}. Write {instead}, or None where "
            "nothing is known."
        )
    return tuple(str.__str__(label) if isinstance(label, str) else label for label in given)


def as_triples(given: Any, what: str) -> tuple[tuple[str, str, str], ...]:
    """Return triples that are lists or tuples as tuples.

    Raises:
        TypeError: One is no triple of strings; the message begins with ``what``.
    """
    for triple in given if isinstance(given, list | tuple) else [given]:
        if not (
            isinstance(triple, list | tuple)
            and len(triple) == 3
            and all(isinstance(key, str) for key in triple)
        ):
            raise TypeError(
                f"{what} is a list of triples [head, relation, tail], each by its key, a string; "
                f"got {triple!r:.80}."
            )
    return tuple((head, relation, tail) for head, relation, tail in given)


def check_labels(example: Example) -> None:
    """Refuse targets and labels that are no strings, which would be lost when a model is saved.

    Raises:
        TypeError: One is none; the message says what to write.
    """
    where = f"{example.where}: " if example.where else ""
    given = [("target", example.target or ())]
    given += [("labels", one.labels or ()) for one in example.about]
    for name, labels in given:
        for label in labels:
            if not isinstance(label, str):
                raise TypeError(
                    f"{where}{name} holds {label!r:.80}, a {type(label).__name__}; labels and keys "
                    f"are strings: write str({label!r:.80}), or {name}=None where nothing is known."
                )


def about_spans(about: Sequence[About]) -> list[tuple[int, int]]:
    """All spans of what is asked about, in order."""
    return [span for one in about for span in one.spans]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was taken away from a question, and how much the score of an answer fell by that.

    Args:
        kind: ``triple``, ``path``, ``node`` or ``text``.
        items: What it was, by key: one triple (head, relation, tail), the triples of a path in its
            order, a node ``(key,)``, or words of the text ``(words,)``.
        change: How far the score fell; below 0 where it rose.
        answers: All that answers without it, where a whole set is found; else ``None``.
        instead: The triples of the path that then leads to the answer, in its order; none where
            no path does.
    """

    kind: Literal["triple", "path", "node", "text"]
    items: tuple[tuple[str, ...], ...]
    change: float
    answers: tuple[str, ...] | None = None
    instead: tuple[tuple[str, str, str], ...] = ()

    @property
    def triples(self) -> tuple[tuple[str, str, str], ...]:
        """The triples of a triple or a path; none of another kind."""
        if self.kind not in ("triple", "path"):
            return ()
        return tuple((head, relation, tail) for head, relation, tail in self.items)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a task says about one thing that was asked.

    Args:
        answer: A label, or the key of an entity; :data:`NIL` where nothing in the graph answers.
        score: Probability of ``answer``.
        scores: (label or key, probability), best first.
        labels: All that holds: several labels, or ``(answer,)``.
        about: The span that was asked about, if one was.
        answers: All that answers: keys, or strings for numbers, dates, counts, yes and no.
        refused: Why there is no answer; ``None`` where there is one.
        why: What that means, and what to do about it.
        near: What else was near to be the answer, with its score, best first.
        sought: The walks that lead to the answers, a :class:`kgfm.walks.Sought`, if such were
            followed.
    """

    answer: str
    score: float
    scores: tuple[tuple[str, float], ...] = ()
    labels: tuple[str, ...] = ()
    about: About | None = None
    answers: tuple[str, ...] = ()
    refused: Refused | None = None
    why: str = ""
    near: tuple[tuple[str, float], ...] = ()
    sought: Any = None


@dataclass(frozen=True, repr=False)
class Prediction:
    """What the pipeline says about one text: plain values, which outlive the model.

    :meth:`kgfm.Pipeline.explain` measures what the answer rests on.

    Args:
        text: The text that was asked about.
        answer: The label, or the key of the entity; :data:`NIL` where nothing in the graph answers.
        score: Probability of ``answer``.
        scores: (label or key, probability), best first.
        labels: All labels over the decision threshold where several may hold, else ``(answer,)``.
        mentions: What the linker found.
        graph_used: False where no mention brought a subgraph in, or the graph's server was
            unavailable.
        about: What is said about each span that was asked about; ``answer`` is then the first's.
        choices: The texts that were chosen among.
        answers: All that answers a question: keys, or strings for numbers, dates, counts, yes and
            no; none where it is refused.
        refused: Why there is no answer: ``unnamed`` (nothing that the graph knows is named),
            ``lacking`` (the graph does not tell), ``unsure``; ``None`` where there is one.
        why: What that means, and what to do about it.
        near: What else was near to be the answer, with its score, best first.
        sought: The walks that lead to the answers, a :class:`kgfm.walks.Sought`, if such were
            followed.
        words: The words of the text that the pipeline's second linker found, apart from mentions.
    """

    text: str
    answer: str
    score: float
    scores: tuple[tuple[str, float], ...] = ()
    labels: tuple[str, ...] = ()
    mentions: tuple[Mention, ...] = ()
    graph_used: bool = True
    about: tuple[Answer, ...] = ()
    choices: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    refused: Refused | None = None
    why: str = ""
    near: tuple[tuple[str, float], ...] = ()
    sought: Any = None
    words: tuple[Mention, ...] = ()

    @property
    def example(self) -> Example:
        """The question as it was asked, with the mentions and words that were found."""
        about = tuple(one.about for one in self.about if one.about is not None)
        return Example(self.text, None, self.mentions, self.choices, about, words=self.words)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as mappings, lists, strings and numbers, ready for JSON."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain

    def __repr__(self) -> str:
        return f"Prediction({self.answer!r}, {self.score:.2f})"

    def _repr_html_(self) -> str:
        """Show the text with what was linked, and the answer, in a notebook."""
        parts, done = [], 0
        for mention in sorted(self.mentions, key=lambda mention: mention.start):
            if mention.start < done:  # given by hand, mentions may overlap
                continue
            parts.append(escape(self.text[done : mention.start]))
            words, entity = self.text[mention.start : mention.end], mention.entity or NIL
            parts.append(f'<mark title="{escape(entity)}">{escape(words)}</mark>')
            done = mention.end
        parts.append(escape(self.text[done:]))
        said = "<br>".join(map(self._said_of, self.about)) or _said(self)
        return f"<p>{''.join(parts)}<br>{said}</p>"

    def _said_of(self, one: Answer) -> str:
        spans = one.about.spans if one.about is not None else ()
        words = " → ".join(escape(self.text[start:end]) for start, end in spans)
        return f"{words}: {_said(one)}"


def _said(one: Prediction | Answer) -> str:
    """Return an answer and its score in HTML."""
    labels = ", ".join(map(escape, one.labels)) or escape(one.answer)
    return f"<b>{labels}</b> ({one.score:.2f})"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
