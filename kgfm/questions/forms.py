"""Patterns for any relation, by how its label reads and the direction in which it is walked.

What stands in braces is chosen as the sentence needs it (:mod:`kgfm.questions.wording`); a pattern
is used only where all of that is there. ``_t`` agrees with the topic and ``_x`` with what is sought:
``is_x`` is ``is`` or ``are``, ``noun_x`` is ``city`` or ``cities``.
"""

from __future__ import annotations

from dataclasses import dataclass

from kgfm.questions.labels import Shape


@dataclass(frozen=True, slots=True)
class Forms:
    """Patterns for one step.

    Args:
        questions: What it leads to from ``{topic}``.
        clauses: What can be said of that, behind ``which city``.
        phrases: That as a noun phrase, which can stand as the topic of a further step.
        yesno: Whether ``{about}`` is among it.
        counts: How many these are.
    """

    questions: tuple[str, ...]
    clauses: tuple[str, ...]
    phrases: tuple[str, ...]
    yesno: tuple[str, ...]
    counts: tuple[str, ...]


BOTH = (
    "{which_x} {one} and {other}?",
    "{which_x} {one} and also {other}?",
    "{which_x} both {one} and {other}?",
)
"""Patterns for what two clauses hold of."""
COUNT_BOTH = ("how many {nouns} {one} and {other}?",)

