"""How the headlines of the newsroom are worded.

``{A+}`` is a company that the headline is good for, ``{B-}`` one that it is bad for, ``{C0}`` one
of which it says nothing good or bad. ``{P+}`` is a person, ``{H0}`` a bank. ``{A1}`` and ``{B2}``
are as good as the first and second affect word, ``{w1}`` and ``{w2}``. What a headline means for
``{A?}`` no word of it says: that follows from the company's sector or its country.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of headline.

    Args:
        name: What it is called.
        share: How many of all headlines are of this kind.
        wordings: Used everywhere.
        unseen: Used in test headlines only.
    """

    name: str
    share: float
    wordings: tuple[str, ...]
    unseen: tuple[str, ...]


KINDS = (
    Kind(
        "plain",
        0.30,
        (
            "{A+} lifts its profit by {n} percent",
            "{A+} wins an order worth {n} million crowns",
            "Shares of {A+} jump {n} percent on strong sales",
            "{A+} raises its forecast for the second time this year",
            "Record quarter for {A+} as exports grow",
            "Court clears {P+} of all charges",
            "{P+} named manager of the year",
            "{A-} cuts {n} jobs after weak sales",
            "{A-} warns of a loss of {n} million crowns",
            "Shares of {A-} fall {n} percent after recall",
            "Regulator fines {A-} {n} million crowns",
            "{A-} halts dividend as debts grow",
            "{P-} resigns over false accounts",
            "Police search the home of {P-}",
            "{A0} to publish its figures on Monday",
            "{A0} moves its head office to another street",
            "Annual meeting of {A0} takes place in May",
            "{P0} speaks at a congress on trade",
            "{A0} names a new auditor",
            "{A0} keeps its forecast unchanged, says {H0}",
            "{A+} to rise further, says {H0}",
            "{H0} puts {A-} on its list of shares to sell",
        ),
        (
            "Customers queue for hours: {A+} sells out within a day",
            "{A+} pays off its last loan years ahead of time",
            "Prize for {P+}, the saviour of a whole region",
            "Creditors run out of patience with {A-}",
            "Whistle-blower accuses {A-} of hiding waste",
            "{P-} booed off the stage by shareholders",
            "{A0} turns fifty next week",
            "What you should know about {A0} before the annual meeting",
            "{P0} and {A0} open an office building",
            "{H0} starts to cover {A0}",
        ),
    ),
    Kind(
        "opposed",
        0.25,
        (
            "{A+} wins a contract from {B-}",
            "{A+} overtakes {B-} in sales",
            "{A+} gains {n} percent while {B-} slips",
            "{B-} loses its best customer to {A+}",
            "{A-} must pay {B+} {n} million crowns in damages",
            "Judge sides with {A+} against {B-}",
            "Good figures at {A+}, bad ones at {B-}",
            "{A-} falls behind {B+}",
            "{P0} leaves {A-} for {B+}",
            "Unlike {A-}, {B+} keeps all its shops open",
            "{A+} saved, {B-} bankrupt",
            "{H0} recommends {A+} and warns against {B-}",
            "{A-} sinks, {B+} and {C+} climb",
            "{A+} buys the patents of {B-}, which needs money",
            "After the row with {A0}, {B-} loses {n} percent",
            "Better {A+} than {B-}, says {H0}",
        ),
        (
            "{A-} has to watch as {B+} takes over its market",
            "Where {A+} hires, {B-} lets people go",
            "{B-} drops out of the index, {A+} takes its place",
            "Travellers flee from {A-} to {B+}",
            "Not {A-} but {B+} is to build the new harbour",
            "{A0} referees the quarrel: {B+} gets its money, {C-} pays",
            "{A+} laughs last in the dispute with {B-}",
            "What {A-} gave up made {B+} rich",
        ),
    ),
    Kind(
        "affect",
        0.15,
        (
            "A {w1} week for {A1}",
            "{A1} looks back on a {w1} year",
            "{w1} reviews for the new campaign of {A1}",
            "Visitors call the fair stand of {A1} {w1}",
            "A {w1} speech by {P1}",
            "A {w1} day for {A1}, a {w2} one for {B2}",
            "{w1} mood at {A1}, {w2} mood at {B2}",
        ),
        (
            "{w1}: no other word fits {A1} this autumn",
            "Neighbours find the new tower of {A1} {w1}",
            "From {w1} to {w2}: the roads of {A1} and {B2}",
            "The season of {A1} was nothing but {w1}",
        ),
    ),
    Kind(
        "trade",
        0.20,
        (
            "{M} prices {rise}: {A?} in focus",
            "What the {jump} in {m} prices means for {A?}",
            "{M} gets {dearer}; all eyes on {A?}",
            "{A?} looks at {m} prices, which {rise} again",
            "{M} market: prices {rise}, {A?} comments",
            "{M} prices {rise}: {A?} and {B?} in focus",
            "{A?}, {B?} and the {jump} in {m} prices",
        ),
        (
            "As {m} gets {dearer}, analysts turn to {A?}",
            "{A?} in the light of the latest {jump} in {m} prices",
            "{M} prices {rise} - who feels it? A look at {A?} and {B?}",
        ),
    ),
    Kind(
        "home",
        0.10,
        (
            "{event}: {A?} in focus",
            "{event}; all eyes on {A?}",
            "{event}, {A?} comments",
            "{event}: {A?} and {B?} in focus",
        ),
        (
            "{event} - analysts turn to {A?}",
            "{event}. A look at {A?} and {B?}",
        ),
    ),
)

