# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Quickstart
#
# A graph, questions in plain English, a small text model: from raw text to an answer and the
# triples that it rests on. Two or three minutes on one core; no GPU, no network.

# %%
import tempfile
from pathlib import Path

from transformers.utils import logging

import kgfm
from kgfm.datasets import world
from kgfm.draw import draw_evidence, draw_subgraph

logging.disable_progress_bar()
folder = Path(tempfile.mkdtemp())  # nothing is left behind in the checkout

# %% [markdown]
# ## The graph
#
# kgfm ships a small real graph: countries, cities, languages, currencies and continents. Your own
# comes by `KnowledgeGraph.from_rdf`, `from_tables` or `from_networkx`.

# %%
data = world(None, folder / "graphs", train=1200, validation=200)
kg = data.graph
kg

# %% [markdown]
# What is known about one of its entities, and what the text encoder reads of it:

# %%
peru = kg.row("https://kgfm.example/world/country/Peru")
print(kg.names(peru), kg.attributes(peru))
print(kg.text(peru))

# %% [markdown]
# ## Linking
#
# The linker finds the graph's own names in a text, whatever their case and accents, with exact
# offsets.

# %%
linker = kgfm.Linker(kg)
question = "What is the capital of Peru?"
linker(question)

# %% [markdown]
# ## The pipeline
#
# Text model, graph encoder and fusion become one model, and Lightning trains it. The two lower
# layers of MiniLM stay as they are (`freeze`): what they make of each text is computed once
# and kept.

# %%
pipe = kgfm.Pipeline(
    kg, linker, backbone={"name": "minilm", "freeze": 2}, encoder="rgcn", task="answer"
)
pipe

# %% [markdown]
# For each text the retriever cuts out what lies around the entities that it names. This is all that
# the model sees of the graph; the answer is one of these nodes, or NIL.

# %%
draw_subgraph(pipe.retriever(linker(question)), kg)
# %% [markdown]
# ## Training
#
# The questions ask for capitals, currencies, languages, neighbours and more, over one or two hops.

# %%
for example in data.train[:4]:
    print(example.text, "→", ", ".join(kg.label(key) for key in (example.target or ())[:3]))

# %%
figures = pipe.fit(
    data.train, data.validation, epochs=3, folder=folder / "run", cache=folder / "states"
)
figures

# %% [markdown]
# The test asks about other entities than the training, half of it in wordings that the training
# does not have.

# %%
pipe.evaluate(data.test)

# %% [markdown]
# ## An answer and its evidence
#
# No training question is about Peru.

# %%
found = pipe(question)
print(kg.label(found.answer), round(found.score, 3))
found

# %% [markdown]
# Evidence is measured: each triple is taken out of the graph, the question is asked anew, and the
# fall of the score is what the triple was worth.

# %%
evidence = pipe.explain(found)
for item in evidence[:3]:
    for head, relation, tail in item.triples:
        named = kg.relation_text(kg.relation_row(relation))
        print(f"{item.change:+.3f}  {kg.label(head)} –{named}→ {kg.label(tail)}")

# %%
draw_evidence(found, evidence, kg)
# %%
found = pipe("What is the official language of the country where Kyoto lies?")
draw_evidence(found, pipe.explain(found), kg)
# %% [markdown]
# Evidence can be asked for any other answer too; below 0 a triple speaks against it.

# %%
second, score = found.scores[1]
print(second, round(score, 3))
pipe.explain(found, second)[:2]

# %% [markdown]
# ## With and without
#
# Does the model read the graph, or has it learned what capitals look like? Let us give it the same
# question with the one triple taken away that tells. The candidates stay the same.

# %%
capital = kg.relation_row("https://kgfm.example/world/vocabulary/capital")
keep = ~((kg.relations == capital) & (kg.heads == peru))

# %%
pipe.save(folder / "world")
without = kgfm.Pipeline.load(folder / "world", graph=kg.select(keep))
for name, one in {"with the triple": pipe, "without it": without}.items():
    best = [(kg.label(key) if key in kg else key, round(p, 3)) for key, p in one(question).scores]
    print(name, best[:3])
