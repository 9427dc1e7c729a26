# Generated from keystore/_async/transport.py by tools/generate.py; do not edit.
"""Channels, and how a call is made and repeated."""

import itertools
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Tuple, TypeVar

import grpc

from .. import errors, fork
from ..calls import Attempts, Call, messages_of, path_of
from ..config import Config, Target
from . import rt
from .auth import Login

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
        self._login: Optional[Login] = None
        if target.user is not None and target.password is not None:
            self._login = Login(target.user, target.password)
        self._login_lock: Any = None

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
            self._login_lock = rt.Lock()
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

    def _credentials(self, config: Config, timeout: Optional[float]) -> List[Tuple[str, Any]]:
        token = self.target.token
        if callable(token):
            token = token()
        if self._login is not None:
            self._open(config)
            limit = config.timeout if timeout is None else timeout
            token = self._login.token(
                lambda call: self.unary(call, config, limit, None), self._login_lock, limit
            )
        return [] if token is None else [("authorization", f"Bearer {token}")]

    def renews(self, error: errors.KeyStoreError, sent_at: float) -> bool:
        """Whether a call that was sent then has failed for its token, and the next one gets another.
        A server that was restarted has forgotten those that passwords were exchanged for.
        """
        if self._login is None or not isinstance(error, errors.Unauthenticated):
            return False
        self._login.refused(sent_at)
        return True

    def pause_after(self, attempts: Attempts, error: errors.KeyStoreError) -> Optional[float]:
        """Seconds to wait before the next attempt; None if there is none."""
        if self.renews(error, attempts.sent_at) and attempts.may_renew:
            attempts.may_renew = False
            return 0.0
        return attempts.pause_after(error)

    def unary(
        self, call: Call[R], config: Config, timeout: Optional[float], request_id: Optional[bytes]
    ) -> R:
        attempts = Attempts(call, config, timeout, request_id)
        authenticates = call.method == "Authenticate"  # which needs no token
        while True:
            metadata = attempts.metadata
            if not authenticates:
                metadata = metadata + self._credentials(config, attempts.timeout())
            function = self.callable(config, call.method, "unary_unary")
            attempts.sent_at = time.monotonic()
            try:
                reply = function(call.request, timeout=attempts.timeout(), metadata=metadata)
                break
            except grpc.RpcError as failure:
                error = errors.from_rpc(failure)
                if authenticates:
                    pause = attempts.pause_after(error)
                else:
                    pause = self.pause_after(attempts, error)
                if pause is None:
                    raise error from None
            self.pause(error, pause)
        return call.result(reply)

    def pause(self, error: errors.KeyStoreError, seconds: float) -> None:
        """Before a call that has failed is repeated."""
        channels = self._channels
        if isinstance(error, errors.Unavailable) and not error.reason and channels:
            rt.connect_for(channels[0], seconds)  # the connection may be lost
        else:
            rt.sleep(seconds)

    def stream(
        self, method: str, kind: str, request: Any, config: Config, timeout: Optional[float]
    ) -> Any:
        """Opens a stream; `request` is a message, or an iterator of several."""
        began = time.monotonic()
        metadata = self._credentials(config, timeout)
        if timeout is not None:
            timeout = max(0.0, timeout - (time.monotonic() - began))
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
