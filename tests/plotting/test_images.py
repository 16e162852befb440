"""A few pictures beside those that were looked at, for matplotlib of the version that drew them.

What is drawn is tested as data in ``test_plotting.py``; this sees what data do not say: colours, dashes, what
covers what. Text is left out: it is rendered differently from machine to machine. To draw the baselines anew,
remove them and run the test.
"""

from pathlib import Path

import numpy as np
import pytest

import cem

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.testing.decorators import remove_ticks_and_titles  # noqa: E402
from PIL import Image  # noqa: E402

BASELINES = Path(__file__).parent / "baselines"
TOLERANCE = (
    6.0  # of 255, root of the mean square: lines that lie half a pixel off; a colour changed is over 8
)
ROUND = cem.Gaussian([1.0, -1.0], covariance=[[1.0, 0.6], [0.6, 1.0]])


def moving(ax):
    cem.plotting.distribution([cem.Gaussian([-2.0, 2.0], std=[1.5, 1.0]), ROUND], ax=ax)


def bits(ax):
    cem.plotting.distribution([cem.Bernoulli([0.5, 0.5, 0.5]), cem.Bernoulli([0.9, 0.1, 0.6])], ax=ax)


def loss(ax):
    cem.plotting.loss(ax=ax, base=2)


def drawn(draw, path):
    """Draw into a file without text; return the pixels."""
    with matplotlib.rc_context(matplotlib.rcParamsDefault):
        figure, ax = plt.subplots(figsize=(2, 1.5), dpi=80)
        draw(ax)
        for each in figure.axes:
            each.set(xlabel="", ylabel="")
            if each.get_legend() is not None:
                each.get_legend().remove()
        remove_ticks_and_titles(figure)
        figure.savefig(path, dpi=80)
        plt.close(figure)
    return pixels(path)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), dtype=float)


@pytest.mark.parametrize("draw", [moving, bits, loss], ids=lambda draw: draw.__name__)
def test_a_picture_is_as_it_was(draw, tmp_path):
    baseline = BASELINES / f"{draw.__name__}.png"
    if not baseline.exists():
        BASELINES.mkdir(exist_ok=True)
        drawn(draw, baseline)
        pytest.fail(f"{baseline} was missing, and is drawn: look at it, and run the test again.")
    with Image.open(baseline) as image:
        version = image.info["Software"].split(",")[0]
    if f"version{matplotlib.__version__}" not in version:
        pytest.skip(f"drawn by {version}")
    now, then = drawn(draw, tmp_path / "now.png"), pixels(baseline)
    assert now.shape == then.shape
    assert np.sqrt(((now - then) ** 2).mean()) < TOLERANCE


def test_the_tolerance_tells_a_line_that_is_missing():
    then = pixels(BASELINES / "loss.png")
    blank = then.copy()
    blank[(np.ptp(then, axis=2) > 30)] = 255
    assert np.sqrt(((blank - then) ** 2).mean()) > TOLERANCE
