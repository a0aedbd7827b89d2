"""Batches: offsets, packing, and what they carry."""

from __future__ import annotations

from copy import copy
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from neural import (
    LABELS,
    NUM_RELATIONS,
    RandomVectors,
    collator,
    make_batch,
    make_prepared,
    make_task,
    tokenizer,
)

from kgfm.batch import Batch, Collator
from kgfm.graph import KnowledgeGraph
from kgfm.types import Asked, Example, Mention, Row, Subgraph


def seeds_only(*rows):
    """A subgraph of seeds without edges."""
    none = np.zeros(0, dtype=np.int64)
    return Subgraph(np.array(rows, np.int64), np.zeros((2, 0), np.int64), none, 0 * np.array(rows))


def prepared_text(text, mentions, rows, cut, **settings):
    """Prepare one text: what it reads of it, in one row."""
    asked = Asked(text, tuple(mentions), np.array(rows, np.int64))
    (prepared,) = collator(**settings).prepare([Example(text)], [[Row(text)]], [[asked]], [[cut]])
    (row,) = prepared.rows
    return row


def prepare(text, spans, **settings):
    """Prepare one text whose n-th mention names the entity in row n."""
    mentions = [Mention(a, b, text[a:b], f"e{n}") for n, (a, b) in enumerate(spans)]
    rows = list(range(len(spans)))
    return prepared_text(text, mentions, rows, seeds_only(*rows), **settings)


@given(st.data(), st.text(st.characters(exclude_categories=()), min_size=1, max_size=60))
def test_a_token_is_aligned_exactly_if_it_overlaps_the_mention(data, text):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    plain = "".join("?" if "\ud800" <= letter <= "\udfff" else letter for letter in text)
    encoded = tokenizer()(plain, return_offsets_mapping=True)
    prepared = prepare(text, [(start, end)])
    assert prepared.input_ids.tolist() == encoded["input_ids"]
    covered = [set(range(a, b)) for a, b in encoded["offset_mapping"]]
    expected = [n for n, letters in enumerate(covered) if letters & set(range(start, end))]
    assert prepared.aligned.tolist() == [expected, [0] * len(expected)]


@pytest.mark.parametrize(
    ("text", "word", "tokens"),
    [
        ("Who directed Heat?", "Heat", "heat"),
        ("🎬🎬 München 🎬", "München", "munchen"),
        ("Caf\u0065\u0301 Noir, 1995", "Caf\u0065\u0301 Noir", "cafe noir"),
        ("broken \ud83d Heat \udc00", "Heat", "heat"),
        ("\ufeffHeat", "Heat", "heat"),
        ("電影 Heat 電影", "電影", "[UNK][UNK]"),
    ],
)
def test_the_tokens_of_a_mention_spell_it(text, word, tokens):
    start = text.index(word)
    prepared = prepare(text, [(start, start + len(word))])
    spelled = tokenizer().decode(prepared.input_ids[prepared.aligned[0]])
    assert spelled.replace(" ", "") == tokens.replace(" ", "")


def test_a_mention_beyond_the_cut_is_aligned_to_nothing():
    text = "word " * 50 + "Heat"
    with pytest.warns(UserWarning, match="1 of 1 texts .* 1 mentions in it"):
        prepared = prepare(text, [(0, 4), (250, 254)], max_tokens=10)
    assert len(prepared.input_ids) == 10
    assert prepared.aligned.tolist() == [[1], [0]]


def test_a_mention_whose_entity_fell_out_of_the_subgraph_is_aligned_to_nothing():
    mention = Mention(0, 4, "Heat", "e7")
    prepared = prepared_text("Heat", [mention], [7], seeds_only(3))
    assert prepared.aligned.shape == (2, 0)


def test_a_slow_tokenizer_is_refused():
    slow = copy(tokenizer())
    slow.__class__ = type("Slow", (type(slow),), {"is_fast": False})
    with pytest.raises(ValueError, match="needs a fast tokenizer"):
        Collator(slow, RandomVectors(), make_task())


# Packing.


def rows_of(prepared):
    return [row for item in prepared for row in item.rows]


def test_rows_of_an_example_lie_together_and_know_it():
    one, two = make_prepared((2, 3)), make_prepared((4,), seed=1)
    joined = replace(one[0], rows=(*one[0].rows, *one[1].rows))
    batch = collator().pack([joined, *two])
    assert batch.example_of_row.tolist() == [0, 0, 1]
    assert batch.first_row.tolist() == [0, 2]
    assert (len(batch), batch.num_examples) == (3, 2)


def test_a_pair_is_read_as_two_segments_and_counted_in_one_source():
    row = Row("Who directed Heat?", "Michael Mann")
    start = row.source.index("Mann")
    asked = Asked(row.source, (Mention(start, start + 4, "Mann", "e0"),), np.array([0]))
    example = Example(row.text)
    (prepared,) = collator().prepare([example], [[row]], [[asked]], [[seeds_only(0)]])
    (read,) = prepared.rows
    assert tokenizer().decode(read.input_ids[read.aligned[0]]) == "mann"
    assert read.tokens_of(start, start + 4) == tuple(read.mention_span[0])


def test_candidates_stand_with_their_priors_and_nil_is_kept():
    graph = KnowledgeGraph.from_records([], [("a", "r", "b")])
    nil = Mention(0, 4, "Heat", None, 0.3, (("b", 0.6), ("elsewhere", 0.1)))
    asked = Asked("Heat", (nil,), np.array([-1]))
    packer = collator()
    prepared = packer.prepare(
        [Example("Heat")], [[Row("Heat")]], [[asked]], [[seeds_only(0)]], graph
    )
    batch = packer.pack(prepared)
    assert batch.mention_node.tolist() == [-1]
    assert batch.mention_span.tolist() == [[0, 1, 2]]
    assert batch.candidate_mention.tolist() == [0]
    assert batch.candidate_prior.tolist() == pytest.approx([0.6])
    (wanted,) = packer.vectors.entities(graph.rows(["b"]))
    assert batch.node_features[batch.candidate_feature[0]].tolist() == wanted.tolist()


