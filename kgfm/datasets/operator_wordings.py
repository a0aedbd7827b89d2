"""Questions about the world that count, ask yes or no, ask for numbers, or join two conditions.

And those that its graph cannot answer. Wordings are as in :mod:`kgfm.datasets.wordings`, with
``{y}`` for what a second walk starts from, or what a yes-or-no question is about.
"""

from __future__ import annotations

from dataclasses import dataclass

from kgfm.types import Kind

COUNTRY, CITY, LANGUAGE, CURRENCY = "country", "city", "language", "currency"


@dataclass(frozen=True, slots=True)
class Operator:
    """One kind of question.

    Args:
        name: What it asks for.
        kind: What its answer is.
        walks: Type of the topic and path of each walk; the last step of a literal is an attribute.
        about: Type of what a yes-or-no question is about.
        wordings: Used everywhere.
        unseen: Used in test questions only.
    """

    name: str
    kind: Kind
    walks: tuple[tuple[str, tuple[str, ...]], ...]
    wordings: tuple[str, ...]
    unseen: tuple[str, ...]
    about: str = ""


def _count(
    name: str, topic: str, path: tuple[str, ...], wordings: tuple[str, ...], unseen: str
) -> Operator:
    return Operator(name, "count", ((topic, path),), wordings, (unseen,))


def _value(
    name: str, topic: str, path: tuple[str, ...], wordings: tuple[str, ...], unseen: str
) -> Operator:
    return Operator(name, "literal", ((topic, path),), wordings, (unseen,))


COUNTS = (
    _count(
        "number of neighbours",
        COUNTRY,
        ("borders",),
        (
            "How many countries border {x}?",
            "How many neighbours does {x} have?",
            "What is the number of countries next to {x}?",
            "With how many countries does {x} share a border?",
            "Count the neighbours of {x}.",
        ),
        "Leaving {x} by land, how many countries could I enter?",
    ),
    _count(
        "number of languages",
        COUNTRY,
        ("language",),
        (
            "How many languages are spoken in {x}?",
            "How many languages do people speak in {x}?",
            "What is the number of languages of {x}?",
            "How many languages can you hear in {x}?",
            "Count the languages spoken in {x}.",
        ),
        "How many languages would I need to talk to everybody in {x}?",
    ),
    _count(
        "number of official languages",
        COUNTRY,
        ("officialLanguage",),
        (
            "How many official languages does {x} have?",
            "How many languages are official in {x}?",
            "What is the number of official languages of {x}?",
            "How many languages have official status in {x}?",
            "Count the official languages of {x}.",
        ),
        "How many languages does the government of {x} officially use?",
    ),
    _count(
        "number of countries of the currency",
        CURRENCY,
        ("^currency",),
        (
            "How many countries use {x}?",
            "In how many countries is {x} the currency?",
            "In how many countries can I pay with {x}?",
            "What is the number of countries that use {x}?",
            "Count the countries with {x} as currency.",
        ),
        "In how many countries would shops take {x}?",
    ),
    _count(
        "number of countries of the language",
        LANGUAGE,
        ("^language",),
        (
            "How many countries speak {x}?",
            "In how many countries is {x} spoken?",
            "In how many countries do people speak {x}?",
            "What is the number of countries where {x} is spoken?",
            "Count the countries that have speakers of {x}.",
        ),
        "To how many countries could I travel to practise {x}?",
    ),
    _count(
        "number of currencies of neighbours",
        COUNTRY,
        ("borders", "currency"),
        (
            "How many currencies are used in the countries that border {x}?",
            "How many currencies do the neighbours of {x} use?",
            "What is the number of currencies of {xs} neighbours?",
            "With how many currencies do people pay in the countries next to {x}?",
            "Count the currencies of the neighbours of {x}.",
        ),
        "How many kinds of money are used just across the border of {x}?",
    ),
)

