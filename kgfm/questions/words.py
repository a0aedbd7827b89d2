"""Lists of English words, by what can be said with them."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PREPOSITIONS = _words(
    """
    about above across after against along among around as at before behind below between by
    during for from in inside into near of on onto over per since through to toward towards
    under until upon via with within without
    """
)
PLURAL = {"person": "people", "child": "children", "man": "men", "woman": "women", "wife": "wives"}
SINGULAR = {plural: word for word, plural in PLURAL.items()}
NO_PLURAL = _words(
    """
    series species news means headquarters
    """
)
VERBS = _words(
    """
    accept affect allow analyze assess attack attend base begin belong block border bring
    broadcast build buy carry cause change complicate connect consist contain control cost
    cover create cross define deliver depend describe desire diagnose disrupt drive eat edit
    employ enable end exhibit exist feature feed follow form give govern grow guide happen
    have help host indicate influence inhibit include interact involve join know lead lie
    like link live locate love maintain make manage manufacture match measure meet mention
    need neighbor neighbour occupy occur offer oppose orbit owe own perform play practice
    precede prefer prevent process produce promote protect provide publish receive recommend
    regulate replace report represent require reside result reveal run sell serve share speak
    sponsor start stimulate stop store study supply support surround take teach touch treat
    trust use visit want wear weigh win work write
    """
)
IRREGULAR = {
    participle: (past, base)
    for participle, past, base in (
        line.split()
        for line in """
        begun began begin
        bought bought buy
        broken broke break
        brought brought bring
        built built build
        chosen chose choose
        done did do
        drawn drew draw
        driven drove drive
        eaten ate eat
        fed fed feed
        fought fought fight
        found found find
        given gave give
        grown grew grow
        held held hold
        kept kept keep
        known knew know
        led led lead
        lost lost lose
        made made make
        meant meant mean
        met met meet
        paid paid pay
        sent sent send
        shown showed show
        sold sold sell
        spoken spoke speak
        sung sang sing
        taken took take
        taught taught teach
        told told tell
        won won win
        worn wore wear
        written wrote write
        """.strip().splitlines()
    )
}
PARTICIPLES = {base: participle for participle, (_, base) in IRREGULAR.items()}
NO_PASSIVE = _words("cost have lie run stop")
BORN = "born"
BY_PEOPLE = _words(
    """
    author carve coach command compose conduct create curate design direct discover draw edit
    film found illustrate invent lead narrate paint perform photograph play produce restore
    sculpt sing supervise teach translate voice write
    """
)
PEOPLE = _words(
    """
    actor actress advisor ambassador architect artist athlete aunt author boss brother captain
    chairman chairperson chancellor child citizen coach colleague commander composer cousin
    creator daughter designer developer director discoverer doctor editor emperor employee
    father founder friend governor grandchild grandfather grandmother husband illustrator
    inhabitant inventor judge king lawyer leader lyricist manager mayor mentor minister
    monarch mother musician narrator neighbour nephew niece novelist nurse owner painter
    parent partner person photographer physician pilot player poet politician president
    producer programmer prime-minister queen relative resident ruler scientist screenwriter
    sculptor secretary sibling singer sister soldier son songwriter spouse student supervisor
    teacher tutor uncle wife winner writer
    """
)
OF_PEOPLE = _words(
    """
    birthday birthplace child ethnicity father gender husband mother occupation profession
    sibling spouse surname wife
    """
) | {"cause of death", "date of birth", "date of death", "place of birth", "place of death"}
DO_PEOPLE = _words(
    """
    live reside study teach work
    """
)
PLACED = _words(
    """
    based born buried displayed exhibited found headquartered held kept located situated
    stored shown
    """
)
STATES = _words(
    """
    afraid aware capable fond full independent proud short typical
    """
)
BARE_ROLES = frozenset(("part",))
ROLES = _words(
    """
    ally branch citizen colleague component employee example follower friend instance kind
    member neighbour neighbor player property resident student subclass subsidiary type
    """
)
