"""The cross-entropy method: optimisation, max-cut and rare-event probabilities from one loop."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cem.core.version import __version__ as __version__

if TYPE_CHECKING:
    from cem import information, plotting, updates
    from cem.ask_tell import CrossEntropyMethod
    from cem.core.ending import ObjectiveError, Status
    from cem.core.variables import Choice, Integer, Real
    from cem.families import (
        Bernoulli,
        BernoulliTree,
        Categorical,
        Exponential,
        Family,
        Gamma,
        Gaussian,
        GaussianMixture,
        LinkageTree,
        MarkovPath,
        Permutation,
        Product,
        VonMisesFisherNakagami,
    )
    from cem.optimization import minimize_method, optimize
    from cem.probability import estimate_probability
    from cem.quantile import estimate_quantile
    from cem.rare_events.estimates import ProbabilityEstimate, QuantileEstimate
    from cem.rare_events.inputs import JointInputs
    from cem.running.results import OptimizeResult
    from cem.spaces import Space

_HOMES = {
    "Bernoulli": "cem.families",
    "BernoulliTree": "cem.families",
    "Choice": "cem.core.variables",
    "Categorical": "cem.families",
    "CrossEntropyMethod": "cem.ask_tell",
    "Exponential": "cem.families",
    "Family": "cem.families",
    "Gamma": "cem.families",
    "Gaussian": "cem.families",
    "Integer": "cem.core.variables",
    "GaussianMixture": "cem.families",
    "JointInputs": "cem.rare_events.inputs",
    "LinkageTree": "cem.families",
    "MarkovPath": "cem.families",
    "ObjectiveError": "cem.core.ending",
    "OptimizeResult": "cem.running.results",
    "Permutation": "cem.families",
    "Product": "cem.families",
    "ProbabilityEstimate": "cem.rare_events.estimates",
    "Space": "cem.spaces",
    "Real": "cem.core.variables",
    "QuantileEstimate": "cem.quantile",
    "Status": "cem.core.ending",
    "VonMisesFisherNakagami": "cem.families",
    "estimate_probability": "cem.probability",
    "estimate_quantile": "cem.quantile",
    "minimize_method": "cem.optimization",
    "optimize": "cem.optimization",
}
_MODULES = ("information", "plotting", "updates")

logging.getLogger("cem").addHandler(logging.NullHandler())

__all__ = [
    "Bernoulli",
    "BernoulliTree",
    "Categorical",
    "Choice",
    "CrossEntropyMethod",
    "Exponential",
    "Family",
    "Gamma",
    "Gaussian",
    "GaussianMixture",
    "Integer",
    "JointInputs",
    "LinkageTree",
    "MarkovPath",
    "ObjectiveError",
    "OptimizeResult",
    "Permutation",
    "ProbabilityEstimate",
    "Product",
    "QuantileEstimate",
    "Real",
    "Space",
    "Status",
    "VonMisesFisherNakagami",
    "estimate_probability",
    "estimate_quantile",
    "information",
    "minimize_method",
    "optimize",
    "plotting",
    "updates",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name in _MODULES:
        return import_module(f"cem.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'cem' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
