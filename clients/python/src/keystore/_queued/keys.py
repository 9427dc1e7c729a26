# Generated from keystore/_async/keys.py by tools/generate.py; do not edit.
"""Operations on keys of any type."""

from typing import Iterable, Optional

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
    to_key,
    to_keys,
    to_moment,
    to_ms,
    to_unix_ms,
)
from .base import Pending, QueuedBase

TYPES = {pb.VALUE_TYPE_STRING: "string", pb.VALUE_TYPE_LIST: "list"}
WHEN = ("always", "no_expiry", "has_expiry", "later", "sooner")


def key_info(reply: pb.KeyInfo) -> Optional[results.KeyInfo]:
    if not reply.found:
        return None
    return results.KeyInfo(
        type=TYPES[reply.type],
        length=reply.length,
        version=reply.version,
        expires_at=to_moment(reply.expire_at_ms),
        memory_bytes=reply.memory_bytes,
    )


class QueuedKeys(QueuedBase[S]):
    def delete(
        self, key: Key, *, if_version: Optional[int] = None, if_value: Optional[Data] = None
    ) -> Pending[bool]:
        """Removes the key; false if there was none, or the condition does not hold.

        Raises WrongType if `if_value` meets a list.
        """
        holds = condition(if_version=if_version, if_value=if_value)
        request = pb.Key(key=to_key(key), condition=holds, db=self._db)
        return self._queue(Call("Delete", request, lambda reply: bool(reply.ok)))

    def delete_many(self, keys: Iterable[Key]) -> Pending[int]:
        """Removes the keys, all at once, and returns how many there were."""
        request = pb.Keys(keys=to_keys(keys), db=self._db)
        return self._queue(Call("DeleteMany", request, lambda reply: int(reply.count)))

    def exists(self, *keys: Key) -> Pending[int]:
        """How many of the keys exist; one named twice counts twice."""
        request = pb.Keys(keys=to_keys(keys), db=self._db)
        return self._queue(Call("Exists", request, lambda reply: int(reply.count)))

    def touch(self, *keys: Key) -> Pending[int]:
        """Like `exists()`, and marks the keys as used for the eviction policies."""
        request = pb.Keys(keys=to_keys(keys), db=self._db)
        return self._queue(Call("Touch", request, lambda reply: int(reply.count)))

    def describe(self, key: Key) -> Pending[Optional[results.KeyInfo]]:
        """Type, length, version, expiry and memory use of the key; None if it does not exist."""
        request = pb.Key(key=to_key(key), db=self._db)
        return self._queue(Call("Describe", request, key_info))

    def expire(
        self,
        key: Key,
        *,
        ttl: Optional[Seconds] = None,
        expire_at: Optional[Moment] = None,
        persist: bool = False,
        when: str = "always",
    ) -> Pending[bool]:
        """Sets the time to live, or removes it (`persist`); one of the three must be given.

        `ttl` is in seconds, `expire_at` a datetime or Unix time; one in the past removes the key.
        `when` is "always", or depends on the present one: "no_expiry", "has_expiry", "later" (the
        new one is later), "sooner". False if nothing was changed.
        """
        if when not in WHEN:
            raise ValueError(f"when is {when!r}; it is one of {', '.join(WHEN)}")
        request = pb.ExpireRequest(
            key=to_key(key),
            ttl_ms=to_ms("ttl", ttl),
            expire_at_ms=to_unix_ms(expire_at),
            persist=persist,
            when=None if when == "always" else f"WHEN_{when.upper()}",
            db=self._db,
        )
        return self._queue(Call("Expire", request, lambda reply: bool(reply.ok)))

    def rename(
        self,
        source: Key,
        target: Key,
        *,
        absent_only: bool = False,
        target_db: Optional[int] = None,
    ) -> Pending[bool]:
        """Renames the key, replacing any value of `target`; with `target_db` moves it to another
        database. False if there is no source, or with `absent_only` if there is a target.
        """
        request = pb.CopyRequest(
            source=to_key(source),
            target=to_key(target),
            absent_only=absent_only,
            target_db=target_db,
            db=self._db,
        )
        return self._queue(Call("Rename", request, lambda reply: bool(reply.ok)))

    def copy(
        self, source: Key, target: Key, *, replace: bool = False, target_db: Optional[int] = None
    ) -> Pending[bool]:
        """Copies the value with its time to live. False if there is no source, or there is a target
        and `replace` is not set. Raises BadArgument if both are the same key.
        """
        request = pb.CopyRequest(
            source=to_key(source),
            target=to_key(target),
            replace=replace,
            target_db=target_db,
            db=self._db,
        )
        return self._queue(Call("Copy", request, lambda reply: bool(reply.ok)))
