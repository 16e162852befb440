"""Families: the immutable distributions that the loop moves."""

from cem.families.base import Family
from cem.families.bernoulli import Bernoulli
from cem.families.bernoulli_mixture import BernoulliMixture
from cem.families.bernoulli_tree import BernoulliTree
from cem.families.categorical import Categorical
from cem.families.exponential import Exponential
from cem.families.gaussian import Gaussian
from cem.families.gaussian_mixture import GaussianMixture

__all__ = [
    "Bernoulli",
    "BernoulliMixture",
    "BernoulliTree",
    "Categorical",
    "Exponential",
    "Family",
    "Gaussian",
    "GaussianMixture",
]