YES_OR_NO = (
    Operator(
        "is it a neighbour",
        "yesno",
        ((COUNTRY, ("borders",)),),
        (
            "Does {x} border {y}?",
            "Is {y} a neighbour of {x}?",
            "Is {x} next to {y}?",
            "Do {x} and {y} share a border?",
            "Is it true that {x} borders {y}?",
        ),
        ("Can I walk from {x} straight into {y}?",),
        COUNTRY,
    ),
    Operator(
        "is it the capital",
        "yesno",
        ((COUNTRY, ("capital",)),),
        (
            "Is {y} the capital of {x}?",
            "Does {x} have {y} as its capital?",
            "Is {xs} capital {y}?",
            "Is it true that {y} is the capital of {x}?",
            "Is the capital of {x} called {y}?",
        ),
        ("Has {x} chosen {y} as its capital?",),
        CITY,
    ),
    Operator(
        "is it spoken",
        "yesno",
        ((COUNTRY, ("language",)),),
        (
            "Is {y} spoken in {x}?",
            "Do people speak {y} in {x}?",
            "Is {y} one of the languages of {x}?",
            "Can you hear {y} in {x}?",
            "Is it true that people in {x} speak {y}?",
        ),
        ("Would {y} help me to talk to people in {x}?",),
        LANGUAGE,
    ),
    Operator(
        "is it the currency",
        "yesno",
        ((COUNTRY, ("currency",)),),
        (
            "Is {y} the currency of {x}?",
            "Does {x} use {y}?",
            "Can I pay with {y} in {x}?",
            "Do people in {x} pay with {y}?",
            "Is it true that {x} uses {y}?",
        ),
        ("Would shops in {x} take {y}?",),
        CURRENCY,
    ),
    Operator(
        "is it the country",
        "yesno",
        ((CITY, ("country",)),),
        (
            "Is {x} in {y}?",
            "Is {x} a city in {y}?",
            "Does {x} belong to {y}?",
            "Does {x} lie in {y}?",
            "Is it true that {x} is in {y}?",
        ),
        ("I have just landed in {x}: have I arrived in {y}?",),
        COUNTRY,
    ),
)

_POPULATION = (
    (
        "How many people live in {x}?",
        "What is the population of {x}?",
        "How many inhabitants does {x} have?",
        "How large is the population of {x}?",
        "Tell me {xs} population.",
    ),
    "{X} is home to how many people?",
)
VALUES = (
    _value(
        "population of the country",
        COUNTRY,
        ("population",),
        *_POPULATION,
    ),
    _value(
        "population of the city",
        CITY,
        ("population",),
        *_POPULATION,
    ),
    _value(
        "area",
        COUNTRY,
        ("area",),
        (
            "What is the area of {x}?",
            "How large is {x}?",
            "How big is {x}?",
            "How many square kilometres does {x} cover?",
            "Tell me {xs} area.",
        ),
        "How much land does {x} have?",
    ),
    _value(
        "calling code",
        COUNTRY,
        ("callingCode",),
        (
            "What is the calling code of {x}?",
            "Which calling code does {x} have?",
            "What is the phone code of {x}?",
            "Which code do I dial to call {x}?",
            "Tell me {xs} calling code.",
        ),
        "With which digits do phone numbers in {x} begin?",
    ),
    _value(
        "internet domain",
        COUNTRY,
        ("topLevelDomain",),
        (
            "What is the top level domain of {x}?",
            "Which internet domain does {x} have?",
            "What is the internet domain of {x}?",
            "In what do web addresses in {x} end?",
            "Tell me {xs} internet domain.",
        ),
        "How do I recognise a web site from {x} by its address?",
    ),
    _value(
        "population of the capital",
        COUNTRY,
        ("capital", "population"),
        (
            "How many people live in the capital of {x}?",
            "What is the population of the capital of {x}?",
            "How many inhabitants does {xs} capital have?",
            "How large is the population of {xs} capital?",
            "Tell me the population of the capital of {x}.",
        ),
        "The capital of {x} is home to how many people?",
    ),
)

