"""A near cache: strings that were read once are kept here until they change."""

import threading
from collections import OrderedDict
from types import TracebackType
from typing import Any, Callable, Dict, Generic, Optional, Type

from .. import errors, results
from ..values import Key, S, to_key
from . import rt
from .streams import AsyncWatch


class AsyncCache(Generic[S]):
    """The strings of keys with a prefix, as `get()` returns them.

    A value is stale for no longer than a change takes to arrive. While the connection of the watch is
    lost, all reads go to the server. `hits` and `misses` count.
    """

    def __init__(
        self,
        client: Any,
        watch: Callable[[], AsyncWatch[S]],
        prefix: bytes,
        max_entries: int,
    ) -> None:
        if max_entries < 1:
            raise ValueError(f"max_entries is {max_entries}; it must be at least 1")
        self._client = client
        self._make_watch = watch
        self._watch = watch()
        self._prefix = prefix
        self._max_entries = max_entries
        self._lock = threading.Lock()  # of what follows; never held while waiting
        self._values: OrderedDict[bytes, Optional[S]] = OrderedDict()
        self._reading: Dict[bytes, object] = {}  # reads in flight, unless their key has changed
        self._closed = False
        self._task: Any = None
        self.hits = 0
        self.misses = 0
        self.error: Optional[errors.KeyStoreError] = None
        """Why nothing is kept any longer; None if all is well."""

    async def open(self) -> None:
        """Starts the watch; returns when it is in effect."""
        await self._watch._begin()
        self._task = rt.start(self._follow)

    async def get(self, key: Key) -> Optional[S]:
        """The string; None if the key does not exist. Raises WrongType for a list."""
        name, ticket = to_key(key), object()
        with self._lock:
            if self._watch.live and name in self._values:
                self.hits += 1
                self._values.move_to_end(name)
                return self._values[name]
            self.misses += 1
            self._reading[name] = ticket
        try:
            found: Optional[S] = await self._client.get(key)
        except BaseException:
            with self._lock:
                if self._reading.get(name) is ticket:
                    del self._reading[name]
            raise
        with self._lock:
            # The ticket is gone if a change has arrived since the read began, or another read began.
            if self._reading.get(name) is ticket:
                del self._reading[name]
                if self.error is None and name.startswith(self._prefix):
                    self._values[name] = found
                    if len(self._values) > self._max_entries:
                        self._values.popitem(last=False)
        return found

    def __len__(self) -> int:
        return len(self._values)

    async def _follow(self) -> None:
        while not self._closed:
            try:
                async for batch in self._watch:
                    self._take(batch)
            except errors.HistoryLost:
                self._forget()  # anything may have changed
                self._watch = self._make_watch()
            except errors.KeyStoreError as error:
                self._forget()
                self.error = error
                return

    def _take(self, batch: results.WatchBatch[S]) -> None:
        with self._lock:
            for event in batch.events:
                if event.type == "flush":
                    self._values.clear()
                    self._reading.clear()
                else:
                    name = to_key(event.key)
                    self._values.pop(name, None)
                    self._reading.pop(name, None)

    def _forget(self) -> None:
        with self._lock:
            self._values.clear()
            self._reading.clear()

    async def close(self) -> None:
        self._closed = True
        await self._watch.close()
        if self._task is not None:
            await rt.join(self._task)

    async def __aenter__(self) -> "AsyncCache[S]":
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self.close()
