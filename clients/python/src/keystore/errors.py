"""What can go wrong: one class per reason that the server gives, and those of the client.

Every failed call raises a subclass of `KeyStoreError`::

    try:
        client.incr("name")
    except keystore.NotANumber as error:
        print(error.code, error.reason, error)
"""

from typing import Any, Dict, List, Optional, Sequence, Tuple, Type

import grpc
from google.rpc import error_details_pb2, status_pb2

__all__ = [
    "AlreadyDone",
    "BadArgument",
    "BadMessage",
    "Cancelled",
    "ClosedError",
    "Conflict",
    "DeadlineExceeded",
    "Forbidden",
    "ForkError",
    "HistoryLost",
    "KeyStoreError",
    "Loading",
    "LockLost",
    "LockTimeout",
    "NoUsers",
    "NotANumber",
    "NotDurable",
    "NotFound",
    "NotRead",
    "NotServed",
    "OutOfMemory",
    "OutOfRange",
    "ReadOnly",
    "RequestIdReused",
    "Stopping",
    "Throttled",
    "TooLarge",
    "TooManyCalls",
    "Unauthenticated",
    "Unavailable",
    "WrongType",
]

PREFIX = "ERROR_REASON_"
DETAILS = {
    "type.googleapis.com/google.rpc." + cls.DESCRIPTOR.name: cls
    for cls in (
        error_details_pb2.ErrorInfo,
        error_details_pb2.RetryInfo,
        error_details_pb2.QuotaFailure,
        error_details_pb2.BadRequest,
        error_details_pb2.ResourceInfo,
    )
}


