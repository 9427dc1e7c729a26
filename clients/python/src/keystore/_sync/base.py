# Generated from keystore/_async/base.py by tools/generate.py; do not edit.
"""What the methods of a client need of it."""

from typing import Generic, TypeVar

from ..calls import Call
from ..values import Codec, S

R = TypeVar("R")


class Base(Generic[S]):
    """A database, and how strings are returned; `_invoke` makes a call."""

    _codec: Codec[S]
    _db: int

    def _invoke(self, call: Call[R]) -> R:
        raise NotImplementedError
