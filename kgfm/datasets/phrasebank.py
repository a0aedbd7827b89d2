"""The Financial PhraseBank: the sentiment of sentences from financial news (Malo et al., 2014).

The official layout (https://arxiv.org/abs/1307.5336), one file for each share of annotators that
agree, in Latin-1::

    Sentences_50Agree.txt     sentence@negative, sentence@neutral or sentence@positive

Letters that are not ASCII are broken in the files: UTF-8 was once read as code page 850, and the
first of its two characters then became ``+`` or ``-``, so that Ålandsbanken is ``+àlandsbanken``.
They are mended here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from kgfm.datasets.base import Dataset, needed_file, needed_folder, one_of, reads, split
from kgfm.types import Example

SEED = 13
TEST, VALIDATION = 0.2, 0.1
SENTIMENTS = ("negative", "neutral", "positive")
AGREE = ("50", "66", "75", "All")
_FIRST = {"+": 0xC3, "-": 0xC2}
"""First byte of a letter of two bytes; code page 850 shows them as lines that look like + and -."""
_BROKEN = re.compile(r"([+-])([^\x00-\x7f])")


@reads(folder="financial-phrasebank", task="classify")
def phrasebank(
    data: str | Path | None,
    cache: str | Path,
    *,
    agree: Literal["50", "66", "75", "All"] = "50",
    seed: int = SEED,
) -> Dataset:
    """Read the sentences, without a graph: 20 % are the test, a tenth of the others the validation.

    A sentence that stands there twice counts once, and not at all with two different labels.

    Args:
        data: The folder in its official layout.
        cache: Not used: there is no graph to compile.
        agree: How many of a hundred annotators agree on a sentence at least, or ``All``.
        seed: Deals out the sentences.

    Raises:
        ValueError: A line is not as above, and the message names it; or an argument will not do.
    """
    folder = needed_folder(data, "phrasebank")
    one_of("agree", agree, AGREE)
    path = needed_file(folder / f"Sentences_{agree}Agree.txt", "phrasebank")
    parts = split(_read(path), seed=seed, test=TEST, validation=VALIDATION)
    return Dataset(None, *map(tuple, parts))


def _read(path: Path) -> list[Example]:
    found: dict[str, Example] = {}
    labels: dict[str, set[str]] = {}
    with path.open(encoding="latin-1", newline="\n") as file:
        for number, line in enumerate(file, 1):
            sentence, at, label = line.rstrip("\r\n").rpartition("@")
            if not at and (not label.strip() or label.strip().isdigit()):
                continue  # an empty line, or a stray number, of which one file has one
            if label not in SENTIMENTS or not sentence.strip():
                raise ValueError(
                    f"{path}, line {number}: {line[:80]!r} is no sentence@label, the label one of "
                    f"{', '.join(SENTIMENTS)}."
                )
            text = mended(" ".join(sentence.split()))
            labels.setdefault(text, set()).add(label)
            found.setdefault(text, Example(text, (label,), where=f"{path}, line {number}"))
    return [example for text, example in found.items() if len(labels[text]) == 1]


def mended(text: str) -> str:
    """Return a text with its broken letters as they were; what is none stays."""
    return _BROKEN.sub(_letter, text)


def _letter(broken: re.Match[str]) -> str:
    try:
        return bytes([_FIRST[broken[1]], *broken[2].encode("cp850")]).decode()
    except UnicodeError:
        return broken[0]
