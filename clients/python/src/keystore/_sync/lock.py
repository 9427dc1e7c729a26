# Generated from keystore/_async/lock.py by tools/generate.py; do not edit.
"""A lock that ends by itself."""

import os
import time
from types import TracebackType
from typing import Any, Optional, Type

from .. import errors
from ..calls import jitter
from ..config import Config
from ..values import Key, Seconds, in_seconds
from . import rt


class Lock:
    """A key that exists while somebody holds the lock, for `ttl` seconds unless it is extended.

    It cannot stop a holder that was delayed beyond that. So pass `token` on with each write to what
    the lock protects, and have writes refused there whose token is below the highest one seen: the
    token of a later holder is higher. Example::

        with client.lock("report", ttl=10) as lock:
            publish(report, lock.token)
    """

    def __init__(
        self, client: Any, config: Config, key: Key, ttl: Seconds, wait: Optional[Seconds]
    ) -> None:
        self._client = client
        self._config = config
        self._wait = None if wait is None else in_seconds(wait)
        self._owner = b""
        self._version = 0
        self.key = key
        self.ttl = in_seconds(ttl)

    @property
    def token(self) -> int:
        """The fencing token: the version with which the lock was taken."""
        if not self._version:
            raise errors.LockLost(f"the lock {self.key!r} is not held")
        return self._version

    def acquire(self) -> bool:
        """Takes the lock; false if somebody else held it for as long as may be waited."""
        owner = os.urandom(16)
        deadline = None if self._wait is None else time.monotonic() + self._wait
        number = 0
        while True:
            written = self._client.set(self.key, owner, ttl=self.ttl, if_absent=True)
            if written.ok:
                self._owner, self._version = owner, written.version
                return True
            number += 1
            pause = jitter(self._config, min(number, 4))
            if deadline is not None and time.monotonic() + pause >= deadline:
                return False
            rt.sleep(pause)

    def extend(self, ttl: Optional[Seconds] = None) -> None:
        """Holds the lock for that many seconds from now on; the token stays. Raises LockLost."""
        with self._client.txn() as txn:
            txn.compare(self.key, value=self._owner)
            txn.expire(self.key, ttl=self.ttl if ttl is None else ttl)
        if not txn.succeeded:
            self._version = 0
            raise errors.LockLost(f"the lock {self.key!r} has expired before it was extended")

    def release(self) -> None:
        """Raises LockLost if the lock has expired: somebody else may have had it."""
        token, self._version = self._version, 0
        if not token or not self._client.delete(self.key, if_value=self._owner):
            raise errors.LockLost(f"the lock {self.key!r} has expired before it was released")

    def __enter__(self) -> "Lock":
        if not self.acquire():
            raise errors.LockTimeout(f"somebody else holds the lock {self.key!r}")
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        try:
            self.release()
        except errors.KeyStoreError:
            if kind is None:  # else the error of the body says more
                raise
