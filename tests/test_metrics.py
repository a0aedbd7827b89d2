"""Figures of merit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgfm.metrics import (
    accuracy,
    best_threshold,
    calibration_error,
    counts_f1,
    hits_at_k,
    macro_f1,
    mean_ci,
    micro_f1,
    mrr,
    paired_difference,
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
