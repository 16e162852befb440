"""Which method estimates a probability: what its inputs suit, and what may be spent."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from cem.core.loop import Batch, Request
from cem.families.base import Family
from cem.rare_events.importance import Finding
from cem.rare_events.improved import probability_plan
from cem.rare_events.looked import longest_measurement, looked_at
from cem.rare_events.multilevel import multilevel
from cem.rare_events.settings import DEFAULT, Settings
from cem.rare_events.spaces.normal import NormalSpace
from cem.rare_events.surrogate.plan import FEW_EVALUATIONS, MOST_DIMENSIONS, surrogate_plan
from cem.rare_events.systems import System
from cem.rare_events.working_space import Inputs, discrete, resolve_inputs, space_of_rows

POPULATION = 1000
METHODS = ("auto", "improved", "surrogate", "multilevel")

Plan = Callable[[float, float], Generator[Request, Batch, Finding]]


def choose_plan(
    method: str | Settings,
    inputs: Any,
    family: Family | None,
    most: int | None,
    pass_rng: bool,
    resolution: float | None,
    system: System | None = None,
) -> tuple[Inputs, Plan]:
    """Return where to sample, and the plan of the method: ``plan(level, target_cv)``.

    Raises
    ------
    ValueError
        For a method that there is not, or that the inputs do not suit.
    """
    settings = method if isinstance(method, Settings) else DEFAULT
    if not isinstance(method, Settings) and method not in METHODS:
        raise ValueError(
            f"method must be {', '.join(map(repr, METHODS[:-1]))} or {METHODS[-1]!r}, got {method!r}."
        )
    source = resolve_inputs(inputs, family, own=method == "multilevel", settings=settings)
    space = source.space
    few = method == "auto" and most is not None and most < FEW_EVALUATIONS
    few = few and not pass_rng and resolution is None
    if method == "surrogate" and (pass_rng or resolution or not isinstance(space, NormalSpace)):
        raise ValueError(
            'method="surrogate" takes inputs that are Gaussian, Exponential, Gamma, scipy.stats marginals or '
            'JointInputs, no family=, no resolution= and no pass_rng=True; "auto" takes any.'
        )
    if isinstance(space, NormalSpace) and (method == "surrogate" or (few and is_smooth(source, inputs))):
        smooth = space
        return source, lambda level, target_cv: surrogate_plan(smooth, level, target_cv, most, system)
    if space is not None:
        return source, lambda level, target_cv: probability_plan(
            space, level, target_cv, resolution=resolution, noisy=pass_rng
        )
    if resolution is not None:
        raise ValueError(
            "resolution= is of the improved method; beside the multilevel one, sample the inputs yourself."
        )
    if method not in ("auto", "multilevel"):
        raise ValueError(
            'method="improved" takes inputs that are Gaussian, Exponential, Gamma, Bernoulli, Categorical, '
            "MarkovPath, scipy.stats marginals or JointInputs, and no family=; "
            '"auto" and "multilevel" take any.'
        )
    rows = None if method == "auto" and family is None else space_of_rows(source.nominal)

    def plan(level: float, target_cv: float) -> Generator[Request, Batch, Finding]:
        if rows is None:
            return multilevel(source, level, target_cv, POPULATION)
        climbed = multilevel(
            source, level, target_cv, POPULATION, most=longest_measurement(target_cv, POPULATION)
        )
        return looked_at(climbed, rows, level, target_cv, POPULATION)

    return source, plan


def is_smooth(source: Inputs, inputs: Any) -> bool:
    """Whether the inputs are as continuous and as few as a surrogate likes."""
    space = source.space
    return isinstance(space, NormalSpace) and space.dimension <= MOST_DIMENSIONS and not discrete(inputs)
