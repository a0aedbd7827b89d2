"""Learn the weights that ship with kgfm's linker: kgfm/linking/weights.json.

    python graphs/world/fit_linker.py

The texts are short reports and questions about the world graph. Since it has places, languages
and currencies alone, people, companies and films are invented around them, with triples,
descriptions, and names as they are in real graphs: surnames that several bear and that are also
cities, films that are called like a city or like a common word ("Company", "7", "Inc"). The
reports use full names at first, then parts of them, acronyms, and here and there a slip of the
pen; they name people and companies that the graph lacks, and dates and titles that are nobody;
the graph also lacks two of five of the cities, people, companies and films that the reports are
about. Everything is drawn from one seed. It takes a few minutes, most of them for the vectors
of the text encoder.
"""

from __future__ import annotations

import random
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kgfm.backbones import TextEncoder
from kgfm.datasets.world import VOCABULARY, world_graph, world_questions
from kgfm.graph import KnowledgeGraph
from kgfm.linking import Linker
from kgfm.linking.evaluate import evaluate
from kgfm.types import Example, Mention

SEED = 0
OUT = Path(__file__).parents[2] / "kgfm/linking/weights.json"
REPORTS, HELD_OUT, QUESTIONS = 1200, 300, 300
MISSING, NEAR = 0.4, 0.4


def _words(text: str) -> list[str]:
    return text.split()


FIRST = _words("""
Anna Ben Carla David Elena Frank Grace Hugo Ines Jack Karen Leo Maria Nils Olga Paul Rosa Sven
Tina Victor Wendy Yusuf Zoe Amir Berta Chen Dora Emil Fatima George Helen Ivan James John Kofi
Lucia Mei Nadia Omar Peter
""")
LAST = _words("""
Abbott Banks Brown Castro Dahl Evans Fischer Garcia Hansen Ito Jensen Keller Lincoln May Novak
Okafor Page Quinn Rice Schmidt Tanaka Usman Vega Weber Young Ziegler Cole Hill Marsh Stone Rossi
Silva Kim Park Nguyen Moreau Dubois Costa Meyer Clark Lopez Becker Fox Grant Mason
""")
FIRMS = _words("""
Nordic Atlas Summit Harbor Apex Delta Pioneer Crown Orion Falcon Granite Meridian Cobalt Vertex
Lumen Quarry Beacon Cedar Zephyr Anchor
""")
TRADES = _words("""
Bank Airlines Steel Motors Energy Foods Insurance Telecom Media Mining Chemicals Shipping
""")
FORMS = ["Inc", "Ltd", "Group", "Corp", "Holdings", "AG", "plc"]
COMMON = _words("""
Company Home News People Border Official Report Market Monday June Seven 7 1984 I Inc Bank Group
Director City River Time State Money Language Crisis Deal Minister It Us Year Shares President
Friday March Talks Government Week Police Family One Two Night Water Party Trade Office Ltd Corp
Analysts Growth Prices Million 10 2007 Film Actor Capital Official Spokesman Music War House
""")
JOBS = ["politician", "actor", "singer", "footballer", "economist", "writer", "film director"]

FILLERS = """However, analysts said the deal would take time.
The government gave no details about the talks.
In {year}, prices rose by {number} per cent.
Officials said on {day} that the report was not final.
I do not think that it matters, one of them said.
Shares fell {number} points in early trade.
It was the third crisis of the year for the company.
People waited at the border for more than two hours.
A spokesman for the group said: "We will not comment."
The meeting on {day}, {month} {number}, was about money and trade.
Police closed the office for a week.
He said the market was calm. She said it was not.
Two million people saw the news at home.
Growth in the state was lower than last year, the official said.
The President and the Prime Minister met in private.
The Central Bank kept rates at {number} per cent.
Most of the music was recorded in one night.
There were {number} talks between the two companies this year.
{nobody} said the family was fine.
{nobody} and {nobody} did not answer calls on {day}.
{nofirm} declined to comment.
The director of {nofirm}, {nobody}, resigned in {month}.""".splitlines()
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = _words("""
January February March April May June July August September October
""")

