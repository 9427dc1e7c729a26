"""The examples and the lines of the README do what they say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from servers import Server

PACKAGE = Path(__file__).resolve().parent.parent
OUTPUT = {
    "shared_keys.py": ["visits: 400", "log entries: 400", "left and right: 0 400"],
    "job_queue.py": ["different jobs done: 30"],
    "cache.py": ["looked up ann", "answered near at hand: True", "a new profile"],
    "rate_limiter.py": ["ann: 5 of 20", "bob: 3 of 3"],
    "bulk_load.py": ["loaded: 10000", "found: 10000"],
}


def run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_here() -> None:
    assert {path.name for path in (PACKAGE / "examples").glob("*.py")} == set(OUTPUT)


@pytest.mark.parametrize("name", OUTPUT)
def test_example(name: str, start_server: "type[Server]") -> None:
    said = run(str(PACKAGE / "examples" / name), start_server("--durability", "everysec").address)
    for line in OUTPUT[name]:
        assert line in said.split("\n")


def test_first_lines_of_the_readme(start_server: "type[Server]") -> None:
    text = (PACKAGE / "README.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    assert len(blocks) >= 2
    address = start_server("--durability", "everysec").address
    for block in blocks:
        said = run("-c", block.replace("127.0.0.1:50051", address))
        expected = re.findall(r"# prints (.*)$", block, re.M)
        assert said.split("\n")[:-1] == expected