FORMS: dict[tuple[Shape, bool], Forms] = {
    ("noun", True): Forms(
        (
            "{who} {is_l} the {label_x} of {topic}?",
            "{who} {is_l} {topic's} {label_x}?",
            "which {label_x} {does} {topic} have?",
            "name the {label_x} of {topic}.",
            "tell me the {label_x} of {topic}.",
            "{who} {does} {topic} have as {its_t} {label_1}?",
            "can you tell me the {label_x} of {topic}?",
            "I would like to know the {label_x} of {topic}.",
        ),
        ("{is_x} {the_label_x} of {topic}",),
        ("the {label_x} of {topic}", "{topic's} {label_x}"),
        (
            "is {about} {the_label} of {topic}?",
            "{does} {topic} have {about} as {its_t} {label_1}?",
            "is it true that {about} is {the_label} of {topic}?",
        ),
        (
            "how many {labels} {does} {topic} have?",
            "what is the number of {labels} of {topic}?",
            "how many {labels} are there for {topic}?",
        ),
    ),
    ("noun", False): Forms(
        (
            "{which_x} {has_x} {topic} as {its_x} {label_1}?",
            "{which_x} {has_x} the {label_1} {topic}?",
            "{topic} {is_t} {the_label} of {which}?",
            "of {which} {is_t} {topic} {the_label}?",
            "name {everything} that has {topic} as its {label_1}.",
            "name {everything} whose {label_1} {is_t} {topic}.",
        ),
        ("{has_x} {topic} as {its_x} {label_1}",),
        (
            "the {noun_x} whose {label_1} {is_t} {topic}",
            "the {noun_x} with {topic} as {its_x} {label_1}",
            "the {noun_x} {that} {has_x} {topic} as {its_x} {label_1}",
        ),
        (
            "{is_t} {topic} {the_label} of {about}?",
            "does {about} have {topic} as its {label_1}?",
            "is it true that {about} has {topic} as its {label_1}?",
        ),
        (
            "how many {nouns} have {topic} as their {label_1}?",
            "for how many {nouns} {is_t} {topic} {the_label}?",
            "what is the number of {nouns} whose {label_1} {is_t} {topic}?",
        ),
    ),
    ("passive", True): Forms(
        (
            "{which} {cop_t} {topic} {label}?",
            "{topic} {cop_t} {label} {which}?",
            "{preposition} {whom} {cop_t} {topic} {stem}?",
            "{which} {active} {topic}?",
            "name {everything} that {topic} {cop_t} {label}.",
        ),
        ("{active} {topic}", "{is_x} {plain}what {topic} {cop_t} {label}"),
        ("the {noun_x} {that} {topic} {cop_t} {label}", "the {noun_x} {that} {active} {topic}"),
        (
            "{cop_t} {topic} {label} {about}?",
            "is it true that {topic} {cop_t} {label} {about}?",
            "is it true that {about} {active} {topic}?",
        ),
        (
            "how many {nouns} {cop_t} {topic} {label}?",
            "how many {nouns} {active} {topic}?",
            "what is the number of {nouns} {that} {topic} {cop_t} {label}?",
        ),
    ),
    ("passive", False): Forms(
        (
            "{which_x} {cop_x} {label} {topic}?",
            "name {everything} {label} {topic}.",
            "tell me {which_x} {cop_x} {label} {topic}.",
            "can you list {everything} that {cop_1} {label} {topic}?",
        ),
        ("{cop_x} {label} {topic}",),
        ("the {noun_x} {label} {topic}", "the {noun_x} {that} {cop_x} {label} {topic}"),
        (
            "{cop_1} {about} {label} {topic}?",
            "is it true that {about} {cop_1} {label} {topic}?",
        ),
        (
            "how many {nouns} {cop_many} {label} {topic}?",
            "what is the number of {nouns} {label} {topic}?",
        ),
    ),
    ("verb", True): Forms(
        (
            "{which} {does} {topic} {base}?",
            "{topic} {verb_t} {which}?",
            "name {everything} that {topic} {verb_t}.",
            "{who} is it that {topic} {verb_t}?",
        ),
        ("{is_x} what {topic} {verb_t}",),
        ("the {noun_x} {that} {topic} {verb_t}",),
        (
            "{does} {topic} {base} {about}?",
            "is it true that {topic} {verb_t} {about}?",
        ),
        (
            "how many {nouns} {does} {topic} {base}?",
            "what is the number of {nouns} {that} {topic} {verb_t}?",
        ),
    ),
    ("verb", False): Forms(
        (
            "{which_x} {verb_x} {topic}?",
            "name {everything} that {verb_1} {topic}.",
            "tell me {which_x} {verb_x} {topic}.",
        ),
        ("{verb_x} {topic}",),
        ("the {noun_x} {that} {verb_x} {topic}",),
        (
            "does {about} {base} {topic}?",
            "is it true that {about} {verb_1} {topic}?",
        ),
        (
            "how many {nouns} {verb_many} {topic}?",
            "what is the number of {nouns} that {verb_many} {topic}?",
        ),
    ),
    ("role", True): Forms(
        (
            "{which} {is_t} {topic} {a_role} of?",
            "{topic} {is_t} {a_role} of {which}?",
            "of {which} {is_t} {topic} {a_role}?",
            "name {everything} that {topic} {is_t} {a_role} of.",
        ),
        ("{has_x} {topic} as {its_x} {label_1}",),
        ("the {noun_x} that {topic} {is_t} {a_role} of",),
        (
            "{is_t} {topic} {a_role} of {about}?",
            "is it true that {topic} {is_t} {a_role} of {about}?",
        ),
        (
            "how many {nouns} {is_t} {topic} {a_role} of?",
            "what is the number of {nouns} that {topic} {is_t} {a_role} of?",
        ),
    ),
    ("role", False): Forms(
        (
            "{which_x} {is_x} {a_role_x} of {topic}?",
            "name {everything} that is {a_role} of {topic}.",
            "tell me {which_x} {is_x} {a_role_x} of {topic}.",
        ),
        ("{is_x} {a_role_x} of {topic}",),
        ("the {label_x} of {topic}", "the {noun_x} {that} {is_x} {a_role_x} of {topic}"),
        (
            "is {about} {a_role} of {topic}?",
            "is it true that {about} is {a_role} of {topic}?",
        ),
        (
            "how many {labels} {does} {topic} have?",
            "how many {nouns} are {a_role_many} of {topic}?",
        ),
    ),
}
