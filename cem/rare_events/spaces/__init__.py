"""Where the improved estimator works: how proposals of each kind of inputs are fitted."""
