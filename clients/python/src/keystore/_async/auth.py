"""Users: passwords, the tokens that they are exchanged for, and who makes a call."""

import copy
import datetime as dt
import math
import time
from typing import Awaitable, Callable, Optional

from .. import errors, results
from .._proto import mini_redis_pb2 as pb
from ..calls import Call
from ..config import Password
from ..values import EPOCH, S, Seconds, to_moment, to_ms
from . import rt
from .base import AsyncBase

MEANS = {
    pb.Identity.MEANS_NONE: "none",
    pb.Identity.MEANS_TOKEN: "token",
    pb.Identity.MEANS_SESSION: "session",
    pb.Identity.MEANS_CERTIFICATE: "certificate",
    pb.Identity.MEANS_UNIX: "unix",
}


def make_authenticate(
    user: str, password: str, lifetime: Optional[Seconds] = None
) -> Call[results.Session]:
    request = pb.AuthenticateRequest(
        user=user, password=password, lifetime_ms=to_ms("lifetime", lifetime)
    )
    return Call(
        "Authenticate",
        request,
        lambda reply: results.Session(
            token=reply.token,
            expires_at=EPOCH + dt.timedelta(milliseconds=reply.expires_at_ms),
            user=reply.user,
        ),
    )


class AsyncLogin:
    """A user with a password: gets a token for calls, and another one before it expires.

    One call does so, for all that need it meanwhile.
    """

    def __init__(self, user: str, password: Password) -> None:
        self._user = user
        self._password = password
        self._token = ""
        # All by the monotonic clock.
        self._obtained_at = self._renew_at = self._expires_at = -math.inf
        self._attempts = 0  # that have ended
        self._error: Optional[errors.KeyStoreError] = None  # of the last one

    async def token(
        self,
        authenticate: Callable[[Call[results.Session]], Awaitable[results.Session]],
        lock: rt.Lock,
        timeout: float,
    ) -> str:
        """A token that is still valid; `authenticate` makes the call if there is none."""
        attempts = self._attempts
        if time.monotonic() >= self._renew_at:
            if not await lock.acquire(timeout):
                raise errors.DeadlineExceeded("another call is still waiting for a token")
            try:
                if self._attempts == attempts:
                    await self._renew(authenticate)
                elif self._error is not None:
                    raise copy.copy(self._error)  # what has failed while this call waited
            finally:
                lock.release()
        return self._token

    async def _renew(
        self, authenticate: Callable[[Call[results.Session]], Awaitable[results.Session]]
    ) -> None:
        password = self._password() if callable(self._password) else self._password
        began = time.monotonic()
        try:
            session = await authenticate(make_authenticate(self._user, password))
        except errors.KeyStoreError as error:
            self._attempts += 1
            left = self._expires_at - time.monotonic()
            if left <= 0:
                self._error = error
                raise
            # The old token still works; until it does not, try now and then.
            self._renew_at = time.monotonic() + max(1.0, left / 4)
            return
        # If the clocks differ so much that this is wrong, calls are refused, or one per second renews.
        lasts = session.expires_at.timestamp() - time.time()
        self._token, self._error = session.token, None
        self._obtained_at = time.monotonic()
        self._expires_at = began + lasts
        self._renew_at = began + max(1.0, lasts * 0.75)
        self._attempts += 1

    def refused(self, sent_at: float) -> None:
        """A call that was sent then was refused: its token is not used again."""
        if self._obtained_at <= sent_at:
            self._renew_at = self._expires_at = -math.inf


class AsyncAuth(AsyncBase[S]):
    async def authenticate(
        self, user: str, password: str, *, lifetime: Optional[Seconds] = None
    ) -> results.Session:
        """Exchanges a password for a token, for `Client(token=...)` or another program. It lasts
        `lifetime` seconds, at most the server's --session-lifetime, which is also the default.

        The client goes on as whoever it was; `Client(user=..., password=...)` does all by itself.
        Raises Unauthenticated, Throttled after too many failures, and NoUsers. Being repeated only
        makes another token, so it is repeated like a read.
        """
        return await self._invoke(make_authenticate(user, password, lifetime))

    async def who_am_i(self) -> results.Identity:
        """As whom the server takes this client, by what, and what it may do."""
        return await self._invoke(
            Call(
                "WhoAmI",
                pb.WhoAmIRequest(),
                lambda reply: results.Identity(
                    user=reply.user or None,
                    means=MEANS.get(reply.means, "unknown"),
                    id=reply.id or None,
                    expires_at=to_moment(reply.expires_at_ms),
                    rules=list(reply.rules),
                ),
            )
        )
