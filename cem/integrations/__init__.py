"""The cross-entropy method inside other libraries; imported by nothing else, each with its own extra."""
