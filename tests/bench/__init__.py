"""Benchmarks (`make bench`): never tests, because a shared machine is no clock."""
