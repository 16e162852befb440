"""Entropies, divergences and losses against known answers, closed forms and each other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cem.information import (
    cross_entropy,
    entropy,
    kl_divergence,
    perplexity,
)

P = np.array([0.10, 0.40, 0.50])


Q = np.array([0.80, 0.15, 0.05])


@dataclass(frozen=True)
class Normal:
    """A normal distribution on the line, without a closed-form divergence."""

    mean: float
    std: float

    def sample(self, n: int, rng: np.random.Generator) -> Any:
        return rng.normal(self.mean, self.std, size=(n, 1))

    def log_prob(self, x: Any) -> Any:
        z = (x[:, 0] - self.mean) / self.std
        return -0.5 * z**2 - math.log(self.std) - 0.5 * math.log(2 * math.pi)

    def entropy(self) -> float:
        return 0.5 * math.log(2 * math.pi * math.e) + math.log(self.std) if self.std else -math.inf

    def exact_kl(self, other: Normal) -> float:
        if self.std == 0:
            return math.inf
        variance_ratio = (self.std / other.std) ** 2
        shift = (self.mean - other.mean) / other.std
        return 0.5 * (variance_ratio - 1 - math.log(variance_ratio) + shift**2)


class ClosedNormal(Normal):
    """The same with a closed form, which declines another kind by a TypeError."""

    def kl_divergence(self, other: object) -> float:
        if not isinstance(other, ClosedNormal):
            raise TypeError("not a ClosedNormal")
        return self.exact_kl(other)


class DecliningNormal(Normal):
    def kl_divergence(self, other: object) -> Any:
        return NotImplemented


@dataclass(frozen=True)
class UnitUniform:
    """The uniform distribution on (0, 1)."""

    def sample(self, n: int, rng: np.random.Generator) -> Any:
        return rng.random((n, 1))

    def log_prob(self, x: Any) -> Any:
        return np.where((x[:, 0] >= 0) & (x[:, 0] <= 1), 0.0, -np.inf)

    def entropy(self) -> float:
        return 0.0


def test_known_answers_in_bits():
    assert cross_entropy(P, Q, base=2) == pytest.approx(3.288, abs=5e-4)
    assert cross_entropy(Q, P, base=2) == pytest.approx(2.906, abs=5e-4)
    assert entropy(P, base=2) == pytest.approx(1.361, abs=5e-4)
    assert entropy(Q, base=2) == pytest.approx(0.884, abs=5e-4)
    assert kl_divergence(P, Q, base=2) == pytest.approx(1.927, abs=5e-4)


def test_cross_entropy_is_entropy_plus_divergence():
    assert cross_entropy(P, Q) == pytest.approx(entropy(P) + kl_divergence(P, Q), rel=1e-14)


@pytest.mark.parametrize("base", [2, math.e, 10])
def test_base_is_a_unit(base):
    assert entropy(P, base=base) == pytest.approx(entropy(P) / math.log(base), rel=1e-14)
    assert perplexity(P, base=base) == pytest.approx(perplexity(P), rel=1e-14)
    assert cross_entropy(P, Q, base=base) == pytest.approx(cross_entropy(P, Q) / math.log(base), rel=1e-14)
    assert kl_divergence(P, Q, base=base) == pytest.approx(kl_divergence(P, Q) / math.log(base), rel=1e-14)


@pytest.mark.parametrize("one_hot", [[1], [1.0, 0.0], [0, 0, 1, 0]])
def test_certainty_has_entropy_positive_zero(one_hot):
    for value in (entropy(one_hot), cross_entropy(one_hot, one_hot), kl_divergence(one_hot, one_hot)):
        assert value == 0
        assert math.copysign(1, value) == 1
    assert perplexity(one_hot) == 1


def test_perplexity_counts_equally_likely_outcomes():
    assert perplexity(np.full(8, 1 / 8)) == pytest.approx(8, rel=1e-14)
    assert perplexity(P) == pytest.approx(math.exp(entropy(P)), rel=1e-14)


def test_mass_where_q_has_none_is_infinite_unless_clipped():
    assert cross_entropy([0.5, 0.5], [1, 0]) == math.inf
    assert kl_divergence([0.5, 0.5], [1, 0]) == math.inf
    assert cross_entropy([1, 0], [0.5, 0.5]) == pytest.approx(math.log(2))
    assert cross_entropy([0.5, 0.5], [1, 0], clip=1e-10) == pytest.approx(5 * math.log(10))
    assert kl_divergence([0, 1], [1, 0], clip=1e-10) == pytest.approx(10 * math.log(10))


def test_nearly_impossible_is_not_infinite():
    assert kl_divergence([0, 1], [1, 5e-324]) == pytest.approx(-math.log(5e-324))


def test_divergence_is_never_negative():
    p = np.random.default_rng(1).dirichlet(np.full(5, 0.3), size=1000)
    assert (kl_divergence(p, p) == 0).all()
    assert (kl_divergence(p, np.roll(p, 1, axis=0)) > 0).all()
    assert (kl_divergence(p, p * (1 + 1e-9)) >= 0).all()


def test_leading_axes_broadcast():
    rows = np.stack([P, Q])
    assert isinstance(entropy(P), float)
    assert_allclose(entropy(rows), [entropy(P), entropy(Q)], rtol=1e-15)
    assert_allclose(cross_entropy(P, rows), [cross_entropy(P, P), cross_entropy(P, Q)], rtol=1e-15)
    assert kl_divergence(rows[:, None], rows).shape == (2, 2)
    assert_array_equal(np.diag(kl_divergence(rows[:, None], rows)), 0)
    assert perplexity(rows).shape == (2,)


def test_logits_agree_with_probabilities_and_stay_stable():
    logits = np.log(Q) + 5
    assert entropy(logits, from_logits=True) == pytest.approx(entropy(Q), rel=1e-13)
    assert cross_entropy(P, logits, from_logits=True) == pytest.approx(cross_entropy(P, Q), rel=1e-13)
    assert kl_divergence(P, logits, from_logits=True) == pytest.approx(kl_divergence(P, Q), rel=1e-13)
    assert cross_entropy([0, 1], [1e4, -1e4], from_logits=True) == 2e4
    assert cross_entropy([1, 0], [0, -math.inf], from_logits=True) == 0


def test_label_smoothing_mixes_in_the_uniform():
    smooth = 0.9 * np.array([0, 1, 0]) + 0.1 / 3
    assert cross_entropy([0, 1, 0], Q, label_smoothing=0.1) == pytest.approx(cross_entropy(smooth, Q))


def test_inputs_of_any_real_kind_are_left_alone():
    p = np.array([0.25, 0.75], dtype=np.float32)
    p.flags.writeable = False
    assert cross_entropy(p, [0.25, 0.75]) == pytest.approx(entropy([0.25, 0.75]))
    assert entropy([True, False]) == 0


def test_families_in_closed_form():
    f, g = ClosedNormal(0.0, 1.0), ClosedNormal(1.0, 2.0)
    assert kl_divergence(f, g) == f.exact_kl(g)
    assert cross_entropy(f, g) == f.entropy() + f.exact_kl(g)
    assert entropy(f, base=2) == pytest.approx(f.entropy() / math.log(2))
    assert perplexity(f) == pytest.approx(math.exp(f.entropy()))
    assert kl_divergence(f, g, base=2) == pytest.approx(f.exact_kl(g) / math.log(2))


@pytest.mark.parametrize("kind", [Normal, ClosedNormal, DecliningNormal])
def test_families_by_monte_carlo(kind):
    f, g = kind(0.0, 1.0), Normal(1.0, 2.0)
    assert kl_divergence(f, g, rng=1) == pytest.approx(f.exact_kl(g), abs=0.02)
    assert cross_entropy(f, g, rng=1) == pytest.approx(f.entropy() + f.exact_kl(g), abs=0.02)


def test_monte_carlo_is_reproducible_and_uses_the_samples_asked_for():
    f, g = Normal(0.0, 1.0), Normal(1.0, 2.0)
    seeds = (3, np.random.SeedSequence(3), np.random.default_rng(3))
    assert len({kl_divergence(f, g, n_samples=100, rng=seed) for seed in seeds}) == 1
    x = f.sample(100, np.random.default_rng(3))
    assert cross_entropy(f, g, n_samples=100, rng=3) == pytest.approx(-g.log_prob(x).mean())
    assert kl_divergence(f, f, n_samples=10_000) == 0


def test_a_family_with_mass_outside_the_other_is_infinitely_far():
    assert kl_divergence(Normal(0.0, 1.0), UnitUniform(), n_samples=1000, rng=1) == math.inf


def test_a_collapsed_family_still_has_a_cross_entropy():
    f, g = ClosedNormal(0.5, 0.0), ClosedNormal(0.0, 1.0)
    assert cross_entropy(f, g) == pytest.approx(-g.log_prob(np.array([[0.5]]))[0])


def test_a_family_and_an_array_do_not_mix():
    with pytest.raises(TypeError, match="both arguments be families"):
        cross_entropy(Normal(0.0, 1.0), P)
    with pytest.raises(TypeError, match="both arguments be families"):
        kl_divergence(P, Normal(0.0, 1.0))


@pytest.mark.parametrize("options", [{"label_smoothing": 0.1}, {"from_logits": True}, {"clip": 1e-9}])
def test_options_of_arrays_are_refused_for_families(options):
    with pytest.raises(TypeError, match="for arrays"):
        cross_entropy(Normal(0.0, 1.0), Normal(0.0, 1.0), **options)


def test_no_samples_is_an_error():
    with pytest.raises(ValueError, match="n_samples must be at least 1"):
        kl_divergence(Normal(0.0, 1.0), Normal(1.0, 1.0), n_samples=0)
