"""``nlp.add_pipe("kgfm_linker", config={"graph": "graphs/films"})``: a linker in a spaCy pipeline.

spaCy finds the factory through the entry point group ``spacy_factories``; nothing in kgfm imports
this module. Training, a vocabulary or vectors are not needed: ``spacy.blank("en")`` will do.
"""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from kgfm.graph import KnowledgeGraph
from kgfm.linking.base import BaseLinker
from kgfm.linking.choose import best_apart
from kgfm.storage import DamagedFileError, replace_file
from kgfm.types import NIL, Mention

FILE, FORMAT = "kgfm_linker.json", 1
LABEL = "ENTITY"


class SpacyLinker(Pipe):
    """Write what a kgfm linker finds into spaCy's documents.

    All mentions, overlapping ones too, come into ``doc.spans[spans_key]`` with ``kb_id_`` as the
    entity's key ("NIL" for a mention without one). ``doc.spans[spans_key].attrs["mentions"]`` holds
    ``[start, end, key, score]`` of each in characters, exact even where a token of spaCy's begins
    or ends elsewhere. Those that do not overlap and whose ``score * characters`` sum to the most
    come into ``doc.ents``.

    Args:
        vocab: The pipeline's.
        name: The component's name in the pipeline.
        graph: Folder of the snapshot to link to; ``None`` if ``linker`` is a ready object, or if
            :meth:`from_disk` brings both. A saved pipeline finds a relative one wherever it is
            loaded; so one that is not there is an error once it is needed.
        linker: A name, a mapping with ``name`` and arguments, or a ready linker.
        spans_key: Where in ``doc.spans`` all mentions go.
        label: Label of each span; ``None`` takes the entity's first type, or ``ENTITY``.
        alignment_mode: What to do where a mention is not whole tokens: ``"expand"`` to all tokens
            it touches, ``"contract"`` to those within it, or leave it out (``"strict"``).
        ents: ``"merge"``: mentions replace entities of ``doc.ents`` that they overlap, but an
            entity with the same tokens keeps its label. ``"link"``: ``doc.ents`` stays and gets
            ``kb_id_`` where a mention has the same tokens. ``"none"``: it stays as it is.
        batch_size: How many documents :meth:`pipe` links at a time; ``nlp.pipe`` sets its own.
        scorer: What :meth:`score` calls.

    Raises:
        FileNotFoundError: ``graph`` is an absolute path, and no snapshot.
        ValueError: ``alignment_mode`` or ``ents`` is unknown.
    """

    def __init__(
        self,
        vocab: Vocab,
        name: str = "kgfm_linker",
        *,
        graph: str | Path | None = None,
        linker: str | Mapping[str, Any] | BaseLinker = "names",
        spans_key: str = "kgfm",
        label: str | None = None,
        alignment_mode: str = "expand",
        ents: str = "merge",
        batch_size: int = 64,
        scorer: Callable[..., dict[str, Any]] | None = None,
    ) -> None:
        for given, known, what in (
            (alignment_mode, ("strict", "contract", "expand"), "alignment_mode"),
            (ents, ("merge", "link", "none"), "ents"),
        ):
            if given not in known:
                raise ValueError(f"{what} is one of {', '.join(known)}; got {given!r}.")
        self.vocab = vocab
        self.name = name
        self.spans_key = spans_key
        self.label = label
        self.alignment_mode = alignment_mode
        self.ents = ents
        self.batch_size = batch_size
        self.scorer = scorer
        self._linker = linker
        self._given = None if graph is None else str(graph)
        self._graph, self._absent = (None, None) if graph is None else _opened_if_there(graph)

    @cached_property
    def linker(self) -> BaseLinker:
        """The linker, made when it is first needed."""
        from kgfm.linking import LINKERS

        if isinstance(self._linker, BaseLinker):
            return self._linker
        if self._absent is not None:
            raise self._absent
        if self._graph is None:
            raise ValueError(
                f"The component {self.name!r} has no graph: "
                'nlp.add_pipe("kgfm_linker", config={"graph": FOLDER}).'
            )
        surroundings: dict[str, Any] = {"graph": self._graph}
        if isinstance(self._linker, Mapping) and self._linker.get("context"):
            from kgfm.backbones import TextEncoder

            surroundings["encode"] = TextEncoder()
        return LINKERS.build(self._linker, **surroundings)

    def __call__(self, doc: Doc) -> Doc:
        """Link one document, in place."""
        self.annotate(doc, self.linker.link([doc.text])[0])
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int | None = None) -> Iterator[Doc]:
        """Link a stream of documents, a batch at a time; texts go to the linker as they are."""
        handle = self.get_error_handler()
        docs_left = iter(stream)
        while docs := list(islice(docs_left, batch_size or self.batch_size)):
            try:
                found = self.linker.link([doc.text for doc in docs])
                for doc, mentions in zip(docs, found, strict=True):
                    self.annotate(doc, mentions)
            except Exception as error:  # what happens then is for nlp.set_error_handler to say
                handle(self.name, self, docs, error)
            else:
                yield from docs

    def annotate(self, doc: Doc, mentions: Sequence[Mention]) -> None:
        """Write mentions of a document's text into the document."""
        spans, kept = [], []
        for mention in mentions:
            span = doc.char_span(
                mention.start,
                mention.end,
                label=self._label(mention),
                kb_id=mention.entity or NIL,
                alignment_mode=self.alignment_mode,
            )
            if span is not None and len(span):
                spans.append(span)
                kept.append(mention)
        doc.spans[self.spans_key] = spans
        doc.spans[self.spans_key].attrs["mentions"] = [
            [mention.start, mention.end, mention.entity, float(mention.score)] for mention in kept
        ]
        if self.ents != "none":
            weights = [mention.score * (mention.end - mention.start) for mention in kept]
            apart = best_apart([(s.start, s.end, w) for s, w in zip(spans, weights, strict=True)])
            self._set_ents(doc, [spans[place] for place in apart])

    def _set_ents(self, doc: Doc, linked: Sequence[Span]) -> None:
        found = {(span.start, span.end): span for span in linked}
        given = {(ent.start, ent.end): ent for ent in doc.ents}
        same = [
            Span(doc, *place, label=given[place].label, kb_id=found[place].kb_id)
            for place in given.keys() & found.keys()
        ]
        if self.ents == "link":
            others = [ent for place, ent in given.items() if place not in found]
        else:
            taken = {token for span in linked for token in range(span.start, span.end)}
            free = [e for e in given.values() if taken.isdisjoint(range(e.start, e.end))]
            others = [*free, *(span for place, span in found.items() if place not in given)]
        doc.set_ents([*same, *others])

    def _label(self, mention: Mention) -> str:
        if self.label is not None:
            return self.label
        graph = self.linker.graph
        row = -1 if mention.entity is None else graph.keys.find(mention.entity)
        return next(iter(graph.types(row) if row >= 0 else ()), LABEL)

    def score(self, examples: Iterable[Example], **options: Any) -> dict[str, Any]:
        """Return precision, recall and F1 of the links (:meth:`spacy.scorer.Scorer.score_links`).

        It only counts entities whose span is right, as spaCy does; :mod:`kgfm.linking.evaluate`
        also counts spans.
        """
        return {} if self.scorer is None else self.scorer(examples, **options)

    # -- saving: the arguments of the linker and where its graph is -------------------------------

    def _reference(self) -> dict[str, Any]:
        linker, graph = self.linker, self.linker.graph
        name = self._linker if isinstance(self._linker, str) else _name_of(self._linker)
        return {
            "kind": "spacy linker",
            "format": FORMAT,
            "graph": {
                "path": None if graph.path is None else str(graph.path.absolute()),
                "given": self._given,
                "fingerprint": graph.fingerprint,
            },
            "linker": {"name": name, **linker.config()},
        }

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """Return what :meth:`to_disk` writes."""
        return (json.dumps(self._reference(), ensure_ascii=False, indent=1) + "\n").encode()

    def from_bytes(self, content: bytes, *, exclude: Iterable[str] = ()) -> SpacyLinker:
        """Take over what :meth:`to_bytes` gave; see :meth:`from_disk`."""
        try:
            found = json.loads(content)
            path, mark = found["graph"]["path"], found["graph"]["fingerprint"]
            given = found["graph"].get("given")
            linker = {**found["linker"]}
            version = int(found["format"])
        except (ValueError, TypeError, KeyError) as error:
            raise DamagedFileError(
                f"The saved component {self.name!r} is damaged ({error}); save it anew."
            ) from None
        if version > FORMAT:
            raise DamagedFileError(
                f"The saved component {self.name!r} has format {version}; this kgfm reads up to "
                f"{FORMAT}. Upgrade kgfm."
            )
        if isinstance(self._linker, BaseLinker):
            return self
        if path is not None and given == self._given and not Path(given or "").is_absolute():
            with suppress(FileNotFoundError):
                self._graph, self._absent = _opened(path), None
        if self._graph is None:
            if path is None:
                raise ValueError(
                    f"The component {self.name!r} was saved over a graph in memory. Save that "
                    "graph and name its folder when the pipeline is loaded: "
                    f'config={{"components": {{"{self.name}": {{"graph": FOLDER}}}}}}.'
                )
            self._graph, self._absent = _opened(path), None
        if self._graph.fingerprint != mark:
            warnings.warn(
                f"The graph in {self._graph.path} is not as it was when {self.name!r} was saved; "
                "links may differ.",
                UserWarning,
                stacklevel=2,
            )
        self._linker = linker
        vars(self).pop("linker", None)
        return self

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the linker's arguments and a reference to its graph, as JSON."""
        replace_file(Path(path) / FILE, self.to_bytes())

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> SpacyLinker:
        """Take over what :meth:`to_disk` wrote.

        A graph that the pipeline's configuration names comes first, then the place where the graph
        was when the component was saved; a relative path means that place as long as it is the one
        that was saved. Where its content is another one now, a warning says so.

        Raises:
            FileNotFoundError: The file, or the graph that it refers to, is not there.
            DamagedFileError: The file is not as it was written.
        """
        return self.from_bytes((Path(path) / FILE).read_bytes())