SENTENCES = {
    "person": (
        "{x} was born in {city}.",
        "{x}, a {job}, lives in {country}.",
        "{x} works for {company}.",
        "On {day} {x} arrived in {city}.",
        "{company} hired {x} in {year}.",
        "Reporters asked {x} about {country}.",
        '"It was a long night," {x} said in {city}.',
        "{x} has left {company} after {number} years.",
    ),
    "company": (
        "{x} has its head office in {city}.",
        "{x} said profits in {country} fell by {number} per cent.",
        "Shares of {x} rose on {day}.",
        "{x} will buy a rival in {country}, {person} said.",
        "The company {x} was founded in {city} in {year}.",
        "Staff of {x} went on strike in {city}.",
    ),
    "film": (
        "The film {x} was shot in {country}.",
        "{x} is a film by {person}.",
        "Critics in {city} liked {x}, which {person} directed.",
        "{person} made {x} in {year}.",
        "Few people in {country} have seen {x}.",
    ),
    "city": (
        "{x} is a city in {country}.",
        "The talks in {x} ended on {day}.",
        "Thousands marched through {x}.",
        "{person} flew from {x} to {city2}.",
        "Trains between {x} and {city2} were late.",
    ),
    "country": (
        "{x} borders {country2}.",
        "The capital of {x} is {city}.",
        "Exports from {x} to {country2} fell in {year}.",
        "{x} and {country2} signed a treaty in {city}.",
        "People in {x} speak {language}.",
        "The currency of {x} is the {currency}.",
        "The government of {x} met on {day}.",
    ),
}


class Invented:
    """The world graph with invented people, companies and films."""

    def __init__(self, world: KnowledgeGraph, chance: random.Random) -> None:
        self.chance = chance
        self.entities: dict[str, dict[str, Any]] = {}
        self.triples: list[tuple[str, str, str]] = []
        self.near: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        self.kinds: dict[str, list[str]] = defaultdict(list)
        for row, key in enumerate(world.keys):
            label, *aliases = world.names(row)
            kind = (world.types(row) or ("thing",))[0].lower()
            self._add(key, kind, label, aliases, world.descriptions[row], list(world.types(row)))
        columns = world.heads.tolist(), world.relations.tolist(), world.tails.tolist()
        for head, relation, tail in zip(*columns, strict=True):
            name = world.relation_keys[relation].removeprefix(VOCABULARY)
            self._join(world.keys[head], name, world.keys[tail])
        self._people(250)
        self._companies(160)
        self._films(260)
        kinds = ("city", "person", "company", "film")
        unsure = sorted(key for kind in kinds for key in self.kinds[kind])
        self.missing = {key for key in unsure if chance.random() < MISSING}

    def graph(self) -> KnowledgeGraph:
        """Return the graph without what it is to lack."""
        return KnowledgeGraph.from_records(
            [one for key, one in self.entities.items() if key not in self.missing],
            [
                (h, r, t)
                for h, r, t in self.triples
                if h not in self.missing and t not in self.missing
            ],
        )

    def _add(
        self, key: str, kind: str, label: str, aliases: Sequence[str], text: str, types: list[str]
    ) -> None:
        self.entities[key] = {
            "key": key,
            "label": label,
            "aliases": list(aliases),
            "description": text,
            "types": types if self.chance.random() < 0.7 else [],  # many graphs have none
        }
        self.kinds[kind].append(key)

    def _join(self, head: str, relation: str, tail: str) -> None:
        self.triples.append((head, relation, tail))
        for one, other in ((head, tail), (tail, head)):
            self.near[one][self.kind(other)].append(other)

    def kind(self, key: str) -> str:
        if not hasattr(self, "_kind_of"):
            self._kind_of: dict[str, str] = {}
        if key not in self._kind_of:
            self._kind_of |= {one: kind for kind, keys in self.kinds.items() for one in keys}
        return self._kind_of[key]

    def any(self, kind: str) -> str:
        """Return an entity of a kind, those with more triples more often."""
        keys = self.chance.choices(self.kinds[kind], k=3)
        return max(keys, key=lambda key: sum(map(len, self.near[key].values())))

    def label(self, key: str) -> str:
        return str(self.entities[key]["label"])

    def _people(self, count: int) -> None:
        for number in range(count):
            first, last = self.chance.choice(FIRST), self.chance.choice(LAST)
            if self.chance.random() < 0.1:
                last = self.label(self.any("city")).split()[0]
            country, job = self.any("country"), self.chance.choice(JOBS)
            middle = f"{self.chance.choice(FIRST)} " if self.chance.random() < 0.15 else ""
            aliases = [f"{first} {last}"] if middle else []
            aliases += [last] if self.chance.random() < 0.15 else []
            text = f"{job} from {self.label(country)}" if self.chance.random() < 0.8 else job
            self._add(f"p{number}", "person", f"{first} {middle}{last}", aliases, text, ["Person"])
            self._join(f"p{number}", "citizen of", country)
            self._join(f"p{number}", "born in", self._city_of(country))

    def _companies(self, count: int) -> None:
        for number in range(count):
            start = self.chance.choice(FIRMS)
            if self.chance.random() < 0.2:
                start = self.label(self.any("city"))
            name = f"{start} {self.chance.choice(TRADES)}"
            aliases = [f"{name} {self.chance.choice(FORMS)}"]
            if self.chance.random() < 0.4:
                name, aliases = aliases[0], [name]
            if self.chance.random() < 0.2:
                aliases.append("".join(word[0] for word in name.split()))
            country = self.any("country")
            text = self.chance.choice(["company", f"company in {self.label(country)}", "business"])
            self._add(f"c{number}", "company", name, aliases, text, ["Company"])
            self._join(f"c{number}", "located in", self._city_of(country))
            for _ in range(self.chance.randint(0, 3)):
                self._join(self.any("person"), "works for", f"c{number}")

    def _films(self, count: int) -> None:
        for number in range(count):
            place = self.label(self.any(self.chance.choice(["city", "country", "person"])))
            name = self.chance.choice(
                [
                    place,
                    COMMON[number % len(COMMON)],
                    COMMON[number % len(COMMON)],
                    f"The {self.chance.choice(COMMON)} of {place}",
                    f"{self.chance.choice(COMMON)} and {self.chance.choice(COMMON)}",
                    f"The {self.chance.choice(FIRMS)} {self.chance.choice(COMMON)}",
                ]
            )
            country, maker = self.any("country"), self.any("person")
            text = self.chance.choice(["film", f"film by {self.label(maker)}", "song", "album"])
            self._add(f"f{number}", "film", name, [], text, ["Film"])
            self._join(f"f{number}", "country", country)
            self._join(f"f{number}", "director", maker)

    def _city_of(self, country: str) -> str:
        return self.chance.choice(self.near[country]["city"] or self.kinds["city"])


