"""What people ask about and a graph may have nothing of: words for questions without an answer."""

from __future__ import annotations

from collections.abc import Iterable

from kgfm.questions.english import singular

ABSENT = (
    "favourite colour",
    "shoe size",
    "middle name",
    "opening hours",
    "phone number",
    "eye colour",
    "blood type",
    "zodiac sign",
    "favourite food",
    "hair colour",
    "net worth",
    "annual revenue",
    "ticket price",
    "postal address",
    "email address",
    "fax number",
    "passport number",
    "licence plate",
    "bank account",
    "insurance policy",
    "waist measurement",
    "ring size",
    "hat size",
    "bedtime",
    "breakfast",
    "pet",
    "horoscope",
    "lucky number",
    "password",
    "nickname at school",
    "handwriting",
    "fingerprint",
    "signature dish",
    "exchange rate",
    "discount code",
    "warranty period",
    "expiry date",
    "serial number",
    "melting point",
    "boiling point",
    "wing span",
    "top speed",
    "fuel consumption",
    "engine power",
    "battery capacity",
    "screen resolution",
    "parking fee",
    "dress code",
    "return policy",
    "delivery time",
    "calorie content",
    "sugar content",
    "recommended dose",
    "maximum temperature",
    "annual rainfall",
    "wind speed",
    "water depth",
    "soil acidity",
    "carbon footprint",
    "noise level",
    "crime rate",
    "literacy rate",
    "birth rate",
    "unemployment rate",
    "minimum wage",
    "speed limit",
    "voting age",
    "tax bracket",
    "credit score",
    "vaccination status",
    "golf handicap",
    "chess opening",
    "diet plan",
    "sleep schedule",
    "reading list",
    "mascot",
    "slogan",
    "dentist",
    "landlord",
    "hairdresser",
)
"""Nouns that can be said to be somebody's or something's."""


def absent_from(names: Iterable[str]) -> tuple[str, ...]:
    """Return those that share no word with the names of a graph's relations and attributes."""
    known = {singular(word.lower()) for name in names for word in name.split()}
    return tuple(
        noun for noun in ABSENT if known.isdisjoint(singular(word) for word in noun.split())
    )
