# Generated from keystore/_async/streams.py by tools/generate.py; do not edit.
"""Streams that go on after the connection was lost."""

import time
from collections import deque
from types import TracebackType
from typing import Any, Deque, Dict, Generic, Iterable, List, Optional, Type, TypeVar

import grpc

from .. import errors, results
from .._proto import mini_redis_pb2 as pb
from ..calls import jitter
from ..config import Config
from ..values import Codec, S
from . import rt
from .transport import Transport

T = TypeVar("T")
Self = TypeVar("Self", bound="Stream[Any]")

EVENTS = {
    pb.EVENT_TYPE_WRITE: "write",
    pb.EVENT_TYPE_DELETE: "delete",
    pb.EVENT_TYPE_EXPIRE: "expire",
    pb.EVENT_TYPE_EVICT: "evict",
    pb.EVENT_TYPE_FLUSH: "flush",
}
EVENT_TYPES = {name: number for number, name in EVENTS.items()}


class Stream(Generic[T]):
    """An iterator that connects again, for as long as it takes, when the server is unavailable.

    The first connection must succeed within the client's timeout. `close()` may be called by
    others; the iteration ends then.
    """

    def __init__(self, transport: Transport, config: Config) -> None:
        self._transport = transport
        self._config = config
        self._stream: Any = None
        self._iterator: Any = None
        self._ready: Deque[T] = deque()
        self._closed = False
        self._failures = 0
        self._begun = False
        self._reading = False  # by an iteration; only one may read
        self._began_at = self._sent_at = time.monotonic()
        self.live = False
        """Whether the stream is in effect at the moment."""

    # What the streams differ in.

    def _open(self) -> Any:
        """Opens gRPC's stream."""
        raise NotImplementedError

    def _accept(self, message: Any) -> None:
        """Adds what a message contains to `_ready`."""
        raise NotImplementedError

    def _connected(self) -> None:
        """Called when the stream is open, before anything is read."""

    def _lost(self) -> None:
        """Called when the stream has ended."""

    def _drain(self) -> None:
        """Called when the stream was closed, by the one who may read: takes what is still due."""

    # What they have in common.

    def _step(self, *, connect_only: bool = False) -> None:
        """Connects, if need be, and takes one message."""
        try:
            if self._iterator is None:
                self._stream = self._open()
                self._sent_at = time.monotonic()
                if self._closed:  # meanwhile, by others
                    self._disconnect()
                    return
                self._iterator = self._stream.__iter__()
                self._connected()
            if connect_only and not self._stream.done():
                return
            message = self._iterator.__next__()
        except StopIteration:
            self._disconnect()
            self._failed(errors.Unavailable("the server has ended the stream"))
            return
        except errors.KeyStoreError as refusal:  # to give a token
            self._failed(refusal)
            return
        except rt.STREAM_ERRORS as failure:
            self._disconnect()
            if self._closed:
                return
            if not isinstance(failure, grpc.RpcError):
                raise
            error = errors.from_rpc(failure)
            self._failed(error, renews=self._transport.renews(error, self._sent_at))
            return
        self._failures = 0
        self._accept(message)

    def _disconnect(self) -> None:
        stream, self._stream, self._iterator = self._stream, None, None
        self.live = False
        if stream is not None:
            stream.cancel()
            self._lost()

    def _failed(self, error: errors.KeyStoreError, *, renews: bool = False) -> None:
        if self._closed:
            return
        late = not self._begun and time.monotonic() - self._began_at >= self._config.timeout
        passes = renews or isinstance(error, (errors.Unavailable, *errors.NOTHING_DONE))
        if not passes or late:
            self._closed = True
            raise error from None
        self._failures += 1
        pause = error.retry_after
        if pause is None:
            pause = jitter(self._config, self._failures)
        self._transport.pause(error, pause)

    def _begin(self) -> None:
        """Returns when the stream is in effect."""
        while not self.live and not self._closed:
            self._step(connect_only=True)
        self._begun = True

    def close(self) -> None:
        """Ends the stream."""
        self._closed = True
        self._disconnect()

    def __enter__(self: Self) -> Self:
        self._begin()
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def __iter__(self: Self) -> Self:
        return self

    def __next__(self) -> T:
        if not self._begun:
            self._begin()
        while not self._closed:
            if self._ready:
                return self._ready.popleft()
            self._reading = True
            try:
                self._step()
            finally:
                self._reading = False
        self._drain()
        raise StopIteration