class Writer:
    """Writes reports with their mentions."""

    def __init__(self, world: Invented, chance: random.Random) -> None:
        self.world, self.chance = world, chance

    def report(self) -> Example:
        """Return a report of some sentences around one topic."""
        world, chance = self.world, self.chance
        kind = chance.choice(["person", "company", "film", "city", "country", "country"])
        topic = world.any(kind)
        self._named: set[str] = set()
        self._text, self._mentions = "", list[Mention]()
        for _ in range(chance.randint(2, 7)):
            if chance.random() < 0.55:
                self._sentence(chance.choice(FILLERS), topic)
            elif chance.random() < 0.7:
                self._sentence(chance.choice(SENTENCES[kind]), topic)
            else:
                other = chance.choice([*SENTENCES])
                near = world.near[topic][other]
                about = chance.choice(near) if near and chance.random() < NEAR else world.any(other)
                self._sentence(chance.choice(SENTENCES[other]), about)
        text, mentions = self._text.strip(), self._mentions
        if chance.random() < 0.08:
            text = text.lower() if len(text.lower()) == len(text) else text
        return Example(
            text,
            None,
            tuple(Mention(m.start, m.end, text[m.start : m.end], m.entity) for m in mentions),
        )

    def _sentence(self, pattern: str, about: str) -> None:
        chance = self.chance
        used = {about}
        for part in pattern.replace("{", "\0{").replace("}", "}\0").split("\0"):
            slot = part.strip("{}")
            if not part.startswith("{"):
                self._text += part
            elif slot == "number":
                self._text += str(chance.randint(2, 40))
            elif slot == "year":
                self._text += str(chance.randint(1980, 2024))
            elif slot == "day":
                self._text += chance.choice(DAYS)
            elif slot == "month":
                self._text += chance.choice(MONTHS)
            elif slot == "job":
                self._text += chance.choice(JOBS)
            elif slot == "nobody":
                known = {self.world.label(key) for key in self.world.kinds["person"]}
                name = f"{chance.choice(FIRST)} {chance.choice(LAST)}"
                self._mention(name, None if name not in known else "")
            elif slot == "nofirm":
                name = f"{chance.choice(FIRMS)} {chance.choice(LAST)} {chance.choice(FORMS)}"
                self._mention(name, None)
            else:
                key = about if slot == "x" else self._other(slot.rstrip("2"), about, used)
                used.add(key)
                self._mention(self._name(key), None if key in self.world.missing else key)
        self._text += " "

    def _other(self, kind: str, about: str, used: set[str]) -> str:
        near = [key for key in self.world.near[about][kind] if key not in used]
        if near and self.chance.random() < NEAR:
            return self.chance.choice(near)
        return self.world.any(kind)

    def _mention(self, name: str, key: str | None) -> None:
        """Write a name; an empty key writes one that nobody can tell."""
        start = len(self._text)
        self._text += name
        if key != "":
            self._mentions.append(Mention(start, len(self._text), name, key))
        if self.chance.random() < 0.05:
            self._text += "'s own"

    def _name(self, key: str) -> str:
        """Return a name of the entity: in full at first, then perhaps in part."""
        chance, entity = self.chance, self.world.entities[key]
        name = str(entity["label"])
        if entity["aliases"] and chance.random() < 0.25:
            name = chance.choice(entity["aliases"])
        kind, words = self.world.kind(key), name.split()
        again = key in self._named
        self._named.add(key)
        if kind == "person" and chance.random() < (0.75 if again else 0.2):
            name = words[-1]
        elif kind == "company" and chance.random() < (0.6 if again else 0.25):
            name = chance.choice([" ".join(words[:-1]) or name, words[0]])
        elif kind == "company" and len(words) > 2 and chance.random() < 0.1:
            name = "".join(word[0] for word in words)
        elif len(name) > 5 and chance.random() < 0.03:
            at = chance.randrange(1, len(name) - 1)
            name = name[:at] + name[at + 1 :]
        elif chance.random() < 0.03:
            name = name.upper()
        return name


