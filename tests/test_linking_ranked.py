"""The ranked linker: probabilities, NIL, coherence, context, learning, and hostile texts."""

from __future__ import annotations

import pickle
import re
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgfm.graph import KnowledgeGraph
from kgfm.linking import Linker
from kgfm.linking.calibration import calibrated, nil_share
from kgfm.linking.candidate_features import FEATURES as CANDIDATE
from kgfm.linking.choice_model import (
    Choices,
    Logits,
    best_temperature,
    best_threshold,
    learn,
    logits,
    probabilities,
)
from kgfm.linking.coherence import coherence
from kgfm.linking.evaluate import evaluate
from kgfm.linking.span_features import FEATURES as SPAN
from kgfm.linking.span_features import Places, span_features
from kgfm.linking.weights import LinkerWeights, Weights, kind_of, shipped_weights
from kgfm.storage import DamagedFileError
from kgfm.types import Example, Mention

ENTITIES = [
    {"key": "paris", "label": "Paris", "description": "capital of France", "types": ["city"]},
    {"key": "paris-tx", "label": "Paris", "description": "town in Texas", "types": ["town"]},
    {"key": "france", "label": "France", "types": ["country"]},
    {"key": "texas", "label": "Texas", "types": ["state"]},
    {"key": "dallas", "label": "Dallas", "types": ["city"]},
    {"key": "merkel", "label": "Angela Merkel", "description": "German politician"},
    {"key": "inc", "label": "Inc"},
    {"key": "acme", "label": "Acme Inc"},
    {"key": "apex", "label": "Apex Inc"},
]
TRIPLES = [
    ("paris", "capital of", "france"),
    ("paris-tx", "located in", "texas"),
    ("dallas", "located in", "texas"),
]
GRAPH = KnowledgeGraph.from_records(ENTITIES, TRIPLES)


def encode(texts: list[str]) -> np.ndarray:
    """Count letters: enough of an encoder for arithmetic."""
    vectors = np.zeros((len(texts), 26), np.float32)
    for row, text in enumerate(texts):
        for letter in re.findall("[a-z]", text.lower()):
            vectors[row, ord(letter) - 97] += 1
    return vectors


def entity(linker: Linker, text: str, name: str) -> str | None:
    return next((m.entity for m in linker(text) if m.text == name), None)


# -- linking --------------------------------------------------------------------------------------


def test_the_other_mentions_of_a_text_decide_between_namesakes() -> None:
    linker = Linker(GRAPH, ranked=True, min_score=0)
    assert entity(linker, "From Dallas in Texas to Paris.", "Paris") == "paris-tx"
    assert entity(linker, "From France, and from Paris.", "Paris") == "paris"


def test_the_probabilities_of_a_span_and_of_nil_sum_to_one() -> None:
    linker = Linker(GRAPH, ranked=True, fuzzy=True, keep_nil=True, overlapping=True)
    texts = ["Merkel met Acme Inc in Paris, Texas.", "", "nothing"]
    ranked = linker.ranking.rank(texts, linker._places(texts), shipped_weights())
    owners = np.repeat(np.arange(len(ranked.places)), np.diff(ranked.indptr))
    total = np.bincount(owners, ranked.probabilities, len(ranked.places)) + ranked.nil
    np.testing.assert_allclose(total, 1)
    for mention in linker(texts[0]):
        likely = [score for _, score in mention.candidates]
        assert likely == sorted(likely, reverse=True)
        assert 0 <= mention.score <= 1


def test_mentions_do_not_overlap_and_stand_at_their_offsets() -> None:
    text = "Angela Merkel and Mr. Merkle of Acme Inc saw Paris, Texas."
    linker = Linker(GRAPH, ranked=True, fuzzy=True, keep_nil=True, min_score=0)
    mentions = linker(text)
    assert mentions
    assert all(text[m.start : m.end] == m.text for m in mentions)
    assert all(a.end <= b.start for a, b in pairwise(mentions))


def test_a_higher_threshold_links_less() -> None:
    text = "Merkel and Acme were in Paris and Dallas; Inc was not."
    counts = [
        len(Linker(GRAPH, ranked=True, fuzzy=True, min_score=least)(text)) for least in (0, 0.5, 1)
    ]
    assert counts[0] > 0
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 0


@pytest.mark.parametrize(
    "options", [{}, {"fuzzy": True}, {"ranked": True}, {"ranked": True, "fuzzy": True}]
)
def test_given_spans_are_linked_each(options: dict[str, bool]) -> None:
    linker = Linker(GRAPH, **options)
    text = "Zyx Qwv saw Dallas and Angela Merkel"
    mentions = linker.link_spans(text, [(23, 36), (12, 18), (0, 7)])
    assert [(m.start, m.end) for m in mentions] == [(23, 36), (12, 18), (0, 7)]
    assert [m.entity for m in mentions] == ["merkel", "dallas", None]
    assert linker.link_spans(text, []) == []
    with pytest.raises(ValueError, match="within the text"):
        linker.link_spans(text, [(0, 99)])


