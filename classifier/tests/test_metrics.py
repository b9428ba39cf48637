import numpy as np
import pytest

from classifier.core import metrics as ev

LABELS = ("blues", "jazz", "rock")


def test_figures_of_a_known_case() -> None:
    targets = np.array([0, 0, 1, 1, 2, 2])
    predicted = np.array([0, 0, 1, 2, 2, 2])
    result = ev.evaluate(targets, np.eye(3)[predicted], LABELS)
    assert result.accuracy.value == pytest.approx(5 / 6)
    assert result.macro_f1.value == pytest.approx((1 + 2 / 3 + 0.8) / 3)
    assert result.recall == {"blues": 1.0, "jazz": 0.5, "rock": 1.0}
    assert result.confusion == [[2, 0, 0], [0, 1, 1], [0, 0, 2]]
    assert result.calibration_error == pytest.approx(1 / 6)
    assert result.accuracy.low < result.accuracy.value < result.accuracy.high


def test_interval_narrows_with_more_tracks_and_repeats_itself() -> None:
    rng = np.random.default_rng(0)

    def width(n: int) -> float:
        targets = rng.integers(0, 3, n)
        predicted = np.where(rng.random(n) < 0.6, targets, (targets + 1) % 3)
        first = ev.bootstrap(ev.accuracy, targets, predicted, 3)
        assert first == ev.bootstrap(ev.accuracy, targets, predicted, 3)
        return first.high - first.low

    assert width(2000) < width(50) / 3


def test_calibration_error_of_honest_and_of_boastful_probabilities() -> None:
    rng = np.random.default_rng(1)
    targets = (rng.random(20_000) > 0.7).astype(np.intp)
    honest = np.tile([0.7, 0.3], (len(targets), 1))
    boastful = np.tile([0.99, 0.01], (len(targets), 1))
    assert ev.calibration_error(targets, honest) < 0.02
    assert ev.calibration_error(targets, boastful) == pytest.approx(0.29, abs=0.02)


def test_accuracy_at_coverage_answers_the_surest_first() -> None:
    targets = np.array([0, 0, 0, 0])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]])
    coverage, accuracy = ev.accuracy_at_coverage(targets, probabilities)
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert accuracy.tolist() == pytest.approx([1.0, 1.0, 2 / 3, 0.5])


def test_a_label_without_tracks_has_no_recall() -> None:
    result = ev.evaluate(np.array([0, 1]), np.eye(3)[[0, 1]], LABELS)
    assert np.isnan(result.recall["rock"])
    assert result.macro_f1.value == pytest.approx(1.0)


@pytest.mark.parametrize("shape", [(0, 3), (2, 2), (3, 3)])
def test_shapes_that_do_not_fit_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="tracks and 3 labels"):
        ev.evaluate(np.zeros(2 if shape[0] else 0, dtype=np.intp), np.full(shape, 0.5), LABELS)


def test_seeds_are_averaged_on_the_same_draws() -> None:
    targets = np.arange(60) % 3
    good, bad = targets.copy(), (targets + (np.arange(60) < 30)) % 3
    both = ev.bootstrap(ev.accuracy, targets, np.stack([good, bad]), 3, n_resamples=200)
    assert both.value == pytest.approx(0.75)
    assert 0.6 < both.low < 0.75 < both.high < 0.9


def test_pieces_of_one_track_are_no_independent_evidence() -> None:
    rng = np.random.default_rng(0)
    of_track = np.repeat(rng.random(50) < 0.6, 20)
    targets = np.zeros(1000, dtype=np.intp)
    predicted = np.where(of_track, 0, 1)

    def width(clusters: np.ndarray | None) -> float:
        found = ev.bootstrap(ev.accuracy, targets, predicted, 2, clusters=clusters, n_resamples=400)
        return found.high - found.low

    assert width(np.repeat(np.arange(50) * 7, 20)) > 3 * width(None)


def test_a_share_of_coverage_is_met_exactly() -> None:
    targets = np.zeros(290, dtype=np.intp)
    confidence = np.linspace(0.99, 0.51, 290)
    wrong = np.arange(290) >= 174
    first = np.where(wrong, 1 - confidence, confidence)
    probabilities = np.stack([first, 1 - first], axis=1)
    covered = ev.at_coverage(targets, probabilities)
    assert covered["0.6"] == 1.0
    assert covered["0.8"] == pytest.approx(174 / 232)
    assert covered["1"] == pytest.approx(0.6)


def test_several_seeds_are_measured_together() -> None:
    targets = np.arange(30) % 3
    probabilities = np.stack([np.eye(3)[targets], np.eye(3)[(targets + (np.arange(30) < 15)) % 3]])
    measured = ev.measure(targets, probabilities, LABELS)
    assert measured.accuracies == [1.0, 0.5]
    assert measured.accuracy.value == pytest.approx(0.75)
    assert measured.deviation == pytest.approx(np.std([1.0, 0.5], ddof=1))
    assert np.sum(measured.confusion) == 60
    assert measured.calibration_error == pytest.approx(0.25)
    assert ev.measure(targets, probabilities[:1], LABELS).deviation is None


@pytest.mark.parametrize("shape", [(1, 0, 3), (0, 2, 3), (2, 3), (1, 2, 2)])
def test_several_seeds_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="tracks and 3 labels"):
        ev.measure(np.zeros(0 if shape[1] == 0 else 2, dtype=np.intp), np.full(shape, 0.5), LABELS)
