"""The suites of script/bench. The first line of each module's docstring is its line in --help."""
