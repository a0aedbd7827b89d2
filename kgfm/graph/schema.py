"""Which predicates or columns of a source say how an entity is called, and what it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import unquote

from kgfm.registry import nearest

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
OWL = "http://www.w3.org/2002/07/owl#"
SKOS = "http://www.w3.org/2004/02/skos/core#"
FOAF = "http://xmlns.com/foaf/0.1/"
DCTERMS = "http://purl.org/dc/terms/"
OBO = "http://purl.obolibrary.org/obo/"
OBO_IN_OWL = "http://www.geneontology.org/formats/oboInOwl#"
SCHEMA = ("https://schema.org/", "http://schema.org/")

# In IRIs the scheme is lower case by custom; "Re:Zero" and "Alien: Covenant" are names.
_IRI = re.compile(r"[a-z][a-z0-9+.-]*:\S+")
_WORD_BREAK = re.compile(r"[_\s]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True)
class GraphSchema:
    """How a source names things: predicates (IRIs) or columns, the preferred ones first.

    Args:
        label: What an entity or a relation is called. The first in the first of the languages is
            the label; the others become aliases.
        alias: Other names.
        description: A sentence or two on it.
        type: What kind of thing it is; these make types, not triples.
        subclass: What links a class to one above it: what is of the first is of the second too.
        language: Tags of the languages to keep, in order of preference; ``""`` is a text without a
            tag, ``"en"`` also stands for ``en-GB``, which comes right behind it, ``"*"`` for every
            language. ``mul``, which names something in many languages, is kept too, as the last.
        key: Columns that may hold the key in a table of entities or relations.
        ignore: Predicates that speak of the vocabulary or of triples, and become no triples.
        separator: Stands between several aliases or types in one field of a table.
    """

    label: tuple[str, ...] = (
        RDFS + "label",
        SKOS + "prefLabel",
        *(base + "name" for base in SCHEMA),
        FOAF + "name",
        DCTERMS + "title",
        "label",
        "name",
    )
    alias: tuple[str, ...] = (
        SKOS + "altLabel",
        *(base + "alternateName" for base in SCHEMA),
        *(OBO_IN_OWL + f"has{kind}Synonym" for kind in ("Exact", "Related", "Narrow", "Broad")),
        OBO + "IAO_0000118",
        SKOS + "hiddenLabel",
        "alias",
        "aliases",
    )
    description: tuple[str, ...] = (
        *(base + "description" for base in SCHEMA),
        DCTERMS + "description",
        SKOS + "definition",
        OBO + "IAO_0000115",
        RDFS + "comment",
        "description",
    )
    type: tuple[str, ...] = (RDF + "type", "type", "types")
    subclass: tuple[str, ...] = (RDFS + "subClassOf",)
    language: tuple[str, ...] = ("en", "")
    key: tuple[str, ...] = ("key", "id", "iri", "uri")
    ignore: tuple[str, ...] = (
        RDFS + "domain",
        RDFS + "range",
        RDFS + "subPropertyOf",
        RDFS + "isDefinedBy",
        OWL + "inverseOf",
        OWL + "imports",
        *(RDF + name for name in ("subject", "predicate", "object")),
    )
    separator: str = "|"

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "separator":
                continue
            if isinstance(value, str):
                raise TypeError(f"{field.name} is a tuple of strings; write ({value!r},).")
            object.__setattr__(self, field.name, tuple(value))

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> GraphSchema:
        """Return the schema whose fields JSON holds; those that it lacks are the default.

        Raises:
            ValueError: There is no such field.
        """
        known = [field.name for field in fields(cls)]
        for name in content:
            if name not in known:
                raise ValueError(
                    f"A schema has no field {name!r}.{nearest(name, known)} It has "
                    f"{', '.join(known)}."
                )
        given: dict[str, Any] = {
            n: tuple(v) if isinstance(v, list) else v for n, v in content.items()
        }
        return cls(**given)

    def language_rank(self, tag: str) -> int | None:
        """Return the place of a language tag in the order of preference; ``None`` if unwanted.

        >>> schema = GraphSchema(language=("en", ""))
        >>> [schema.language_rank(tag) for tag in ("en", "en-GB", "", "mul", "de")]
        [0, 1, 2, 4, None]
        """
        tag = tag.lower().replace("_", "-")
        wanted = [name.lower().replace("_", "-") for name in self.language]
        if tag in wanted:
            return 2 * wanted.index(tag)
        for rank, name in enumerate(wanted):
            if name == "*" or (name and tag.startswith(name + "-")):
                return 2 * rank + (name != "*")
        return 2 * len(wanted) if tag == "mul" else None


def local_name(key: str) -> str:
    """Return the last part of an IRI, decoded; another key is its own name; a blank node has none.

    >>> local_name("http://example.org/film#Heat"), local_name("AC/DC"), local_name("_:c14n0")
    ('Heat', 'AC/DC', '')
    """
    if key.startswith("_:"):
        return ""
    if not _IRI.fullmatch(key):
        return key
    stem = key.rstrip("#/:")
    last = stem[1 + max(map(stem.rfind, "#/:")) :] if ":" in stem else ""
    return (unquote(last, errors="replace") if "%" in last else last) or key


def readable_name(key: str) -> str:
    """Return the local name of an IRI with spaces for underscores, as it stands in for a label.

    >>> readable_name("http://dbpedia.org/resource/New_York_City"), readable_name("a_b")
    ('New York City', 'a_b')
    """
    name = local_name(key)
    return name if name == key else " ".join(name.replace("_", " ").split()) or name


def as_words(name: str) -> str:
    """Return a name with underscores and camelCase as spaces.

    >>> as_words("directed_by"), as_words("birthPlace"), as_words("hasIMDBRating")
    ('directed by', 'birth place', 'has IMDB rating')
    """
    words = [word for word in _WORD_BREAK.split(name) if word]
    if len(words) == 1 or "_" in name or " " in name:
        return " ".join(words)
    return " ".join(word if len(word) > 1 and word.isupper() else word.lower() for word in words)
