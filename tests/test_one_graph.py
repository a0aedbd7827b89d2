"""The same graph is the same snapshot, to the byte, by whatever road it comes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx
import pytest
import rdflib
from hypothesis import given, settings
from hypothesis import strategies as st
from sparql_server import Oxigraph

from kgfm.graph import KnowledgeGraph
from kgfm.stores.layouts.tables_write import FORMATS

EX = "http://example.org/"

# Everything that UTF-8 can hold, and what files, tags and quotes could trip over, more often.
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8) | st.sampled_from(
    [
        "a|b",
        " x ",
        "tab\there",
        "line\nend",
        "\r",
        "\\n",
        '"quoted"',
        "007",
        "1.0",
        "true",
        "null",
        "<b>",
        "نص",
        "e\u0301",
        "\x00",
        "\u2028",
        "\u0085",
        "[]",
        ",",
        "'",
        "\ufeff",
        "𝔘",
    ]
)
slugs = st.sampled_from(["e0", "é1", "a%20b", "x#y", "q?z=1", "Ω", "deep/er", "e7"])
values = (
    texts
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
)
attributes = st.dictionaries(
    st.sampled_from([EX + "year", EX + "Year", EX + "tag", EX + "ä"]),
    values | st.lists(values, min_size=1, max_size=3),
    max_size=2,
)


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Any]:
    """Entities, triples and labels of relations; an entity that nothing is said of has a triple."""
    keys = [EX + slug for slug in draw(st.lists(slugs, min_size=1, max_size=5, unique=True))]
    ends = st.sampled_from(keys)
    relations = [EX + "directed_by", EX + "r2", EX + "über"]
    triples = draw(st.lists(st.tuples(ends, st.sampled_from(relations), ends), max_size=10))
    linked = {key for head, _, tail in triples for key in (head, tail)}
    entities = []
    for key in keys:
        fields = {
            "label": draw(texts | st.just("")),
            "aliases": draw(st.lists(texts, max_size=3)),
            "description": draw(texts | st.just("")),
            "types": draw(st.lists(st.sampled_from(["Film", "Person", "Straße"]), max_size=2)),
            "attributes": draw(attributes),
        }
        if key not in linked and not any(fields.values()):
            fields["label"] = "alone"
        entities.append({"key": key, **fields})
    used = sorted({relation for _, relation, _ in triples})
    labels = {key: draw(texts) for key in used if draw(st.booleans())}
    return {"entities": entities, "triples": triples, "relations": labels}


def built(content: dict[str, Any], **more: Any) -> KnowledgeGraph:
    return KnowledgeGraph.from_records(
        content["entities"], content["triples"], relations=content["relations"], **more
    )


def as_rdf(content: dict[str, Any]) -> rdflib.Graph:
    made = rdflib.Graph()
    for record in content["entities"]:
        subject = rdflib.URIRef(record["key"])
        said: list[tuple[rdflib.URIRef, Any]] = [
            *[(rdflib.RDFS.label, record["label"])] * bool(record["label"]),
            *[(rdflib.RDFS.comment, record["description"])] * bool(record["description"]),
            *((rdflib.SKOS.altLabel, alias) for alias in record["aliases"]),
        ]
        for name, value in record["attributes"].items():
            several = value if isinstance(value, list) else [value]
            said += [(rdflib.URIRef(name), one) for one in several]
        for predicate, value in said:
            made.add((subject, predicate, rdflib.Literal(value)))
        for kind in record["types"]:
            made.add((subject, rdflib.RDF.type, rdflib.URIRef(EX + kind)))
    for key, label in content["relations"].items():
        made.add((rdflib.URIRef(key), rdflib.RDFS.label, rdflib.Literal(label)))
    for triple in content["triples"]:
        made.add(tuple(map(rdflib.URIRef, triple)))
    return made


def as_networkx(content: dict[str, Any]) -> networkx.MultiDiGraph:
    made = networkx.MultiDiGraph()
    for record in content["entities"]:
        names = {"label": record["label"], "aliases": record["aliases"], "type": record["types"]}
        fields = {**names, "description": record["description"], **record["attributes"]}
        made.add_nodes_from([(record["key"], fields)])
    for number, (head, relation, tail) in enumerate(content["triples"]):
        made.add_edge(head, tail, key=number, relation=relation)
    return made


def there_and_back(kg: KnowledgeGraph, folder: Path) -> dict[str, KnowledgeGraph]:
    """The graph by every road out of kgfm and back in."""
    roads: dict[str, Callable[[], KnowledgeGraph]] = {
        "networkx": lambda: KnowledgeGraph.from_networkx(kg.to_networkx()),
        "pyg": lambda: KnowledgeGraph.from_pyg(kg.to_pyg()),
        "pyg by type": lambda: KnowledgeGraph.from_pyg(kg.to_pyg(hetero=True)),
        "rdf": lambda: KnowledgeGraph.from_rdf(kg.to_rdf(folder / "graph.nt")),
        "turtle": lambda: KnowledgeGraph.from_rdf(kg.to_rdf(folder / "graph.ttl.gz")),
    }
    for name in FORMATS:
        roads[name] = lambda name=name: KnowledgeGraph.from_layout(
            "tables", kg.to_tables(folder / name, name)
        )
    return {name: road() for name, road in roads.items()}


def all_the_same(expected: KnowledgeGraph, found: dict[str, KnowledgeGraph]) -> None:
    for name, kg in found.items():
        assert kg.fingerprint == expected.fingerprint, name


@pytest.mark.filterwarnings("ignore:.*have no label")
@settings(max_examples=25)
@given(graphs())
def test_a_random_graph_is_the_same_from_rdf_records_and_networkx(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]
) -> None:
    expected = built(content)
    rdf = as_rdf(content)
    path = tmp_path_factory.mktemp("rdf") / "graph.nt"
    rdf.serialize(path, format="nt", encoding="utf-8")
    found = {
        "rdflib": KnowledgeGraph.from_rdf(rdf),
        "n-triples": KnowledgeGraph.from_rdf(path),
        "networkx": KnowledgeGraph.from_networkx(
            as_networkx(content), relations=content["relations"]
        ),
        "backwards": built({**content, "entities": content["entities"][::-1]}),
    }
    all_the_same(expected, found)


edge_values = st.none() | texts | st.floats(allow_nan=False, allow_infinity=False)
columns = st.sampled_from(
    [
        edge_values,
        st.none() | st.floats(-1, 1),
        st.integers(-9, 9),
        st.booleans(),
        st.none() | texts,
    ]
)


@pytest.mark.filterwarnings("ignore:.*have no label", "ignore:.*were given again")
@settings(max_examples=15)
@given(graphs(), st.data())
def test_a_random_graph_comes_back_the_same_from_wherever_it_went(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any], data: st.DataObject
) -> None:
    count = len(content["triples"])
    names = data.draw(st.sets(st.sampled_from(["weight", "relation", "head", "since", "label"])))
    given = {
        name: data.draw(st.lists(data.draw(columns), min_size=count, max_size=count))
        for name in sorted(names if count else ())
    }
    if content["entities"]:
        first = content["entities"][0]
        first["attributes"] |= {"Label": "x", "type": ["y"], "alias": 1, "": 2}
    kg = built(content, edge_attributes=given)
    all_the_same(kg, there_and_back(kg, tmp_path_factory.mktemp("roads")))


def test_the_world_graph_comes_back_the_same_from_wherever_it_went(tmp_path: Path) -> None:
    from kgfm.datasets.world import world_path

    kg = KnowledgeGraph.from_rdf(world_path())
    rdf = rdflib.Graph().parse(world_path())
    rdf.serialize(tmp_path / "world.nt", format="nt", encoding="utf-8")
    found = there_and_back(kg, tmp_path)
    found["rdflib"] = KnowledgeGraph.from_rdf(rdf)
    found["n-triples"] = KnowledgeGraph.from_rdf(tmp_path / "world.nt")
    all_the_same(kg, found)


@pytest.mark.slow
def test_the_same_graph_gives_the_same_links_subgraphs_and_logits(tmp_path: Path) -> None:
    import numpy as np
    from neural import opened

    from kgfm import Pipeline
    from kgfm.datasets.world import world_path

    kg = KnowledgeGraph.from_rdf(world_path())
    question = "What is the capital of Peru, and is Lima in South America?"
    tiny = {"name": "tiny-bert"}
    seen = []
    for graph in (kg, *there_and_back(kg, tmp_path).values()):
        pipe = Pipeline(
            graph,
            task="answer",
            backbone=tiny,
            text_encoder=tiny,
            encoder={"name": "rgcn", "width": 16},
        )
        opened(pipe.model)
        links = pipe.linker(question)
        cut = pipe.retriever(links)
        seen.append((links, cut, pipe(question)))
    first_links, first_cut, first = seen[0]
    assert first_links
    assert first.scores
    for links, cut, prediction in seen[1:]:
        assert links == first_links
        for name in ("nodes", "edge_index", "edge_type", "hops"):
            assert np.array_equal(getattr(cut, name), getattr(first_cut, name)), name
        assert prediction.scores == first.scores


@pytest.mark.sparql
@pytest.mark.filterwarnings("ignore:.*have no label")
def test_attributes_of_triples_change_neither_the_road_over_a_server_nor_what_is_cut_live(
    oxigraph: Oxigraph, tmp_path: Path
) -> None:
    from test_live import both

    from kgfm.retrieval import LiveGraph, LiveRetriever
    from kgfm.retrieval.live_sparql import SparqlServer

    keys = [EX + name for name in "abcdef"]
    triples = [(keys[i], EX + "next", keys[i * i % 6]) for i in range(6)]
    columns = {"since": [*range(1990, 1996)], EX + "by": ["x", None, '"', "\n", None, "y"]}
    kg = KnowledgeGraph.from_records([], triples, edge_attributes=columns)
    url = oxigraph.put(kg.to_rdf(tmp_path / "graph.nt").read_bytes())
    assert KnowledgeGraph.from_sparql(url).fingerprint == kg.fingerprint
    live = LiveRetriever(LiveGraph(SparqlServer(url)), deadline=120)
    expected, found = both(kg, live, [[key] for key in keys])
    assert found == expected
