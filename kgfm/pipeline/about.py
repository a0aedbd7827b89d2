"""What a text is asked about: as users write it, what it stands for, and in which parts it is read.

``about`` of a text is a list. Each of it is a span ``(start, end)``; a string, which stands for
every place where the text says it; a pair of spans for the relation between them; a
:class:`~kgfm.types.Mention`, or an :class:`~kgfm.types.About`. In place of a list, ``"linked"``
asks about all that the linker finds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from itertools import permutations
from operator import index
from typing import Any
from unicodedata import east_asian_width

from kgfm.datasets.mentions import at
from kgfm.graph import KnowledgeGraph
from kgfm.tasks import Task
from kgfm.types import LINKED, About, Example, Mention, Prediction, Span

ALL_LINKED = "linked"
"""Asks about all that the linker finds."""
MOST_AT_ONCE = 16
"""Things that a text is asked about at once; of more it is asked in parts."""


# -- as users write it ----------------------------------------------------------------------------


def asked_about(
    texts: Iterable[Example], about: Any, task: Task, *, single: bool = False
) -> Iterator[Example]:
    """Put into each example what it is asked about.

    Args:
        texts: The examples; looked at one by one.
        about: Of a single text a list or ``"linked"``; of several one of these for each, or
            ``"linked"``.
        task: Must read spans.
        single: Whether there is one text.

    Raises:
        ValueError: The task reads no spans; there are more or fewer lists than texts; something is
            not in its text.
        TypeError: Something can stand for no span.
    """
    if not task.reads_spans:
        raise ValueError(
            f"about={about!r:.80}, but {type(task).__name__} is asked about texts and not about "
            "spans; leave it out, or train with task='spans'."
        )
    if single or isinstance(about, str):
        return (_about_text(example, about) for example in texts)
    if isinstance(about, Mapping) or not hasattr(about, "__iter__"):
        raise TypeError(
            f"about of several texts has a list for each, or is 'linked'; got {about!r:.80}."
        )
    return _about_texts(texts, about)


def _about_texts(texts: Iterable[Example], about: Iterable[Any]) -> Iterator[Example]:
    lists, number = iter(about), 0
    for number, example in enumerate(texts, 1):
        try:
            own = next(lists)
        except StopIteration:
            raise ValueError(
                f"about has {number - 1} lists, and there are more texts; give one for each, [] "
                "for a text that is asked about nothing."
            ) from None
        yield _about_text(example, own, f"text {number - 1}: ")
    if next(lists, lists) is not lists:
        raise ValueError(f"about has more lists than the {number} texts; give one for each.")


def _about_text(example: Example, about: Any, where: str = "") -> Example:
    if isinstance(about, str) and about == ALL_LINKED:
        return replace(example, about=())
    where = at(example.where) or where
    if isinstance(about, str | bytes | About | Mention) or not hasattr(about, "__iter__"):
        raise TypeError(
            f"{where}about is a list, such as [(0, 11), 'ONGC'], or 'linked'; got {about!r:.80}. "
            f"Write [{about!r:.40}]."
        )
    found = tuple(one for given in about for one in _abouts(example.text, given, where))
    if not found:  # nothing is asked, so that nothing need be linked
        return replace(example, about=(), mentions=())
    return replace(example, about=found)


def _abouts(text: str, given: Any, where: str) -> list[About]:
    """Read one thing that is asked about."""
    if isinstance(given, About):
        return [given]
    if isinstance(given, Mention):
        said = text[given.start : given.end]
        if said != given.text:
            raise ValueError(
                f"{where}{given!r} stands at {given.start} to {given.end}, where the text says "
                f"{said!r:.80}; is it a mention of another text?"
            )
        return [About(((given.start, given.end),), (given.entity,))]
    if isinstance(given, str):
        return [About((span,)) for span in _places(text, str.__str__(given), where)]
    spans = (given,) if _is_span(given) else given
    if not (isinstance(spans, tuple | list) and len(spans) in (1, 2) and all(map(_is_span, spans))):
        raise TypeError(
            f"{where}{given!r:.80} is nothing to ask about: give a span (start, end), a string "
            "that the text says, a pair of spans ((0, 11), (21, 25)), or a kgfm.types.About. Of "
            "several texts, each has a list of its own."
        )
    try:
        return [About(tuple((index(start), index(end)) for start, end in spans))]
    except ValueError as error:
        raise ValueError(f"{where}{error}") from None


def _is_span(given: Any) -> bool:
    return (
        isinstance(given, tuple | list)
        and len(given) == 2
        and all(hasattr(end, "__index__") and not isinstance(end, bool) for end in given)
    )


def _places(text: str, words: str, where: str) -> list[Span]:
    """Find every place where a text says some words, and not in the midst of others.

    Raises:
        ValueError: There is none; the message says what is near.
    """
    if not words.strip():
        raise ValueError(f"{where}{words!r} is blank; give words of the text, or a span.")
    everywhere = [match.span() for match in re.finditer(re.escape(words), text)]
    found = [span for span in everywhere if _is_whole(text, *span)]
    if found:
        return found
    if everywhere:
        start, end = everywhere[0]
        raise ValueError(
            f"{where}the text says {words!r} only within other words, such as at {start}: "
            f"{text[max(0, start - 10) : end + 10]!r}. If that is meant, give the span "
            f"({start}, {end})."
        )
    near = _nearest(words, text)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    raise ValueError(f"{where}the text does not say {words!r}.{hint} It says {text!r:.120}.")


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether no word goes on at either end; in scripts without blanks all do, and none counts."""
    return not (
        (start > 0 and _goes_on(text[start - 1], text[start]))
        or (end < len(text) and _goes_on(text[end - 1], text[end]))
    )


