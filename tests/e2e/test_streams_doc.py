"""The examples of docs/streams.md do what the text says."""

import re
import subprocess
import sys

import pytest

from keystore_env import ROOT, STUBS

TEXT = (ROOT / "docs" / "streams.md").read_text()
# What the examples of a section print.
PRINTED = {
    "Publish and Subscribe": r"news \d+ It works\.\nweather\.north \d+ Rain\.\n",
}


def examples(section):
    body = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S)[1]
    return re.findall(r"^```python\n(.*?)^```", body, re.M | re.S)


@pytest.mark.parametrize("section", PRINTED)
def test_examples(server, section):
    code = "\n".join(examples(section))
    assert code
    done = subprocess.run([sys.executable, "-c", f"address = {server.address!r}\n{code}"],
                          env={"PYTHONPATH": str(STUBS)}, capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(PRINTED[section], done.stdout), done.stdout