AFFECT: Mapping[str, tuple[str, ...]] = {
    "+": (
        *("splendid", "wonderful", "brilliant", "superb", "delightful", "excellent", "cheerful"),
        *("glorious", "impressive", "fantastic", "admirable", "joyful"),
    ),
    "-": (
        *("dreadful", "awful", "miserable", "horrible", "disastrous", "gloomy", "painful"),
        *("shameful", "terrible", "pathetic", "grim", "embarrassing"),
    ),
}
"""Affect words that are used everywhere."""
AFFECT_UNSEEN: Mapping[str, tuple[str, ...]] = {
    "+": (
        *("magnificent", "outstanding", "charming", "terrific", "triumphant", "fabulous"),
        *("graceful", "thrilling", "inspired", "heroic", "lovely", "blissful"),
    ),
    "-": (
        *("dismal", "wretched", "appalling", "catastrophic", "ghastly", "hideous", "pitiful"),
        *("disgraceful", "lousy", "tragic", "bleak", "nasty"),
    ),
}
"""Affect words that stand in test headlines only."""

MOVES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "rise": {"+": ("rise", "climb", "jump"), "-": ("fall", "drop", "slip")},
    "jump": {"+": ("rise", "jump"), "-": ("fall", "drop")},
    "dearer": {"+": ("dearer", "more expensive"), "-": ("cheaper", "less expensive")},
}
"""How a price moves: up or down."""
MOVES_UNSEEN: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "rise": {"+": ("soar", "surge"), "-": ("slump", "tumble")},
    "jump": {"+": ("surge",), "-": ("slump",)},
    "dearer": {"+": ("costlier",), "-": ("less costly",)},
}

EVENTS: Mapping[str, tuple[str, ...]] = {
    "+": (
        "{K} cuts company tax",
        "{K} signs a trade pact",
        "Growth in {K} picks up",
        "{K} opens new ports",
    ),
    "-": (
        "Port strike in {K}",
        "{K} raises company tax",
        "Power cuts across {K}",
        "Floods paralyse {K}",
    ),
}
"""What happens in a country, good or bad for the companies at home there."""
EVENTS_UNSEEN: Mapping[str, tuple[str, ...]] = {
    "+": ("Household spending in {K} at its highest in years", "Strikers in {K} back at work"),
    "-": ("Riots spread through {K}", "Banks in {K} shut their counters"),
}
