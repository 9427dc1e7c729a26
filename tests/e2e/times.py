"""Deadlines and waiting, for tests of what lives for a time."""

import time

HOUR_MS = 60 * 60 * 1000
PATIENCE_S = 60


def unix_ms():
    return time.time_ns() // 1000000


def in_the_past():
    return unix_ms() - 1000


class TTL:
    """What a time to live given within the block must become: a Unix time in milliseconds."""

    def __init__(self, ttl_ms):
        self._ttl_ms = ttl_ms

    def __enter__(self):
        self._began = unix_ms()
        return self

    def __exit__(self, *_):
        self._ended = unix_ms()

    def check(self, expire_at_ms):
        # The server takes its clock when it reads, which may be a tick before.
        assert self._began - 1 <= expire_at_ms - self._ttl_ms <= self._ended + 1


def wait_until(condition, describe=lambda: "it does not come to hold"):
    """Asks until it holds; between two questions other threads of the test have their turn."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, describe()
        time.sleep(0.002)
