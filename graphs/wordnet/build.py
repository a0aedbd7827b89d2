"""Build a snapshot of WordNet from its folder ``dict``.

    python graphs/wordnet/build.py WordNet-3.0/dict --out wordnet

The same as ``kgfm graph build WordNet-3.0/dict --layout wordnet --out wordnet``, and it says what
the graph holds and how long it took. A ``.tar.gz`` that holds these files will do too.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from kgfm.graph import KnowledgeGraph
from kgfm.linking.senses import Senses


def main(arguments: Sequence[str] | None = None) -> None:
    """Read, save and count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dict", help="Folder or archive with data.noun, index.sense, ...")
    parser.add_argument("--out", required=True, help="The snapshot's folder.")
    parser.add_argument("--inverses", action="store_true", help="Also keep hyponym and the like.")
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    graph = KnowledgeGraph.from_layout("wordnet", options.dict, inverses=options.inverses)
    graph = graph.save(options.out)
    seconds = time.perf_counter() - start
    print(f"{graph!r} in {options.out}, {len(Senses(graph)):,} senses, {seconds:.1f} s")


if __name__ == "__main__":
    main()
