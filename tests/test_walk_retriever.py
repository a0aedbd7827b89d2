"""Walks over the whole graph: exact sets, what is hidden, what is learned, what is said."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy_scorer import ToyReading, ToyScorer

import kgfm
from kgfm.graph import EntityRecord, KnowledgeGraph
from kgfm.pipeline import Pipeline
from kgfm.pipeline.nearest import NearNames
from kgfm.retrieval import RETRIEVERS, Answered, ask
from kgfm.retrieval.walks import WalkRetriever
from kgfm.retrieval.walks.base import MASK
from kgfm.retrieval.walks.calibrate import calibrate
from kgfm.retrieval.walks.explore import Explorer
from kgfm.retrieval.walks.teach import Caps, Teacher, masked
from kgfm.types import Asked, Example, Mention
from kgfm.walks import Step, Walk, answers, follow

RELATIONS = ("directed by", "starring", "written by", "released in")
PEOPLE, FILMS, YEARS = 12, 24, 4


def world(seed: int = 0) -> KnowledgeGraph:
    """Films with people and years; some films have a length, in minutes."""
    random = np.random.default_rng(seed)
    records = [
        EntityRecord(f"f{n}", f"Film {n}x", attributes={"length": 90 + n}) for n in range(20)
    ]
    records += [EntityRecord(f"f{n}", f"Film {n}x") for n in range(20, FILMS)]
    records += [EntityRecord(f"p{n}", f"Person {n}x") for n in range(PEOPLE)]
    records += [EntityRecord(f"y{n}", f"{1990 + n}x") for n in range(YEARS)]
    triples = []
    for film in range(FILMS):
        triples.append((f"f{film}", "directed by", f"p{random.integers(PEOPLE)}"))
        triples.append((f"f{film}", "written by", f"p{random.integers(PEOPLE)}"))
        triples.append((f"f{film}", "released in", f"y{random.integers(YEARS)}"))
        for person in random.choice(PEOPLE, 2, replace=False):
            triples.append((f"f{film}", "starring", f"p{person}"))
    return KnowledgeGraph.from_records(records, triples)


WORDS = {
    ("directed by", True): "who directed {}?",
    ("directed by", False): "which films did {} direct?",
    ("starring", True): "who acts in {}?",
    ("starring", False): "which films does {} act in?",
    ("written by", True): "who is the writer of {}?",
    ("released in", True): "in which year was {} released?",
}


def example(graph: KnowledgeGraph, topic: str, *steps: Step) -> Example:
    """A question whose walk is known; of two steps, one question in place of the other's topic."""
    name = graph.label(topic)
    text = name
    for one in steps:
        text = WORDS[one.relation, one.forward].format(text.rstrip("?"))
    rows = follow(graph, Walk(topic, steps))
    start = text.index(name)
    mention = Mention(start, start + len(name), name, topic)
    return Example(text, tuple(graph.keys[row] for row in rows.tolist()), (mention,))


def examples(graph: KnowledgeGraph) -> list[Example]:
    """Questions of one step about all, and of two steps about films."""
    made = []
    for key in graph.keys:
        for relation, forward in WORDS:
            made.append(example(graph, key, Step(relation, forward)))
    for film in range(FILMS):
        for relation in ("directed by", "starring"):
            steps = (Step(relation), Step("starring", False))
            made.append(example(graph, f"f{film}", *steps))
    return [one for one in made if one.target]


@pytest.fixture(scope="module")
def graph() -> KnowledgeGraph:
    return world()


