"""Families: the immutable distributions that the loop moves."""

from cem.families.base import Family
from cem.families.bernoulli import Bernoulli
from cem.families.bernoulli_mixture import BernoulliMixture
from cem.families.bernoulli_tree import BernoulliTree
from cem.families.categorical import Categorical
from cem.families.categorical_mixture import CategoricalMixture
from cem.families.exponential import Exponential
from cem.families.factored_gaussian import FactoredGaussian
from cem.families.gamma import Gamma
from cem.families.gaussian import Gaussian
from cem.families.gaussian_mixture import GaussianMixture
from cem.families.linkage_tree import LinkageTree
from cem.families.low_rank_gaussian import LowRankGaussian
from cem.families.markov_path import MarkovPath
from cem.families.permutation import Permutation
from cem.families.product import Product
from cem.families.von_mises_fisher_nakagami import VonMisesFisherNakagami

__all__ = [
    "Bernoulli",
    "BernoulliMixture",
    "BernoulliTree",
    "Categorical",
    "CategoricalMixture",
    "Exponential",
    "FactoredGaussian",
    "Family",
    "Gamma",
    "Gaussian",
    "GaussianMixture",
    "LinkageTree",
    "LowRankGaussian",
    "MarkovPath",
    "Permutation",
    "Product",
    "VonMisesFisherNakagami",
]
