"""Descents over whole numbers."""

import numpy as np
import pytest
from helpers import serve

from cem.core.domain import Domain
from cem.local_search.mixed_descent import MixedDescent


def narrow_diagonal(x):
    """A valley along the diagonal: every single step leads up, unless it is at the bottom."""
    return 100 * (x[0] - x[1]) ** 2 + (x[0] + x[1] - 10) ** 2


@pytest.mark.parametrize(("pairs", "end"), [(False, 0), (True, 5)])
@pytest.mark.parametrize("width", [1, 4])
def test_pairs_of_whole_numbers_go_along_a_turned_valley(pairs, end, width):
    whole = Domain(np.full(2, -20.0), np.full(2, 20.0), integer=np.ones(2))
    none = np.zeros(2, dtype=bool)
    rng = np.random.default_rng(0)
    descent = MixedDescent(whole, np.full(2, 16.0), none, none, None, lambda x: x, rng, width, pairs)
    (x, value), _ = serve(narrow_diagonal, descent.run(np.zeros(2), narrow_diagonal(np.zeros(2))), whole)
    np.testing.assert_array_equal(x, end)
    assert value == narrow_diagonal(x)


@pytest.mark.parametrize(("reals_first", "end"), [(False, 1), (True, 0)])
def test_reals_that_go_first_keep_a_label_that_is_only_good_at_their_optimum(reals_first, end):
    domain = Domain([-5.0, -5.0, 0.0], [5.0, 5.0, 1.0], integer=np.array([0, 0, 1]))
    label, none = np.array([False, False, True]), np.zeros(3, dtype=bool)

    def fun(x):
        far = ((x[:2] - 1) ** 2).sum()
        return 30 * far if x[2] == 1 else 1 + (x[:2] ** 2).sum()

    rng = np.random.default_rng(0)
    descent = MixedDescent(
        domain, np.full(3, 10.0), label, none, None, lambda x: x, rng, reals_first=reals_first
    )
    begin = np.array([-4.0, -3.0, 1.0])
    (_, value), _ = serve(fun, descent.run(begin, fun(begin)), domain)
    assert value == pytest.approx(end, abs=1e-8)
