"""Servers that have not loaded their data yet, for as long as a test needs."""

import subprocess
from contextlib import contextmanager

from datadir import DataDir, command
from keystore_env import SERVER

MINUTES = 100_000  # in commands of loading_directory()


def loading_directory(path, commands=MINUTES):
    """A small log that looks through a long list again and again: a millisecond a command."""
    push = command("RPUSH", "l", *["x"] * 1000)
    DataDir(path, None,
            [command("SELECT", 0) + push * 1000 + command("LREM", "l", 0, "y") * commands])


@contextmanager
def starting(directory, *arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
    """A server that loads this directory; killed in the end."""
    with subprocess.Popen([str(SERVER), "--dir", str(directory), *map(str, arguments)],
                          stdout=stdout, stderr=stderr, text=True) as process:
        try:
            yield process
        finally:
            process.kill()
