"""The little English that it takes to put labels into sentences."""

from __future__ import annotations

from collections.abc import Callable

from kgfm.questions.words import (
    BARE_ROLES,
    BORN,
    BY_PEOPLE,
    DO_PEOPLE,
    IRREGULAR,
    NO_PASSIVE,
    NO_PLURAL,
    OF_PEOPLE,
    PARTICIPLES,
    PEOPLE,
    PLACED,
    PLURAL,
    PREPOSITIONS,
    ROLES,
    SINGULAR,
    STATES,
    VERBS,
)


def head_end(words: list[str]) -> int:
    """Return where the head of a noun phrase ends: before what says more about it.

    >>> head_end(["place", "of", "birth"]), head_end(["language", "spoken"])
    (1, 1)
    """
    found = (place for place, word in enumerate(words) if place and word in PREPOSITIONS)
    end = next(found, len(words))
    return end - 1 if end > 1 and is_participle(words[end - 1]) else end


def _with_head(phrase: str, change: Callable[[str], str]) -> str:
    words = phrase.split(" ")
    end = head_end(words)
    words[end - 1] = change(words[end - 1])
    return " ".join(words)


def plural(phrase: str) -> str:
    """Return a noun phrase in the plural.

    >>> plural("place of birth"), plural("country"), plural("starred actors"), plural("box")
    ('places of birth', 'countries', 'starred actors', 'boxes')
    """
    return _with_head(phrase, _plural_word)


def _plural_word(word: str) -> str:
    if word in PLURAL:
        return PLURAL[word]
    if not word[-1:].isascii() or not word[-1:].isalpha() or _is_plural_word(word):
        return word
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "z", "ch", "sh")) else "s")


def singular(phrase: str) -> str:
    """Return a noun phrase in the singular.

    >>> singular("starred actors"), singular("countries"), singular("genus"), singular("boxes")
    ('starred actor', 'country', 'genus', 'box')
    """
    return _with_head(phrase, _singular_word)


def _singular_word(word: str) -> str:
    if word in SINGULAR:
        return SINGULAR[word]
    if not _is_plural_word(word) or word in NO_PLURAL:
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("xes", "ches", "shes", "sses")) else word[:-1]


def is_plural(phrase: str) -> bool:
    """Say whether a noun phrase is in the plural.

    >>> is_plural("starred actors"), is_plural("status"), is_plural("place of birth")
    (True, False, False)
    """
    words = phrase.split(" ")
    return _is_plural_word(words[head_end(words) - 1])


def _is_plural_word(word: str) -> bool:
    ends = word.endswith("s") and not word.endswith(("ss", "us", "is", "'s")) and len(word) > 3
    return word in SINGULAR or word in NO_PLURAL or ends


def base_of(verb: str) -> str:
    """Return the verb of a third person: ``border`` of ``borders``, ``have`` of ``has``."""
    if verb == "has":
        return "have"
    if verb.endswith("ies") and len(verb) > 4:
        return verb[:-3] + "y"
    return verb[:-2] if verb.endswith(("ches", "shes", "sses", "xes", "oes")) else verb[:-1]


def third_person(base: str) -> str:
    """Return ``leads`` of ``lead``, ``teaches`` of ``teach``, ``carries`` of ``carry``."""
    return _plural_word(base)


def is_verb(word: str) -> bool:
    """Say whether a word is a known verb in the third person."""
    return word == "has" or (word.endswith("s") and base_of(word) in VERBS)


def is_participle(word: str) -> bool:
    """Say whether a word is a past participle, as far as its form shows."""
    regular = word.endswith("ed") and not word.endswith("eed") and len(word) > 4
    return word == BORN or word in IRREGULAR or regular


def past_of(participle: str) -> str:
    """Return ``wrote`` of ``written``; nothing where there is none."""
    if participle == BORN:
        return ""
    return IRREGULAR.get(participle, (participle, ""))[0]


def infinitive_of(participle: str) -> str:
    """Return the verb of a participle, if it is known.

    >>> infinitive_of("written"), infinitive_of("composed"), infinitive_of("zapped")
    ('write', 'compose', '')
    """
    if participle in IRREGULAR:
        return IRREGULAR[participle][1]
    for base in (participle[:-2], participle[:-1], participle[:-3] + "y"):
        if base in VERBS or base in BY_PEOPLE:
            return base
    return ""


def participle_of(base: str) -> str:
    """Return the participle of a verb, if both are known.

    >>> participle_of("border"), participle_of("use"), participle_of("know"), participle_of("zap")
    ('bordered', 'used', 'known', '')
    """
    if base in PARTICIPLES or base not in VERBS or base in NO_PASSIVE:
        return PARTICIPLES.get(base, "")
    if base.endswith("y") and base[-2:-1] not in "aeiou":
        return base[:-1] + "ied"
    return base + ("d" if base.endswith("e") else "ed")


def is_done_by_people(participle: str) -> bool:
    """Say whether it is people who do that."""
    return infinitive_of(participle) in BY_PEOPLE


def is_placed(participle: str) -> bool:
    """Say whether what is X in something is there, so that ``where`` asks for it."""
    return participle in PLACED


def is_what_people_do(base: str) -> bool:
    """Say whether only people do that, as ``work for`` and ``live in``."""
    return base.split(" ")[0] in DO_PEOPLE


def is_of_people(phrase: str) -> bool:
    """Say whether only people have such a thing: ``spouse``, ``date of birth``."""
    return singular(phrase) in OF_PEOPLE


def means_people(phrase: str) -> bool:
    """Say whether a noun phrase means people: ``director``, ``film director``, ``people``."""
    words = singular(phrase).split(" ")
    return words[head_end(words) - 1] in PEOPLE


def is_state(word: str) -> bool:
    """Say whether ``X of`` is said of what is X: ``capable of``."""
    return word in STATES


def with_article(noun: str, given: str = "") -> str:
    """Return a noun with ``a`` or ``an``, or with the article that is given."""
    return f"{given or ('an' if noun[:1] in tuple('aeiou') else 'a')} {noun}"


def as_role(role: str, only: bool) -> str:
    """Return ``the capital``, ``a member``, ``part``, as they stand before ``of``.

    Args:
        role: The noun.
        only: There is one of it.
    """
    if role.split(" ")[-1] in BARE_ROLES:
        return role
    return with_article(role, "the" if only and not is_role(role.split(" ")[-1]) else "")


def is_role(word: str) -> bool:
    """Say whether ``X of Y`` names a role whose bearer is the head: ``member of party``."""
    return word in BARE_ROLES or word in ROLES
