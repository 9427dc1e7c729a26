"""What asyncio and threads do differently; keystore/_sync/rt.py is its counterpart."""

import asyncio
from typing import Any, AsyncIterator, Callable, Coroutine, List, Optional, Tuple

import grpc
import grpc.aio

# What an iteration over a stream raises; aio raises the second for a stream that was cancelled.
STREAM_ERRORS = (grpc.RpcError, asyncio.CancelledError)

sleep = asyncio.sleep


def open_channel(
    target: str, credentials: Optional[grpc.ChannelCredentials], options: List[Tuple[str, Any]]
) -> Any:
    if credentials is None:
        return grpc.aio.insecure_channel(target, options=options)
    return grpc.aio.secure_channel(target, credentials, options=options)


async def connect_for(channel: Any, seconds: float) -> None:
    """Sleeps; gRPC connects meanwhile, as aio has a thread that always waits for it."""
    await sleep(seconds)


async def close_channel(channel: Any) -> None:
    await channel.close()


def owner() -> Any:
    """What a channel belongs to."""
    return asyncio.get_running_loop()


def start(target: Callable[[], Coroutine[Any, Any, None]]) -> "asyncio.Task[None]":
    return asyncio.ensure_future(target())


async def join(task: "asyncio.Task[None]") -> None:
    await task


class Lock:
    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def acquire(self, timeout: float) -> bool:
        if not self._lock.locked():
            return await self._lock.acquire()
        # Not wait_for(), which in old versions may acquire the lock and raise.
        task = asyncio.ensure_future(self._lock.acquire())
        try:
            await asyncio.wait({task}, timeout=timeout)
        except asyncio.CancelledError:
            if not task.cancel():
                self._lock.release()
            raise
        return not task.cancel()

    def release(self) -> None:
        self._lock.release()


class Requests:
    """The caller's messages of a stream; `close()` ends them."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Any] = asyncio.Queue()

    def put(self, message: Any) -> None:
        self._queue.put_nowait(message)

    def close(self) -> None:
        self._queue.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[Any]:
        while True:
            message = await self._queue.get()
            if message is None:
                return
            yield message
