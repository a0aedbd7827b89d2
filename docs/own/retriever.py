"""A retriever of your own: it keeps the triples around a mention whose relation the text names."""

import re
import tempfile

import numpy as np

import kgfm
from kgfm.retrieval import RETRIEVERS, Retriever
from kgfm.synthetic import question_world
from kgfm.types import Subgraph


def words(text):
    return set(re.findall(r"\w+", text.casefold()))


class NamedRelations(Retriever):
    """One hop, along the relations that share a word with the text, or all if none does.

    Args:
        graph: Where to cut.
        budget: Number of nodes that a subgraph has at most.
        trust: Logit of a node for each word that the text shares with a relation leading to it.
    """

    def __init__(self, graph, *, budget=100, trust=2.0):
        self.graph, self.budget, self.trust = graph, budget, trust
        self.words = [words(graph.relation_text(row)) for row in range(graph.num_relations)]

    def config(self):  # what a saved pipeline builds it from
        return {"budget": self.budget, "trust": self.trust}

    def retrieve(self, asked):
        return [self._cut(one) for one in asked]

    def _cut(self, asked):
        said = words(asked.text)
        shared = [len(own & said) for own in self.words]
        hidden = set(map(tuple, asked.without.tolist()))  # evidence asks anew without some triples
        seeds = list(dict.fromkeys(asked.seeds.tolist()))[: self.budget]
        triples = {
            triple: None  # a dict, which keeps the order, and each triple once
            for seed in seeds
            for triple in self._around(seed)
            if triple not in hidden and (shared[triple[1]] or not any(shared))
        }
        ends = [end for head, _, tail in triples for end in (head, tail)]
        place = {
            row: n for n, row in enumerate(list(dict.fromkeys([*seeds, *ends]))[: self.budget])
        }
        kept = [(place[h], r, place[t]) for h, r, t in triples if h in place and t in place]
        heads, relations, tails = np.array(kept, dtype=np.int64).reshape(-1, 3).T
        hops = (np.arange(len(place)) >= len(seeds)).astype(np.int64)
        prior = np.zeros(len(place))
        for head, relation, tail in kept:
            for node in {head, tail} - set(range(len(seeds))):
                prior[node] = max(prior[node], self.trust * shared[relation])
        rows = np.array(list(place), dtype=np.int64)
        return Subgraph(rows, np.stack([heads, tails]), relations, hops, prior)

    def _around(self, row):
        """The triples of an entity, in the order of the graph; its inverse relations turned."""
        graph, size = self.graph, self.graph.num_relations
        part = slice(*graph.neighbour_indptr[row : row + 2].tolist())
        others, relations = graph.neighbour_entity[part], graph.neighbour_relation[part]
        for other, relation in zip(others.tolist(), relations.tolist(), strict=True):
            inward = relation >= size
            yield (other, relation - size, row) if inward else (row, relation, other)


RETRIEVERS["named"] = NamedRelations  # in a package: an entry point in the group kgfm.retrievers

if __name__ == "__main__":
    world = question_world(topics=60)  # who is whose mentor, rival, tailor?
    tiny = {"backbone": "tiny-bert", "text_encoder": "tiny-bert"}
    pipe = kgfm.Pipeline(world.graph, task="answer", retriever="named", **tiny)
    with tempfile.TemporaryDirectory() as folder:
        pipe.fit(world.train, world.validation, epochs=2, folder=folder)
        found = pipe(world.test[0])
        print(found.text, found.answer, "expected", world.test[0].target)
        print(pipe.explain(found)[0])
        pipe.save(f"{folder}/saved")
        assert kgfm.Pipeline.load(f"{folder}/saved")(world.test[0]) == found
