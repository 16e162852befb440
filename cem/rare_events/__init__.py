"""The estimators of small probabilities and quantiles."""