def _goes_on(first: str, second: str) -> bool:
    return all(one.isalnum() and east_asian_width(one) not in "WF" for one in (first, second))


def _nearest(words: str, text: str) -> list[str]:
    """Return what the text says that is most like some words."""
    said = [match.span() for match in re.finditer(r"\w+", text)]
    size = max(1, len(words.split()))
    phrases = [
        text[said[first][0] : said[first + length - 1][1]]
        for length in {max(1, size - 1), size, size + 1}
        for first in range(len(said) - length + 1)
    ]
    folded = {phrase.casefold(): phrase for phrase in reversed(phrases)}
    return [folded[near] for near in get_close_matches(words.casefold(), folded, n=3)]


# -- what it stands for ---------------------------------------------------------------------------


def linked(mentions: Sequence[Mention], num_spans: int) -> tuple[About, ...]:
    """Ask about all mentions; where relations are asked for, about all ordered pairs of them."""
    found = dict.fromkeys(
        ((mention.start, mention.end), mention.entity)
        for mention in mentions
        if mention.text.strip() and mention.start < mention.end
    )
    return tuple(
        About(tuple(span for span, _ in group), tuple(entity for _, entity in group))
        for group in permutations(found, num_spans)
    )


def settled(example: Example, found: Sequence[Mention], graph: Any) -> Example:
    """Say for each span what it stands for, and make that a mention of the text.

    Where an example leaves it to the linker, that is what the linker's mention of the very span
    stands for, or the mention that overlaps it most; NIL where none does. A given entity, or none
    (NIL), takes the place of what the linker found there. So whatever a span stands for is a seed
    of the text's subgraph. Settled once, an example stays as it is.

    Args:
        example: Of which ``mentions`` stay, if they are given.
        found: Its mentions: given ones, or the linker's.
        graph: Must have the entities that are given; a live one is not asked.

    Raises:
        ValueError: It lacks one; the message says where it was read, and names keys that are near.
    """
    given = [
        (span, key)
        for one in example.about
        for span, key in zip(one.spans, one.entities or (), strict=bool(one.entities))
        if key != LINKED
    ]
    _check_keys({key for _, key in given if key is not None}, graph, example.where)
    about = tuple(
        replace(
            one,
            entities=tuple(
                _entity_at(span, found) if key == LINKED else key
                for span, key in zip(
                    one.spans, one.entities or (LINKED,) * len(one.spans), strict=True
                )
            ),
        )
        for one in example.about
    )
    kept = list(found)
    if example.mentions is None:
        taken = [span for span, _ in given]
        kept = [one for one in found if not any(_shared(span, one) for span in taken)]
    for one in about:
        for span, key in zip(one.spans, one.entities or (), strict=True):
            if key is not None and not any(m.entity == key and _shared(span, m) for m in kept):
                kept.append(Mention(*span, example.text[slice(*span)], key))
    mentions = tuple(sorted(kept, key=lambda mention: (mention.start, mention.end)))
    return replace(example, about=about, mentions=mentions)


def _entity_at(span: Span, mentions: Sequence[Mention]) -> str | None:
    """What the linker says of a span."""
    best = max(
        (mention for mention in mentions if _shared(span, mention)),
        key=lambda m: ((m.start, m.end) == span, _shared(span, m), m.score),
        default=None,
    )
    return None if best is None else best.entity


def _shared(span: Span, mention: Mention) -> int:
    """Number of characters that a span and a mention have in common."""
    return max(0, min(span[1], mention.end) - max(span[0], mention.start))


def _check_keys(keys: Iterable[str], graph: Any, where: str) -> None:
    if isinstance(graph, KnowledgeGraph):
        for key in sorted(keys):
            try:
                graph.row(key)
            except KeyError as error:
                raise ValueError(f"{at(where)}{error.args[0]}") from None


# -- in parts -------------------------------------------------------------------------------------


def in_parts(example: Example) -> list[Example]:
    """Ask about a few things at a time; each is answered by itself."""
    if len(example.about) <= MOST_AT_ONCE:
        return [example]
    starts = range(0, len(example.about), MOST_AT_ONCE)
    return [replace(example, about=example.about[n : n + MOST_AT_ONCE]) for n in starts]


def one_of(said: Prediction, about: int) -> Prediction:
    """Leave of a prediction one of the things that were asked about.

    Raises:
        IndexError: There are not so many.
    """
    if not -len(said.about) <= about < len(said.about):
        raise IndexError(
            f"about={about}, but {len(said.about)} spans were asked about: 0 to "
            f"{len(said.about) - 1} would do."
        )
    return replace(said, about=(said.about[about],))