def _name_of(linker: Mapping[str, Any] | BaseLinker) -> str:
    from kgfm.linking import LINKERS

    if isinstance(linker, BaseLinker):
        return LINKERS.name_of(linker) or type(linker).__name__
    return str(linker["name"])


def _opened_if_there(
    path: str | Path,
) -> tuple[KnowledgeGraph | None, FileNotFoundError | None]:
    """Return the graph in a folder, or the error if a relative one is not there."""
    try:
        return _opened(path), None
    except FileNotFoundError as error:
        if Path(path).is_absolute():
            raise
        return None, error


def _opened(path: str | Path) -> KnowledgeGraph:
    try:
        graph = KnowledgeGraph.open(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{error} The component links to a snapshot: kgfm graph build FILE --out {path}. A "
            "saved pipeline whose graph has moved takes the new place in spacy.load(..., "
            'config={"components": {NAME: {"graph": FOLDER}}}).'
        ) from None
    if not len(graph):
        warnings.warn(
            f"The graph in {path} has no entity; nothing will be linked.", UserWarning, stacklevel=4
        )
    return graph


def make_linker(
    nlp: Language,
    name: str,
    graph: str | None,
    linker: str | dict[str, Any],
    spans_key: str,
    label: str | None,
    alignment_mode: str,
    ents: str,
    batch_size: int,
    scorer: Callable[..., dict[str, Any]] | None,
) -> SpacyLinker:
    """Make the component for spaCy; :class:`SpacyLinker` says what the settings mean."""
    return SpacyLinker(
        nlp.vocab,
        name,
        graph=graph,
        linker=linker,
        spans_key=spans_key,
        label=label,
        alignment_mode=alignment_mode,
        ents=ents,
        batch_size=batch_size,
        scorer=scorer,
    )


Language.factory(
    "kgfm_linker",
    assigns=["doc.ents", "doc.spans", "token.ent_kb_id"],
    default_config={
        "graph": None,
        "linker": "names",
        "spans_key": "kgfm",
        "label": None,
        "alignment_mode": "expand",
        "ents": "merge",
        "batch_size": 64,
        "scorer": {"@scorers": "spacy.entity_linker_scorer.v1"},
    },
    default_score_weights={"nel_micro_f": 1.0, "nel_micro_r": None, "nel_micro_p": None},
    # spaCy reads the names of the arguments off the function, which a checker of types may wrap.
    func=inspect.unwrap(make_linker),
)
