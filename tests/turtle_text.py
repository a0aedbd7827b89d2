"""Small graphs written as Turtle, and what was read of them."""

from __future__ import annotations

from pathlib import Path

from kgfm.graph import KnowledgeGraph

PREFIXES = """
@prefix : <http://example.org/> .
@prefix ex: <http://example.org/> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix schema: <https://schema.org/> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""
EX = "http://example.org/"
LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"


def turtle(folder: Path, text: str, name: str = "graph.ttl") -> Path:
    path = folder / name
    path.write_text(PREFIXES + text, encoding="utf-8")
    return path


def triples_of(kg: KnowledgeGraph) -> list[tuple[str, str, str]]:
    columns = (kg.heads, kg.relations, kg.tails)
    return [
        (kg.keys[h], kg.relation_keys[r], kg.keys[t])
        for h, r, t in zip(*(column.tolist() for column in columns), strict=True)
    ]