def test_texts_link_alike_alone_and_together() -> None:
    linker = Linker(GRAPH, ranked=True, fuzzy=True, context=True, encode=encode)
    texts = ["Paris is in France.", "He met Merkel in Dallas. " * 3, "Acme Inc", "in Paris, Texas"]
    together = linker.link(texts)
    for text, mentions in zip(texts, together, strict=True):
        alone = linker(text)
        assert [(m.start, m.entity) for m in alone] == [(m.start, m.entity) for m in mentions]
        assert [m.score for m in alone] == pytest.approx([m.score for m in mentions], abs=1e-5)


def test_each_part_can_be_left_out() -> None:
    text = "From Dallas to Paris"
    scores = {
        Linker(GRAPH, ranked=True, min_score=0, encode=encode, coherence=a, context=b)(text)[
            1
        ].score
        for a in (False, True)
        for b in (False, True)
    }
    assert len(scores) == 4


def test_context_needs_an_encoder() -> None:
    with pytest.raises(ValueError, match="encode="):
        Linker(GRAPH, context=True)


def test_a_ranked_linker_is_saved_in_its_configuration_and_pickled() -> None:
    linker = Linker(GRAPH, fuzzy=True, keep_nil=True, min_score=0.2).fit(EXAMPLES)
    copies = [
        pickle.loads(pickle.dumps(linker)),
        Linker(GRAPH, **linker.config()),
    ]
    for copy in copies:
        assert copy("Merkel saw Paris.") == linker("Merkel saw Paris.")
        assert repr(copy) == repr(linker)
    assert "LinkerWeights(" in repr(linker)


# -- learning -------------------------------------------------------------------------------------

EXAMPLES = [
    Example(text, None, tuple(Mention(s, e, text[s:e], key) for s, e, key in mentions))
    for text, mentions in [
        ("Paris is nice.", [(0, 5, "paris")]),
        ("He saw Paris and France.", [(7, 12, "paris"), (17, 23, "france")]),
        (
            "Paris lies in Texas, as Dallas.",
            [(0, 5, "paris-tx"), (14, 19, "texas"), (24, 30, "dallas")],
        ),
        ("The firm Zeta Inc failed.", [(9, 17, None)]),
        ("Acme Inc and Apex Inc grew.", [(0, 8, "acme"), (13, 21, "apex")]),
        ("Merkel spoke; Mr Smith did not.", [(0, 6, "merkel"), (17, 22, None)]),
    ]
] * 4


def test_fitting_learns_from_gold_mentions() -> None:
    linker = Linker(GRAPH, fuzzy=True, keep_nil=True).fit(EXAMPLES)
    assert linker.ranked
    found = evaluate(linker, EXAMPLES)
    assert found.micro.f1 > 0.9
    assert found.calibration_error < 0.2
    assert entity(linker, "Zeta Inc failed", "Inc") is None


def test_fitting_gives_the_same_weights_again() -> None:
    first, second = (Linker(GRAPH, fuzzy=True).fit(EXAMPLES, seed=3).weights for _ in range(2))
    assert first == second


def test_fitting_without_mentions_of_the_graph_is_refused() -> None:
    with pytest.raises(ValueError, match="two texts"):
        Linker(GRAPH).fit([Example("Heat", None, (Mention(0, 4, "Heat", None),))] * 2)


def test_weights_are_refused_for_a_kind_that_was_not_fitted() -> None:
    linker = Linker(GRAPH, coherence=False).fit(EXAMPLES)
    with pytest.raises(ValueError, match="fit the linker"):
        Linker(GRAPH, weights=linker.weights)("Paris")


def test_weights_come_back_from_a_file_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.json"
    shipped_weights().save(path)
    assert LinkerWeights.load(path) == shipped_weights()
    for content in ("{", "{}", '{"kind": "linker weights", "format": 1, "weights": {"names": {}}}'):
        path.write_text(content)
        with pytest.raises(DamagedFileError):
            LinkerWeights.load(path)
    record = shipped_weights().record()
    record["weights"]["names"]["temperature"] = float("nan")
    with pytest.raises(DamagedFileError, match="finite"):
        LinkerWeights.of_record(record)


def test_shipped_weights_are_there_for_every_kind_and_feature() -> None:
    for is_coherent, has_context, is_given in product((False, True), repeat=3):
        weights = shipped_weights().of(coherence=is_coherent, context=has_context, given=is_given)
        assert weights.candidate.keys() == set(CANDIDATE)
        assert weights.span.keys() == set(SPAN)
        assert 0 < weights.threshold < 1


