"""Write newsroom.ttl and outside.txt: a made-up world of companies, and companies it lacks.

Everything here is invented. The same script gives the same bytes: all chance comes from Python's
``random.Random(SEED).random()``, whose numbers no version changes.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

HERE = Path(__file__).parent
SEED = 2031
EACH = 12
"""Companies of each sector."""
TELLING = 0.5
"""Share of the companies whose name tells the sector."""
OUTSIDE = 90
CHIEFS = 0.5
"""Share of the companies whose chief the graph knows."""

BASE = "https://kgfm.example/newsroom/"
PREFIXES = {
    "n": f"{BASE}vocabulary/",
    "commodity": f"{BASE}commodity/",
    "company": f"{BASE}company/",
    "country": f"{BASE}country/",
    "person": f"{BASE}person/",
    "sector": f"{BASE}sector/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
}
CLASSES = {
    "Commodity": "commodity",
    "Company": "company",
    "Country": "country",
    "Person": "person",
    "Sector": "sector",
}
RELATIONS = {
    "buys": "buys",
    "sells": "sells",
    "sector": "works in sector",
    "country": "at home in country",
    "leads": "leads",
}
COMMODITIES = {
    "oil": ("crude",),
    "gas": ("natural gas",),
    "electricity": (),
    "steel": (),
    "cement": (),
    "copper": (),
    "lithium": (),
    "wheat": (),
    "cotton": (),
    "timber": (),
}
SECTORS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    # sector: (what tells it in a name, what it sells, what it buys)
    "airlines": ("Airways", (), ("oil",)),
    "banks": ("Bank", (), ()),
    "builders": ("Construction", (), ("cement", "timber", "steel")),
    "cable makers": ("Cable", (), ("copper",)),
    "car makers": ("Motors", (), ("steel", "lithium")),
    "cement makers": ("Cement", ("cement",), ("electricity",)),
    "chemical makers": ("Chemicals", (), ("gas", "oil")),
    "clothing makers": ("Apparel", (), ("cotton",)),
    "cotton growers": ("Cotton", ("cotton",), ()),
    "food makers": ("Foods", (), ("wheat",)),
    "foresters": ("Forests", ("timber",), ()),
    "furniture makers": ("Furniture", (), ("timber",)),
    "grain growers": ("Farms", ("wheat",), ("gas",)),
    "hauliers": ("Haulage", (), ("oil",)),
    "media houses": ("Media", (), ()),
    "miners": ("Mining", ("copper", "lithium"), ()),
    "oil producers": ("Petroleum", ("oil", "gas"), ()),
    "power utilities": ("Power", ("electricity",), ("gas",)),
    "software houses": ("Software", (), ()),
    "steelmakers": ("Steel", ("steel",), ("electricity",)),
}
COUNTRIES = (
    *("Arvenia", "Belmark", "Castovia", "Drellin", "Estmark", "Ferrosia", "Galdoria", "Hestland"),
)
OPAQUE = ("Group", "Holdings", "Partners", "International", "")
"""What stands behind a name that tells nothing."""

_BEGIN = (
    *("Al", "Bel", "Bren", "Cor", "Dal", "Dra", "El", "Fen", "Gar", "Hal", "Ir", "Jor", "Kes"),
    *("Lan", "Mer", "Nor", "Or", "Pel", "Quil", "Ras", "Sol", "Tam", "Ul", "Vel", "Wes", "Yor"),
)
_END = (
    *("bury", "dane", "den", "dora", "fell", "gard", "ling", "lund", "mere", "mond", "nik", "phis"),
    *("quist", "rick", "rova", "sen", "tara", "tis", "vane", "via", "wick", "zell"),
)
_FIRST = (
    *("Ada", "Boris", "Clara", "Dario", "Edith", "Felix", "Greta", "Hugo", "Ines", "Jonas", "Kira"),
    *("Leon", "Mara", "Nils", "Olga", "Pavel", "Rosa", "Simon", "Thea", "Viktor"),
)
_LAST = (
    *("Abrams", "Bergholt", "Castell", "Dunmore", "Eklund", "Farrow", "Grieve", "Holm", "Ivers"),
    *("Jansky", "Kessel", "Lindqvist", "Marlow", "Novotny", "Oakes", "Penrose", "Quade", "Rask"),
    *("Sorrel", "Tolland", "Usher", "Varga", "Whitlock", "Yates"),
)
Item = TypeVar("Item")


class Chance:
    """What is left to chance."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def share(self) -> float:
        """Return a number from 0 to less than 1."""
        return self._random.random()

    def one(self, options: Sequence[Item]) -> Item:
        """Return one of some options."""
        return options[int(self.share() * len(options))]

    def mixed(self, items: Sequence[Item]) -> list[Item]:
        """Return all items in an order of chance."""
        numbered = sorted((self.share(), place) for place in range(len(items)))
        return [items[place] for _, place in numbered]


