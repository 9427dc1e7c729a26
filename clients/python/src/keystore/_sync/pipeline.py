# Generated from keystore/_async/pipeline.py by tools/generate.py; do not edit.
"""Many operations at the cost of few."""

import time
from types import TracebackType
from typing import Any, List, Optional, Type

import grpc

from .. import errors
from .._proto import mini_redis_pb2 as pb
from .._queued.base import Pending, make_op
from .._queued.operations import Operations
from ..calls import Attempts
from ..config import Config
from ..values import Codec, S
from .transport import Transport

BATCH_OPS = 500
BATCH_BYTES = 256 << 10


def make_batches(pendings: List[Pending[Any]]) -> List[pb.OpBatch]:
    """Of limited size, so that neither side has to hold much; ids count from 1."""
    batches: List[pb.OpBatch] = []
    size = BATCH_BYTES
    for number, pending in enumerate(pendings, 1):
        op = make_op(pending.call)
        op.id = number
        if size + op.ByteSize() > BATCH_BYTES or len(batches[-1].ops) == BATCH_OPS:
            batches.append(pb.OpBatch())
            size = 0
        batches[-1].ops.append(op)
        size += op.ByteSize()
    return batches


def reason_name(reason: int) -> str:
    known = pb.ErrorReason.DESCRIPTOR.values_by_number.get(reason)
    return str(known.name) if known else ""


class Pipeline(Operations[S]):
    """Collects operations and sends them together; each is atomic on its own.

    Example::

        with client.pipeline() as batch:
            visits = batch.incr("visits")
            name = batch.get("name")
        print(visits.result(), name.result())
    """

    def __init__(self, transport: Transport, config: Config, codec: Codec[S], db: int) -> None:
        super().__init__(codec, db)
        self._transport = transport
        self._config = config

    def __enter__(self) -> "Pipeline[S]":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if kind is None:
            self.execute()

    def execute(self, *, raise_errors: bool = True) -> List[Any]:
        """Executes what was collected, in order, and returns the results.

        The first error is raised when all is done; without `raise_errors` errors are among the
        results. If the connection is lost, the rest is repeated only if that cannot take effect
        twice; else what has no answer fails with Unavailable, and may have been executed.
        """
        pendings = self._take()
        attempts = Attempts.of_reads(self._config, self._config.timeout)
        left = pendings
        while left:
            failure = self._attempt(left, attempts)
            left = [pending for pending in left if not pending.done]
            if failure is None:
                break
            attempts.is_safe = all(pending.call.is_repeatable for pending in left)
            attempts.may_renew = attempts.may_renew and attempts.is_safe
            pause = self._transport.pause_after(attempts, failure)
            if pause is None:
                for pending in left:
                    pending.fail(failure)
                break
            self._transport.pause(failure, pause)
        if raise_errors:
            for pending in pendings:
                if pending.error is not None:
                    raise pending.error
        return [pending.error or pending.result() for pending in pendings]

    def _attempt(
        self, pendings: List[Pending[Any]], attempts: Attempts
    ) -> Optional[errors.KeyStoreError]:
        """Sends the operations; returns why some have no answer."""
        batches = iter(make_batches(pendings))
        stream = self._transport.stream(
            "Pipeline", "stream_stream", batches, self._config, attempts.timeout()
        )
        attempts.sent_at = time.monotonic()
        answered = 0
        try:
            for batch in stream:
                for reply in batch.replies:
                    self._settle(pendings[answered], reply, answered + 1)
                    answered += 1
        except grpc.RpcError as failure:
            return errors.from_rpc(failure)
        finally:
            stream.cancel()
        if answered < len(pendings):
            return errors.Unavailable("the pipeline ended before all of its replies")
        return None

    def _settle(self, pending: Pending[Any], reply: pb.Reply, number: int) -> None:
        if reply.id != number:
            raise errors.KeyStoreError(f"the reply of operation {number} has the id {reply.id}")
        if reply.HasField("error"):
            pending.fail(errors.from_op(reply.error, reason_name(reply.error.reason)))
        else:
            pending.resolve(reply)