# -- the model of the choice ----------------------------------------------------------------------


def drawn(seed: int, spans: int = 400) -> tuple[Choices, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Return choices made with known weights."""
    random = np.random.default_rng(seed)
    counts = random.integers(0, 5, spans)
    indptr = np.append(0, np.cumsum(counts))
    choices = Choices(
        indptr,
        random.normal(size=(indptr[-1], 3)),
        np.c_[np.ones(spans), random.normal(size=spans)],
    )
    weights = np.array([1.5, -1.0, 0.0]), np.array([0.5, 1.0])
    p, nil = probabilities(logits(choices, *weights), indptr)
    target = np.full(spans, -1)
    for span in range(spans):
        part = np.append(p[indptr[span] : indptr[span + 1]], nil[span])
        drawn = int(random.choice(len(part), p=part / part.sum()))
        target[span] = -1 if drawn == len(part) - 1 else indptr[span] + drawn
    return choices, target, weights


def test_known_weights_are_learned_back() -> None:
    choices, target, (candidate, span) = drawn(0, spans=6000)
    found = learn(choices, target, penalty=0.1)
    np.testing.assert_allclose(found[0], candidate, atol=0.15)
    np.testing.assert_allclose(found[1], span, atol=0.15)


@pytest.mark.parametrize("seed", range(3))
def test_no_small_step_from_the_learned_weights_is_more_likely(seed: int) -> None:
    choices, target, _ = drawn(seed)
    best = np.concatenate(learn(choices, target, penalty=0.0))

    def loss(weights: np.ndarray) -> float:
        p, nil = probabilities(logits(choices, weights[:3], weights[3:]), choices.indptr)
        return float(-np.log(np.where(target < 0, nil, np.append(p, 1)[target])).sum())

    for place in range(len(best)):
        for step in (-1e-3, 1e-3):
            moved = best.copy()
            moved[place] += step
            assert loss(moved) >= loss(best) - 1e-9


def test_the_temperature_undoes_a_scale() -> None:
    choices, target, weights = drawn(1, spans=4000)
    found = logits(choices, *weights)
    doubled = Logits(2 * found.candidates, 2 * found.nil)
    assert best_temperature(doubled, choices.indptr, target) == pytest.approx(2, rel=0.15)


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.9]), st.booleans())), st.integers(1, 9))
def test_no_other_threshold_has_a_higher_f1(links: list[tuple[float, bool]], missed: int) -> None:
    scores = np.array([score for score, _ in links], float)
    right = np.array([is_right for _, is_right in links], bool)
    total = int(right.sum()) + missed

    def f1(least: float) -> float:
        return 2 * float(right[scores >= least].sum()) / (int((scores >= least).sum()) + total)

    best = f1(best_threshold(scores, right, total))
    assert all(best >= f1(least) - 1e-12 for least in (0.05, 0.2, 0.4, 0.7) if len(links))


# -- the parts ------------------------------------------------------------------------------------


def test_coherence_is_personalised_pagerank_from_the_other_mentions() -> None:
    networkx = pytest.importorskip("networkx")
    random = np.random.default_rng(0)
    keys = [f"e{n:02}" for n in range(20)]
    triples = [(keys[a], "r", keys[b]) for a, b in random.integers(0, 20, (60, 2)) if a != b]
    graph = KnowledgeGraph.from_records([{"key": key} for key in keys], triples)
    rows, mass = np.array([0, 5, 9, 14]), np.array([0.5, 0.5, 1.0, 0.25])
    found = coherence(graph, np.array([0, 3]), np.array([0, 2, 3, 4]), rows, mass)
    walks = networkx.MultiDiGraph()
    walks.add_nodes_from(range(20))
    for row in range(20):
        for place in range(graph.neighbour_indptr[row], graph.neighbour_indptr[row + 1]):
            walks.add_edge(row, int(graph.neighbour_entity[place]))
    weight = networkx.to_numpy_array(walks, weight=None)
    step = weight / np.maximum(weight.sum(1, keepdims=True), 1)
    for place, group in enumerate((0, 0, 1, 2)):
        start = np.zeros(20)
        for other, of_group in enumerate((0, 0, 1, 2)):
            if of_group != group:
                start[rows[other]] += mass[other]
        exact = 0.25 * np.linalg.solve(np.eye(20) - 0.75 * step.T, start)
        assert found[place] == pytest.approx(exact[rows[place]], abs=5e-3)


def test_a_mention_alone_has_no_coherence() -> None:
    found = coherence(GRAPH, np.array([0, 1]), np.array([0, 2]), np.array([0, 1]), np.ones(2))
    assert not found.any()


@pytest.mark.parametrize(
    ("text", "span", "signs"),
    [
        ("he saw the heat", "heat", {"uncased_text"}),
        ("He saw the heat", "heat", {"lower"}),
        ("Heat is here", "Heat", {"begins_sentence"}),
        ("I saw HEAT here", "HEAT", {"capitals"}),
        ("the Michael Mann film", "Mann", {"capital_before"}),
        ("the Michael Mann film", "Michael", {"capital_after"}),
        ("in Alsace-Lorraine then", "Alsace", {"joined"}),
        ("The heat of Heat", "Heat", {"lower_elsewhere"}),
        ("In 1984 he", "1984", {"no_letters"}),
    ],
)
def test_the_looks_of_a_span_are_told(text: str, span: str, signs: set[str]) -> None:
    start = text.rindex(span)
    places = Places(*(np.array([n]) for n in (0, start, start + len(span), 0)))
    found = span_features([text], places, np.zeros(1, np.float32), np.zeros(1, np.int64))[0]
    ones = {name for name, value in zip(SPAN, found, strict=True) if value == 1}
    assert ones - {"bias", "no_name", "short"} == signs


def test_a_name_within_a_longer_one_is_nested() -> None:
    places = Places(np.zeros(3, int), np.array([0, 0, 4]), np.array([3, 8, 8]), np.array([1, 2, 3]))
    found = span_features(["New York"], places, np.zeros(4, np.float32), np.zeros(4, np.int64))
    assert found[:, SPAN.index("nested")].tolist() == [1, 0, 1]


def test_kinds_have_names() -> None:
    assert kind_of(coherence=False, context=False) == "names"
    assert kind_of(coherence=True, context=True, given=True) == "coherence+context+given"


# -- other corpora --------------------------------------------------------------------------------


def test_an_article_is_no_part_of_a_name_that_stands_without_it_too() -> None:
    records = [
        {"key": "nl", "label": "Netherlands", "aliases": ["the Netherlands"]},
        {"key": "who", "label": "The Who", "aliases": ["Who"]},
        {"key": "hague", "label": "The Hague"},
    ]
    graph = KnowledgeGraph.from_records(records, [])
    linker = Linker(graph, ranked=True, min_score=0, overlapping=True)
    found = {m.text for m in linker("In the Netherlands they saw The Who at The Hague.")}
    assert "Netherlands" in found
    assert "the Netherlands" not in found
    assert {"The Who", "The Hague"} <= found
    begins = {m.text for m in linker("The Netherlands is flat.")}
    assert "Netherlands" in begins
    assert "The Netherlands" not in begins


def test_calibration_finds_how_many_spans_are_nil_where_only_that_differs() -> None:
    chance = np.random.default_rng(0)
    learned, real = 0.5, 0.9

    def scores(share: float, count: int) -> tuple[np.ndarray, np.ndarray]:
        is_nil = chance.random(count) < share
        return is_nil, chance.normal(np.where(is_nil, 1.0, -1.0), 1.0)

    is_nil, sign = scores(real, 20_000)
    nil = 1 / (1 + np.exp(-2 * sign))  # right where half of all are NIL
    share = nil_share(nil, learned)
    assert share == pytest.approx(is_nil.mean(), abs=0.02)
    before = Weights({}, {"bias": 0.3}, 2.0, 0.5, learned)
    after = calibrated(before, nil)
    shift = np.log(share / (1 - share))
    assert after.span["bias"] == pytest.approx(0.3 + 2 * shift)
    assert after.threshold == pytest.approx(1 / (1 + np.exp(shift)))
    assert after.nil == share


def test_a_calibrated_linker_is_less_sure_where_the_graph_has_few_names() -> None:
    texts = [f"Angela Merkel met {a} {b} in Zyxland." for a in "AB" for b in ("Kovac", "Merkle")]
    texts += ["Dallas and Paris were named by Inc of Qwv Corp and Rtz Inc and Acme Ltd."] * 3
    linker = Linker(GRAPH, ranked=True, fuzzy=True)
    before = linker.link(texts)
    after = linker.calibrate(texts).link(texts)
    assert [[m.text for m in own] for own in before] == [[m.text for m in own] for own in after]
    assert linker.weights is not None
    loaded = Linker(GRAPH, fuzzy=True, weights=linker.weights.record())
    assert loaded.link(texts) == after
    with pytest.raises(ValueError, match="like a name"):
        linker.calibrate(["nothing here"])


@given(st.lists(st.floats(0, 1), min_size=1), st.floats(0.01, 0.99))
@settings(deadline=None, derandomize=True)
def test_an_estimated_share_is_always_a_share(nil: list[float], learned: float) -> None:
    assert 0 < nil_share(np.array(nil), learned) < 1


def test_weights_without_their_share_of_nil_cannot_be_calibrated() -> None:
    with pytest.raises(ValueError, match="fit them again"):
        calibrated(Weights({}, {}, 1.0, 0.5), np.array([0.5]))
