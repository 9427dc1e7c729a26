"""Shared by the suites of script/bench: servers under measurement, loads, statistics, reports."""
