"""What calls return, where that is more than a value."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any, Dict, Generic, List, Mapping, Optional, Tuple, TypeVar, Union

S = TypeVar("S", bound=Union[str, bytes])


@dataclass(frozen=True)
class Written(Generic[S]):
    """Whether a write took place; true if so.

    If a condition did not hold, `version` is that of the key as it is (0 if there is none), and
    `previous` its string. Else it is the new version, and `previous` what was asked for.
    """

    ok: bool
    version: int
    previous: Optional[S] = None

    def __bool__(self) -> bool:
        return self.ok


@dataclass(frozen=True)
class Value(Generic[S]):
    """A string with what belongs to it; `value` is None if the key does not exist.

    `expires_at` is in UTC, None if it never does. `as_of` is for `unchanged_since` of a transaction.
    """

    value: Optional[S]
    version: int
    expires_at: Optional[dt.datetime] = None
    as_of: int = 0


@dataclass(frozen=True)
class KeyInfo:
    """`type` is "string" or "list"; `length` is in bytes or elements."""

    type: str
    length: int
    version: int
    expires_at: Optional[dt.datetime]
    memory_bytes: int


@dataclass(frozen=True)
class Popped(Generic[S]):
    """Elements in the order in which they were popped, and the list that they come from."""

    key: S
    values: List[S]


@dataclass(frozen=True)
class Match:
    """Bytes that two strings have in common, and where."""

    start: int
    other_start: int
    length: int


@dataclass(frozen=True)
class Lcs(Generic[S]):
    """A longest common subsequence; `value` is empty and `matches` has none unless asked for."""

    length: int
    value: S
    matches: List[Match]


@dataclass(frozen=True)
class BitPart:
    """A part of `bitfield()`: `type` is as in Redis, "u8" or "i5"; `offset` counts bits from 0.

    `action` is "get", "set" or "increment"; `overflow` "wrap", "saturate" or "fail".
    """

    type: str
    offset: int
    action: str = "get"
    value: int = 0
    overflow: str = "wrap"


@dataclass(frozen=True)
class ScanEntry(Generic[S]):
    """`value` is the string if it was asked for; None for a list."""

    key: S
    type: str
    value: Optional[S] = None


@dataclass(frozen=True)
class WatchEvent(Generic[S]):
    """`type` is "write", "delete", "expire", "evict" or "flush"; `key` is empty for "flush".

    `change` is what was done, as a message `Op` of the API, if `with_changes` was given.
    """

    type: str
    key: S
    version: int
    db: int
    change: Any = None


@dataclass(frozen=True)
class WatchBatch(Generic[S]):
    """The events of a commit, or of several; a transaction's are together.

    `version` is where to resume: 0 before `initial_done`. `reset` means: forget what was reported so
    far; the selected keys follow as they are, up to the batch with `initial_done`.
    """

    events: Tuple[WatchEvent[S], ...]
    version: int
    initial_done: bool = False
    reset: bool = False


@dataclass(frozen=True)
class Message(Generic[S]):
    """A published message.

    `missed` is how many this subscriber lost before it because it read too slowly; `resumed` that the
    connection was lost before it, so that any number may be missing.
    """

    channel: S
    payload: S
    sequence: int
    missed: int = 0
    resumed: bool = False


@dataclass(frozen=True)
class Session:
    """A token that a password was exchanged for; `expires_at` is in UTC, by the server's clock."""

    token: str = field(repr=False)
    expires_at: dt.datetime
    user: str


@dataclass(frozen=True)
class Identity:
    """As whom the server takes a client.

    `means` is "token", "session" (a token of `authenticate()`), "certificate", "unix", or "none": the
    server has no users, `user` is None, and everybody may do everything. `id` is that of the token;
    `expires_at` is in UTC, None if it never does; `rules` are as in the users file.
    """

    user: Optional[str]
    means: str
    id: Optional[str]
    expires_at: Optional[dt.datetime]
    rules: List[str]


@dataclass(frozen=True)
class Setting:
    """A setting of the server; `origin` is "default", "file", "command_line" or "changed"."""

    name: str
    value: str
    origin: str
    accepts: str
    changeable: bool
    help: str


@dataclass(frozen=True)
class TxnResult:
    """Whether the compares held, the results of what was executed, and the version of its writes."""

    succeeded: bool
    results: List[Any]
    version: int

    def __bool__(self) -> bool:
        return self.succeeded


def as_dict(message: Any) -> Dict[str, Any]:
    """The fields of a flat message by name; those that are not set with their defaults."""
    return {
        field.name: value if isinstance(value, (str, bytes, int, float, bool)) else list(value)
        for field in message.DESCRIPTOR.fields
        for value in (getattr(message, field.name),)
    }


Fields = Mapping[str, Any]