BOTH = (
    Operator(
        "neighbour of both",
        "entity",
        ((COUNTRY, ("borders",)), (COUNTRY, ("borders",))),
        (
            "Which countries border both {x} and {y}?",
            "Which countries border {x} and {y}?",
            "Name a country next to both {x} and {y}.",
            "Which country is a neighbour of {x} and of {y}?",
            "What countries do {x} and {y} both border?",
        ),
        ("Which country lies beside {x} and also beside {y}?",),
    ),
    Operator(
        "neighbour with the language",
        "entity",
        ((COUNTRY, ("borders",)), (LANGUAGE, ("^language",))),
        (
            "Which countries border {x} and speak {y}?",
            "Which neighbours of {x} speak {y}?",
            "Name a country next to {x} where {y} is spoken.",
            "In which country that borders {x} do people speak {y}?",
            "Which country is a neighbour of {x} and has speakers of {y}?",
        ),
        ("Leaving {x} by land, in which country could I practise {y}?",),
    ),
    Operator(
        "neighbour with the currency",
        "entity",
        ((COUNTRY, ("borders",)), (CURRENCY, ("^currency",))),
        (
            "Which countries border {x} and use {y}?",
            "Which neighbours of {x} use {y}?",
            "Name a country next to {x} with {y} as its currency.",
            "In which country that borders {x} can I pay with {y}?",
            "Which country is a neighbour of {x} and uses {y}?",
        ),
        ("Leaving {x} by land, in which country would shops take {y}?",),
    ),
    Operator(
        "country of the language and the currency",
        "entity",
        ((LANGUAGE, ("^language",)), (CURRENCY, ("^currency",))),
        (
            "Which countries speak {x} and use {y}?",
            "Where is {x} spoken and {y} the currency?",
            "Name a country that speaks {x} and pays with {y}.",
            "In which countries can I hear {x} and pay with {y}?",
            "Which country has speakers of {x} and uses {y}?",
        ),
        ("To which country could I travel to practise {x} and spend {y}?",),
    ),
)

ABSENT = (
    "Who is the mayor of {x}?",
    "What is the national anthem of {x}?",
    "What is the climate of {x} like?",
    "Which river flows through {x}?",
    "When was {x} founded?",
    "Who won the last election in {x}?",
    "Which airline flies to {x}?",
    "What is the minimum wage in {x}?",
    "What does the flag of {x} look like?",
    "Which dish is {x} famous for?",
    "What is the highest mountain of {x}?",
    "Which university is in {x}?",
    "What is the average temperature in {x}?",
    "Who designed the airport of {x}?",
    "Which football club comes from {x}?",
    "What is the life expectancy in {x}?",
    "Which newspaper is read in {x}?",
    "How many cars are there in {x}?",
    "What is the time in {x}?",
    "Which religion do people have in {x}?",
    "How many tourists visit {x}?",
    "On which side do people drive in {x}?",
    "What is the literacy rate of {x}?",
    "Which king ruled {x}?",
    "What is the export of {x}?",
    "Which museum should I visit in {x}?",
    "How many schools does {x} have?",
    "What is the national animal of {x}?",
    "Which sport is popular in {x}?",
    "What is the postal code of {x}?",
    "Which cathedral is the largest of {x}?",
    "Who is the richest person in {x}?",
)
"""Of what the graph says nothing: in training and validation."""
UNSEEN_ABSENT = (
    "Who is the president of {x}?",
    "Who is the prime minister of {x}?",
    "What is the gross domestic product of {x}?",
    "Which lake lies in {x}?",
    "How old is {x}?",
    "When did {x} become independent?",
    "Which band comes from {x}?",
    "What is the crime rate in {x}?",
    "How many hospitals does {x} have?",
    "Which hotel is the best in {x}?",
    "What is the weather in {x} today?",
    "Who wrote a novel about {x}?",
    "Which train goes to {x}?",
    "What is the unemployment rate of {x}?",
    "Which festival is held in {x}?",
    "What is the national flower of {x}?",
    "Who is the most famous actor from {x}?",
    "How much does a flight to {x} cost?",
    "Which plant grows in {x}?",
    "What is the motto of {x}?",
    "Which party governs {x}?",
    "How many soldiers does {x} have?",
    "How high is the tallest building in {x}?",
    "Which company has its headquarters in {x}?",
)
"""Of what the graph says nothing: in the test."""

OPERATORS = (*COUNTS, *YES_OR_NO, *VALUES, *BOTH)
