"""Values as JSON has them."""

import json
from enum import IntEnum

import numpy as np
import pytest

from cem.core.plain import plain


class Colour(IntEnum):
    RED = 3


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.array(1.5), 1.5),
        (np.array([[1, 2]], dtype=np.int8), [[1, 2]]),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.array([np.nan, np.inf, -np.inf]), [None, "inf", "-inf"]),
        ({1: (np.int64(2), "a")}, {"1": [2, "a"]}),
        (Colour.RED, "RED"),
        (range, "<class 'range'>"),
    ],
)
def test_values_become_what_json_has(value, expected):
    found = plain(value)
    assert found == expected
    assert type(found) is type(expected)
    json.dumps(found, allow_nan=False)
