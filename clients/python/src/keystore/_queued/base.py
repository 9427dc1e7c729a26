"""Operations that are collected, to be sent together."""

from typing import Any, Generic, List, Optional, TypeVar, cast

from .._proto import mini_redis_pb2 as pb
from ..calls import Call
from ..errors import KeyStoreError
from ..values import Codec, S

R = TypeVar("R")


class Pending(Generic[R]):
    """The result of an operation that is sent later."""

    def __init__(self, call: Call[R]) -> None:
        self.call = call
        self._reply: Any = None
        self._error: Optional[KeyStoreError] = None
        self._done = False

    @property
    def done(self) -> bool:
        return self._done

    @property
    def error(self) -> Optional[KeyStoreError]:
        """Why the operation failed; None if it did not, or has not been executed."""
        return self._error

    def result(self) -> R:
        """What the method returns; raises its error, or RuntimeError if it was not executed."""
        if self._error is not None:
            raise self._error
        if not self._done:
            raise RuntimeError("the operation was not executed; results are there after execute()")
        return self.call.result(self._reply)

    def resolve(self, reply: pb.Reply) -> None:
        self._reply, self._done = getattr(reply, cast(str, reply.WhichOneof("result"))), True

    def fail(self, error: KeyStoreError) -> None:
        self._error, self._done = error, True


class QueuedBase(Generic[S]):
    """Collects operations in the order of the calls."""

    def __init__(self, codec: Codec[S], db: int) -> None:
        self._codec = codec
        self._db = db
        self._pending: List[Pending[Any]] = []

    def _take(self) -> List[Pending[Any]]:
        taken, self._pending = self._pending, []
        return taken

    def __len__(self) -> int:
        return len(self._pending)

    def _queue(self, call: Call[R]) -> Pending[R]:
        if call.wait or getattr(call.request, "wait_ms", 0):
            raise ValueError(f"{call.method} cannot wait in a pipeline or transaction; leave out wait")
        pending = Pending(call)
        self._pending.append(pending)
        return pending


def make_op(call: Call[Any]) -> pb.Op:
    op = pb.Op()
    getattr(op, call.op_field).CopyFrom(call.request)
    return op
