"""Write ``affect.tsv`` and ``irregular.exc``: the words of two lexicons, and what they evoke.

    git clone https://github.com/cjhutto/vaderSentiment
    git clone https://github.com/sloria/TextBlob
    python graphs/affect/build.py --wordnet WordNet-3.0/dict \\
        --vader vaderSentiment/vaderSentiment/vader_lexicon.txt \\
        --textblob TextBlob/src/textblob/en/en-sentiment.xml

The same files give the same bytes. README.md says what becomes of them.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

FOLDER = Path(__file__).parent
LEAST = 0.05
"""Weaker than this is not kept."""
VADER_SCALE = 4.0
Scores = Mapping[str, float]


def vader(path: Path) -> dict[str, float]:
    """Return the mean rating of each token, from -1 to 1; one that is listed twice is averaged."""
    found: dict[str, list[float]] = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        token, mean = line.split("\t")[:2]
        found[_folded(token)].append(float(mean) / VADER_SCALE)
    return means(found)


def textblob(path: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Return polarity, -1 to 1, and subjectivity, 0 to 1, of each word: the means of its senses."""
    polarity: dict[str, list[float]] = defaultdict(list)
    subjectivity: dict[str, list[float]] = defaultdict(list)
    for word in ElementTree.parse(path).getroot().iter("word"):
        form = _folded(word.attrib["form"].replace("_", " "))
        polarity[form].append(float(word.attrib["polarity"]))
        subjectivity[form].append(float(word.attrib["subjectivity"]))
    return means(polarity), means(subjectivity)


def rows(ratings: Scores, polarity: Scores, subjectivity: Scores) -> list[tuple[str, str, float]]:
    """Return (word, affect, weight); where both lexicons rate a word, by the mean of both."""
    scores: dict[str, list[float]] = defaultdict(list)
    for one in (ratings, polarity):
        for word, score in one.items():
            # TextBlob's 0 is no opinion: most of its words are rated for their subjectivity.
            if score:
                scores[word].append(score)
    found = [
        (word, "positive" if score > 0 else "negative", abs(score))
        for word, score in means(scores).items()
    ]
    found += [(word, "subjective", score) for word, score in subjectivity.items()]
    return sorted((word, affect, score) for word, affect, score in found if score >= LEAST)


def irregular(folder: Path, words: Iterable[str]) -> list[tuple[str, str]]:
    """Return (form, word) of WordNet's exceptions whose word, and not the form, is listed."""
    known = {*words}
    found: dict[str, str] = {}
    for part in ("verb", "noun", "adj", "adv"):
        for line in (folder / f"{part}.exc").read_text(encoding="utf-8").splitlines():
            form, *lemmas = (field.replace("_", " ") for field in line.split())
            own = next((lemma for lemma in lemmas if lemma in known), None)
            if own is not None and form not in known:
                found.setdefault(form, own)
    return sorted(found.items())


def means(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {word: math.fsum(own) / len(own) for word, own in values.items()}


def _folded(text: str) -> str:
    return " ".join(text.lower().split())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vader", type=Path, required=True, help="vader_lexicon.txt")
    parser.add_argument("--textblob", type=Path, required=True, help="en-sentiment.xml")
    parser.add_argument("--wordnet", type=Path, required=True, help="WordNet's folder dict")
    parser.add_argument("--out", type=Path, default=FOLDER, help="Where to write.")
    options = parser.parse_args(arguments)
    polarity, subjectivity = textblob(options.textblob)
    said = rows(vader(options.vader), polarity, subjectivity)
    lines = ["word\taffect\tweight", *(f"{w}\t{affect}\t{x:.4f}" for w, affect, x in said)]
    forms = irregular(options.wordnet, (word for word, _, _ in said))
    for name, content in {
        "affect.tsv": lines,
        "irregular.exc": [f"{f.replace(' ', '_')} {w.replace(' ', '_')}" for f, w in forms],
    }.items():
        (options.out / name).write_text("\n".join(content) + "\n", encoding="utf-8", newline="\n")
    print(f"{len({w for w, _, _ in said}):,} words, {len(said):,} triples, {len(forms):,} forms")


if __name__ == "__main__":
    main()
