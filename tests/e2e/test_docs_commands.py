"""The commands of the guides to security and users, as they are written there."""

import os
import re
import subprocess

import pytest

from certs import LISTEN
from clients import CALL_TIMEOUT_S
from keystore_env import BIN, ROOT

# What the guides leave to a reader: to wait until the server has started, and to stop it.
WAIT = """{command} >started 2>log & server=$!
trap 'kill $server && wait $server' EXIT
until port=$(sed -n 's/^Server started on port \\([0-9]*\\).*/\\1/p' started) && [ -n "$port" ]; do
    kill -0 $server || {{ cat log >&2; exit 1; }}
    sleep 0.05
done
"""


def block_under(guide, heading):
    text = (ROOT / "docs" / guide).read_text()
    return re.search(rf"^## {heading}\n\n```sh\n(.*?)^```$", text, re.M | re.S).group(1)


@pytest.mark.parametrize("guide, heading", [("security.md", "TLS and users in five commands"),
                                            ("users.md", "Five commands")])
def test_the_commands(tmp_path, guide, heading):
    """The server gets a port of its own, and its client is told."""
    steps = []
    for line in block_under(guide, heading).splitlines():
        if line.startswith("keystore-server ") and line.endswith("&"):
            command = line.rstrip(" &").replace("0.0.0.0:50051", LISTEN)
            if "listen" not in command:
                command += f" --listen {LISTEN}"
            assert "50051" not in command
            steps.append(WAIT.format(command=command))
        elif line.startswith("keystore-cli "):
            steps.append(line.replace("keystore-cli ", "keystore-cli -p $port ", 1))
        else:
            steps.append(line)
    (tmp_path / "script").symlink_to(ROOT / "script")
    done = subprocess.run(["bash", "-euc", "\n".join(steps)], cwd=tmp_path, capture_output=True,
                          text=True, timeout=CALL_TIMEOUT_S, check=False,
                          env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "OK", done.stdout
