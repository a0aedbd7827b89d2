"""From texts to tokens; of a text that is too long the part is read that is asked about."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int
from transformers import PreTrainedTokenizerBase

from kgfm.batch.prepared import PreparedRow
from kgfm.types import Row, Span

Range = tuple[int, int]
"""First token, and one past the last."""


class Reading(NamedTuple):
    """Tokens of a text, or of a part of it.

    Args:
        input_ids: The tokens.
        offsets: Characters of ``Row.source`` that each stands for; (0, 0) for one that stands for
            none, such as a special token or a mark.
        is_cut: Whether a part of the text is not read.
        moved: How many groups of the focus do not stand where the text begins.
    """

    input_ids: Int[np.ndarray, "token"]
    offsets: Int[np.ndarray, "token 2"]
    is_cut: bool
    moved: int = 0


class _Tokens(NamedTuple):
    """All tokens of a text, and of its pair."""

    ids: Int[np.ndarray, "token"]
    offsets: Int[np.ndarray, "token 2"]
    segment: Int[np.ndarray, "token"]
    """0 for the text, 1 for the pair, -1 for special tokens."""


def read_rows(
    tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row], max_tokens: int
) -> list[tuple[Reading, ...]]:
    """Tokenise rows; each gives one reading, or several where its focus needs them.

    Without a focus a text that is too long is read from its beginning.

    Args:
        tokenizer: A fast one.
        rows: What to read.
        max_tokens: Of a reading.
    """
    found: list[tuple[Reading, ...]] = [()] * len(rows)
    kinds = [(row.pair is not None, bool(row.focus)) for row in rows]
    for paired, focused in sorted({*kinds}):
        places = [place for place, kind in enumerate(kinds) if kind == (paired, focused)]
        # Of one text much may be asked: it is tokenised once.
        like = [(rows[place].text, rows[place].pair, rows[place].marks) for place in places]
        first = dict(zip(reversed(like), reversed(places), strict=True))
        limit = None if focused else max_tokens
        own = [rows[place] for place in first.values()]
        tokens = dict(zip(first, _tokenised(tokenizer, own, paired, limit), strict=True))
        for place, key in zip(places, like, strict=True):
            found[place] = (
                _windows(tokens[key], rows[place], max_tokens)
                if focused
                else (_beginning(tokens[key], rows[place], max_tokens),)
            )
    return found


def _tokenised(
    tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row], paired: bool, limit: int | None
) -> list[_Tokens]:
    """Tokens of rows that all have a pair, or none, with offsets in their source."""
    # A lone surrogate cannot be encoded; its stand-in has the same length, so offsets hold.
    encoded: Any = tokenizer(
        [_without_surrogates(_marked(row)) for row in rows],
        [_without_surrogates(row.pair or "") for row in rows] if paired else None,
        truncation=limit is not None,
        max_length=limit,
        return_offsets_mapping=True,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,  # of texts that are too long a part is taken later
    )
    found = []
    for place, row in enumerate(rows):
        ids = np.asarray(encoded["input_ids"][place], dtype=np.int64)
        offsets = np.asarray(encoded["offset_mapping"][place], dtype=np.int64).reshape(-1, 2)
        numbers = [-1 if n is None else n for n in encoded.sequence_ids(place)]
        segment = np.asarray(numbers, dtype=np.int64)
        found.append(_Tokens(ids, _in_source(offsets, segment, row), segment))
    return found


def _marked(row: Row) -> str:
    """The text with its marks written in."""
    parts, done = [], 0
    for place, mark in row.marks:
        parts += [row.text[done:place], mark]
        done = place
    return "".join([*parts, row.text[done:]])


def _in_source(
    offsets: Int[np.ndarray, "token 2"], segment: Int[np.ndarray, "token"], row: Row
) -> Int[np.ndarray, "token 2"]:
    """Count a row's offsets as its source counts."""
    if row.pair is not None:
        second = segment == 1
        if row.quotes:
            offsets = offsets * ~second[:, None]
        else:
            offsets = offsets + second[:, None] * (len(row.text) + 1)
    if row.marks:
        written = 0
        less = np.zeros_like(offsets)
        for place, mark in row.marks:
            less += np.clip(offsets - (place + written), 0, len(mark))
            written += len(mark)
        offsets = offsets - less
        offsets = offsets * (offsets[:, :1] < offsets[:, 1:])
    return offsets


def _beginning(tokens: _Tokens, row: Row, max_tokens: int) -> Reading:
    ids, offsets, _ = tokens
    read = offsets[:, 1].max(initial=0)
    is_cut = len(ids) >= max_tokens and bool(read < len(row.source.rstrip()))
    return Reading(ids, offsets, is_cut)