def test_a_prior_of_some_texts_is_zero_for_the_others():
    prepared = make_prepared((2, 3))
    assert collator().pack(prepared).node_prior is None
    cut = replace(prepared[1].rows[0].subgraph, prior=np.array([1.0, 2.0, 3.0]))
    with_prior = replace(prepared[1], rows=(replace(prepared[1].rows[0], subgraph=cut),))
    batch = collator().pack([prepared[0], with_prior])
    assert batch.node_prior.tolist() == [0.0, 0.0, 1.0, 2.0, 3.0]


def test_every_text_finds_its_own_nodes_and_padding_points_to_none():
    prepared = make_prepared((4, 0, 6))
    batch = collator().pack(prepared)
    assert batch.node_mask.sum(1).tolist() == [4, 0, 6]
    for row, item in enumerate(rows_of(prepared)):
        mine = batch.node_slot[row][batch.node_mask[row]]
        assert batch.node_entity[mine].tolist() == item.subgraph.nodes.tolist()
        assert (batch.node_text[mine] == row).all()
        assert batch.node_hops[mine].tolist() == item.subgraph.hops.tolist()
        length = len(item.input_ids)
        assert batch.input_ids[row, :length].tolist() == item.input_ids.tolist()
        assert batch.attention_mask[row].sum() == length


def test_a_distinct_entity_is_featurised_once():
    prepared = make_prepared((5, 5, 5))
    shared = [item.subgraph.nodes for item in rows_of(prepared)]
    packer = collator()
    batch = packer.pack(prepared)
    (asked,) = packer.vectors.asked
    assert asked.tolist() == sorted({int(row) for rows in shared for row in rows})
    assert len(batch.node_features) == len(asked) < batch.num_nodes
    every = torch.from_numpy(packer.vectors.entities(np.concatenate(shared)))
    assert torch.equal(batch.node_features[batch.node_feature], every)


def test_each_edge_stands_in_both_directions():
    prepared = make_prepared((4, 6))
    batch = collator().pack(prepared)
    there, back = batch.edge_index.chunk(2, dim=1)
    assert torch.equal(back, there.flip(0))
    types, inverse = batch.edge_type.chunk(2)
    assert torch.equal(inverse, types + NUM_RELATIONS)
    wanted = np.concatenate([row.subgraph.edge_type for row in rows_of(prepared)])
    assert types.tolist() == wanted.tolist()
    assert torch.equal(batch.node_text[there[0]], batch.node_text[there[1]])


@pytest.mark.parametrize("labels", [(), LABELS])
def test_a_batch_in_which_no_text_has_a_node_is_whole(labels):
    batch = make_batch((0, 0), labels=labels)
    assert (len(batch), batch.num_nodes) == (2, 0)
    assert batch.edge_index.shape == (2, 0)
    assert not batch.node_mask.any()
    if not labels:
        assert batch.asked.answerable.tolist() == [False, False]


def test_a_batch_needs_a_text():
    with pytest.raises(ValueError, match="at least one text"):
        collator().pack([])


def test_targets_of_answer_mark_the_right_nodes():
    prepared = make_prepared((4, 6))
    prepared[1] = replace(prepared[1], known=False)
    batch = collator().pack(prepared)
    assert batch.asked.known.tolist() == [True, False]
    (right,) = batch.asked.node[:4].nonzero().flatten().tolist()
    assert batch.node_entity[right] == prepared[0].target.rows[0]
    assert collator().pack([prepared[1]]).asked is None


def test_targets_of_classify_mark_the_right_labels():
    prepared = make_prepared((2, 2), labels=LABELS)
    prepared[0] = replace(prepared[0], target=np.array([2, 0]))
    batch = collator(LABELS).pack(prepared)
    assert batch.asked.label.tolist() == [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]


def test_an_unknown_label_is_named_with_the_nearest_one():
    with pytest.raises(ValueError, match=r"'dramma' was not among .* Did you mean 'drama'"):
        make_task(LABELS).target(Example("a", ("dramma",)), (), None)


def test_cached_states_are_padded_and_left_out_where_one_is_missing():
    prepared = make_prepared((1, 2))

    class Known:
        def __init__(self, known):
            self.known = known

        def get(self, ids):
            return np.full((len(ids), 6), 2.0, np.float16) if len(ids) in self.known else None

    batch = collator(states=Known({4, 5})).pack(prepared)
    assert batch.lower_states.dtype == torch.float32
    assert batch.lower_states.sum(2).tolist() == [[12.0] * 4 + [0.0], [12.0] * 5]
    assert collator(states=Known({4})).pack(prepared).lower_states is None


# Moving.


def test_a_batch_moves_as_a_whole_and_stays_what_it_is():
    batch = make_batch()
    moved = batch.to(torch.device("meta"), non_blocking=True)
    assert isinstance(moved, Batch)
    assert (moved.lower_states, moved.node_prior) == (None, None)
    assert moved.asked.node.device.type == "meta"
    for field in fields(Batch):
        here, there = getattr(batch, field.name), getattr(moved, field.name)
        if isinstance(here, torch.Tensor):
            assert (there.device.type, there.dtype) == ("meta", here.dtype)
            assert (here.device.type, there.shape) == ("cpu", here.shape)


@pytest.mark.gpu
def test_a_batch_can_be_pinned():
    assert make_batch().pin_memory().input_ids.is_pinned()