def stems(chance: Chance) -> Iterator[tuple[str, str]]:
    """Yield made-up names, none twice, each with a short one in capitals that no other has."""
    pairs = [(begin, end) for begin in _BEGIN for end in _END]
    for begin, end in chance.mixed(pairs):
        yield begin + end, (begin + end[:2]).upper()


def node(iri: str, class_: str, label: str, *facts: str, aliases: Sequence[str] = ()) -> str:
    """Return what is known of one node, as Turtle."""
    parts = [f"{iri} a n:{class_}", f'rdfs:label "{label}"']
    if aliases:
        parts.append("skos:altLabel " + ", ".join(f'"{alias}"' for alias in aliases))
    return " ;\n  ".join([*parts, *facts]) + " ."


def iri(prefix: str, label: str) -> str:
    """Return a name's IRI."""
    return f"{prefix}:{label.replace(' ', '_')}"


def build() -> tuple[str, str]:
    """Return newsroom.ttl and outside.txt."""
    chance = Chance(SEED)
    made = stems(chance)
    people = chance.mixed([f"{first} {last}" for first in _FIRST for last in _LAST])
    nodes = [
        node(iri("commodity", name), "Commodity", name, aliases=other)
        for name, other in COMMODITIES.items()
    ]
    nodes += [node(iri("country", name), "Country", name) for name in COUNTRIES]
    for sector, (tells, sold, bought) in SECTORS.items():
        facts = [
            f"n:{relation} " + ", ".join(iri("commodity", name) for name in traded)
            for relation, traded in (("buys", bought), ("sells", sold))
            if traded
        ]
        nodes.append(node(iri("sector", sector), "Sector", sector, *facts))
        telling = chance.mixed([place < TELLING * EACH for place in range(EACH)])
        for tell in telling:
            stem, ticker = next(made)
            label = f"{stem} {tells if tell else chance.one(OPAQUE)}".strip()
            aliases = [name for name in (stem, ticker) if name != label]
            home = iri("country", chance.one(COUNTRIES))
            company = iri("company", stem)
            facts = [f"n:sector {iri('sector', sector)}", f"n:country {home}"]
            nodes.append(node(company, "Company", label, *facts, aliases=aliases))
            if chance.share() < CHIEFS:
                chief = people.pop()
                nodes.append(node(iri("person", chief), "Person", chief, f"n:leads {company}"))
    endings = (*OPAQUE, *OPAQUE, *(tells for tells, _, _ in SECTORS.values()))
    outside = [f"{next(made)[0]} {chance.one(endings)}".strip() for _ in range(OUTSIDE)]
    header = [
        "# Written by build.py; everything here is made up. See README.md.",
        *(f"@prefix {prefix}: <{base}> ." for prefix, base in PREFIXES.items()),
        "",
        *(f'n:{name} a rdfs:Class ; rdfs:label "{label}" .' for name, label in CLASSES.items()),
        *(f'n:{name} a rdf:Property ; rdfs:label "{label}" .' for name, label in RELATIONS.items()),
    ]
    turtle = "\n".join([*header, *(f"\n{one}" for one in sorted(nodes))]) + "\n"
    return turtle, "".join(f"{name}\n" for name in sorted(outside))


def main() -> None:
    """Write both files beside this script, or into the folder that is given."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for name, text in zip(("newsroom.ttl", "outside.txt"), build(), strict=True):
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