class Watch(Stream[results.WatchBatch[S]], Generic[S]):
    """Changes of the selected keys, each once and in order; see `watch()`."""

    def __init__(
        self,
        transport: Transport,
        config: Config,
        codec: Codec[S],
        request: pb.WatchRequest,
    ) -> None:
        super().__init__(transport, config)
        self._codec = codec
        self._request = request
        self._parts: List[Any] = []
        self._initial = request.initial
        self._reset = request.initial
        self.version: int = request.start_version
        """Everything up to this version has been reported: `start_version` of another watch."""

    def _open(self) -> Any:
        request = pb.WatchRequest()
        request.CopyFrom(self._request)
        request.initial = self._initial
        request.start_version = 0 if self._initial else self.version
        self._parts = []
        self._reset = self._initial
        return self._transport.stream("Watch", "unary_stream", request, self._config, None)

    def _begin(self) -> None:
        while not self.live and not self._closed:
            self._step()  # the first batch says that the watch is in effect
        self._begun = True

    def _accept(self, message: pb.WatchBatch) -> None:
        self.live = True
        self._parts += message.events
        if message.partial:
            return  # the version is still that before the transaction
        events = tuple(self._event(event) for event in self._parts)
        self._parts = []
        self.version = message.version
        if message.initial_done:
            self._initial = False
        if events or message.initial_done:
            batch = results.WatchBatch(events, message.version, message.initial_done, self._reset)
            self._reset = False
            self._ready.append(batch)

    def _event(self, event: pb.WatchBatch.Event) -> results.WatchEvent[S]:
        return results.WatchEvent(
            type=EVENTS.get(event.type, "unknown"),
            key=self._codec.text(event.key),
            version=event.version,
            db=event.db,
            change=event.change if event.HasField("change") else None,
        )


class Subscription(Stream[results.Message[S]], Generic[S]):
    """Messages of channels; see `subscribe()`."""

    def __init__(
        self,
        transport: Transport,
        config: Config,
        codec: Codec[S],
        request: pb.SubscribeRequest,
    ) -> None:
        super().__init__(transport, config)
        self._codec = codec
        self._request = request
        self._resumed = False

    def _open(self) -> Any:
        return self._transport.stream("Subscribe", "unary_stream", self._request, self._config, None)

    def _connected(self) -> None:
        self._stream.initial_metadata()
        self.live = not self._stream.done()

    def _lost(self) -> None:
        self._resumed = self._begun

    def _accept(self, message: pb.Message) -> None:
        text = self._codec.text
        resumed, self._resumed = self._resumed, False
        self._ready.append(
            results.Message(
                text(message.channel),
                text(message.payload),
                message.sequence,
                message.missed,
                resumed,
            )
        )


class Job(Generic[S]):
    """An element that `consume()` has delivered; `with job:` acknowledges it, or gives it back."""

    def __init__(self, requests: rt.Requests, id: int, key: S, value: S) -> None:
        self._requests = requests
        self._id = id
        self.key = key
        self.value = value
        self.lost = False
        """The element has returned to its list: the connection was lost, or its lease is over."""

    def done(self) -> None:
        """Removes the element for good."""
        self._requests.put(pb.ConsumeRequest(done=[self._id]))

    def give_back(self) -> None:
        """Returns the element to its list, for whoever is next."""
        self._requests.put(pb.ConsumeRequest(give_back=[self._id]))

    def __enter__(self) -> "Job[S]":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if kind is None:
            self.done()
        else:
            self.give_back()


class Consumer(Stream[Job[S]], Generic[S]):
    """Elements of lists, each to be acknowledged; see `consume()`."""

    def __init__(
        self,
        transport: Transport,
        config: Config,
        codec: Codec[S],
        start: pb.ConsumeRequest.Start,
    ) -> None:
        super().__init__(transport, config)
        self._codec = codec
        self._start = start
        self._requests = rt.Requests()
        self._jobs: Dict[int, Job[S]] = {}  # in flight: at most `max_in_flight`

    def _open(self) -> Any:
        self._requests = rt.Requests()
        self._requests.put(pb.ConsumeRequest(start=self._start))
        return self._transport.stream("Consume", "stream_stream", self._requests, self._config, None)

    def _connected(self) -> None:
        self.live = True

    def _lost(self) -> None:
        self._requests.close()
        self._drop(list(self._jobs))
        self._ready.clear()  # they return as well

    def _drop(self, ids: Iterable[int]) -> None:
        for id in ids:
            job = self._jobs.pop(id, None)
            if job is not None:
                job.lost = True

    def _accept(self, message: pb.ConsumeReply) -> None:
        text = self._codec.text
        for each in message.deliveries:
            job = Job(self._requests, each.id, text(each.key), text(each.value))
            if not self._start.auto_ack:
                self._jobs[each.id] = job
            self._ready.append(job)
        for id in message.done:
            self._jobs.pop(id, None)
        self._drop(message.returned)

    def _drain(self) -> None:
        while self._iterator is not None:
            self._step()

    def close(self) -> None:
        """Ends the stream: what is not acknowledged returns to its list. When this returns, what is
        acknowledged is durable, unless the connection was lost, or somebody else is iterating: then
        it is so when the iteration ends.
        """
        self._closed = True
        if self._start.auto_ack:
            self._disconnect()
            return
        self._requests.close()
        if not self._reading:
            self._drain()


def select(
    keys: Iterable[bytes], prefix: Optional[bytes], pattern: Optional[bytes], db: int
) -> List[pb.WatchRequest.Selector]:
    selectors = [pb.WatchRequest.Selector(key=key, db=db) for key in keys]
    if prefix is not None:
        selectors.append(pb.WatchRequest.Selector(prefix=prefix, db=db))
    if pattern is not None:
        selectors.append(pb.WatchRequest.Selector(pattern=pattern, db=db))
    return selectors
