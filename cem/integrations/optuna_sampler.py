"""A sampler for Optuna's studies (extra `optuna`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cem.core.budget import positive_count
from cem.core.sampling import draw
from cem.core.streams import Purpose, RngLike, Streams
from cem.core.variables import Integer, Real
from cem.integrations.grids import Grid, Loop, choice, steps

try:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.samplers import BaseSampler, RandomSampler
    from optuna.search_space import IntersectionSearchSpace
    from optuna.study import StudyDirection
    from optuna.trial import TrialState
except ImportError as error:
    raise ImportError("the Optuna sampler needs optuna: pip install cemkit[optuna]") from error

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

_GENERATION, _ROW = "cem:generation", "cem:row"


class CrossEntropySampler(BaseSampler):  # type: ignore[misc]
    """Sample trials of a study by the cross-entropy method; numbers and categories are learned together.

    What it has learned is read from the trials in the study's storage: several processes share it, and a
    study that is loaded again goes on. A generation is learned from as soon as `population` of its trials are
    complete; those that fail or are pruned are replaced.

    Parameters
    ----------
    population : int, optional
        Trials that are learned from at once. Default: the update's own.
    seed : None, int or numpy.random.SeedSequence
        Repeats a study that runs trial by trial. Processes that share a study need the same one.
    n_startup_trials : int
        Trials before the first generation, drawn independently, which show the search space.
    independent_sampler : optuna.samplers.BaseSampler, optional
        For these, and for parameters that only some trials have. Default: a `RandomSampler`.

    Raises
    ------
    TypeError, ValueError
        For bad arguments.

    Examples
    --------
    >>> import optuna
    >>> from cem.integrations.optuna_sampler import CrossEntropySampler
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study(sampler=CrossEntropySampler(seed=1))
    >>> study.optimize(lambda t: t.suggest_float("x", -5, 5) ** 2, n_trials=100)
    >>> study.best_value < 1e-3
    True
    """

    def __init__(
        self,
        population: int | None = None,
        *,
        seed: RngLike = None,
        n_startup_trials: int = 1,
        independent_sampler: BaseSampler | None = None,
    ) -> None:
        self._population = None if population is None else positive_count("population", population)
        self._streams = Streams.from_rng(seed)
        self._startup = positive_count("n_startup_trials", n_startup_trials)
        words = int(self._streams.generator(Purpose.PLAN).integers(2**32))
        self._independent = RandomSampler(seed=words) if independent_sampler is None else independent_sampler
        self._shared = IntersectionSearchSpace()
        self._loops: dict[tuple[Any, ...], Loop] = {}

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the parameters that all complete trials have, and that have more than one value."""
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len(complete) < self._startup:
            return {}
        common = self._shared.calculate(study)
        return {name: each for name, each in common.items() if not each.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return values for the parameters of the search space, drawn from the present distribution.

        Raises
        ------
        ValueError
            If the study has more than one objective.
        """
        self._raise_error_if_multi_objective(study)
        if not search_space:
            return {}
        loop = self._learned(study, search_space)
        method, generation = loop.method, len(loop.method.history)
        drawn = draw(
            method.family,
            1,
            lambda block: self._streams.generator(Purpose.SAMPLE, trial.number, block),
            loop.space.domain,
        )
        (row,) = loop.space.present(drawn)
        for name, value in ((_GENERATION, generation), (_ROW, row.tolist())):
            study._storage.set_trial_system_attr(trial._trial_id, name, value)
        return loop.values(row)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return a value for a parameter outside the search space."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Let the independent sampler know of a trial."""
        self._independent.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        """Let the independent sampler know of a trial's end."""
        self._independent.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """Leave this sampler's streams, which are named by the trials' numbers, as they are."""
        self._independent.reseed_rng()

    def _learned(self, study: Study, search_space: Mapping[str, BaseDistribution]) -> Loop:
        """Return the loop of a search space, with all complete generations told."""
        maximize = study.direction == StudyDirection.MAXIMIZE
        key = (study._study_id, maximize, *((name, repr(each)) for name, each in search_space.items()))
        loop = self._loops.get(key)
        if loop is None:
            grids = {name: _grid(each) for name, each in search_space.items()}
            loop = Loop.over(grids, self._population, maximize, self._streams.seed)
            self._loops[key] = loop
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        names = set(search_space)
        while True:
            generation = len(loop.method.history)
            told = [
                each
                for each in complete
                if each.system_attrs.get(_GENERATION) == generation
                and names <= set(each.params)
                and len(each.system_attrs[_ROW]) == len(names)
            ][: loop.population]
            if len(told) < loop.population:
                return loop
            rows = np.array([each.system_attrs[_ROW] for each in told])
            loop.method.tell(rows, np.array([each.value for each in told], dtype=np.float64))


def _grid(distribution: BaseDistribution) -> Grid:
    """Return what stands for a distribution of Optuna's."""
    if isinstance(distribution, CategoricalDistribution):
        return choice(distribution.choices)
    if not isinstance(distribution, FloatDistribution | IntDistribution):
        raise TypeError(f"a parameter is a float, an int or categorical, not {distribution!r}.")
    low, high, step = distribution.low, distribution.high, distribution.step
    if isinstance(distribution, IntDistribution) and step == 1:
        return Grid(Integer(int(low), int(high), log=distribution.log))
    if step is None:
        return Grid(Real(low, high, log=distribution.log))
    return steps(low, round((high - low) / step) + 1, step)


__all__ = ["CrossEntropySampler"]
