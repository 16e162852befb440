"""The reference cases: what they bring, and their references computed anew."""

import itertools

import numpy as np
import pytest
from scipy import stats

from problems.rare_event import counting, credit, networks, queues, suite, sums, walks

CASES = {case.name: case for case in suite()}


def test_there_are_at_least_fifty_with_names_of_their_own():
    assert len(CASES) == len(suite()) >= 50


@pytest.mark.parametrize("name", CASES)
def test_a_case_brings_everything(name):
    case = CASES[name]
    assert 0 < case.reference < 0.05
    assert 0 <= case.reference_error <= 1e-4 * case.reference
    assert case.source
    assert case.tail in ("upper", "lower")


@pytest.mark.slow
@pytest.mark.parametrize("topic", [networks, sums, walks, counting, queues], ids=lambda t: t.__name__)
def test_references_computed_anew(topic):
    for name, value in topic.compute().items():
        assert CASES[name].reference == pytest.approx(value, rel=1e-7)


@pytest.mark.slow
def test_credit_references_computed_anew():
    for name, value in credit.compute().items():
        assert CASES[name].reference == pytest.approx(value, rel=1e-7)


def test_frontier_recursion_against_enumeration():
    edges, q = networks.lattice(3, 3), 0.2
    states = np.array(list(itertools.product((0, 1), repeat=len(edges))))
    mass = q ** states.sum(axis=1) * (1 - q) ** (len(edges) - states.sum(axis=1))
    by_hand = mass @ networks.disconnected(edges, 0, 8)(states)
    assert networks.unreliability(edges, 0, 8, q) == pytest.approx(by_hand, rel=1e-12)


def test_convolutions_against_conditional_monte_carlo():
    value, error = sums.asmussen_kroese(stats.pareto(1.5), 5, 5000.0, 200_000)
    assert abs(value / CASES["Pareto sum 5"].reference - 1) < 4 * error


def test_closed_forms():
    assert CASES["linear 100"].reference == pytest.approx(stats.norm.sf(3.5), rel=5e-6)
    assert CASES["RP107"].reference == pytest.approx(stats.norm.sf(5), rel=5e-6)
    assert CASES["RP54"].reference == pytest.approx(stats.gamma.cdf(8.951, 20), rel=5e-6)
    assert CASES["chi-square"].reference == pytest.approx(stats.chi2.sf(45, 10), rel=5e-6)
    assert CASES["max of ten"].reference == pytest.approx(-np.expm1(10 * stats.norm.logcdf(4.5)), rel=5e-6)
    assert CASES["min of five"].reference == pytest.approx(stats.norm.sf(1.5) ** 5, rel=5e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["RP22", "RP31", "RP35", "RP53", "RP57", "RP75", "RP89", "lattice 6 0.1"])
def test_likely_references_by_plain_monte_carlo(name):
    case, n = CASES[name], 400_000
    performance = case.performance(case.inputs.sample(n, np.random.default_rng(1)))
    hits = (performance >= case.level if case.tail == "upper" else performance <= case.level).mean()
    assert abs(hits - case.reference) <= 4 * np.sqrt(case.reference / n)
