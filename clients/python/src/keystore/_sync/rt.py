"""What threads and asyncio do differently; keystore/_async/rt.py is its counterpart."""

import contextlib
import os
import queue
import threading
import time
from typing import Any, Callable, List, Optional, Tuple

import grpc

STREAM_ERRORS = (grpc.RpcError,)

# Needs no credentials.
HEALTH = "/grpc.health.v1.Health/Check"

sleep = time.sleep


def open_channel(
    target: str, credentials: Optional[grpc.ChannelCredentials], options: List[Tuple[str, Any]]
) -> Any:
    if credentials is None:
        return grpc.insecure_channel(target, options=options)
    return grpc.secure_channel(target, credentials, options=options)


def connect_for(channel: Any, seconds: float) -> None:
    """Sleeps, and has gRPC connect meanwhile.

    Old versions, such as 1.51, look at their sockets only while a thread waits for a call, and
    otherwise every 5 seconds; and while there is no connection, calls fail at once. So a client that
    only repeats them takes long to connect again. This call waits for a connection.
    """
    end = time.monotonic() + seconds
    with contextlib.suppress(grpc.RpcError, ValueError):  # ValueError: the channel was closed
        channel.unary_unary(HEALTH)(b"", timeout=seconds, wait_for_ready=True)
    sleep(max(0.0, end - time.monotonic()))


def close_channel(channel: Any) -> None:
    channel.close()


def owner() -> Any:
    """What a channel belongs to."""
    return os.getpid()


def start(target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target, daemon=True, name="keystore")
    thread.start()
    return thread


def join(thread: threading.Thread) -> None:
    thread.join()


class Lock:
    def __init__(self) -> None:
        self._lock = threading.Lock()

    def acquire(self, timeout: float) -> bool:
        return self._lock.acquire(timeout=timeout)

    def release(self) -> None:
        self._lock.release()


class Requests:
    """The caller's messages of a stream; `close()` ends them."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def put(self, message: Any) -> None:
        self._queue.put(message)

    def close(self) -> None:
        self._queue.put(None)

    def __iter__(self) -> "Requests":
        return self

    def __next__(self) -> Any:
        message = self._queue.get()
        if message is None:
            raise StopIteration
        return message