def question_examples(world: KnowledgeGraph, missing: set[str], count: int) -> list[Example]:
    """Return questions of the data set ``world`` with the mention of their topic."""
    examples = []
    for question in world_questions(world, {"train": count}, seed=SEED)["train"]:
        start = question.text.lower().find(question.name.lower())
        if start >= 0:
            end = start + len(question.name)
            key = None if question.topic in missing else question.topic
            mention = Mention(start, end, question.text[start:end], key)
            examples.append(Example(question.text, None, (mention,)))
    return examples


def main() -> None:
    chance = random.Random(SEED)
    with tempfile.TemporaryDirectory() as cache:
        world = world_graph(cache)
        invented = Invented(world, chance)
        writer = Writer(invented, chance)
        reports = [writer.report() for _ in range(REPORTS + HELD_OUT)]
        questions = question_examples(world, invented.missing, QUESTIONS)
        graph = invented.graph()
    encode = TextEncoder()
    linker = Linker(graph, fuzzy=True, context=True, encode=encode, keep_nil=True)
    linker.fit([*reports[:REPORTS], *questions], seed=SEED)
    assert linker.weights is not None
    linker.weights.save(OUT)
    for coherence in (False, True):
        for context in (False, True):
            other = Linker(
                graph,
                fuzzy=True,
                keep_nil=True,
                coherence=coherence,
                context=context,
                encode=encode,
                weights=linker.weights,
            )
            found = evaluate(other, reports[REPORTS:])
            print(
                f"coherence={coherence} context={context}: F1 {found.micro.f1:.3f}, "
                f"calibration error {found.calibration_error:.3f}"
            )


if __name__ == "__main__":
    main()