@pytest.fixture(scope="module")
def pipe(graph: KnowledgeGraph, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Learned from every third question left out."""
    asked = examples(graph)
    train = [one for number, one in enumerate(asked) if number % 3]
    pipe = Pipeline(graph, task="answer", retriever={"name": "walks", "hops": 2, "epochs": 20})
    pipe.fit(
        train,
        asked[::3],
        epochs=1,
        folder=tmp_path_factory.mktemp("run"),
        cache_states=False,
        tensorboard=False,
    )
    return pipe


@pytest.fixture(scope="module")
def held_out(graph: KnowledgeGraph) -> list[Example]:
    return examples(graph)[::3]


@pytest.mark.parametrize("come_back", [False, True])
def test_steps_lead_where_a_walk_by_name_does(graph: KnowledgeGraph, come_back: bool) -> None:
    explorer = Explorer(graph, come_back=come_back)
    for topic in range(0, len(graph), 5):
        walks = explorer.all_walks(topic, np.empty(0, np.int64), hops=3, most=100, limit=10_000)
        for walk in range(1, len(walks.parent), 17):
            actions = walks.steps(walk)
            steps = tuple(explorer.steps.step(action) for action in actions)
            by_name = follow(graph, Walk(graph.keys[topic], steps, come_back))
            assert explorer.follow(topic, actions).tolist() == by_name.tolist()
            assert walks.size[walk] == len(by_name)


def test_walks_count_the_right_answers_that_they_lead_to(graph: KnowledgeGraph) -> None:
    explorer = Explorer(graph)
    topic, right = graph.row("f0"), np.arange(0, len(graph), 2)
    walks = explorer.all_walks(topic, right, hops=2, most=100, limit=10_000)
    for walk in range(1, len(walks.parent)):
        if walks.action[walk] < 2 * graph.num_relations:
            rows = explorer.follow(topic, walks.steps(walk))
            assert walks.hits[walk] == np.isin(rows, right).sum()


def test_what_leads_on_are_the_actions_that_lead_somewhere(graph: KnowledgeGraph) -> None:
    explorer = Explorer(graph)
    nothing = explorer.hidden_from(Asked.at([0]))
    for topic in range(len(graph)):
        rows = np.array([topic], np.int32)
        on = set(explorer.actions(rows, topic, nothing).tolist())
        for action in range(explorer.num_actions):
            assert (action in on) == bool(len(explorer.step(rows, action, topic, nothing)[0]))


def test_a_hidden_triple_is_walked_in_neither_direction(graph: KnowledgeGraph) -> None:
    explorer = Explorer(graph)
    triple = (int(graph.heads[0]), int(graph.relations[0]), int(graph.tails[0]))
    head, relation, tail = triple
    hidden = explorer.hidden_from(Asked.at([head], without=[triple]))
    there = explorer.step(np.array([head], np.int32), relation, head, hidden)[0]
    back = explorer.step(np.array([tail], np.int32), relation + graph.num_relations, tail, hidden)[
        0
    ]
    assert tail not in there.tolist()
    assert head not in back.tolist()


def test_a_teacher_weighs_a_walk_by_the_f1_of_its_set(graph: KnowledgeGraph) -> None:
    asked = example(graph, "f3", Step("starring"))
    rows = np.unique(graph.rows(asked.target or ()))
    teacher = Teacher(Explorer(graph), Caps(2, 100))
    trees, best = teacher.trees(0, Answered(ask(asked.text, asked.mentions or (), graph), rows))
    assert best is not None
    assert best.weight == 1.0
    assert best.actions == (graph.relation_row("starring"),)
    assert trees[0].text == f"who acts in {MASK}?"
    assert trees[0].weight.max() == 1.0


def test_a_question_without_its_relation_lacks_an_answer(graph: KnowledgeGraph) -> None:
    asked = example(graph, "p3", Step("starring", False))
    rows = np.unique(graph.rows(asked.target or ()))
    answered = Answered(ask(asked.text, asked.mentions or (), graph), rows)
    teacher = Teacher(Explorer(graph), Caps(1, 100))
    _, best = teacher.trees(0, answered)
    assert best is not None
    made = teacher.without(1, answered, best, np.random.default_rng(0))
    assert all(tree.lacks and not tree.weight.any() for tree in made)
    starring = graph.relation_row("starring")
    assert all(not np.isin(tree.action, [starring, starring + 4]).any() for tree in made)


def test_a_mask_stands_for_the_mention() -> None:
    assert masked("who directed Heat?", Mention(13, 17, "Heat", "heat")) == f"who directed {MASK}?"


def test_it_learns_which_relations_are_asked_for(pipe: Pipeline, held_out: list[Example]) -> None:
    figures = pipe.evaluate(held_out)
    assert figures["exact_sets"] > 0.9
    assert figures["hits@1"] > 0.9


def test_an_answer_is_a_whole_set_with_the_walk_that_leads_to_it(
    pipe: Pipeline, graph: KnowledgeGraph
) -> None:
    asked = example(graph, "p2", Step("starring", False))
    said = pipe(Example(asked.text, None, asked.mentions))
    assert set(said.answers) == set(asked.target or ())
    assert said.answer in said.answers
    assert set(answers(graph, said.sought)) == set(said.answers)
    assert said.refused is None
    assert 0 < said.score <= 1


class LikesValues(ToyScorer):
    """Likes attributes most, and thinks that what all mentions lead to is meant."""

    def bind(self, graph: Any, attributes: Sequence[str]) -> None:
        super().bind(graph, attributes)
        self.scores[:-2] = self.scores[:-2][::-1]

    def read(self, texts: Sequence[str], features: np.ndarray) -> ToyReading:
        reading = super().read(texts, features)
        reading.both[:] = 1
        return reading


def test_walks_that_meet_end_in_entities(graph: KnowledgeGraph) -> None:
    retriever = RETRIEVERS.build({"name": "walks", "width": 40}, graph=graph, scorer=LikesValues())
    for other in range(2, 9):
        named = (Mention(0, 1, "a", "f1"), Mention(2, 3, "b", f"f{other}"))
        found = retriever.retrieve([ask("a b", named, graph)])[0].found
        assert found is not None
        assert found.sought.kind == "entity"
        assert len(found.sought.walks) == 2


def test_a_text_that_names_nothing_is_refused_as_such(pipe: Pipeline) -> None:
    said = pipe("who directed that?")
    assert said.refused == "unnamed"
    assert said.answer == kgfm.NIL
    assert said.answers == ()
    assert "names nothing" in said.why


@pytest.mark.parametrize("said", ["Limma", "Lma", "Liam", "Lina", "LIMMA"])
def test_a_short_name_that_is_misspelt_is_told(said: str) -> None:
    cities = KnowledgeGraph.from_records([EntityRecord(n, n) for n in ("Lima", "Rome")], [])
    assert NearNames(cities, rare)(f"What is the currency of {said}?") == (
        ("Lima",) if len(said) > 3 else ()
    )


def test_a_common_word_is_no_misspelt_name() -> None:
    cities = KnowledgeGraph.from_records([EntityRecord("lome", "Lome")], [])
    assert NearNames(cities, rare)("What is love?") == ()
    assert NearNames(cities, rare)("What is lomme?") == ("Lome",)


def rare(word: str) -> bool:
    return word not in {"what", "love", "currency"}


def test_a_name_that_is_near_is_told(pipe: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("Bolivia", "Peru", "Ecuador")
    countries = KnowledgeGraph.from_records([EntityRecord(name, name) for name in names], [])
    near = NearNames(countries, rare)
    assert near("What is the capital of Boliva?") == ("Bolivia",)
    assert NearNames(KnowledgeGraph.from_records([], []), rare)("Boliva") == ()
    monkeypatch.setitem(pipe.__dict__, "_near_names", near)
    assert "Nearest name: Bolivia." in pipe("who directed Boliva?").why


def test_paths_lead_from_the_topic_to_the_answers(pipe: Pipeline, graph: KnowledgeGraph) -> None:
    asked = example(graph, "f1", Step("directed by"), Step("starring", False))
    (prepared,) = pipe.prepare([Example(asked.text, None, asked.mentions)])
    cut = prepared.rows[0].subgraph
    assert cut.found is not None
    assert cut.paths
    for path in cut.paths:
        assert cut.hops[path.nodes[0]] == 0
        for (one, other), edge in zip(
            zip(path.nodes, path.nodes[1:], strict=False), path.edges, strict=True
        ):
            assert set(cut.edge_index[:, edge].tolist()) == {one, other}
    ends = {int(cut.nodes[path.nodes[-1]]) for path in cut.paths}
    assert set(cut.found.rows.tolist()) <= ends | set(cut.nodes.tolist())


def test_a_set_changes_when_a_step_of_its_walk_is_cut(
    pipe: Pipeline, graph: KnowledgeGraph
) -> None:
    asked = example(graph, "p2", Step("starring", False))
    question = Example(asked.text, None, asked.mentions)
    relation, person = graph.relation_row("starring"), graph.row("p2")
    film = graph.row((asked.target or ())[0])
    whole, cut = pipe.questions.variants(
        question, [np.empty((0, 3), np.int64), np.array([[film, relation, person]])]
    )
    before, after = (one.rows[0].subgraph.found for one in (whole, cut))
    assert before is not None
    assert after is not None
    assert film in before.rows.tolist()
    assert film not in after.rows.tolist()


def test_evidence_says_what_the_set_is_without_a_step_and_which_path_leads_there_instead(
    pipe: Pipeline, graph: KnowledgeGraph
) -> None:
    asked = example(graph, "f1", Step("directed by"), Step("starring", False))
    said = pipe(Example(asked.text, None, asked.mentions))
    evidence = pipe.explain(said)
    assert evidence[0].change > 0
    paths = [one for one in evidence if one.kind == "path"]
    assert paths
    assert paths[0].items[0][0] == "f1"
    for one in evidence:
        assert one.answers is not None
        if one.kind == "path" and one.change > 0.2:
            assert said.answer not in one.answers or one.instead
    steps = {triple for path in paths for triple in path.triples}
    assert steps <= {triple for one in evidence for triple in one.triples if one.kind == "triple"}


def test_an_untrained_model_ranks_as_the_walks_do(pipe: Pipeline, held_out: list[Example]) -> None:
    batch = pipe.collator.pack(pipe.prepare(held_out[:4]))
    model = copy.deepcopy(pipe.model)
    with torch.no_grad():
        model.task.delta.zero_()
        output = model(batch)
    assert output.logits.tolist() == batch.node_prior.tolist()
    assert output.nil.tolist() == batch.nil_prior.tolist()


def test_what_was_learned_is_saved_and_answers_as_before(
    pipe: Pipeline, held_out: list[Example], tmp_path: Path
) -> None:
    pipe.save(tmp_path / "saved")
    again = Pipeline.load(tmp_path / "saved")
    asked = [Example(one.text, None, one.mentions) for one in held_out[:8]]
    assert [one.to_dict() for one in again(asked)] == [one.to_dict() for one in pipe(asked)]


def test_walks_that_learned_nothing_say_so(graph: KnowledgeGraph) -> None:
    pipe = Pipeline(graph, retriever="walks")
    with pytest.raises(RuntimeError, match="fit the pipeline first"):
        pipe("who directed Film 1x?")
    with pytest.raises(TypeError, match="needs a scorer"):
        RETRIEVERS.build("walks", graph=graph)([Mention(0, 1, "f", "f0")])


def test_a_calibration_promises_what_is_kept() -> None:
    random = np.random.default_rng(0)
    probability = random.uniform(0.05, 0.95, 4000)
    right = random.uniform(size=4000) < probability**2
    made = calibrate(probability, right, np.zeros(4000), refused=0.03)
    for low in (0.2, 0.5, 0.8):
        inside = (probability > low) & (probability < low + 0.1)
        said = np.mean([made(p) for p in probability[inside]])
        assert said == pytest.approx(right[inside].mean(), abs=0.06)


def test_questions_made_from_the_graph_are_learned_from_beside_those_that_are_given(
    graph: KnowledgeGraph,
) -> None:
    scorer = ToyScorer()
    WalkRetriever(graph, scorer=scorer, made=40).learn([], [])
    assert {tree.kind for tree in scorer.learned} >= {0, 1, 2}
    assert any(tree.lacks for tree in scorer.learned)


@pytest.mark.parametrize(("kind", "values"), [(0, ()), (1, ("0",))])
def test_topics_that_share_nothing_have_no_common_answer_and_their_number_is_zero(
    kind: int, values: tuple[str, ...]
) -> None:
    triples = [("a", "likes", "x"), ("b", "likes", "y"), ("c", "likes", "x"), ("c", "likes", "z")]
    graph = KnowledgeGraph.from_records([], triples)
    retriever = WalkRetriever(graph, scorer=ToyScorer(kind=kind, both=1.0), hops=1)
    asked = [
        ask(f"a and {key}", [Mention(0, 1, "a", "a"), Mention(6, 7, key, key)], graph)
        for key in "bc"
    ]
    apart, shared = (cut.found for cut in retriever.retrieve(asked))
    assert apart is not None
    assert apart.sought is not None
    assert len(apart.sought.walks) == 2
    assert not len(apart.rows)
    assert apart.values == values
    assert apart.refused == (None if values else "lacking")
    assert shared is not None
    assert [graph.keys[row] for row in shared.rows.tolist()] == ["x"]


@pytest.mark.parametrize(
    "given", [{"hops": 0}, {"budget": 0}, {"lacking": 1.0}, {"unsure": -0.1}, {"made": -1}]
)
def test_a_number_out_of_range_is_refused(graph: KnowledgeGraph, given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(given))):
        RETRIEVERS.build({"name": "walks", **given}, graph=graph)
