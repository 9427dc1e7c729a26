# Generated from keystore/_async/client.py by tools/generate.py; do not edit.
"""The client."""

import copy
import dataclasses
import time
from types import TracebackType
from typing import (
    Any,
    Callable,
    Iterable,
    Iterator,
    Literal,
    Optional,
    Sequence,
    Type,
    TypeVar,
    Union,
    overload,
)

import grpc

from .. import errors, results
from .._proto import mini_redis_pb2 as pb
from ..calls import Attempts, Call
from ..config import DATABASES, Config, Password, PemSource, Token, make_target, parse_url
from ..values import Codec, Key, S, Seconds, to_bytes, to_key, to_keys, to_ms
from . import txn as txns
from .admin import Admin
from .auth import Auth
from .cache import Cache
from .keys import TYPES, Keys
from .lists import Lists, to_end
from .lock import Lock
from .pipeline import Pipeline
from .streams import EVENT_TYPES, Consumer, Subscription, Watch, select
from .strings import Strings
from .transport import Transport

R = TypeVar("R")
TYPE_NUMBERS = {name: number for number, name in TYPES.items()}


class Client(Strings[S], Keys[S], Lists[S], Admin[S], Auth[S]):
    """A client of KeyStore. It connects when it is first used, and is safe to share.

    Strings are returned as bytes or, with `decode`, as str; keys and values may be either. Every call
    has a deadline (`Config.timeout`) and is repeated while the server is unavailable, if that cannot
    make it take effect twice. What fails raises a subclass of `KeyStoreError`. Example::

        with Client("127.0.0.1:50051", decode=True) as client:
            client.set("greeting", "hello", ttl=60)
            print(client.get("greeting"))
    """

    @overload
    def __init__(
        self: "Client[bytes]",
        address: Union[str, Sequence[str]] = ...,
        *,
        decode: Literal[False] = ...,
        db: int = ...,
        token: Token = ...,
        user: Optional[str] = ...,
        password: Optional[Password] = ...,
        tls: Optional[bool] = ...,
        ca: PemSource = ...,
        cert: PemSource = ...,
        key: PemSource = ...,
        server_name: Optional[str] = ...,
        config: Optional[Config] = ...,
    ) -> None: ...

    @overload
    def __init__(
        self: "Client[str]",
        address: Union[str, Sequence[str]] = ...,
        *,
        decode: Literal[True],
        db: int = ...,
        token: Token = ...,
        user: Optional[str] = ...,
        password: Optional[Password] = ...,
        tls: Optional[bool] = ...,
        ca: PemSource = ...,
        cert: PemSource = ...,
        key: PemSource = ...,
        server_name: Optional[str] = ...,
        config: Optional[Config] = ...,
    ) -> None: ...

    def __init__(
        self,
        address: Union[str, Sequence[str]] = "127.0.0.1:50051",
        *,
        decode: bool = False,
        db: int = 0,
        token: Token = None,
        user: Optional[str] = None,
        password: Optional[Password] = None,
        tls: Optional[bool] = None,
        ca: PemSource = None,
        cert: PemSource = None,
        key: PemSource = None,
        server_name: Optional[str] = None,
        config: Optional[Config] = None,
    ) -> None:
        """`address` is HOST:PORT, "unix:/PATH", or several that calls are spread over; `token` that of
        a user, or a function that returns it. A `user` with a `password`, or a function that returns
        it, gets a token with the first call, and others before they expire. `ca`, `cert` and `key` are
        names of PEM files, or their contents as bytes. `tls` is on if one of them, or `server_name`, is
        given.
        """
        target = make_target(
            address,
            token=token,
            user=user,
            password=password,
            tls=tls,
            ca=ca,
            cert=cert,
            key=key,
            server_name=server_name,
        )
        self._transport = Transport(target)
        self._config = config or Config()
        self._codec = Codec(decode)
        self._request_id: Optional[bytes] = None
        self._db = self._checked(db)

    @staticmethod
    def _checked(db: int) -> int:
        if not 0 <= db < DATABASES:
            raise ValueError(f"db is {db}; it must be from 0 to {DATABASES - 1}")
        return db

    @classmethod
    def from_url(cls, url: str, **arguments: Any) -> "Client[Any]":
        """A client for "keystore://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?tls=1".

        What starts with "kst_" is a token. The password may also be among the arguments.

        Options are tls, ca, cert, key, server_name, decode and timeout; `arguments` are those of
        the class, and count more than the URL.
        """
        return cls(**{**parse_url(url), **arguments})

    def with_options(
        self,
        *,
        db: Optional[int] = None,
        timeout: Optional[float] = None,
        request_id: Optional[Union[str, bytes]] = None,
        config: Optional[Config] = None,
    ) -> "Client[S]":
        """The same client, over the same connections, with other options.

        `timeout` is in seconds. `request_id`, of 1 to 64 bytes, is for a single write that the program
        may have to repeat after its own restart. Example::

            client.with_options(timeout=60).save()
        """
        other = copy.copy(self)
        if config is not None:
            other._config = config
        if timeout is not None:
            other._config = dataclasses.replace(other._config, timeout=timeout)
        if db is not None:
            other._db = self._checked(db)
        if request_id is not None:
            other._request_id = to_bytes(request_id)
        return other

    def _invoke(self, call: Call[R]) -> R:
        config = self._config
        return self._transport.unary(call, config, config.timeout, self._request_id)

    def close(self) -> None:
        """Closes the connections; calls in flight are cancelled."""
        self._transport.close()

    def __enter__(self) -> "Client[S]":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    # Several operations at once.

    def pipeline(self) -> Pipeline[S]:
        """Operations that are sent together when the `with` block ends, or by `execute()`. Example::

        with client.pipeline() as batch:
            for name in names:
                batch.set(name, "1", ttl=60)
        """
        return Pipeline(self._transport, self._config, self._codec, self._db)

    def txn(self) -> txns.Txn[S]:
        """Operations that are executed atomically when the `with` block ends, or by `execute()`, if
        all of its compares hold; see `Txn`.
        """
        return txns.Txn(self, self._codec, self._db)

    def transaction(self, function: Callable[[txns.Transaction[S]], R], *, attempts: int = 16) -> R:
        """Calls the function, which reads and collects writes, and executes these if nothing of what
        it has read changed meanwhile; else calls it again. Returns what the function returns.
        Example::

            def withdraw(t):
                balance = int(t.read("balance") or 0)
                t.set("balance", balance - 10)
                return balance - 10

            left = client.transaction(withdraw)

        Raises Conflict after that many attempts, and the errors of the operations.
        """
        return txns.run(
            function,
            lambda: txns.Transaction(self, self._codec, self._db),
            self._config,
            attempts,
        )

    # Streams.

    def scan(
        self, pattern: Key = "", *, type: Optional[str] = None, page_bytes: int = 0
    ) -> Iterator[S]:
        """The keys that match the glob, in no particular order, each once; see docs/streams.md for
        those that come and go meanwhile. `type` is "string" or "list". Example::

            for key in client.scan("session:*"): ...

        Raises BadArgument if the server is restarted meanwhile: then start again.
        """
        for entry in self.scan_entries(pattern, type=type, page_bytes=page_bytes):
            yield entry.key

    def scan_entries(
        self,
        pattern: Key = "",
        *,
        type: Optional[str] = None,
        with_values: bool = False,
        page_bytes: int = 0,
    ) -> Iterator[results.ScanEntry[S]]:
        """As `scan()`, with the types of the keys and, if wanted, the strings."""
        if type is not None and type not in TYPE_NUMBERS:
            raise ValueError(f'type is {type!r}; it is "string" or "list"')
        request = pb.ScanRequest(
            pattern=to_bytes(pattern),
            type=None if type is None else TYPE_NUMBERS[type],
            with_values=with_values,
            page_bytes=page_bytes,
            db=self._db,
        )
        text, found = self._codec.text, self._codec.found
        attempts = Attempts.of_reads(self._config, None)
        while True:
            stream = self._transport.stream("Scan", "unary_stream", request, self._config, None)
            attempts.sent_at = time.monotonic()
            try:
                for page in stream:
                    attempts.number = 0
                    request.cursor = page.cursor
                    for entry in page.entries:
                        value = found(entry.value) if entry.HasField("value") else None
                        yield results.ScanEntry(text(entry.key), TYPES[entry.type], value)
                return
            except grpc.RpcError as failure:
                error = errors.from_rpc(failure)
                pause = self._transport.pause_after(attempts, error)
                if pause is None:
                    raise error from None
            finally:
                stream.cancel()
            self._transport.pause(error, pause)

    def stream_list(
        self, key: Key, start: int = 0, stop: int = -1, *, page_bytes: int = 0
    ) -> Iterator[S]:
        """The elements of a list of any length, all as of one version, whatever happens to it.

        Raises WrongType for a string, and Unavailable if the connection is lost: then start again.
        """
        request = pb.ListRange(
            key=to_key(key), start=start, stop=stop, page_bytes=page_bytes, db=self._db
        )
        stream = self._transport.stream("StreamList", "unary_stream", request, self._config, None)
        text = self._codec.text
        try:
            for page in stream:
                for value in page.values:
                    yield text(value)
        except grpc.RpcError as failure:
            raise errors.from_rpc(failure) from None
        finally:
            stream.cancel()

    def watch(
        self,
        *keys: Key,
        prefix: Optional[Key] = None,
        pattern: Optional[Key] = None,
        start_version: int = 0,
        initial: bool = False,
        types: Iterable[str] = (),
        with_changes: bool = False,
    ) -> Watch[S]:
        """An iterator of the changes of the keys, each once and in order, as `WatchBatch`es.

        It goes on after a lost connection and a restart of the server, without gaps. `initial` first
        reports the keys as they are; `start_version` goes on after an earlier watch. `types` are
        those of `WatchEvent`; none: all. In the `with` block the watch is in effect. Example::

            with client.watch(prefix="user:") as changes:
                for batch in changes:
                    for event in batch.events:
                        print(event.type, event.key)

        Raises HistoryLost if what happened meanwhile is not known any longer.
        """
        request = pb.WatchRequest(
            selectors=select(
                to_keys(keys),
                None if prefix is None else to_bytes(prefix),
                None if pattern is None else to_bytes(pattern),
                self._db,
            ),
            start_version=start_version,
            initial=initial,
            types=[EVENT_TYPES[name] for name in types],
            with_changes=with_changes,
        )
        return Watch(self._transport, self._config, self._codec, request)

    def subscribe(self, *channels: Key, patterns: Iterable[Key] = ()) -> Subscription[S]:
        """An iterator of the messages of channels, and of those that match the globs.

        It subscribes again after a lost connection: the next message is `resumed` then, as any number
        may be missing. In the `with` block the subscription is in effect. Example::

            with client.subscribe("news", patterns=["weather.*"]) as messages:
                for message in messages:
                    print(message.channel, message.payload)
        """
        request = pb.SubscribeRequest(channels=to_keys(channels), patterns=to_keys(patterns))
        return Subscription(self._transport, self._config, self._codec, request)

    def consume(
        self,
        *keys: Key,
        end: str = "head",
        max_in_flight: int = 1,
        lease: Optional[Seconds] = None,
        pending: Optional[Key] = None,
        auto_ack: bool = False,
    ) -> Consumer[S]:
        """An iterator of the elements of lists as they arrive, of the first list that has one.

        Each must be acknowledged; those that are not return to their list when the block ends, the
        connection is lost, or after `lease` seconds. So each is delivered at least once. Meanwhile
        they are in the list `pending`, by default that of the first key with ":pending". Example::

            with client.consume("jobs", max_in_flight=10, lease=60) as jobs:
                for job in jobs:
                    with job:  # done, or given back if this raises
                        work(job.value)

        With `auto_ack` elements are popped, and need no acknowledgement.
        """
        start = pb.ConsumeRequest.Start(
            keys=to_keys(keys),
            end=to_end("end", end),
            max_in_flight=max_in_flight,
            pending=b"" if pending is None else to_key(pending),
            lease_ms=to_ms("lease", lease),
            auto_ack=auto_ack,
            db=self._db,
        )
        return Consumer(self._transport, self._config, self._codec, start)

    # What is made of these.

    def lock(self, key: Key, *, ttl: Seconds, wait: Optional[Seconds] = None) -> Lock:
        """A lock that lasts `ttl` seconds unless it is extended; see `Lock` for its token.

        `wait` is how many seconds to wait for it; None: for ever. Example::

            with client.lock("lock:report", ttl=10, wait=5) as lock:
                write(report, lock.token)

        Raises LockTimeout if it was not to be had, and LockLost at the end if it had expired.
        """
        to_ms("ttl", ttl)
        return Lock(self, self._config, key, ttl, wait)

    def cached(self, prefix: Key = "", *, max_entries: int = 10_000) -> Cache[S]:
        """A near cache of the strings whose keys have the prefix; a watch keeps it up to date.

        Example::

            with client.cached("user:") as users:
                users.get("user:1")  # from the server
                users.get("user:1")  # from memory
        """
        return Cache(self, lambda: self.watch(prefix=prefix), to_bytes(prefix), max_entries)
