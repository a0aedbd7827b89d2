"""Figures of merit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgfm.metrics import (
    accuracy,
    area_under_risk_coverage,
    best_threshold,
    calibration_error,
    counts_f1,
    exact_sets,
    hits_at_k,
    macro_f1,
    mean_ci,
    micro_f1,
    mrr,
    paired_difference,
    refusals,
    risk_coverage,
    set_f1,
    student_t,
)

RIGHT = np.array([[1, 0, 1], [0, 1, 0]], bool)
PREDICTED = np.array([[1, 1, 0], [0, 1, 0]], bool)


def test_accuracy_is_the_share_of_right_labels():
    assert accuracy(np.array(["a", "b", "b"]), np.array(["a", "b", "c"])) == pytest.approx(2 / 3)


def test_micro_f1_counts_all_pairs_together():
    assert micro_f1(PREDICTED, RIGHT) == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))


def test_macro_f1_is_the_mean_over_labels_and_an_empty_label_counts_zero():
    assert macro_f1(PREDICTED, RIGHT) == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_f1_of_nothing_predicted_and_nothing_right_is_zero_without_a_warning():
    nothing = np.zeros((2, 3), bool)
    assert micro_f1(nothing, nothing) == macro_f1(nothing, nothing) == 0.0


def test_ranks_count_from_one_and_zero_means_not_found():
    ranks = np.array([1, 2, 0, 10])
    assert hits_at_k(ranks) == 0.25
    assert hits_at_k(ranks, 10) == 0.75
    assert mrr(ranks) == pytest.approx((1 + 1 / 2 + 0 + 1 / 10) / 4)


def test_figures_of_no_texts_are_nan():
    none = np.zeros(0, np.int64)
    assert all(math.isnan(value) for value in (accuracy(none, none), hits_at_k(none), mrr(none)))
    assert math.isnan(mean_ci([]).mean)


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 5), st.integers(1, 20))
def test_no_other_threshold_beats_the_best_one(seed, texts, labels, levels):
    random = np.random.default_rng(seed)
    scores = random.integers(0, levels, (texts, labels)) / levels
    targets = random.random((texts, labels)) < 0.4
    best = micro_f1(scores >= best_threshold(scores, targets), targets)
    tried = [*np.unique(scores).tolist(), 2.0]
    assert best == pytest.approx(max(micro_f1(scores >= cut, targets) for cut in tried))


def test_the_threshold_of_narrow_scores_still_parts_them():
    scores = np.array([[0.1, np.nextafter(0.1, 1.0)]])
    assert (scores >= best_threshold(scores, np.array([[False, True]]))).tolist() == [[False, True]]


def test_without_a_right_label_the_threshold_lets_nothing_through():
    scores = np.array([[0.2, 0.9]])
    assert not (scores >= best_threshold(scores, np.zeros((1, 2), bool))).any()


def test_nan_scores_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        best_threshold(np.array([[np.nan]]), np.array([[True]]))


def test_the_interval_uses_students_t():
    mean, half_width = mean_ci([1.0, 2.0, 3.0])
    assert mean == 2.0
    assert half_width == pytest.approx(4.3027 / math.sqrt(3), abs=1e-4)
    assert math.isnan(mean_ci([5.0]).half_width)


def test_student_t_beyond_the_table_agrees_with_known_values():
    assert student_t(31) == pytest.approx(2.0395, abs=1e-4)
    assert student_t(60) == pytest.approx(2.0003, abs=1e-4)
    assert student_t(1000) == pytest.approx(1.9623, abs=1e-4)
    with pytest.raises(ValueError, match="two values"):
        student_t(0)


def test_pairing_removes_what_the_pairs_share():
    noise = np.array([10.0, 20.0, 30.0])
    difference = paired_difference(noise + 1, noise)
    assert difference == (1.0, 0.0)
    with pytest.raises(ValueError, match="3 and 2"):
        paired_difference([1.0, 2.0, 3.0], [1.0, 2.0])


def test_shapes_that_differ_are_refused():
    with pytest.raises(Exception, match=r"shape|type"):
        micro_f1(np.zeros((2, 3), bool), np.zeros((3, 2), bool))


def test_the_calibration_error_is_how_far_scores_are_from_what_they_promise():
    scores = np.array([0.9, 0.9, 0.9, 0.9, 0.2, 0.2])
    right = np.array([1, 1, 1, 0, 0, 0], bool)
    assert calibration_error(scores, right) == pytest.approx((4 * 0.15 + 2 * 0.2) / 6)
    assert calibration_error(np.array([0.0, 1.0]), np.array([False, True])) == 0
    assert math.isnan(calibration_error(np.array([], float), np.array([], bool)))
    with pytest.raises(ValueError, match="probabilities"):
        calibration_error(np.array([1.5]), np.array([True]))
    with pytest.raises(ValueError, match="at least 1 bin"):
        calibration_error(scores, right, bins=0)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1))
def test_one_bin_compares_the_two_means(pairs):
    scores, right = np.array([s for s, _ in pairs], float), np.array([r for _, r in pairs], bool)
    gap = abs(right.mean() - scores.mean())
    assert calibration_error(scores, right, bins=1) == pytest.approx(gap)
    assert gap - 1e-9 <= calibration_error(scores, right) <= 1


def test_f1_of_counts_is_one_where_there_is_nothing_to_find():
    found = counts_f1(np.array([1, 0, 0]), np.array([2, 0, 1]), np.array([1, 0, 0]))
    assert found.tolist() == pytest.approx([2 / 3, 1, 0])


# Of four questions: all found; half found and one too many; nothing to find; found where none is.
SHARED, SAID, TRUE = np.array([2, 1, 0, 0]), np.array([2, 2, 0, 3]), np.array([2, 2, 0, 0])


def test_f1_of_answer_sets_is_the_mean_over_questions():
    assert set_f1(SHARED, SAID, TRUE) == pytest.approx((1 + 2 / 4 + 1 + 0) / 4)


def test_an_exact_set_lacks_nothing_and_has_nothing_else():
    assert exact_sets(SHARED, SAID, TRUE) == 2 / 4
    assert exact_sets(np.array([1, 1]), np.array([1, 2]), np.array([2, 1])) == 0.0


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1))
def test_sets_are_exact_no_more_often_than_their_f1(drawn):
    shared, more_said, more_true = np.array(drawn).T
    counts = (shared, shared + more_said, shared + more_true)
    assert 0.0 <= exact_sets(*counts) <= set_f1(*counts) <= 1.0
    assert (exact_sets(*counts) == 1.0) == (set_f1(*counts) == 1.0)


def test_counts_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="is part of"):
        set_f1(np.array([2]), np.array([1]), np.array([2]))


def test_risk_and_coverage_when_the_least_confident_answers_are_refused():
    scores, right = np.array([0.5, 0.9, 0.5, 0.1]), np.array([False, True, True, False])
    curve = risk_coverage(scores, right)
    np.testing.assert_allclose(curve.coverage, [1 / 4, 3 / 4, 1])
    np.testing.assert_allclose(curve.risk, [0, 1 / 3, 2 / 4])
    area = area_under_risk_coverage(scores, right)
    assert area == pytest.approx(1 / 4 * 0 + 2 / 4 * 1 / 3 + 1 / 4 * 2 / 4)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30))
def test_the_area_lies_between_those_of_the_best_and_the_worst_order(drawn):
    scores, right = np.array([s / 5 for s, _ in drawn]), np.array([r for _, r in drawn])
    curve = risk_coverage(scores, right)
    assert curve.coverage[-1] == 1.0
    assert curve.risk[-1] == pytest.approx(np.mean(~right))
    assert len(curve.risk) == len(np.unique(scores))
    ranks = np.empty(len(right))
    ranks[right.argsort(kind="stable")] = np.arange(len(right))
    area, nothing = area_under_risk_coverage(scores, right), 1e-12
    assert area_under_risk_coverage(ranks, right) <= area + nothing
    assert area <= area_under_risk_coverage(-ranks, right) + nothing


def test_scores_that_are_all_equal_leave_the_share_of_wrong_answers():
    right = np.array([True, False, True, True])
    assert area_under_risk_coverage(np.ones(4), right) == pytest.approx(1 / 4)


def test_refusals_of_each_kind_are_shares_of_that_kind():
    refused = np.array([True, True, False, True, False, False])
    answerable = np.array([False, False, False, True, True, True])
    assert refusals(refused, answerable) == pytest.approx((2 / 3, 1 / 3))
    assert math.isnan(refusals(refused, np.ones(6, bool)).unanswerable)


def test_answer_figures_of_no_questions_are_nan():
    none, nothing = np.zeros(0, np.int64), np.zeros(0, bool)
    assert math.isnan(set_f1(none, none, none))
    assert math.isnan(exact_sets(none, none, none))
    assert math.isnan(area_under_risk_coverage(np.zeros(0), nothing))
    assert len(risk_coverage(np.zeros(0), nothing).risk) == 0


def test_a_score_that_is_no_number_has_no_place_in_the_order():
    with pytest.raises(ValueError, match="NaN"):
        risk_coverage(np.array([np.nan, 0.5]), np.array([True, False]))