def warn_of_cuts(
    read: Iterable[tuple[str, Reading, PreparedRow]], max_tokens: int, *, stacklevel: int = 4
) -> None:
    """Say once how many texts are not read whole, and what stands in the rest of them.

    Args:
        read: The source of each row, what was read of it, and its mentions.
        max_tokens: Of a reading.
        stacklevel: Of the warning, from here.
    """
    texts: dict[str, tuple[dict[int, Reading], list[np.ndarray]]] = {}
    for source, reading, row in read:
        readings, unread = texts.setdefault(source, ({}, []))
        readings[id(reading)] = reading
        unread.append(row.mention_span[:, 0] < 0)
    cut = {
        source: (readings, unread)
        for source, (readings, unread) in texts.items()
        if any(one.is_cut for one in readings.values())
    }
    if not cut:
        return
    lost = sum(int(_everywhere(unread).sum()) for _, unread in cut.values())
    moved = sum(one.moved for readings, _ in cut.values() for one in readings.values())
    warnings.warn(
        f"{len(cut):,} of {len(texts):,} texts are longer than max_tokens={max_tokens}: what "
        f"stands behind is not read, {lost:,} mentions in it included."
        + (
            f" What is asked about stands there {moved:,} times; for that the text is read around "
            "it instead."
            if moved
            else ""
        ),
        UserWarning,
        stacklevel=stacklevel,
    )


def _everywhere(unread: Sequence[np.ndarray]) -> np.ndarray:
    """Which mentions no row reads; rows of one text may name different ones (in training)."""
    longest = max(map(len, unread))
    found: np.ndarray = np.logical_and.reduce([one for one in unread if len(one) == longest])
    return found


# -- parts of a text ------------------------------------------------------------------------------


def _windows(tokens: _Tokens, row: Row, max_tokens: int) -> tuple[Reading, ...]:
    """Read a text whole, or around each part of its focus."""
    if len(tokens.ids) <= max_tokens:
        return (Reading(tokens.ids, tokens.offsets, is_cut=False),)
    tokens = _with_short_pair(tokens, max_tokens)
    own = np.flatnonzero(tokens.segment == 0)
    if not len(own):  # a text of nothing behind which a long pair stands
        return (Reading(tokens.ids[:max_tokens], tokens.offsets[:max_tokens], is_cut=True),)
    room = max(1, max_tokens - (len(tokens.ids) - len(own)))
    offsets = tokens.offsets[own]
    ranges = [[_range_of(span, offsets) for span in group] for group in row.focus]
    found = []
    for group in _together(ranges, room):
        kept = own[_around([one for ranges in group for one in ranges], room, len(own))]
        place = np.concatenate([np.arange(own[0]), kept, np.arange(own[-1] + 1, len(tokens.ids))])
        moved = sum(any(end > room for _, end in ranges) for ranges in group)
        is_cut = len(kept) < len(own)
        found.append(Reading(tokens.ids[place], tokens.offsets[place], is_cut, moved))
    return tuple(found)


def _with_short_pair(tokens: _Tokens, max_tokens: int) -> _Tokens:
    """Leave a pair at most half of the room."""
    pair = np.flatnonzero(tokens.segment == 1)
    special = int(np.count_nonzero(tokens.segment < 0))
    keep = np.ones(len(tokens.ids), dtype=bool)
    keep[pair[max(1, (max_tokens - special) // 2) :]] = False
    return _Tokens(*(part[keep] for part in tokens))


def _range_of(span: Span, offsets: Int[np.ndarray, "token 2"]) -> Range:
    """The tokens of a span, marks right beside it included; of one without any, the next one."""
    inside = np.flatnonzero(_overlaps(span, offsets))
    if not len(inside):
        behind = np.flatnonzero(offsets[:, 1] > span[0])
        first = int(behind[0]) if len(behind) else len(offsets) - 1
        return first, first + 1
    first, end = int(inside[0]), int(inside[-1]) + 1
    while first > 0 and not offsets[first - 1].any():
        first -= 1
    while end < len(offsets) and not offsets[end].any():
        end += 1
    return first, end


def _overlaps(span: Span, offsets: Int[np.ndarray, "token 2"]) -> Bool[np.ndarray, "token"]:
    found: np.ndarray = (offsets[:, 0] < span[1]) & (offsets[:, 1] > span[0])
    return found


def _together(groups: Sequence[list[Range]], room: int) -> Iterator[list[list[Range]]]:
    """Join neighbours that fit into one part, of which a quarter is left for what is around."""
    most = room - room // 4
    joined: list[list[Range]] = []
    end = first = 0
    for ranges in sorted(groups, key=lambda ranges: min(ranges)):
        start, last = min(ranges)[0], max(end for _, end in ranges)
        if joined and max(end, last) - first > most:
            yield joined
            joined = []
        if not joined:
            first, end = start, last
        joined.append(ranges)
        end = max(end, last)
    if joined:
        yield joined


def _around(ranges: Sequence[Range], room: int, length: int) -> Int[np.ndarray, "kept"]:
    """Choose the ``room`` tokens that are nearest to some ranges, in their order.

    Of ranges that are longer than that, each gives its first tokens.
    """
    total = sum(end - start for start, end in ranges)
    share = total if total <= room else max(1, room // len(ranges))
    distinct = sorted({(start, min(end, start + share)) for start, end in ranges})
    low = max(0, distinct[0][0] - room)
    high = min(length, max(end for _, end in distinct) + room)
    token = np.arange(low, high)
    distance = np.full(len(token), length)
    for start, end in distinct:
        beside = np.maximum(np.maximum(start - token, token - (end - 1)), 0)
        distance = np.minimum(distance, beside)
    nearest = np.argsort(distance, kind="stable")[:room]
    chosen: np.ndarray = np.sort(token[nearest])
    return chosen


def _without_surrogates(text: str) -> str:
    return text if text.isascii() else text.encode("utf-16", "replace").decode("utf-16", "replace")
