"""Ready problems for the cross-entropy method: test functions, graphs, and rare events."""
