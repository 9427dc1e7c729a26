"""What the suites of script/bench share: servers under measurement, loads, statistics, reports."""
