"""Transactions: several operations as one."""

from types import TracebackType
from typing import Awaitable, Callable, List, Optional, Type, TypeVar, cast

from .. import errors, results
from .._proto import mini_redis_pb2 as pb
from .._queued.base import Pending, make_op
from .._queued.operations import Operations
from ..calls import Call, jitter
from ..config import Config
from ..values import Codec, Data, Key, S, condition, to_key
from . import rt
from .base import AsyncBase

R = TypeVar("R")


def make_compare(
    key: Key,
    db: int,
    unchanged_since: Optional[int],
    holds: Optional[pb.Condition],
) -> pb.TxnRequest.Compare:
    if holds is None and unchanged_since is None:
        raise ValueError(
            "a compare needs something to hold: absent, present, version, value or unchanged_since"
        )
    return pb.TxnRequest.Compare(
        key=to_key(key), condition=holds, unchanged_since=unchanged_since, db=db
    )


class AsyncTxn(Operations[S]):
    """Collects operations, to be executed atomically if all compares hold.

    Example::

        async with client.txn() as txn:
            txn.compare("stock", value="1")
            txn.delete("stock")
            txn.rpush("sold", "stock")
        if not txn.succeeded: ...
    """

    def __init__(self, base: AsyncBase[S], codec: Codec[S], db: int) -> None:
        super().__init__(codec, db)
        self._base = base
        self._compares: List[pb.TxnRequest.Compare] = []
        self.otherwise: Operations[S] = Operations(codec, db)
        """Operations to be executed if a compare does not hold."""
        self.outcome: Optional[results.TxnResult] = None

    @property
    def succeeded(self) -> bool:
        """Whether the compares held; false before the execution."""
        return self.outcome is not None and self.outcome.succeeded

    def compare(
        self,
        key: Key,
        *,
        absent: bool = False,
        present: bool = False,
        version: Optional[int] = None,
        value: Optional[Data] = None,
        unchanged_since: Optional[int] = None,
    ) -> None:
        """What must hold for a key; `unchanged_since` is the `as_of` of an earlier answer."""
        holds = condition(absent, present, version, value)
        self._compares.append(make_compare(key, self._db, unchanged_since, holds))

    async def __aenter__(self) -> "AsyncTxn[S]":
        return self

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if kind is None:
            await self.execute()

    async def execute(self) -> results.TxnResult:
        """Executes the operations, all or none; if one fails, raises its error."""
        success, failure = self._take(), self.otherwise._take()
        request = pb.TxnRequest(
            compares=self._compares,
            success=[make_op(pending.call) for pending in success],
            failure=[make_op(pending.call) for pending in failure],
        )
        self._compares = []
        reply = await self._base._invoke(Call("Txn", request, lambda reply: reply))
        executed = success if reply.succeeded else failure
        for pending, answer in zip(executed, reply.replies):
            pending.resolve(answer)
        self.outcome = results.TxnResult(
            reply.succeeded, [pending.result() for pending in executed], reply.version
        )
        return self.outcome


class AsyncTransaction(AsyncTxn[S]):
    """An attempt of `transaction()`: reads happen now, writes at the end."""

    async def read(self, key: Key) -> Optional[S]:
        """The string; the transaction starts again if it changes before the end."""
        request = pb.Key(key=to_key(key), want_as_of=True, db=self._db)
        value: results.Value[S] = await self._base._invoke(Call("Get", request, self._codec.value))
        self.compare(key, unchanged_since=value.as_of)
        return value.value

    async def watch(self, *keys: Key) -> None:
        """The transaction starts again if one of the keys, of any type, changes before the end."""
        for key in keys:
            request = pb.Key(key=to_key(key), want_as_of=True, db=self._db)
            as_of = await self._base._invoke(Call("Describe", request, lambda info: info.as_of))
            self.compare(key, unchanged_since=as_of)


async def run(
    function: Callable[[AsyncTransaction[S]], Awaitable[R]],
    make: Callable[[], AsyncTransaction[S]],
    config: Config,
    attempts: int,
) -> R:
    for number in range(1, attempts + 1):
        transaction = make()
        result = await function(transaction)
        outcome = await transaction.execute()
        if outcome.succeeded:
            return cast(R, result.result()) if isinstance(result, Pending) else result
        await rt.sleep(jitter(config, number))
    raise errors.Conflict(
        f"others changed what the transaction had read, {attempts} times; raise attempts, or let it "
        "read less"
    )