class KeyStoreError(Exception):
    """A call that failed, or something that the client refuses to do.

    `code` is gRPC's status code, None if no call was made; `reason` the name of the server's reason
    without its prefix, such as "WRONG_TYPE", or "" if it gave none (as when it could not be reached);
    `retry_after` the seconds after which the server expects that it helps to try again, None if it
    does not say; `details` the messages of google.rpc that came with the error (BadRequest with the
    path of the field, QuotaFailure with the limit, ResourceInfo with the key).
    """

    def __init__(
        self,
        message: str,
        *,
        code: Optional[grpc.StatusCode] = None,
        reason: str = "",
        retry_after: Optional[float] = None,
        details: Sequence[Any] = (),
        trailers: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.retry_after = retry_after
        self.details: Tuple[Any, ...] = tuple(details)
        self.trailers: Dict[str, Any] = trailers or {}

    @property
    def never_again(self) -> bool:
        """The server says that repeating the call could make it take effect twice."""
        return bool(self.trailers.get("grpc-retry-pushback-ms") == "-1")

    @property
    def field(self) -> Optional[str]:
        """The path of the field of the request that is wrong, if the error is about one."""
        for detail in self.details:
            if isinstance(detail, error_details_pb2.BadRequest) and detail.field_violations:
                return str(detail.field_violations[0].field)
        return None


class WrongType(KeyStoreError):
    """The key holds a value of another type than the method requires."""


class NotANumber(KeyStoreError):
    """The string is not an integer, or not a real number."""


class OutOfRange(KeyStoreError):
    """A sum would overflow, a list has no element at that index, or an offset is negative."""


class BadArgument(KeyStoreError):
    """An argument that is never valid, or several that contradict each other; see `field`."""


class TooLarge(KeyStoreError):
    """A key, value, message or answer is over its limit."""


class OutOfMemory(KeyStoreError):
    """The memory limit is reached; reads and removals still work."""


class ReadOnly(KeyStoreError):
    """Writes are refused because the disk is full or has failed."""


class HistoryLost(KeyStoreError):
    """A watch cannot start, or go on, that far back: start again with `initial`."""

    @property
    def oldest_version(self) -> Optional[int]:
        """From which version on a watch could start; None if the server does not say."""
        version = self.trailers.get("keystore-oldest-version")
        return int(version) if version else None


class Unauthenticated(KeyStoreError):
    """No credentials, or wrong ones."""


class Forbidden(KeyStoreError):
    """The credentials do not allow it."""


class BadMessage(KeyStoreError):
    """The server could not decode the message: a fault of the client."""


class NotServed(KeyStoreError):
    """The server does not know the method or what it was asked for: it may be older."""


class DeadlineExceeded(KeyStoreError):
    """The call took longer than its timeout. A write may have taken effect, or still may."""


class Unavailable(KeyStoreError):
    """The server could not be reached, or the connection was lost. A write may have taken effect."""


class Loading(Unavailable):
    """The server is starting and still loads its data. Nothing was done."""


class Stopping(Unavailable):
    """The server is shutting down. Nothing was done."""


class NotDurable(KeyStoreError):
    """The disk failed; what was written or read may be lost."""


class NotRead(KeyStoreError):
    """A stream was not read for too long."""


class RequestIdReused(KeyStoreError):
    """The request id belongs to another request."""


class AlreadyDone(KeyStoreError):
    """The write had taken effect before, but its reply was too long to be kept: read what it wrote."""


class NotFound(KeyStoreError):
    """The server has nothing of that name. A missing key is no error."""


class Throttled(KeyStoreError):
    """Too many attempts to authenticate, of this address or at the same time. None was made; try
    again after `retry_after` seconds.
    """


class NoUsers(KeyStoreError):
    """The server has no users, so nobody can authenticate, and nobody needs to."""


class TooManyCalls(KeyStoreError):
    """As many calls are in flight, or were made lately, as the server takes of all or of this user.
    Nothing was done; try again after `retry_after` seconds.
    """


class Cancelled(KeyStoreError):
    """The call was cancelled on this side, as by `close()`."""


class Conflict(KeyStoreError):
    """A transaction met changes of others in all of its attempts. Nothing was written."""


class LockTimeout(KeyStoreError):
    """Somebody else held the lock for the whole time."""


class LockLost(KeyStoreError):
    """The lock has expired, and may be held by somebody else."""


class ForkError(KeyStoreError):
    """The client was used before a fork and cannot be used after it."""


class ClosedError(KeyStoreError):
    """The client was closed."""


REASONS: Dict[str, Type[KeyStoreError]] = {
    "WRONG_TYPE": WrongType,
    "NOT_A_NUMBER": NotANumber,
    "OUT_OF_RANGE": OutOfRange,
    "BAD_ARGUMENT": BadArgument,
    "TOO_LARGE": TooLarge,
    "OUT_OF_MEMORY": OutOfMemory,
    "READ_ONLY": ReadOnly,
    "LOADING": Loading,
    "HISTORY_LOST": HistoryLost,
    "UNAUTHENTICATED": Unauthenticated,
    "FORBIDDEN": Forbidden,
    "BAD_MESSAGE": BadMessage,
    "NOT_SERVED": NotServed,
    "DEADLINE": DeadlineExceeded,
    "NOT_DURABLE": NotDurable,
    "STOPPING": Stopping,
    "NOT_READ": NotRead,
    "REQUEST_ID_REUSED": RequestIdReused,
    "ALREADY_DONE": AlreadyDone,
    "NOT_FOUND": NotFound,
    "THROTTLED": Throttled,
    "NO_USERS": NoUsers,
    "TOO_MANY_CALLS": TooManyCalls,
}
# Of these it says that it has done nothing, and that it passes.
NOTHING_DONE = (Loading, Stopping, Throttled, TooManyCalls)
# For errors without a reason: from gRPC itself, or a proxy.
CODES: Dict[grpc.StatusCode, Type[KeyStoreError]] = {
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.CANCELLED: Cancelled,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: Forbidden,
    grpc.StatusCode.UNIMPLEMENTED: NotServed,
    grpc.StatusCode.RESOURCE_EXHAUSTED: TooLarge,
}
NUMBERS: Dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


def make(code: grpc.StatusCode, reason: str, message: str, **fields: Any) -> KeyStoreError:
    """The error of that reason or, without a known one, of that code."""
    if reason.startswith(PREFIX):
        reason = reason[len(PREFIX) :]
    cls = REASONS.get(reason) or CODES.get(code, KeyStoreError)
    return cls(message, code=code, reason=reason, **fields)


def parse_details(serialized: bytes) -> List[Any]:
    status = status_pb2.Status.FromString(serialized)
    return [
        DETAILS[packed.type_url].FromString(packed.value)
        for packed in status.details
        if packed.type_url in DETAILS
    ]


def from_rpc(error: Any) -> KeyStoreError:
    """The exception for a grpc.RpcError."""
    # aio's Metadata is no Mapping that dict() could copy.
    trailers = {name: value for name, value in error.trailing_metadata() or ()}  # noqa: C416
    pushback = trailers.get("grpc-retry-pushback-ms", "")
    details = parse_details(trailers.get("grpc-status-details-bin", b""))
    return make(
        error.code(),
        str(trailers.get("keystore-reason", "")),
        str(error.details() or error.code()),
        retry_after=int(pushback) / 1000 if pushback.isdigit() else None,
        details=details,
        trailers=trailers,
    )


def from_op(error: Any, reason: str) -> KeyStoreError:
    """The exception for the OpError of an operation in a pipeline."""
    return make(NUMBERS.get(error.code, grpc.StatusCode.UNKNOWN), reason, error.message)
