"""Running a plan: the driver, what it reports, and what it gives back."""
