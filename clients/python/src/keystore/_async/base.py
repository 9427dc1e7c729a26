"""What the methods of a client need of it."""

from typing import Generic, TypeVar

from ..calls import Call
from ..values import Codec, S

R = TypeVar("R")


class AsyncBase(Generic[S]):
    """A database, and how strings are returned; `_invoke` makes a call."""

    _codec: Codec[S]
    _db: int

    async def _invoke(self, call: Call[R]) -> R:
        raise NotImplementedError
