# Generated from keystore/_async/transport.py by tools/generate.py; do not edit.
"""Channels, and how a call is made and repeated."""

import itertools
import threading
from typing import Any, Callable, Dict, List, Optional, Tuple, TypeVar

import grpc

from .. import errors, fork
from ..calls import Attempts, Call, messages_of, path_of
from ..config import Config, Target
from . import rt

R = TypeVar("R")


class Transport:
    """The connections of a client. They are opened by the first call, and again after a fork."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.closed = False
        self._owner: Any = None
        self._channels: List[Any] = []
        self._turns = itertools.count()
        self._callables: Dict[Tuple[int, str], Callable[..., Any]] = {}
        self._abandoned: List[Any] = []
        self._opening = threading.Lock()

    def _open(self, config: Config) -> None:
        if self.closed:
            raise errors.ClosedError("the client is closed; make another one")
        owner = rt.owner()
        if self._owner == owner and self._channels:
            return
        fork.check()
        uri, credentials = self.target.uri(), self.target.credentials()
        options = self.target.options(config)
        with self._opening:
            if self._owner == owner and self._channels:
                return
            # Those of a parent process, or of another event loop, can only be left alone.
            self._abandoned += self._channels
            self._callables = {}
            self._channels = [
                rt.open_channel(uri, credentials, options) for _ in range(config.channels)
            ]
            self._owner = owner

    def callable(self, config: Config, method: str, kind: str) -> Callable[..., Any]:
        """gRPC's callable of the method, on the next channel; `kind` is "unary_unary" and so on."""
        self._open(config)
        turn = next(self._turns) % len(self._channels)
        found = self._callables.get((turn, method))
        if found is None:
            request, reply = messages_of(method)
            found = getattr(self._channels[turn], kind)(
                path_of(method),
                request_serializer=request.SerializeToString,
                response_deserializer=reply.FromString,
            )
            self._callables[turn, method] = found
        return found

    def credentials(self) -> List[Tuple[str, Any]]:
        token = self.target.token
        if token is None:
            return []
        return [("authorization", f"Bearer {token() if callable(token) else token}")]

    def unary(
        self, call: Call[R], config: Config, timeout: Optional[float], request_id: Optional[bytes]
    ) -> R:
        attempts = Attempts(call, config, timeout, request_id)
        while True:
            function = self.callable(config, call.method, "unary_unary")
            try:
                reply = function(
                    call.request,
                    timeout=attempts.timeout(),
                    metadata=attempts.metadata + self.credentials(),
                )
                break
            except grpc.RpcError as failure:
                error = errors.from_rpc(failure)
                pause = attempts.pause_after(error)
                if pause is None:
                    raise error from None
            self.pause(error, pause)
        return call.result(reply)

    def pause(self, error: errors.KeyStoreError, seconds: float) -> None:
        """Before a call that has failed is repeated."""
        if isinstance(error, errors.Unavailable) and not error.reason and self._channels:
            # Its connection may be lost.
            rt.connect_for(self._channels[0], seconds)
        else:
            rt.sleep(seconds)

    def stream(
        self, method: str, kind: str, request: Any, config: Config, timeout: Optional[float]
    ) -> Any:
        """Opens a stream; `request` is a message, or an iterator of several."""
        metadata = self.credentials()
        if method in ("Pipeline", "Consume"):
            metadata.append(("keystore-max-reply-bytes", str(config.max_message_bytes)))
        return self.callable(config, method, kind)(request, timeout=timeout, metadata=metadata)

    def close(self) -> None:
        self.closed = True
        channels, self._channels = self._channels, []
        if self._owner == rt.owner():
            for channel in channels:
                rt.close_channel(channel)
        else:
            self._abandoned += channels
