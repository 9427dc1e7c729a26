"""Operations on strings."""

from decimal import Decimal
from typing import Iterable, List, Mapping, Optional

from .. import results
from .._proto import mini_redis_pb2 as pb
from ..calls import Call
from ..values import (
    Data,
    Key,
    Moment,
    S,
    Seconds,
    condition,
    to_bytes,
    to_key,
    to_keys,
    to_ms,
    to_unix_ms,
)
from .base import AsyncBase

BIT_OPERATIONS = ("and", "or", "xor", "not")


class AsyncStrings(AsyncBase[S]):
    async def set(
        self,
        key: Key,
        value: Data,
        *,
        ttl: Optional[Seconds] = None,
        expire_at: Optional[Moment] = None,
        keep_ttl: bool = False,
        return_previous: bool = False,
        if_absent: bool = False,
        if_present: bool = False,
        if_version: Optional[int] = None,
        if_value: Optional[Data] = None,
    ) -> results.Written[S]:
        """Stores a string, replacing any value and time to live that the key had.

        `ttl` is in seconds, or a timedelta; `expire_at` a datetime, or Unix time in seconds. If a
        condition (`if_...`) does not hold, nothing changes, and the result is false. Example::

            client.set("session:1", token, ttl=3600, if_absent=True)

        Raises WrongType if `return_previous` or `if_value` meets a list, TooLarge, OutOfMemory.
        """
        request = pb.KeyValue(
            key=to_key(key),
            value=to_bytes(value),
            ttl_ms=to_ms("ttl", ttl),
            expire_at_ms=to_unix_ms(expire_at),
            keep_ttl=keep_ttl,
            return_previous=return_previous,
            condition=condition(if_absent, if_present, if_version, if_value),
            db=self._db,
        )
        return await self._invoke(Call("Set", request, self._codec.written))

    async def get(self, key: Key) -> Optional[S]:
        """The string; None if the key does not exist. Raises WrongType for a list."""
        request = pb.Key(key=to_key(key), db=self._db)
        return await self._invoke(Call("Get", request, self._codec.found))

    async def get_value(self, key: Key, *, want_as_of: bool = False) -> results.Value[S]:
        """The string with its version and expiry. Raises WrongType for a list."""
        request = pb.Key(key=to_key(key), want_as_of=want_as_of, db=self._db)
        return await self._invoke(Call("Get", request, self._codec.value))

    async def mget(self, keys: Iterable[Key]) -> List[Optional[S]]:
        """The strings under the keys, in their order; None for an absent key, or a list.

        Raises TooLarge if the answer would be longer than `Config.max_message_bytes`.
        """
        request = pb.Keys(keys=to_keys(keys), db=self._db)
        found = self._codec.found
        return await self._invoke(
            Call("MGet", request, lambda reply: [found(each) for each in reply.values])
        )

    async def mset(
        self,
        values: Mapping[Key, Data],
        *,
        ttl: Optional[Seconds] = None,
        if_absent: bool = False,
        if_present: bool = False,
    ) -> results.Written[S]:
        """Sets all the keys, or none: if the condition does not hold for one of them, none is set,
        the result is false, and its version and previous are those of that key.
        """
        ttl_ms, holds = to_ms("ttl", ttl), condition(if_absent, if_present)
        entries = [
            pb.KeyValue(key=to_key(key), value=to_bytes(value), ttl_ms=ttl_ms, condition=holds)
            for key, value in values.items()
        ]
        for entry in entries:
            entry.db = self._db
        request = pb.KeyValues(entries=entries, db=self._db)
        return await self._invoke(Call("MSet", request, self._codec.written))

    async def incr(self, key: Key, by: int = 1, *, ttl: Optional[Seconds] = None) -> int:
        """Adds to the integer that the string holds, and returns the sum; a missing key counts as 0.

        `ttl`, in seconds, is that of a key that is created; another one keeps its own. Raises
        NotANumber, OutOfRange if the sum has more than 64 bits, WrongType for a list.
        """
        request = pb.Increment(key=to_key(key), by=by, ttl_ms=to_ms("ttl", ttl), db=self._db)
        return await self._invoke(Call("Incr", request, lambda reply: int(reply.integer)))

    async def incr_float(self, key: Key, by: float, *, ttl: Optional[Seconds] = None) -> float:
        """Adds to the real number that the string holds, and returns the double nearest to the sum.

        Raises NotANumber, OutOfRange, WrongType for a list.
        """
        request = pb.Increment(key=to_key(key), by_float=by, ttl_ms=to_ms("ttl", ttl), db=self._db)
        return await self._invoke(Call("Incr", request, lambda reply: float(reply.real)))

    async def incr_decimal(self, key: Key, by: Decimal, *, ttl: Optional[Seconds] = None) -> Decimal:
        """Adds to the real number that the string holds, and returns the sum as it is stored.

        Raises NotANumber, OutOfRange, WrongType for a list.
        """
        request = pb.Increment(
            key=to_key(key), by_decimal=str(by), ttl_ms=to_ms("ttl", ttl), db=self._db
        )
        return await self._invoke(Call("Incr", request, lambda reply: Decimal(reply.decimal)))

    async def append(self, key: Key, value: Data) -> int:
        """Appends to the string, and returns its new length in bytes; a missing key is created.

        Raises WrongType for a list, TooLarge if the string would be longer than a value may be.
        """
        request = pb.KeyValue(key=to_key(key), value=to_bytes(value), db=self._db)
        return await self._invoke(Call("Append", request, lambda reply: int(reply.count)))

    async def get_range(self, key: Key, start: int = 0, stop: int = -1) -> Optional[S]:
        """The bytes from start to stop, both inclusive; negative offsets count from the end. None if
        the key does not exist. Raises WrongType for a list.
        """
        request = pb.ByteRange(key=to_key(key), start=start, stop=stop, db=self._db)
        return await self._invoke(Call("GetRange", request, self._codec.found))

    async def set_range(self, key: Key, start: int, value: Data) -> int:
        """Overwrites the string from offset `start` on, padding it with zero bytes, and returns its
        length in bytes. Raises WrongType for a list, OutOfRange for a negative offset, TooLarge.
        """
        request = pb.ByteRange(key=to_key(key), start=start, value=to_bytes(value), db=self._db)
        return await self._invoke(Call("SetRange", request, lambda reply: int(reply.count)))

    async def get_del(
        self, key: Key, *, if_version: Optional[int] = None, if_value: Optional[Data] = None
    ) -> Optional[S]:
        """Removes the key and returns its string; None if there was none, or the condition does not
        hold. Raises WrongType for a list.
        """
        holds = condition(if_version=if_version, if_value=if_value)
        request = pb.Key(key=to_key(key), condition=holds, db=self._db)
        return await self._invoke(Call("GetDel", request, self._codec.found))

    async def get_ex(
        self,
        key: Key,
        *,
        ttl: Optional[Seconds] = None,
        expire_at: Optional[Moment] = None,
        persist: bool = False,
    ) -> Optional[S]:
        """The string, whose time to live is changed as by `expire()`. Raises WrongType for a list."""
        request = pb.ExpireRequest(
            key=to_key(key),
            ttl_ms=to_ms("ttl", ttl),
            expire_at_ms=to_unix_ms(expire_at),
            persist=persist,
            db=self._db,
        )
        return await self._invoke(Call("GetEx", request, self._codec.found))

    async def setbit(self, key: Key, offset: int, bit: int) -> int:
        """Sets the bit at the offset, counted from the first one of the string, to 0 or 1, and
        returns the previous one. Raises WrongType for a list, TooLarge.
        """
        request = pb.BitRequest(key=to_key(key), offset=offset, bit=bool(bit), db=self._db)
        return await self._invoke(Call("SetBit", request, lambda reply: int(reply.count)))

    async def getbit(self, key: Key, offset: int) -> int:
        """The bit at the offset; 0 beyond the string's end. Raises WrongType for a list."""
        request = pb.BitRequest(key=to_key(key), offset=offset, db=self._db)
        return await self._invoke(Call("GetBit", request, lambda reply: int(reply.count)))

    async def bitcount(
        self, key: Key, start: int = 0, stop: Optional[int] = None, *, in_bits: bool = False
    ) -> int:
        """How many bits are set from start to stop, both inclusive, in bytes or, with `in_bits`, in
        bits. Raises WrongType for a list.
        """
        request = pb.BitRange(key=to_key(key), start=start, stop=stop, in_bits=in_bits, db=self._db)
        return await self._invoke(Call("BitCount", request, lambda reply: int(reply.count)))

    async def bitpos(
        self,
        key: Key,
        bit: int,
        start: int = 0,
        stop: Optional[int] = None,
        *,
        in_bits: bool = False,
    ) -> int:
        """The position of the first such bit, counted from the first one of the string; -1 if there
        is none. Raises WrongType for a list.
        """
        request = pb.BitRange(
            key=to_key(key), start=start, stop=stop, in_bits=in_bits, bit=bool(bit), db=self._db
        )
        return await self._invoke(Call("BitPos", request, lambda reply: int(reply.count)))

    async def bitop(self, operation: str, target: Key, keys: Iterable[Key]) -> int:
        """Combines the strings by "and", "or", "xor" or "not", stores the result under `target`, and
        returns its length in bytes; 0 means that `target` was removed. Raises WrongType.
        """
        if operation not in BIT_OPERATIONS:
            raise ValueError(f"operation is {operation!r}; it is one of {', '.join(BIT_OPERATIONS)}")
        request = pb.BitOpRequest(
            key=to_key(target),
            keys=to_keys(keys),
            operation=f"OPERATION_{operation.upper()}",
            db=self._db,
        )
        return await self._invoke(Call("BitOp", request, lambda reply: int(reply.count)))

    async def bitfield(self, key: Key, parts: Iterable[results.BitPart]) -> List[Optional[int]]:
        """Reads and writes integers within the string: the value of each "get", the previous one of a
        "set", the sum of an "increment"; None where overflow "fail" left it unchanged. Example::

            client.bitfield("stats", [BitPart("u8", 0, "increment", 1, overflow="saturate")])

        Raises WrongType for a list, TooLarge.
        """
        made = []
        for part in parts:
            if part.type[:1] not in ("i", "u") or not part.type[1:].isdigit():
                raise ValueError(f'type is {part.type!r}; it is one like "u8" or "i16"')
            made.append(
                pb.BitFieldRequest.Part(
                    action=f"ACTION_{part.action.upper()}",
                    is_signed=part.type[0] == "i",
                    bits=int(part.type[1:]),
                    offset=part.offset,
                    value=part.value,
                    overflow=None if part.action == "get" else f"OVERFLOW_{part.overflow.upper()}",
                )
            )
        request = pb.BitFieldRequest(key=to_key(key), parts=made, db=self._db)
        return await self._invoke(
            Call(
                "BitField",
                request,
                lambda reply: [item.value if item.done else None for item in reply.items],
            )
        )

    async def lcs(
        self,
        key: Key,
        other_key: Key,
        *,
        want_string: bool = True,
        want_matches: bool = False,
        min_match_length: int = 0,
    ) -> results.Lcs[S]:
        """The longest common subsequence of two strings. Raises WrongType for a list, TooLarge if they
        are too long.
        """
        request = pb.LcsRequest(
            key=to_key(key),
            other_key=to_key(other_key),
            want_string=want_string,
            want_matches=want_matches,
            min_match_length=min_match_length,
            db=self._db,
        )
        text = self._codec.text

        def result(reply: pb.LcsReply) -> results.Lcs[S]:
            matches = [results.Match(m.start, m.other_start, m.length) for m in reply.matches]
            return results.Lcs(reply.length, text(reply.value), matches)

        return await self._invoke(Call("Lcs", request, result))
