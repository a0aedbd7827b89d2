"""What kgfm found, written beside the graph: links, predictions and vectors of entities."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from kgfm.graph import KnowledgeGraph
from kgfm.stores.neo4j.cypher import ANSWERS, MENTIONS, TEXT, quoted
from kgfm.stores.neo4j.mapping import AS_WRITTEN, Neo4jMapping
from kgfm.stores.neo4j.server import Server
from kgfm.stores.neo4j.write import batches, create_schema
from kgfm.types import NIL, Mention, Prediction

_BATCH = 1_000
VECTOR = "kgfm:embedding"
_TEXT_KEY = f"CREATE CONSTRAINT kgfm_text_key IF NOT EXISTS FOR (n:{TEXT}) REQUIRE n.key IS UNIQUE"


def mapping_of(graph: KnowledgeGraph) -> Neo4jMapping:
    """Return how the nodes of a graph's entities are found: as it was read, or as kgfm writes."""
    origin = graph.manifest["source"]
    if origin.get("store") == "neo4j":
        return Neo4jMapping.from_json(origin["mapping"])
    return AS_WRITTEN


def write_links(
    graph: KnowledgeGraph,
    links: Iterable[tuple[str, Sequence[Mention]]],
    uri: str,
    *,
    auth: Any = None,
    database: str | None = None,
    **connection: Any,
) -> int:
    """Write what texts mention: ``(:KgfmText {text})-[:KGFM_MENTIONS {start, end, score}]->``.

    A text is known by its hash, so writing it again replaces what was said about it.

    Args:
        graph: The graph that the texts are linked to; its nodes are in the database already.
        links: Texts with their mentions.
        uri: See :class:`~kgfm.stores.neo4j.server.Server`.
        auth: ``(user, password)``, or the driver's token.
        database: Its name.
        connection: Further arguments of the server.

    Returns:
        The number of mentions whose entity was found there.
    """
    rows = (
        {
            "text": text,
            "key": m.entity,
            "place": f"{m.start}-{m.end}",
            "said": {"start": m.start, "end": m.end, "score": m.score},
        }
        for text, mentions in links
        for m in mentions
        if m.entity is not None
    )
    with Server(uri, auth=auth, database=database, **connection) as server:
        return _write_about(server, mapping_of(graph), rows, MENTIONS)


def write_predictions(
    graph: KnowledgeGraph,
    predictions: Iterable[Prediction],
    uri: str,
    *,
    auth: Any = None,
    database: str | None = None,
    **connection: Any,
) -> int:
    """Write predictions: ``(:KgfmText {text, answer, score})``, and what they mention.

    An answer that is an entity is also a relationship ``KGFM_ANSWERS`` with the score.

    Args:
        graph: The graph that was asked; its nodes are in the database already.
        predictions: What a pipeline said.
        uri: See :class:`~kgfm.stores.neo4j.server.Server`.
        auth: ``(user, password)``, or the driver's token.
        database: Its name.
        connection: Further arguments of the server.

    Returns:
        The number of answers that are entities found there.
    """
    said = list(predictions)
    write_links(
        graph,
        ((p.text, p.mentions) for p in said),
        uri,
        auth=auth,
        database=database,
        **connection,
    )
    answers = (
        {"text": p.text, "key": key, "place": "answer", "said": {"score": score}}
        for p in said
        for key, score in (p.scores[:1] or ((p.answer, p.score),))
        if key != NIL
    )
    with Server(uri, auth=auth, database=database, **connection) as server:
        create_schema(server, [_TEXT_KEY])
        for chunk in batches(iter(said), _BATCH):
            rows = [
                {"key": _hash(p.text), "text": p.text, "answer": p.answer, "score": p.score}
                | {"labels": list(p.labels), "graph_used": p.graph_used}
                for p in chunk
            ]
            server.write(
                f"UNWIND $rows AS row MERGE (t:{TEXT} {{key: row.key}}) SET t += row",
                {"rows": rows},
            )
        return _write_about(server, mapping_of(graph), answers, ANSWERS)


