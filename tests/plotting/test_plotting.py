"""Pictures, by what they draw: data, labels and limits."""

import subprocess
import sys

import numpy as np
import pytest

import cem

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
from matplotlib import pyplot as plt  # noqa: E402


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def result():
    return cem.optimize(lambda x: ((x - 1) ** 2).sum(), bounds=[(-5, 5)] * 2, rng=1)


@pytest.fixture(scope="module")
def estimate():
    return cem.estimate_probability(np.sum, cem.Exponential([1.0, 1.0]), level=10, rng=1)


def test_convergence_draws_the_history(result):
    ax = result.plot()
    best, level = ax.get_lines()[:2]
    np.testing.assert_array_equal(best.get_xdata(), result.history.nfev)
    np.testing.assert_array_equal(best.get_ydata(), result.history.best)
    np.testing.assert_array_equal(level.get_ydata(), result.history.level)
    assert ax.get_xlabel() == "evaluations"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["best so far", "level"]


def test_convergence_measures_from_a_reference(result):
    own = plt.figure().add_subplot()
    ax = cem.plotting.convergence(result, ax=own, reference=0.5)
    assert ax is own
    assert ax.get_yscale() == "log"
    np.testing.assert_allclose(ax.get_lines()[0].get_ydata(), np.abs(result.history.best - 0.5))


@pytest.mark.slow
def test_restarts_are_marked():
    f = cem.optimize(lambda x: x.sum(), cem.Bernoulli([0.5] * 12), max_evaluations=6000, rng=1)
    begun = (f.history.note != "").sum() - 1
    assert begun >= 1
    dotted = [line for line in f.plot().get_lines() if line.get_linestyle() == ":"]
    assert len(dotted) == begun


def test_nothing_to_draw_is_said():
    with pytest.raises(ValueError, match="no iteration"):
        cem.plotting.convergence(type("Empty", (), {"history": []})())
    with pytest.raises(ValueError, match="no families"):
        cem.plotting.distribution([])
    with pytest.raises(TypeError, match="no picture for Permutation"):
        cem.plotting.distribution(cem.Permutation(4))


def test_ellipses_hold_their_mass():
    family = cem.Gaussian([1.0, -2.0, 5.0], covariance=[[2, 0.5, 0], [0.5, 1, 0], [0, 0, 1]])
    ax = cem.plotting.distribution([family], variables=(0, 1))
    edge = np.stack(ax.get_lines()[0].get_data(), axis=1) - family.mean[:2]
    distance = np.einsum("ni,ij,nj->n", edge, np.linalg.inv(family.covariance[:2, :2]), edge)
    np.testing.assert_allclose(distance, -2 * np.log(0.1))


def test_bits_and_labels_are_heat_maps():
    families = [cem.Bernoulli([0.1, 0.9, 0.5]), cem.Bernoulli([0.0, 1.0, 0.5])]
    image = cem.plotting.distribution(families).get_images()[0]
    np.testing.assert_array_equal(image.get_array(), [[0.1, 0.9, 0.5], [0, 1, 0.5]])
    labels = cem.plotting.distribution(cem.Categorical([[0.2, 0.8], [0.3, 0.3, 0.4]]))
    np.testing.assert_allclose(labels.get_images()[0].get_array(), [[0.8, 0.4]])


def test_one_variable_is_a_band():
    ax = cem.plotting.distribution([cem.Gaussian([0.0], std=2), cem.Gaussian([1.0], std=1)])
    np.testing.assert_array_equal(ax.get_lines()[0].get_ydata(), [0, 1])


def test_families_of_a_run_are_drawn():
    families = []
    cem.optimize(
        lambda x: ((x - 1) ** 2).sum(),
        bounds=[(-5, 5)] * 2,
        method="textbook",
        callback=lambda intermediate_result: families.append(intermediate_result.family),
        rng=1,
    )
    ax = cem.plotting.distribution(families)
    assert len(ax.get_lines()) == len(families) + 1


