"""How the questions about the world are worded.

``{x}`` is the topic, ``{xs}`` its possessive, ``{X}`` the topic at the start of a sentence. A path
is a row of relations from the topic to the answers; ``^`` walks a relation from tail to head.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of question.

    Args:
        name: What it asks for.
        topic: Type of the entity that it is about.
        path: Relations from the topic to the answers.
        wordings: Used everywhere.
        unseen: Used in test questions only.
    """

    name: str
    topic: str
    path: tuple[str, ...]
    wordings: tuple[str, ...]
    unseen: tuple[str, ...]


KINDS = (
    Kind(
        "capital",
        "country",
        ("capital",),
        (
            "What is the capital of {x}?",
            "Which city is the capital of {x}?",
            "Name the capital city of {x}.",
            "What is {xs} capital called?",
            "Which city serves as the capital of {x}?",
            "Can you tell me the capital of {x}?",
        ),
        ("{X} has chosen which city as its capital?",),
    ),
    Kind(
        "currency",
        "country",
        ("currency",),
        (
            "What is the currency of {x}?",
            "Which currency is used in {x}?",
            "What money do people use in {x}?",
            "What do you pay with in {x}?",
            "What is {xs} currency called?",
            "Which currency does {x} use?",
        ),
        ("If I travel to {x}, which money should I take with me?",),
    ),
    Kind(
        "official language",
        "country",
        ("officialLanguage",),
        (
            "What is the official language of {x}?",
            "Which languages are official in {x}?",
            "What is {xs} official language?",
            "Name an official language of {x}.",
            "Which language has official status in {x}?",
            "What are the official languages of {x}?",
        ),
        ("Which language does the government of {x} officially use?",),
    ),
    Kind(
        "language",
        "country",
        ("language",),
        (
            "Which languages are spoken in {x}?",
            "What language do people speak in {x}?",
            "What do people in {x} speak?",
            "Which languages can you hear in {x}?",
            "Name a language spoken in {x}.",
            "What are the languages of {x}?",
        ),
        ("Which language would I need to talk to people in {x}?",),
    ),
    Kind(
        "continent",
        "country",
        ("continent",),
        (
            "On which continent is {x}?",
            "Which continent does {x} belong to?",
            "What continent is {x} on?",
            "{X} is part of which continent?",
            "What is the continent of {x}?",
            "Name the continent where {x} lies.",
        ),
        ("On which of the continents would I find {x} on a globe?",),
    ),
    Kind(
        "neighbour",
        "country",
        ("borders",),
        (
            "Which countries border {x}?",
            "What are the neighbours of {x}?",
            "Which countries are next to {x}?",
            "Name a country that shares a border with {x}.",
            "What countries does {x} border?",
            "Which countries lie beside {x}?",
        ),
        ("Leaving {x} by land, which country could I enter?",),
    ),
    Kind(
        "country",
        "city",
        ("country",),
        (
            "Which country is {x} in?",
            "In which country is {x}?",
            "What country does {x} belong to?",
            "{X} is a city in which country?",
            "In what country can I find {x}?",
            "Name the country where {x} lies.",
        ),
        ("I have just landed in {x}: which country have I arrived in?",),
    ),
    Kind(
        "country of the capital",
        "city",
        ("^capital",),
        (
            "Which country has {x} as its capital?",
            "{X} is the capital of which country?",
            "Of which country is {x} the capital?",
            "What country is {x} the capital of?",
            "Name the country whose capital is {x}.",
            "Which country made {x} its capital?",
        ),
        ("Which country is governed from its capital {x}?",),
    ),
    Kind(
        "country of the currency",
        "currency",
        ("^currency",),
        (
            "Which countries use {x}?",
            "Where can I pay with {x}?",
            "In which countries is {x} the currency?",
            "Name a country that uses {x}.",
            "Which country has {x} as its currency?",
            "What countries pay with {x}?",
        ),
        ("In which country would shops take {x}?",),
    ),
    Kind(
        "country of the language",
        "language",
        ("^language",),
        (
            "Where is {x} spoken?",
            "In which countries do people speak {x}?",
            "Name a country where {x} is spoken.",
            "In what country can I hear {x}?",
            "Which countries have speakers of {x}?",
            "What countries speak {x}?",
        ),
        ("To which country could I travel to practise {x}?",),
    ),
    Kind(
        "country of the official language",
        "language",
        ("^officialLanguage",),
        (
            "Which countries have {x} as an official language?",
            "In which countries is {x} official?",
            "Where is {x} an official language?",
            "Name a country whose official language is {x}.",
            "In which country does {x} have official status?",
            "What countries made {x} their official language?",
        ),
        ("Which country has a government that officially uses {x}?",),
    ),
    Kind(
        "currency of the city's country",
        "city",
        ("country", "currency"),
        (
            "Which currency is used in the country where {x} lies?",
            "What is the currency of the country {x} is in?",
            "What money do people use in the city of {x}?",
            "What do you pay with in {x}?",
            "Name the currency of the country in which {x} is located.",
            "Which currency do I need in {x}?",
        ),
        ("I am flying to {x}: what money does that country have?",),
    ),
    Kind(
        "official language of the city's country",
        "city",
        ("country", "officialLanguage"),
        (
            "What is the official language of the country where {x} lies?",
            "Which language is official in the country {x} is in?",
            "Name an official language of the country that {x} belongs to.",
            "What official language does the country of {x} have?",
            "In the country where {x} is located, which language is official?",
            "Which official languages does the country with the city {x} have?",
        ),
        ("Officially, which language is used in the country around {x}?",),
    ),
    Kind(
        "continent of the city's country",
        "city",
        ("country", "continent"),
        (
            "On which continent is the city of {x}?",
            "What continent does the city {x} belong to?",
            "On which continent is the country where {x} lies?",
            "Name the continent of the country {x} is in.",
            "The country of {x} is part of which continent?",
            "Which continent is {x} on?",
        ),
        ("To which continent must I travel to visit {x}?",),
    ),
    Kind(
        "capital of the city's country",
        "city",
        ("country", "capital"),
        (
            "What is the capital of the country where {x} lies?",
            "Which city is the capital of the country {x} is in?",
            "Name the capital of the country that {x} belongs to.",
            "{X} lies in a country with which capital?",
            "What capital does the country of {x} have?",
            "In the country where {x} is located, which city is the capital?",
        ),
        ("I live in {x}: which city is my country's capital?",),
    ),
    Kind(
        "currency of the capital's country",
        "city",
        ("^capital", "currency"),
        (
            "What is the currency of the country whose capital is {x}?",
            "Which currency does the country with the capital {x} use?",
            "The country whose capital is {x} uses which currency?",
            "Name the currency of the country that has {x} as its capital.",
            "Which money do people use in the country with {x} as capital?",
            "What currency has the country of which {x} is the capital?",
        ),
        ("{X} is a capital: what do people in its country pay with?",),
    ),
    Kind(
        "capital of a neighbour",
        "country",
        ("borders", "capital"),
        (
            "What is the capital of a country that borders {x}?",
            "Name the capital of a neighbour of {x}.",
            "Which cities are capitals of countries next to {x}?",
            "What are the capitals of {xs} neighbours?",
            "Which capital lies in a country that borders {x}?",
            "Name the capital of a country next to {x}.",
        ),
        ("Which capital could I visit in a country that touches {x}?",),
    ),
    Kind(
        "currency of a neighbour",
        "country",
        ("borders", "currency"),
        (
            "Which currencies are used in the countries that border {x}?",
            "What money do the neighbours of {x} use?",
            "Name a currency used in a country next to {x}.",
            "What are the currencies of {xs} neighbours?",
            "Which currency does a country bordering {x} have?",
            "What do people pay with in the countries next to {x}?",
        ),
        ("Which money is used just across the border of {x}?",),
    ),
)
