"""A call before it is made, and whether it may be repeated."""

import random
import re
import time
from dataclasses import dataclass
from enum import Enum
from typing import Any, Callable, Dict, Generic, List, Optional, Tuple, TypeVar

from . import errors
from ._proto import mini_redis_pb2 as pb
from .config import Config
from .values import new_request_id

R = TypeVar("R")


class Access(Enum):
    """What repeating a call does."""

    READ = "reads"  # nothing
    WRITE = "writes"  # may take effect twice, but with a request id does not
    ONCE = "writes, and takes no request id"  # may take effect twice


# Every unary method. A test compares it with the server's operation table.
READS = """
    Get MGet GetRange GetBit BitCount BitPos Lcs Exists Touch Describe RandomKey LRange LIndex LPos
    Info SlowLog Latency Config Authenticate WhoAmI"""  # one token more of Authenticate does no harm
WRITES = """
    Set MSet Incr Append SetRange SetBit BitOp BitField GetDel GetEx Delete DeleteMany Expire Rename
    Copy LPush RPush LPop RPop ListPop LMove LSet LInsert LRem LTrim Txn FlushDb SwapDb"""
WITHOUT_IDS = "Publish Save KillClients SetConfig"
ACCESS: Dict[str, Access] = {
    **dict.fromkeys(READS.split(), Access.READ),
    **dict.fromkeys(WRITES.split(), Access.WRITE),
    **dict.fromkeys(WITHOUT_IDS.split(), Access.ONCE),
}
SERVICES: Dict[str, Any] = {
    method.name: service
    for service in pb.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


@dataclass(frozen=True)
class Call(Generic[R]):
    """A method with its request; `result` makes the caller's answer of the reply.

    `wait` is how long the call may wait for a list, in seconds, beside its timeout.
    """

    method: str
    request: Any
    result: Callable[[Any], R]
    wait: float = 0.0

    @property
    def access(self) -> Access:
        return ACCESS[self.method]

    @property
    def op_field(self) -> str:
        """The field of message Op: "l_push" for LPush."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.method).lower()

    @property
    def is_repeatable(self) -> bool:
        """Whether it cannot take effect twice, even without a request id."""
        if self.access is Access.READ:
            return True
        if self.method == "Txn":
            return False
        fields = self.request.DESCRIPTOR.fields_by_name
        return "condition" in fields and self.request.condition.version != 0


def path_of(method: str) -> str:
    return f"/{SERVICES[method].full_name}/{method}"


def messages_of(method: str) -> Tuple[Any, Any]:
    """The classes of request and reply."""
    found = SERVICES[method].methods_by_name[method]
    return getattr(pb, found.input_type.name), getattr(pb, found.output_type.name)


def jitter(config: Config, number: int) -> float:
    """A random pause before attempt `number`, in seconds; 1 is the first repetition."""
    most: float = min(config.backoff_max, config.backoff * 2 ** min(number, 30))
    return random.uniform(0, most)


class Attempts:
    """The attempts of one call: its deadline, its metadata, and whether there is another one."""

    def __init__(
        self, call: Call[Any], config: Config, timeout: Optional[float], request_id: Optional[bytes]
    ) -> None:
        self.config = config
        self.number = 0
        self.metadata: List[Tuple[str, Any]] = []
        takes_id = call.access is Access.WRITE
        if request_id is not None and not takes_id:
            raise ValueError(f"{call.method} takes no request id; only calls that write data do")
        if takes_id and request_id is None and config.request_ids and config.max_attempts > 1:
            request_id = new_request_id()
        if request_id is not None:
            self.metadata.append(("keystore-request-id-bin", request_id))
        if call.access is not Access.READ:
            self.metadata.append(("keystore-max-reply-bytes", str(config.max_message_bytes)))
        self.is_safe = call.is_repeatable or request_id is not None
        self.may_renew = True  # the token, if the server has forgotten it
        self.sent_at = 0.0
        self.deadline = None if timeout is None else time.monotonic() + timeout + call.wait

    @classmethod
    def of_reads(cls, config: Config, timeout: Optional[float]) -> "Attempts":
        """Of something beside unary calls that may be repeated."""
        return cls(Call("MGet", None, bool), config, timeout, None)

    def timeout(self) -> Optional[float]:
        """Seconds left for this attempt."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def pause_after(self, error: errors.KeyStoreError) -> Optional[float]:
        """Seconds to wait before the next attempt; None if there is none."""
        self.number += 1
        if self.number >= self.config.max_attempts or error.never_again:
            return None
        if not isinstance(error, errors.NOTHING_DONE):
            if not self.is_safe:
                return None
            if not isinstance(error, errors.Unavailable) and error.retry_after is None:
                return None
        pause = jitter(self.config, self.number)
        if error.retry_after is not None:
            pause = error.retry_after
        left = self.timeout()
        return None if left is not None and pause >= left else pause