def test_an_estimate_shows_its_interval(estimate):
    ax = estimate.plot(reference=11 * np.exp(-10))
    right = next(other for other in ax.figure.axes if other is not ax)
    assert right.get_yscale() == "log"
    assert right.get_ylabel().startswith("probability")
    levels = np.concatenate([line.get_ydata() for line in ax.get_lines()])
    assert len(levels) == len(estimate.history)
    history, measured = estimate.history, np.isfinite(estimate.history.cv)
    assert measured.any()
    np.testing.assert_array_equal(right.get_lines()[0].get_xdata(), history.nfev[measured])
    np.testing.assert_array_equal(right.get_lines()[0].get_ydata(), history.probability[measured])
    bar = right.containers[0]
    low, high = estimate.confidence_interval()
    np.testing.assert_allclose(bar[2][0].get_segments()[0][:, 1], [low, high])


def test_a_quantile_is_drawn():
    q = cem.estimate_quantile(lambda x: x[0], cem.Gaussian([0.0], std=1), 1e-3, rng=1)
    right = q.plot().figure.axes[1]
    assert right.get_ylabel().startswith("quantile")


def test_weights_fall_and_are_counted(estimate):
    ax = cem.plotting.weights(estimate, largest=20)
    heights = [bar.get_height() for bar in ax.patches]
    assert heights == sorted(heights, reverse=True)
    assert len(heights) == 20
    assert f"{estimate.effective_sample_size:.0f}" in ax.get_title()


def test_the_loss_of_a_half_is_one_bit():
    x, y = cem.plotting.loss(base=2).get_lines()[0].get_data()
    assert np.interp(0.5, x, y) == pytest.approx(1, abs=1e-3)


@pytest.mark.slow
def test_cem_never_imports_matplotlib():
    code = (
        "import sys, cem; [getattr(cem, n) for n in cem.__all__ if n != 'plotting'];"
        "r = cem.optimize(lambda x: x.sum(), cem.Bernoulli([0.5] * 4), rng=1); repr(r);"
        "assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_stages_are_named_where_there_is_room(result):
    names = {text.get_text() for text in result.plot().texts}
    assert names
    assert names <= set(result.history.stage)


def test_a_stage_has_one_colour_and_one_name(estimate):
    ax = estimate.plot()
    names = [text.get_text() for text in ax.figure.axes[1].get_legend().get_texts()]
    assert sorted(names) == sorted(set(estimate.history.stage))


def test_the_best_line_ends_at_the_answer():
    sphere = {"fun": lambda x: (x**2).sum(), "bounds": [(-1, 2)] * 4}
    r = cem.optimize(**sphere, method="textbook", target=1e-3, rng=1)
    assert r.nfev > r.history.nfev[-1]
    line = r.plot().get_lines()[0]
    assert (line.get_xdata()[-1], line.get_ydata()[-1]) == (r.nfev, r.fun)


@pytest.mark.parametrize(
    ("draw", "error", "said"),
    [
        (lambda r, e: cem.plotting.estimate(r), TypeError, "draws an estimate .*got an OptimizeResult"),
        (lambda r, e: cem.plotting.weights(r), TypeError, "an estimate of a probability"),
        (
            lambda r, e: cem.plotting.convergence(np.zeros(3)),
            TypeError,
            "a result or its history, got a ndarray",
        ),
        (lambda r, e: r.plot(ax=plt.figure()), TypeError, "ax must be the axes of a figure.*got a Figure"),
        (lambda r, e: r.plot(ax=plt.subplots(1, 2)[1]), TypeError, "got a ndarray"),
        (lambda r, e: r.plot(reference="best"), TypeError, "reference must be a number"),
        (lambda r, e: r.plot(reference=np.nan), ValueError, "reference must be finite"),
        (lambda r, e: cem.plotting.weights(e, largest=0), ValueError, "largest must be a positive"),
        (lambda r, e: cem.plotting.distribution(r.family, variables=(0, 5)), ValueError, "from 0 to 1, got"),
        (
            lambda r, e: cem.plotting.distribution(r.family, variables=1),
            ValueError,
            "two numbers of variables",
        ),
        (
            lambda r, e: cem.plotting.distribution([cem.Bernoulli([0.5]), cem.Bernoulli([0.5, 0.5])]),
            ValueError,
            "of the same dimension",
        ),
    ],
)
def test_what_cannot_be_drawn_is_said(result, estimate, draw, error, said):
    with pytest.raises(error, match=said):
        draw(result, estimate)
