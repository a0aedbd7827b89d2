"""Patterns for any relation, by how its label reads and the direction in which it is walked.

What stands in braces is chosen as the sentence needs it (:mod:`kgfm.questions.wording`); a pattern
is used only where all of that is there. ``_t`` agrees with the topic, ``_x`` with what is asked for
(``is_x`` is ``is`` or ``are``), and ``_n`` with a noun: ``noun_n`` is ``city`` or ``cities``.
``{a_topic}`` is one of the topics where a walk has led to several. Some stand for nothing, and say
where a pattern may be used: ``{named}`` where the topic is a name.
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
ALIKE = ("{which_x} {one}?", "name {everything} that {one}.")
"""Patterns for what one clause holds of two topics."""
COUNT_ALIKE = ("how many {nouns} {one}?",)

FORMS: dict[tuple[Shape, bool], Forms] = {
    ("noun", True): Forms(
        (
            "{who} {is_l} the {label_x} of {topic}?",
            "{who} {is_l} {topic's} {label_x}?",
            "which {label_x} {does} {topic} have?",
            "name the {label_x} of {topic}.",
            "tell me the {label_x} of {topic}.",
            "{who} {does} {topic} have {as} {its_t} {label_1}?",
            "can you tell me the {label_x} of {topic}?",
            "I would like to know the {label_x} of {topic}.",
        ),
        ("{is_x} {the_label_x} of {topic}",),
        ("the {label_x} of {topic}", "{topic's} {label_x}"),
        (
            "is {about} {the_label} of {a_topic}?",
            "does {a_topic} have {about} {as} {its_o} {label_1}?",
            "is it true that {about} is {the_label} of {a_topic}?",
        ),
        (
            "how many {labels} {does} {topic} have?",
            "what is the number of {labels} of {topic}?",
            "how many {labels} are there for {topic}?",
        ),
    ),
    ("noun", False): Forms(
        (
            "{which_x} {has_x} {a_topic} {as} {its_x} {label_1}?",
            "{named}{which_x} {has_x} the {label_1} {topic}?",
            "{a_topic} is {the_label} of {whom}?",
            "of {whom} is {a_topic} {the_label}?",
            "name {everything} that has {a_topic} {as} {its_1} {label_1}.",
            "name {everything} whose {label_1} is {a_topic}.",
        ),
        ("{has_x} {a_topic} as {its_x} {label_1}",),
        (
            "the {noun_n} whose {label_1} is {a_topic}",
            "the {noun_n} with {a_topic} {as} {its_n} {label_1}",
            "the {noun_n} {that} {has_n} {a_topic} {as} {its_n} {label_1}",
        ),
        (
            "is {a_topic} {the_label} of {about}?",
            "does {about} have {a_topic} {as} {its_1} {label_1}?",
            "is it true that {about} has {a_topic} {as} {its_1} {label_1}?",
        ),
        (
            "how many {nouns} have {a_topic} {as} their {label_1}?",
            "for how many {nouns} is {a_topic} {the_label}?",
            "what is the number of {nouns} whose {label_1} is {a_topic}?",
        ),
    ),
    ("passive", True): Forms(
        (
            "{which} {cop_t} {topic} {label}?",
            "{topic} {cop_t} {label} {whom}?",
            "{preposition} {whom} {cop_t} {topic} {stem}?",
            "{which} {active} {topic}?",
            "{which} {present} {topic}?",
            "{where} {cop_t} {topic} {stem}?",
            "name {everything} that {topic} {cop_t} {label}.",
        ),
        ("{active} {topic}", "{is_x} {plain}what {topic} {cop_t} {label}"),
        (
            "the {noun_n} {that} {topic} {cop_t} {label}",
            "the {noun_n} {that} {active} {topic}",
            "the {noun_n} {that} {present_n} {topic}",
        ),
        (
            "{cop_1} {a_topic} {label} {about}?",
            "is it true that {a_topic} {cop_1} {label} {about}?",
            "is it true that {about} {active} {a_topic}?",
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
            "{which_x} did {topic} {base}?",
            "{which_x} {does_t} {topic} {base}?",
            "name {everything} {label} {topic}.",
            "name {everything} that {topic} {active}.",
            "tell me {which_x} {cop_x} {label} {topic}.",
            "can you list {everything} that {cop_1} {label} {topic}?",
        ),
        ("{cop_x} {label} {topic}",),
        (
            "the {noun_n} {label} {topic}",
            "the {noun_n} {that} {cop_n} {label} {topic}",
            "the {noun_n} {that} {topic} {active}",
            "the {noun_n} {that} {topic} {present_t}",
        ),
        (
            "{cop_1} {about} {label} {a_topic}?",
            "did {a_topic} {base} {about}?",
            "is it true that {about} {cop_1} {label} {a_topic}?",
        ),
        (
            "how many {nouns} {cop_many} {label} {topic}?",
            "how many {nouns} did {topic} {base}?",
            "how many {nouns} {does_t} {topic} {base}?",
            "what is the number of {nouns} {label} {topic}?",
        ),
    ),
    ("verb", True): Forms(
        (
            "{which_x} {does_t} {topic} {base}?",
            "{topic} {verb_t} {whom}?",
            "name {everything} that {topic} {verb_t}.",
            "{who} is it that {topic} {verb_t}?",
            "{which_x} {is_x} {participle} by {topic}?",
        ),
        ("{is_x} {participle} by {topic}", "{is_x} {plain}what {topic} {verb_t}"),
        ("the {noun_n} {that} {topic} {verb_t}",),
        (
            "{does_1} {a_topic} {base} {about}?",
            "is it true that {a_topic} {verb_1} {about}?",
        ),
        (
            "how many {nouns} {does_t} {topic} {base}?",
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
        ("the {noun_n} {that} {verb_n} {topic}",),
        (
            "{does_1} {about} {base} {a_topic}?",
            "is it true that {about} {verb_1} {a_topic}?",
        ),
        (
            "how many {nouns} {verb_many} {topic}?",
            "what is the number of {nouns} {that} {verb_many} {topic}?",
        ),
    ),
    ("role", True): Forms(
        (
            "{which_x} {is_t} {topic} {a_role} of?",
            "{topic} {is_t} {a_role} of {whom}?",
            "of {whom} {is_t} {topic} {a_role}?",
            "name {everything} that {topic} {is_t} {a_role} of.",
        ),
        ("{has_x} {topic} as {its_x} {label_1}",),
        ("the {noun_n} {that} {topic} {is_t} {a_role} of",),
        (
            "is {a_topic} {a_role} of {about}?",
            "is it true that {a_topic} is {a_role} of {about}?",
        ),
        (
            "how many {nouns} {is_t} {topic} {a_role} of?",
            "what is the number of {nouns} {that} {topic} {is_t} {a_role} of?",
        ),
    ),
    ("role", False): Forms(
        (
            "{which_x} {is_x} {a_role_x} of {topic}?",
            "name {everything} that is {a_role} of {topic}.",
            "tell me {which_x} {is_x} {a_role_x} of {topic}.",
        ),
        ("{is_x} {a_role_x} of {topic}",),
        ("the {label_n} of {topic}", "the {noun_n} {that} {is_n} {a_role_n} of {topic}"),
        (
            "is {about} {a_role} of {a_topic}?",
            "is it true that {about} is {a_role} of {a_topic}?",
        ),
        (
            "how many {labels} {does} {topic} have?",
            "how many {nouns} are {a_role_many} of {topic}?",
        ),
    ),
    ("time", True): Forms(
        (
            "when {was_t} {topic} {stem}?",
            "{year}in which year {was_t} {topic} {stem}?",
            "tell me when {topic} {was_t} {stem}.",
            "can you tell me when {topic} {was_t} {stem}?",
            "{year}name the year in which {topic} {was_t} {stem}.",
        ),
        (),
        (),
        (),
        (),
    ),
}
