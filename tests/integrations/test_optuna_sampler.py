"""The sampler for Optuna's studies: mixed spaces, storages, failures."""

import numpy as np
import pytest

optuna = pytest.importorskip("optuna")

from cem.integrations.optuna_sampler import CrossEntropySampler  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def mixed(trial):
    x = trial.suggest_float("x", -5, 5)
    y = trial.suggest_float("y", 1e-5, 1, log=True)
    k = trial.suggest_int("k", 0, 9)
    s = trial.suggest_float("s", 0, 1, step=0.25)
    m = trial.suggest_int("m", 2, 12, step=5)
    c = trial.suggest_categorical("c", ["a", "b", None])
    assert s in (0, 0.25, 0.5, 0.75, 1)
    assert m in (2, 7, 12)
    assert isinstance(k, int)
    off = {"a": 0, "b": 1, None: 2}[c]
    return (x - 1) ** 2 + (np.log10(y) + 3) ** 2 + (k - 7) ** 2 / 4 + off + (s - 0.5) ** 2 + abs(m - 7)


def run(sampler, objective=mixed, n=150, **options):
    study = optuna.create_study(sampler=sampler, **options)
    study.optimize(objective, n_trials=n)
    return study


def test_a_mixed_space():
    """Random search ends at 2 or so; a fifth of that is far outside its spread."""
    best = [run(CrossEntropySampler(seed=seed), n=200).best_value for seed in range(3)]
    assert max(best) < 0.5


def test_a_seed_repeats_a_study():
    values = [[t.value for t in run(CrossEntropySampler(seed=3), n=60).trials] for _ in range(2)]
    assert values[0] == values[1]


def test_it_goes_on_from_a_storage():
    kept = optuna.storages.InMemoryStorage()
    whole = [t.value for t in run(CrossEntropySampler(seed=3), n=60).trials]
    study = optuna.create_study(storage=kept, sampler=CrossEntropySampler(seed=3), study_name="s")
    study.optimize(mixed, n_trials=31)
    study = optuna.load_study(storage=kept, sampler=CrossEntropySampler(seed=3), study_name="s")
    study.optimize(mixed, n_trials=29)
    assert [t.value for t in study.trials][1:] == whole[1:]  # the first is the independent sampler's


def test_maximising():
    def bits(trial):
        return sum(trial.suggest_categorical(f"b{i}", [0, 1]) for i in range(12))

    assert run(CrossEntropySampler(seed=1), bits, 150, direction="maximize").best_value >= 11


def test_whole_numbers_alone():
    def off(trial):
        return abs(trial.suggest_int("a", 0, 99) - 40) + (trial.suggest_int("b", 1, 1000, log=True) - 30) ** 2

    assert run(CrossEntropySampler(seed=1), off, 200).best_value <= 10


def test_failures_and_pruned_trials_are_replaced():
    def shaky(trial):
        x = trial.suggest_float("x", -5, 5)
        if trial.number % 3 == 1:
            raise optuna.TrialPruned
        if trial.number % 7 == 2:
            raise ZeroDivisionError
        return x * x

    study = optuna.create_study(sampler=CrossEntropySampler(seed=1))
    study.optimize(shaky, n_trials=150, catch=(ZeroDivisionError,))
    assert study.best_value < 1e-2


def test_parameters_of_some_trials_only():
    def conditional(trial):
        kind = trial.suggest_categorical("kind", ["square", "line"])
        x = trial.suggest_float("x", -1, 1)
        return x * x + (1 + trial.suggest_float("y", 0, 1) if kind == "line" else 0)

    study = run(CrossEntropySampler(seed=1), conditional, 120)
    assert study.best_params["kind"] == "square"
    assert study.best_value < 1e-2


def test_constants_are_left_out():
    study = run(CrossEntropySampler(seed=1), lambda t: t.suggest_float("x", 2, 2), 5)
    assert study.best_value == 2


def test_two_objectives_are_refused():
    study = optuna.create_study(sampler=CrossEntropySampler(seed=1), directions=["minimize", "maximize"])
    with pytest.raises(ValueError, match="multi-objective"):
        study.optimize(lambda t: (t.suggest_float("x", 0, 1), 1.0), n_trials=3)


@pytest.mark.parametrize("options", [{"population": 0}, {"n_startup_trials": 0}, {"seed": -1}])
def test_bad_arguments(options):
    with pytest.raises(ValueError, match="must be"):
        CrossEntropySampler(**options)
