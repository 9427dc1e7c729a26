"""Methods for operators, and the few others that no transaction can contain."""

from typing import Any, AsyncIterator, Dict, Iterable, List, Optional

import grpc

from .. import errors, results
from .._proto import mini_redis_pb2 as pb
from ..calls import Call
from ..config import Config
from ..values import Data, Key, S, to_bytes, to_key
from .base import AsyncBase
from .transport import AsyncTransport

ORIGINS = ("default", "file", "command_line", "changed")


class AsyncAdmin(AsyncBase[S]):
    _transport: AsyncTransport
    _config: Config

    async def random_key(self) -> Optional[S]:
        """One of the keys, each equally likely; None if there are none."""
        text = self._codec.text
        return await self._invoke(
            Call(
                "RandomKey",
                pb.DbRequest(db=self._db),
                lambda reply: text(reply.key) if reply.key else None,
            )
        )

    async def publish(self, channel: Key, payload: Data) -> int:
        """Sends a message to those who subscribe now, and returns to how many. It is never repeated
        by itself: after Unavailable it may have been sent.
        """
        request = pb.Message(channel=to_key(channel), payload=to_bytes(payload))
        return await self._invoke(Call("Publish", request, lambda reply: int(reply.count)))

    async def info(self, *sections: str) -> Dict[str, str]:
        """Statistics of the server: all, or those of sections such as "memory" and "stats"."""
        request = pb.InfoRequest(sections=sections)
        return await self._invoke(Call("Info", request, lambda reply: dict(reply.fields)))

    async def flush_db(self) -> int:
        """Removes all keys of the database, and returns how many there were."""
        request = pb.DbRequest(db=self._db)
        return await self._invoke(Call("FlushDb", request, lambda reply: int(reply.count)))

    async def swap_db(self, other_db: int) -> bool:
        """Swaps the contents of this database and another one; false if both are empty."""
        request = pb.SwapRequest(db=self._db, other_db=other_db)
        return await self._invoke(Call("SwapDb", request, lambda reply: bool(reply.ok)))

    async def save(self, *, wait: bool = True) -> None:
        """Writes a snapshot of all data. Without `wait` it returns as soon as that was requested.

        Large data take longer than the timeout of the client: see `with_options()`.
        Raises NotDurable if it failed; the previous snapshot and log stay in use.
        """
        return await self._invoke(Call("Save", pb.SaveRequest(wait=wait), lambda reply: None))

    async def backup(self) -> AsyncIterator[bytes]:
        """A snapshot of all data as a file in the format of Redis (RDB), piece by piece."""
        stream = await self._transport.stream(
            "Backup", "unary_stream", pb.BackupRequest(), self._config, None
        )
        try:
            async for page in stream:
                yield page.data
        except grpc.RpcError as failure:
            raise errors.from_rpc(failure) from None
        finally:
            stream.cancel()

    async def slow_log(self, limit: int = 0, *, reset: bool = False) -> List[results.Fields]:
        """The newest slow calls, newest first, as mappings with the names of the API's fields, such
        as "duration_us" and "method"; all, or `limit`.
        """
        request = pb.SlowLogRequest(limit=limit, reset=reset)
        return await self._invoke(
            Call("SlowLog", request, lambda reply: [results.as_dict(e) for e in reply.entries])
        )

    async def latency(self, methods: Iterable[str] = ()) -> List[results.Fields]:
        """Calls and their durations by method, as mappings with the names of the API's fields, such
        as "p99_us".
        """
        request = pb.LatencyRequest(methods=list(methods))
        return await self._invoke(
            Call("Latency", request, lambda reply: [results.as_dict(m) for m in reply.methods])
        )

    async def clients(self, *, own: bool = False) -> List[results.Fields]:
        """The open connections, or only that of this call, as mappings with the API's names."""
        stream = await self._transport.stream(
            "Clients", "unary_stream", pb.ClientsRequest(own=own), self._config, self._timeout()
        )
        found: List[results.Fields] = []
        try:
            async for page in stream:
                found += [results.as_dict(each) for each in page.clients]
        except grpc.RpcError as failure:
            raise errors.from_rpc(failure) from None
        return found

    async def kill_clients(
        self, *, id: int = 0, address: str = "", listener: str = "", include_own: bool = False
    ) -> int:
        """Ends the connections that have all of what is given, and returns how many."""
        request = pb.KillClientsRequest(
            id=id, address=address, listener=listener, include_own=include_own
        )
        return await self._invoke(Call("KillClients", request, lambda reply: int(reply.count)))

    async def config(self, pattern: str = "") -> List[results.Setting]:
        """The settings of the server whose names match the glob."""

        def result(reply: pb.ConfigReply) -> List[results.Setting]:
            return [
                results.Setting(s.name, s.value, ORIGINS[s.origin], s.accepts, s.changeable, s.help)
                for s in reply.settings
            ]

        return await self._invoke(Call("Config", pb.ConfigRequest(pattern=pattern), result))

    async def set_config(self, name: str, value: Any) -> bool:
        """Changes a setting until the server ends; false if it had the value. Raises BadArgument."""
        request = pb.SetConfigRequest(name=name, value=str(value))
        return await self._invoke(Call("SetConfig", request, lambda reply: bool(reply.ok)))

    def _timeout(self) -> float:
        return self._config.timeout
