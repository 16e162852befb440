"""The loop and its vocabulary: requests, states, stopping, selection, streams, domains, budgets."""
