# Generated from keystore/_async/lists.py by tools/generate.py; do not edit.
"""Operations on lists."""

from typing import Any, Iterable, List, Optional

from .. import results
from .._proto import mini_redis_pb2 as pb
from ..calls import Call
from ..values import (
    Data,
    Key,
    S,
    Seconds,
    condition,
    in_seconds,
    to_bytes,
    to_key,
    to_keys,
    to_ms,
    to_wait_ms,
)
from .base import Base

ENDS = {"head": pb.LIST_END_HEAD, "tail": pb.LIST_END_TAIL}


def to_end(name: str, end: str) -> Any:
    if end not in ENDS:
        raise ValueError(f'{name} is {end!r}; it is "head" or "tail"')
    return ENDS[end]


def waiting(wait: Optional[Seconds]) -> float:
    return 0.0 if wait is None else in_seconds(wait)


class Lists(Base[S]):
    def _insert(
        self,
        key: Key,
        values: Iterable[Data],
        if_present: bool,
        ttl: Optional[Seconds],
        max_length: int,
    ) -> pb.ListInsert:
        return pb.ListInsert(
            key=to_key(key),
            values=[to_bytes(value) for value in values],
            condition=condition(if_present=if_present),
            ttl_ms=to_ms("ttl", ttl),
            max_length=max_length,
            db=self._db,
        )

    def lpush(
        self,
        key: Key,
        *values: Data,
        if_present: bool = False,
        ttl: Optional[Seconds] = None,
        max_length: int = 0,
    ) -> int:
        """Inserts each value in turn before the head, and returns the new length of the list, 0 if
        `if_present` does not hold. `ttl` is a new time to live in seconds; with `max_length`, elements
        beyond it are removed from the tail. Raises WrongType for a string.
        """
        request = self._insert(key, values, if_present, ttl, max_length)
        return self._invoke(Call("LPush", request, lambda reply: int(reply.count)))

    def rpush(
        self,
        key: Key,
        *values: Data,
        if_present: bool = False,
        ttl: Optional[Seconds] = None,
        max_length: int = 0,
    ) -> int:
        """Appends each value in turn after the tail, and returns the new length of the list, 0 if
        `if_present` does not hold. `ttl` is a new time to live in seconds; with `max_length`, elements
        beyond it are removed from the head. Raises WrongType for a string.
        """
        request = self._insert(key, values, if_present, ttl, max_length)
        return self._invoke(Call("RPush", request, lambda reply: int(reply.count)))

    def lpop(self, key: Key) -> Optional[S]:
        """Removes and returns the head; None if there is no list. Raises WrongType for a string."""
        request = pb.Key(key=to_key(key), db=self._db)
        return self._invoke(Call("LPop", request, self._codec.found))

    def rpop(self, key: Key) -> Optional[S]:
        """Removes and returns the tail; None if there is no list. Raises WrongType for a string."""
        request = pb.Key(key=to_key(key), db=self._db)
        return self._invoke(Call("RPop", request, self._codec.found))

    def list_pop(
        self,
        keys: Iterable[Key],
        *,
        end: str = "head",
        count: int = 1,
        wait: Optional[Seconds] = None,
    ) -> Optional[results.Popped[S]]:
        """Removes and returns up to `count` elements of the first of the lists that exists; None if
        none does. With `wait`, in seconds, it waits for one, beside the timeout of the call; with
        `math.inf` as long as it takes. Example::

            popped = client.list_pop(["urgent", "jobs"], wait=30)

        Raises WrongType if a string comes before the first list, Stopping if the server shuts down.
        """
        request = pb.PopRequest(
            keys=to_keys(keys),
            end=to_end("end", end),
            count=count,
            wait_ms=to_wait_ms(wait),
            db=self._db,
        )
        text, texts = self._codec.text, self._codec.texts

        def result(reply: pb.Popped) -> Optional[results.Popped[S]]:
            if not reply.found:
                return None
            return results.Popped(text(reply.key), texts(reply.values))

        return self._invoke(Call("ListPop", request, result, waiting(wait)))

    def lmove(
        self,
        source: Key,
        target: Key,
        *,
        source_end: str = "head",
        target_end: str = "tail",
        wait: Optional[Seconds] = None,
    ) -> Optional[S]:
        """Moves an element from one end of a list to one end of another, or the same, and returns it;
        None if there is no source. `wait` is as in `list_pop()`. Raises WrongType for a string.
        """
        request = pb.MoveRequest(
            source=to_key(source),
            target=to_key(target),
            source_end=to_end("source_end", source_end),
            target_end=to_end("target_end", target_end),
            wait_ms=to_wait_ms(wait),
            db=self._db,
        )
        return self._invoke(Call("LMove", request, self._codec.found, waiting(wait)))

    def lrange(self, key: Key, start: int = 0, stop: int = -1) -> List[S]:
        """The elements from start to stop, both inclusive; negative indexes count from the tail. For
        long lists there is `stream_list()`. Raises WrongType for a string, TooLarge.
        """
        request = pb.ListRange(key=to_key(key), start=start, stop=stop, db=self._db)
        texts = self._codec.texts
        return self._invoke(Call("LRange", request, lambda reply: texts(reply.values)))

    def lindex(self, key: Key, index: int) -> Optional[S]:
        """The element at the index; None if there is none. Raises WrongType for a string."""
        request = pb.ListItem(key=to_key(key), index=index, db=self._db)
        return self._invoke(Call("LIndex", request, self._codec.found))

    def lset(self, key: Key, index: int, value: Data) -> bool:
        """Replaces the element at the index; false if there is no list. Raises OutOfRange if it has no
        such element, WrongType for a string.
        """
        request = pb.ListItem(key=to_key(key), index=index, value=to_bytes(value), db=self._db)
        return self._invoke(Call("LSet", request, lambda reply: bool(reply.ok)))

    def linsert(self, key: Key, pivot: Data, value: Data, *, after: bool = False) -> int:
        """Inserts the value before, or after, the first element that equals `pivot`, and returns the
        new length; 0 if there is no list, -1 if it has no such element. Raises WrongType.
        """
        request = pb.ListItem(
            key=to_key(key), pivot=to_bytes(pivot), value=to_bytes(value), after=after, db=self._db
        )
        return self._invoke(Call("LInsert", request, lambda reply: int(reply.count)))

    def lrem(self, key: Key, value: Data, count: int = 0) -> int:
        """Removes elements that equal the value, and returns how many: all, or the first `count` from
        the head or, if it is negative, from the tail. Raises WrongType for a string.
        """
        request = pb.ListFind(key=to_key(key), value=to_bytes(value), count=count, db=self._db)
        return self._invoke(Call("LRem", request, lambda reply: int(reply.count)))

    def lpos(
        self, key: Key, value: Data, *, rank: int = 1, count: int = 0, max_scan: int = 0
    ) -> List[int]:
        """The indexes of elements that equal the value: all, or `count`, from the match number `rank`
        on (negative: from the tail), of `max_scan` elements compared. Raises WrongType, TooLarge.
        """
        request = pb.ListFind(
            key=to_key(key),
            value=to_bytes(value),
            rank=rank,
            count=count,
            max_scan=max_scan,
            db=self._db,
        )
        return self._invoke(Call("LPos", request, lambda reply: list(reply.indexes)))

    def ltrim(self, key: Key, start: int, stop: int) -> int:
        """Keeps the elements from start to stop, both inclusive, and returns how many there are.

        Raises WrongType for a string.
        """
        request = pb.ListRange(key=to_key(key), start=start, stop=stop, db=self._db)
        return self._invoke(Call("LTrim", request, lambda reply: int(reply.count)))
