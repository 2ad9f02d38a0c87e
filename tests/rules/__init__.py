"""Rules without a town: each test in milliseconds, so that a changed rule is noticed at once (`make mutants`)."""