def _write_about(
    server: Server, mapping: Neo4jMapping, rows: Iterable[Mapping[str, Any]], relation: str
) -> int:
    """Replace the relationships of one type that lead from texts to entities."""
    create_schema(server, [_TEXT_KEY])
    cleared: set[str] = set()
    found = 0
    for chunk in batches(iter(rows), _BATCH):
        texts = {_hash(row["text"]): row["text"] for row in chunk}
        fresh = [{"key": key, "text": text} for key, text in texts.items() if key not in cleared]
        cleared |= set(texts)
        server.write(
            f"UNWIND $rows AS row MERGE (t:{TEXT} {{key: row.key}}) SET t.text = row.text "
            f"WITH t MATCH (t)-[r:{relation}]->() DELETE r",
            {"rows": fresh},
        )
        about = [
            {
                **row,
                "text_key": _hash(given["text"]),
                "place": given["place"],
                "said": given["said"],
            }
            for given in chunk
            for row in mapping.rows([given["key"]])
        ]
        ((count,),) = server.write(
            f"{mapping.find()} MATCH (t:{TEXT} {{key: row.text_key}}) "
            f"MERGE (t)-[r:{relation} {{place: row.place}}]->(n) SET r += row.said "
            "RETURN count(r)",
            {"rows": about, "labels": list(mapping.nodes)},
        )
        found += count
    return found


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def write_vectors(
    graph: KnowledgeGraph,
    vectors: Float[np.ndarray, "entity width"],
    uri: str,
    *,
    auth: Any = None,
    database: str | None = None,
    name: str = VECTOR,
    similarity: str = "cosine",
    batch: int = _BATCH,
    **connection: Any,
) -> int:
    """Write a vector to the node of each entity, and make a vector index where the server has it.

    Args:
        graph: The graph; its nodes are in the database already.
        vectors: One row for each entity, in the order of ``graph.keys``.
        uri: See :class:`~kgfm.stores.neo4j.server.Server`.
        auth: ``(user, password)``, or the driver's token.
        database: Its name.
        name: The property.
        similarity: ``"cosine"`` or ``"euclidean"``.
        batch: Number of vectors in a transaction.
        connection: Further arguments of the server.

    Returns:
        The number of entities whose node was found.

    Raises:
        ValueError: The number of rows is not that of the entities, a vector is not finite, or the
            name is none.
    """
    vectors = np.asarray(vectors)
    if vectors.ndim != 2 or len(vectors) != len(graph):
        raise ValueError(
            f"The vectors have shape {vectors.shape}; one row for each of {len(graph):,} entities."
        )
    if not np.isfinite(vectors).all():
        raise ValueError("A vector holds NaN or infinity; leave such rows out or mend them.")
    if similarity not in ("cosine", "euclidean"):
        raise ValueError(f"similarity is 'cosine' or 'euclidean', got {similarity!r}.")
    mapping, stored = mapping_of(graph), quoted(name)
    with Server(uri, auth=auth, database=database, **connection) as server:
        found = sum(
            int(
                server.write(
                    f"{mapping.find()} SET n.{stored} = row.vector RETURN count(n)",
                    {"rows": rows, "labels": list(mapping.nodes)},
                )[0][0]
            )
            for rows in _vector_rows(graph, mapping, vectors, batch)
        )
        settings = {
            "vector.dimensions": vectors.shape[1],
            "vector.similarity_function": similarity,
        }
        create_schema(
            server,
            [],
            [
                f"CREATE VECTOR INDEX IF NOT EXISTS FOR (n:{quoted(label)}) ON (n.{stored}) "
                "OPTIONS {indexConfig: $settings}"
                for label in mapping.nodes
                if label
            ],
            {"settings": settings},
        )
    return found


def _vector_rows(
    graph: KnowledgeGraph, mapping: Neo4jMapping, vectors: np.ndarray, batch: int
) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(graph), batch):
        rows = range(start, min(start + batch, len(graph)))
        yield [
            {**found, "vector": vectors[row].tolist()}
            for row in rows
            for found in mapping.rows([graph.keys[row]])
        ]
