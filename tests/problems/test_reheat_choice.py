"""Which reheat to make next: Thompson sampling on improvements per unit of work."""

import numpy as np
import pytest

from problems.maxcut.search.improvement import FORGET, LENGTHS, TEMPERATURES, ReheatChoice

KINDS = len(TEMPERATURES) * len(LENGTHS)


def taught(rates, work, rounds, seed=0):
    """Choose and learn, where kind k improves at rates[k] per unit of work; give the kinds chosen."""
    rng = np.random.default_rng(seed)
    choice, chosen = ReheatChoice.fresh(), []
    for _ in range(rounds):
        kind = choice.choose(rng)
        choice.learn(kind, float(rng.poisson(rates[kind] * work[kind])), work[kind])
        chosen.append(kind)
    return np.array(chosen)


def test_at_first_every_kind_is_as_likely():
    rng = np.random.default_rng(1)
    counts = np.bincount([ReheatChoice.fresh().choose(rng) for _ in range(3000)], minlength=KINDS)
    expected = 3000 / KINDS
    assert np.sum((counts - expected) ** 2) / expected < KINDS - 1 + 5 * np.sqrt(2 * (KINDS - 1))


@pytest.mark.parametrize("best", [0, 7, KINDS - 1])
def test_it_finds_the_kind_that_pays(best):
    rates = np.full(KINDS, 0.1)
    rates[best] = 3.0
    chosen = taught(rates, np.ones(KINDS), 1000)
    assert np.mean(chosen[500:] == best) > 0.5, "more often than all others together"


def test_what_pays_is_counted_by_the_unit_of_work():
    """Kind 1 improves twice as often each time, but takes ten times as long."""
    rates, work = np.zeros(KINDS), np.ones(KINDS)
    rates[:2], work[1] = (1.0, 0.2), 10.0
    chosen = taught(rates, work, 1000)
    assert np.sum(chosen[500:] == 0) > 3 * np.sum(chosen[500:] == 1)


def test_no_improvement_leaves_all_kinds_in_the_game():
    """Then the work is shared out evenly: long kinds are chosen less often."""
    work = np.where(np.arange(KINDS) % 2, 4.0, 1.0)
    chosen = taught(np.zeros(KINDS), work, 4000)
    spent = np.bincount(chosen, work[chosen], KINDS)
    assert spent.min() > 0.5 * spent.mean()


def test_the_past_is_forgotten_slowly():
    choice = ReheatChoice.fresh()
    choice.learn(3, 2.0, 10.0)
    choice.learn(4, 1.0, 5.0)
    assert choice.wins[3] == pytest.approx(2 * FORGET)
    assert choice.work[3] == pytest.approx(10 * FORGET)
    assert (choice.wins[4], choice.work[4]) == (1.0, 5.0)


def test_the_same_generator_chooses_the_same():
    rates = np.linspace(0, 1, KINDS)
    np.testing.assert_array_equal(*(taught(rates, np.ones(KINDS), 200, seed=5) for _ in range(2)))
