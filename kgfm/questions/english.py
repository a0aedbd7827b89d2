"""The little English that it takes to put labels into sentences."""

from __future__ import annotations

PREPOSITIONS = frozenset(
    "about above across after against along among around as at before behind below between by "
    "during for from in inside into near of on onto over per since through to toward towards under "
    "until upon via with within without".split()
)
_PLURAL = {"person": "people", "child": "children", "man": "men", "woman": "women", "wife": "wives"}
_SINGULAR = {plural: word for word, plural in _PLURAL.items()}
_NO_PLURAL = frozenset("series species news means headquarters".split())
_VERBS = frozenset(
    "accept affect allow analyze assess attack attend base begin belong block border bring "
    "broadcast build buy carry cause change complicate connect consist contain control cost cover "
    "create cross define deliver depend describe desire diagnose disrupt drive eat edit employ "
    "enable end exhibit exist feed feature feed follow form give govern grow guide happen have "
    "help host indicate influence inhibit include interact involve join know lead lie like link "
    "live locate love make manage manufacture match measure meet mention need neighbor neighbour "
    "occupy occur offer own oppose orbit owe perform play practice precede prefer prevent process "
    "produce promote protect provide publish receive recommend regulate replace report represent "
    "require reside result reveal run sell serve share speak sponsor start stimulate stop study "
    "supply support surround take teach touch treat trust use visit want wear win work write".split()
)
_PAST = {
    "born": "",
    "bought": "bought",
    "broken": "broke",
    "brought": "brought",
    "built": "built",
    "chosen": "chose",
    "done": "did",
    "drawn": "drew",
    "driven": "drove",
    "eaten": "ate",
    "fought": "fought",
    "found": "found",
    "given": "gave",
    "grown": "grew",
    "held": "held",
    "kept": "kept",
    "known": "knew",
    "led": "led",
    "lost": "lost",
    "made": "made",
    "meant": "meant",
    "paid": "paid",
    "sent": "sent",
    "shown": "showed",
    "sold": "sold",
    "spoken": "spoke",
    "sung": "sang",
    "taken": "took",
    "taught": "taught",
    "told": "told",
    "won": "won",
    "worn": "wore",
    "written": "wrote",
}
_BY_PEOPLE = frozenset(
    "authored coached commanded composed created designed directed discovered drawn edited filmed "
    "founded illustrated invented led narrated painted performed photographed played produced sung "
    "taught translated voiced written".split()
)
_PEOPLE = frozenset(
    "actor actress advisor ambassador architect artist athlete aunt author boss brother captain "
    "chairman chairperson chancellor child citizen coach colleague commander composer cousin "
    "creator daughter designer developer director discoverer doctor editor emperor employee "
    "father founder friend governor grandchild grandfather grandmother husband illustrator "
    "inhabitant inventor judge king lawyer leader lyricist manager mayor mentor minister monarch "
    "mother musician narrator neighbour nephew niece novelist nurse owner painter parent partner "
    "person photographer physician pilot player poet politician president producer programmer "
    "prime-minister queen relative resident ruler scientist screenwriter sculptor secretary "
    "sibling singer sister soldier son songwriter spouse student supervisor teacher tutor uncle "
    "wife winner writer".split()
)
_STATES = frozenset("afraid aware capable fond full independent proud short typical".split())
_BARE_ROLES = frozenset(("part",))
_A_ROLES = frozenset(
    "ally branch citizen colleague component employee example follower friend instance kind "
    "member neighbour neighbor player property resident student subclass subsidiary type".split()
)


def head_end(words: list[str]) -> int:
    """Return where the head of a noun phrase ends: before its first preposition."""
    found = (place for place, word in enumerate(words) if place and word in PREPOSITIONS)
    return next(found, len(words))


def _with_head(phrase: str, change: object) -> str:
    words = phrase.split(" ")
    end = head_end(words)
    words[end - 1] = change(words[end - 1])  # type: ignore[operator]
    return " ".join(words)


def plural(phrase: str) -> str:
    """Return a noun phrase in the plural.

    >>> plural("place of birth"), plural("country"), plural("starred actors"), plural("box")
    ('places of birth', 'countries', 'starred actors', 'boxes')
    """
    return _with_head(phrase, _plural_word)


def _plural_word(word: str) -> str:
    if word in _PLURAL:
        return _PLURAL[word]
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
    if word in _SINGULAR:
        return _SINGULAR[word]
    if not _is_plural_word(word) or word in _NO_PLURAL:
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
    return word in _SINGULAR or word in _NO_PLURAL or ends


def base_of(verb: str) -> str:
    """Return the verb of a third person: ``border`` of ``borders``, ``have`` of ``has``."""
    if verb == "has":
        return "have"
    if verb.endswith("ies") and len(verb) > 4:
        return verb[:-3] + "y"
    return verb[:-2] if verb.endswith(("ches", "shes", "sses", "xes", "oes")) else verb[:-1]


def is_verb(word: str) -> bool:
    """Say whether a word is a known verb in the third person."""
    return word == "has" or (word.endswith("s") and base_of(word) in _VERBS)


def is_participle(word: str) -> bool:
    """Say whether a word is a past participle, as far as its form shows."""
    return word in _PAST or (word.endswith("ed") and not word.endswith("eed") and len(word) > 4)


def past_of(participle: str) -> str:
    """Return ``wrote`` of ``written``; nothing where there is none."""
    return _PAST.get(participle, participle)


def is_done_by_people(participle: str) -> bool:
    """Say whether it is people who do that."""
    return participle in _BY_PEOPLE


def means_people(phrase: str) -> bool:
    """Say whether a noun phrase means people: ``director``, ``film director``, ``people``."""
    words = singular(phrase).split(" ")
    return words[head_end(words) - 1] in _PEOPLE or words == ["human"]


def is_state(word: str) -> bool:
    """Say whether ``X of`` is said of what is X: ``capable of``."""
    return word in _STATES


def with_article(noun: str, given: str = "") -> str:
    """Return a noun with ``a`` or ``an``, or with the article that is given."""
    return f"{given or ('an' if noun[:1] in tuple('aeiou') else 'a')} {noun}"


def as_role(role: str) -> str:
    """Return ``the capital``, ``a member``, ``part``, as they stand before ``of``."""
    word = role.split(" ")[-1]
    if word in _BARE_ROLES:
        return role
    return with_article(role, "" if word in _A_ROLES or means_people(role) else "the")


def is_role(word: str) -> bool:
    """Say whether ``X of Y`` names a role whose bearer is the head: ``member of party``."""
    return word in _BARE_ROLES or word in _A_ROLES
