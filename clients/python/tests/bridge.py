"""The asynchronous client as seen by tests that are written once, for both."""

import asyncio
import inspect
import threading
from typing import Any, Callable, Iterator

import keystore


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, awaitable: Any) -> Any:
        async def wait() -> Any:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(wait(), self.loop).result(120)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


class Bridge:
    """An object of the asynchronous client, used as if it were one of the synchronous client."""

    def __init__(self, target: Any, loop: Loop) -> None:
        self._target = target
        self._loop = loop

    def _wrap(self, value: Any) -> Any:
        if inspect.isawaitable(value):
            return self._wrap(self._loop.run(value))
        mine = type(value).__module__.startswith("keystore._async")
        return Bridge(value, self._loop) if mine or inspect.isasyncgen(value) else value

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found):
            return found

        def call(*args: Any, **named: Any) -> Any:
            async def within() -> Any:  # some of it needs a running loop
                return found(*args, **named)

            return self._wrap(self._loop.run(within()))

        return call

    def __len__(self) -> int:
        return len(self._target)

    def __enter__(self) -> "Bridge":
        self._loop.run(self._target.__aenter__())
        return self

    def __exit__(self, *error: Any) -> None:
        self._loop.run(self._target.__aexit__(*error))

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return self._wrap(self._loop.run(self._target.__anext__()))
        except StopAsyncIteration:
            raise StopIteration from None

    def transaction(self, function: Callable[[Any], Any], **named: Any) -> Any:
        """The function reads by way of the loop, so it has a thread of its own."""

        async def run(transaction: Any) -> Any:
            return await asyncio.get_running_loop().run_in_executor(
                None, function, Bridge(transaction, self._loop)
            )

        return self._loop.run(self._target.transaction(run, **named))


def make(variant: str, loop: Loop, *args: Any, **named: Any) -> Any:
    """A client of that variant."""
    if variant == "sync":
        return keystore.Client(*args, **named)
    return Bridge(keystore.AsyncClient(*args, **named), loop)
