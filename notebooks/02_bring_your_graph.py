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
# # Bring your graph
#
# A graph comes as RDF, as tables, from a server, in the layout of some data set, or from a program.
# Each road ends in the same *snapshot*, to the byte. This notebook walks the roads that need no
# server, looks at what came in, and checks whether it will do. Half a minute; no network.
# The page [docs/bring-your-graph.md](../docs/bring-your-graph.md) has the servers too.

# %%
import tempfile
from pathlib import Path

import networkx

import kgfm
from kgfm.draw import draw_degrees
from kgfm.graph import describe
from kgfm.linking.check import check

folder = Path(tempfile.mkdtemp())  # nothing is left behind in the checkout

# %% [markdown]
# ## From RDF
#
# Resources that are linked become triples; types, labels, descriptions and other literals become
# what is known about an entity.

# %%
turtle = """
@prefix : <http://example.org/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
:Heat a :Film ; rdfs:label "Heat"@en, "Hitze"@de ; rdfs:comment "Cop and thief in Los Angeles." ;
    :directedBy :Mann ; :starring :Pacino, :DeNiro ; :year 1995 .
:Insider a :Film ; rdfs:label "The Insider" ; :directedBy :Mann ; :starring :Pacino ; :year 1999 .
:Mann a :Person ; rdfs:label "Michael Mann" .
:Pacino a :Person ; rdfs:label "Al Pacino" .
:DeNiro a :Person ; rdfs:label "Robert De Niro" .
"""
(folder / "films.ttl").write_text(turtle)
kg = kgfm.KnowledgeGraph.from_rdf(folder / "films.ttl")
kg

# %%
heat = kg.row("http://example.org/Heat")
print(kg.text(heat))
print(kg.names(heat), kg.attributes(heat))

# %% [markdown]
# The German label was left out: the schema prefers English. A schema of your own says otherwise.

# %%
german = kgfm.GraphSchema(language=("de", "en", ""))
kgfm.KnowledgeGraph.from_rdf(folder / "films.ttl", schema=german).names(heat)

# %% [markdown]
# ## A snapshot
#
# Compiled once, it opens in milliseconds, whatever its size.

# %%
kg.save(folder / "films")
kg = kgfm.KnowledgeGraph.open(folder / "films")
print(sorted(path.name.split("-")[0] for path in (folder / "films").iterdir())[:6], "...")

# %% [markdown]
# ## To tables, and back the same
#
# Triples, entities and relations as files for people and other programs. `tables.json` keeps what a
# CSV cannot say, such as which column holds numbers, so that the very same graph comes back.

# %%
kg.to_tables(folder / "tables", format="csv")
print((folder / "tables" / "entities.csv").read_text())
again = kgfm.KnowledgeGraph.from_layout("tables", folder / "tables")
assert again.fingerprint == kg.fingerprint

# %% [markdown]
# Tables that others made are read by `from_tables`; columns are recognised by their names.

# %%
(folder / "triples.tsv").write_text("heat\tdirected_by\tmann\nheat\tstarring\tpacino\n")
(folder / "people.csv").write_text(
    "id,name,aliases,type\nheat,Heat,Heat (1995),Film\nmann,Michael Mann,,Person\n"
    "pacino,Al Pacino,Alfredo Pacino,Person\n"
)
tables = kgfm.KnowledgeGraph.from_tables(folder / "triples.tsv", entities=folder / "people.csv")
tables

# %% [markdown]
# A wrong row is named:

# %%
(folder / "wrong.tsv").write_text("heat\tdirected_by\tmann\nheat\tstarring\n")
try:
    kgfm.KnowledgeGraph.from_tables(folder / "wrong.tsv")
except ValueError as error:
    print(str(error).replace(str(folder), "..."))

# %% [markdown]
# ## Layouts of public data sets
#
# KGAT, RecBole, OpenKE, FB15k-237, WN18RR, CoDEx, ConceptNet, MetaQA: one door, by name. Here a
# corner of WordNet in the layout of WN18RR.

# %%
wordnet = folder / "wordnet"
wordnet.mkdir()
(wordnet / "train.txt").write_text("02084071\t_hypernym\t02083346\n02083346\t_hypernym\t02075296\n")
(wordnet / "entity2text.txt").write_text(
    "02084071\tdog, a member of the genus Canis\n"
    "02083346\tcanine, a fissiped mammal with nonretractile claws\n"
    "02075296\tcarnivore, a flesh-eating mammal\n"
)
wn = kgfm.KnowledgeGraph.from_layout("wn18rr", wordnet)
wn

# %% [markdown]
# ## From and to programs: NetworkX and PyTorch Geometric

# %%
graph = kg.to_networkx()
print(graph, graph.nodes["http://example.org/Heat"])
print(networkx.number_weakly_connected_components(graph))
assert kgfm.KnowledgeGraph.from_networkx(graph).fingerprint == kg.fingerprint

# %%
kg.to_pyg(hetero=True)

# %%
assert kgfm.KnowledgeGraph.from_pyg(kg.to_pyg(hetero=True)).fingerprint == kg.fingerprint

# %% [markdown]
# ## What came in?
#
# The world graph that ships with kgfm has more to show.

# %%
from kgfm.datasets.world import world_path

world = kgfm.KnowledgeGraph.from_rdf(world_path())
found = describe(world)
{name: found[name] for name in ("entities", "triples", "with_label", "components", "by_type")}

# %%
draw_degrees(world)
# %% [markdown]
# ## Will it do?
#
# `check` says what will hurt linking or training, and how to mend it. The world graph is sound:

# %%
check(world)

# %% [markdown]
# A graph of bare identifiers is not:

# %%
bare = kgfm.KnowledgeGraph.from_tables([("Q1", "P31", "Q2"), ("Q2", "P279", "Q3")])
for finding in check(bare):
    print(f"{finding.level}: {finding.says}\n    {finding.mend}\n")

# %% [markdown]
# ## Servers
#
# A SPARQL endpoint or a Neo4j database is read the same way, and gives the same snapshot:
#
# ```python
# kg = kgfm.KnowledgeGraph.from_sparql("http://localhost:7878/query")
# kg = kgfm.KnowledgeGraph.from_neo4j("bolt://localhost:7687", auth=("neo4j", "password"))
# ```
#
# And then? [01_quickstart](01_quickstart.py) trains a model over a graph and asks it.
