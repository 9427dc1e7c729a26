"""A server whose disk is slow, by a library that lets each sync take as long as wanted."""

import os
import subprocess

import pytest

from keystore_env import SANITIZE
from server_process import Server

# What the server logs when a sync has not ended for a while, as one of SYNC_US makes it do.
WAITING = "the disk has not been done with a write or sync of the log for"
SYNC_US = 2_500_000

SLOW_SYNC = os.path.join(os.path.dirname(__file__), "../../bench/peers/slow_sync.c")


def start_on_slow_disk(tmp_path, monkeypatch, sync_us, **options):
    if SANITIZE:
        pytest.skip("a sanitizer has to be the first library")
    library = tmp_path / "slow-sync.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, SLOW_SYNC],
                   check=True)
    with monkeypatch.context() as environment:
        environment.setenv("LD_PRELOAD", str(library))
        environment.setenv("SLOW_SYNC_US", str(sync_us))
        return Server(**options)
