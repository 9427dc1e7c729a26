"""Arguments of calls: keys, values and times as the server takes them, and back."""

import datetime as dt
import math
import os
from typing import Generic, Iterable, List, Optional, TypeVar, Union, cast

from . import results
from ._proto import mini_redis_pb2 as pb

S = TypeVar("S", bound=Union[str, bytes])

Key = Union[str, bytes]
Data = Union[str, bytes, bytearray, memoryview, int, float]
Seconds = Union[int, float, dt.timedelta]
Moment = Union[int, float, dt.datetime]

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


def to_bytes(data: Data) -> bytes:
    """str as UTF-8; numbers as decimal text."""
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        # Lone surrogates stand for bytes that are not UTF-8, as `decode` returns them.
        return data.encode("utf-8", "surrogateescape")
    if isinstance(data, (bytearray, memoryview)):
        return bytes(data)
    if isinstance(data, (int, float)) and not isinstance(data, bool):
        return repr(data).encode("ascii")
    raise TypeError(f"{type(data).__name__} is not bytes, str, int or float; convert it first")


def to_key(key: Key) -> bytes:
    if not isinstance(key, (str, bytes)):
        raise TypeError(f"a key is str or bytes, not {type(key).__name__}")
    return to_bytes(key)


def to_keys(keys: Iterable[Key]) -> List[bytes]:
    if isinstance(keys, (str, bytes)):
        return [to_key(keys)]
    return [to_key(key) for key in keys]


def in_seconds(time: Seconds) -> float:
    return time.total_seconds() if isinstance(time, dt.timedelta) else float(time)


def to_ms(name: str, time: Optional[Seconds]) -> int:
    """Milliseconds, rounded up; 0 for None. A time of 0 would be none at all to the server."""
    if time is None:
        return 0
    ms = math.ceil(round(in_seconds(time) * 1000, 6))
    if ms <= 0:
        raise ValueError(f"{name} is {time}; it must be above 0 seconds")
    return ms


def to_unix_ms(moment: Optional[Moment]) -> int:
    if moment is None:
        return 0
    seconds = moment.timestamp() if isinstance(moment, dt.datetime) else float(moment)
    ms = round(seconds * 1000)
    if ms <= 0:
        raise ValueError(f"expire_at is {moment}; it must be after 1970")
    return ms


def to_wait_ms(wait: Optional[Seconds]) -> int:
    """0 for None: not at all; -1 for infinity: until the deadline."""
    if wait is None:
        return 0
    return -1 if in_seconds(wait) == math.inf else to_ms("wait", wait)


def to_moment(unix_ms: int) -> Optional[dt.datetime]:
    return EPOCH + dt.timedelta(milliseconds=unix_ms) if unix_ms else None


def condition(
    if_absent: bool = False,
    if_present: bool = False,
    if_version: Optional[int] = None,
    if_value: Optional[Data] = None,
) -> Optional[pb.Condition]:
    if not (if_absent or if_present or if_version is not None or if_value is not None):
        return None
    if if_absent and if_present:
        raise ValueError("if_absent and if_present contradict each other")
    if if_version == 0:
        raise ValueError("if_version is 0, the version of an absent key; use if_absent")
    made = pb.Condition(version=if_version or 0)
    if if_absent:
        made.existence = pb.EXISTENCE_ABSENT
    elif if_present:
        made.existence = pb.EXISTENCE_PRESENT
    if if_value is not None:
        made.match_value, made.value = True, to_bytes(if_value)
    return made


class Codec(Generic[S]):
    """Makes what the caller wants of the server's bytes."""

    def __init__(self, decode: bool) -> None:
        self.decode = decode

    def text(self, data: bytes) -> S:
        # What is no UTF-8 becomes lone surrogates, which encode to the same bytes: nothing is lost.
        return cast(S, data.decode("utf-8", "surrogateescape") if self.decode else data)

    def texts(self, data: Iterable[bytes]) -> List[S]:
        return [self.text(each) for each in data]

    def found(self, value: pb.Value) -> Optional[S]:
        return self.text(value.value) if value.found else None

    def value(self, value: pb.Value) -> "results.Value[S]":
        return results.Value(
            value=self.found(value),
            version=value.version,
            expires_at=to_moment(value.expire_at_ms),
            as_of=value.as_of,
        )

    def written(self, status: pb.Status) -> "results.Written[S]":
        previous = status.previous if status.HasField("previous") else None
        return results.Written(
            ok=status.ok,
            version=status.version,
            previous=None if previous is None else self.found(previous),
        )


def new_request_id() -> bytes:
    return os.urandom(16)
