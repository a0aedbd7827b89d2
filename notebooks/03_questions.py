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
# # Questions from your graph
#
# A graph of your own comes without questions. kgfm makes some, with their answers, and learns from
# them to answer yours: sets, counts, yes or no, values, and to say that the graph does not tell.
# About three minutes on two cores; no GPU, no network.

# %%
import csv
import tempfile
from pathlib import Path

import numpy as np
from transformers.utils import logging

import kgfm
from kgfm.draw import draw_evidence
from kgfm.questions import make_parts, write
from kgfm.walks import in_words

logging.disable_progress_bar()
folder = Path(tempfile.mkdtemp())  # nothing is left behind in the checkout

# %% [markdown]
# ## A graph of your own
#
# Two tables of an invented company: who works where, which projects there are, who leads them,
# what they use and for whom they are.

# %%
random = np.random.default_rng(0)
names = "Ada Ben Cleo Dan Eva Finn Greta Hugo Ines Jon Kira Luis Mona Nils Olga Paul"
surnames = "Abel Brandt Castro Dorn Egger Falk Gruber Hansen Ibsen Jansen Keller Lund"
people = [f"{name} {surnames.split()[place % 12]}" for place, name in enumerate(names.split() * 3)]
cities = ["Graz", "Porto", "Leiden"]
departments = ["Research", "Logistics", "Design", "Finance", "Support", "Robotics"]
projects = "Amber Birch Cedar Delta Ember Falcon Garnet Harbour Iris Juniper Kestrel Lotus Maple"
projects += " Nimbus Onyx Pearl Quartz Raven Saffron Tundra Umber Violet Willow Zenith"
tools = ["Python", "Rust", "Kafka", "Postgres", "Figma", "Neo4j", "Excel", "Docker"]
clients = ["Norda Bank", "Helio Energy", "Velox Cars", "Mira Foods", "Castell Hotels"]


def one_of(options: list[str]) -> str:
    return options[int(random.integers(len(options)))]


triples = [(place, "located in", one_of(cities)) for place in departments]
entities = [(city, "city", "", "", "") for city in cities]
entities += [(tool, "tool", "", "", "") for tool in tools]
entities += [(client, "client", "", "", "") for client in clients]
for place in departments:
    entities.append((place, "department", "", "", ""))
    triples.append((place, "head", one_of(people)))
for person in people:
    entities.append((person, "employee", int(random.integers(2005, 2024)), "", ""))
    triples.append((person, "works in", one_of(departments)))
for name in projects.split():
    budget, year = int(random.integers(2, 90)) * 10_000, int(random.integers(2018, 2025))
    entities.append((f"Project {name}", "project", "", budget, year))
    triples.append((f"Project {name}", "led by", one_of(people)))
    triples.append((f"Project {name}", "client", one_of(clients)))
    for tool in random.choice(tools, 2, replace=False).tolist():
        triples.append((f"Project {name}", "uses", tool))

with (folder / "triples.csv").open("w", newline="") as file:
    csv.writer(file).writerows([("head", "relation", "tail"), *triples])
with (folder / "entities.csv").open("w", newline="") as file:
    csv.writer(file).writerows([("id", "type", "hired in", "budget", "started in"), *entities])

kg = kgfm.KnowledgeGraph.from_tables(folder / "triples.csv", entities=folder / "entities.csv")
kg

# %% [markdown]
# ## Questions
#
# Their words come from the labels of relations and the types of entities; training, validation
# and test are about different entities. (`kgfm questions triples.csv --out q --split` does the
# same and writes files.)

# %%
parts = make_parts(kg, number=1000)
for made in parts["train"][:12]:
    print(made.example.text, "→", ", ".join(made.example.target or ("(no answer)",)))

# %%
train, validation, test = ([made.example for made in parts[part]] for part in parts)
write(parts["train"], folder / "train.jsonl")
print((folder / "train.jsonl").read_text().splitlines()[0])

# %% [markdown]
# ## Training
#
# The retriever `walks` learns from answers alone which relations a question asks for, and follows
# them over the whole graph.

# %%
pipe = kgfm.Pipeline(
    kg,
    retriever={"name": "walks", "hops": 2, "epochs": 20},
    backbone={"name": "minilm", "freeze": 4},
    task="answer",
)
pipe.fit(train, validation, epochs=1, folder=folder / "run", cache=folder / "states")

# %% [markdown]
# No training question is about the entities of the test.

# %%
pipe.evaluate(test)

# %% [markdown]
# ## Asking
#
# An answer is a whole set, with the walk that leads to it.

# %%
for question in (
    "Which tools does Project Falcon use?",
    "Which people work in Research?",
    "Which projects for Velox Cars use Rust?",
    "Does Project Onyx use Excel?",
    "When was Ada Abel hired?",
    "How many projects use Python?",
):
    found = pipe(question)
    print(question, "→", ", ".join(found.answers), f"({found.score:.2f})")
    print("   ", in_words(found.sought, kg))

# %% [markdown]
# Its path is drawn with what each triple was worth: the question is asked anew without it.

# %%
found = pipe("Which department does the person who leads Project Falcon work in?")
evidence = pipe.explain(found)
for item in evidence[:3]:
    print(f"{item.change:+.3f}", item.kind, item.triples)

# %%
draw_evidence(found, [item for item in evidence if item.kind == "triple"], kg)
# %% [markdown]
# ## What the graph does not tell
#
# It says so, and why.

# %%
for question in ("What is the shoe size of Ada Abel?", "Who leads Project Hamburg?"):
    found = pipe(question)
    print(question, "→", found.answer, f"({found.refused})")
    print("   ", found.why)

# %% [markdown]
# It has learned the words of the questions that it was given. People ask in others: put them into
# patterns of your own, `make_parts(kg, patterns="own.yaml")`; the page
# [docs/questions.md](../docs/questions.md) says how.
