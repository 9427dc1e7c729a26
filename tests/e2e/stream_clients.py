"""One way to drive a streaming call, with grpcio's synchronous API and with its asyncio API."""

import asyncio
import contextlib
import queue
import threading

import grpc
import grpc.aio

import clients

TIMEOUT_S = 60


class Ended(Exception):
    """The stream has ended, with this status."""

    def __init__(self, code, details, reason):
        super().__init__(f"{code} {reason}: {details}")
        self.code, self.details, self.reason = code, details, reason


def reason_of(metadata):
    return next((value for name, value in metadata or () if name == "keystore-reason"), None)


class SyncClient:
    """Calls of a channel of its own."""

    def __init__(self, address):
        self.channel = clients.open_channel(address)

    def open(self, method, *, bidi, request=None, timeout=TIMEOUT_S):
        return SyncCall(self.channel, method, bidi, request, timeout)

    def close(self):
        self.channel.close()


class SyncCall:
    def __init__(self, channel, method, bidi, request, timeout):
        self._requests = queue.Queue()
        if bidi:
            start = channel.stream_stream(method.path, method.request.SerializeToString,
                                          method.reply.FromString)
            self._call = start(iter(self._requests.get, None), timeout=timeout)
            if request is not None:
                self.send(request)
        else:
            start = channel.unary_stream(method.path, method.request.SerializeToString,
                                         method.reply.FromString)
            self._call = start(request, timeout=timeout)

    def wait_for_headers(self):
        self._call.initial_metadata()

    def send(self, request):
        self._requests.put(request)

    def half_close(self):
        self._requests.put(None)

    def receive(self):
        """The next reply; raises Ended."""
        try:
            return next(self._call)
        except StopIteration:
            raise Ended(self._call.code(), self._call.details(), None) from None
        except grpc.RpcError as error:
            raise Ended(error.code(), error.details(),
                        reason_of(error.trailing_metadata())) from None

    def cancel(self):
        self._call.cancel()
        self.half_close()  # ends grpcio's thread that reads the requests


class AioClient:
    """The same, on an event loop in a thread."""

    def __init__(self, address):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.channel = self.run(self._open_channel(address))

    @staticmethod
    async def _open_channel(address):
        return grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1),
                                                           ("grpc.enable_retries", 0)])

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(TIMEOUT_S)

    def open(self, method, *, bidi, request=None, timeout=TIMEOUT_S):
        return AioCall(self, method, bidi, request, timeout)

    def close(self):
        self.run(self.channel.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class AioCall:
    def __init__(self, client, method, bidi, request, timeout):
        self._client = client
        self._call = client.run(self._start(client.channel, method, bidi, request, timeout))

    @staticmethod
    async def _start(channel, method, bidi, request, timeout):
        kind = channel.stream_stream if bidi else channel.unary_stream
        start = kind(method.path, method.request.SerializeToString, method.reply.FromString)
        if not bidi:
            return start(request, timeout=timeout)
        call = start(timeout=timeout)
        if request is not None:
            await AioCall._write(call, request)
        return call

    @staticmethod
    async def _write(call, request):
        # A call that has ended already says so when replies are received.
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await call.write(request)

    async def _receive(self):
        try:
            reply = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise Ended(error.code(), error.details(),
                        reason_of(error.trailing_metadata())) from None
        except asyncio.CancelledError:
            reply = grpc.aio.EOF
        if reply is grpc.aio.EOF:
            raise Ended(await self._call.code(), await self._call.details(),
                        reason_of(await self._call.trailing_metadata()))
        return reply

    async def _wait_for_headers(self):
        await self._call.initial_metadata()

    async def _half_close(self):
        await self._call.done_writing()

    async def _cancel(self):
        self._call.cancel()

    def wait_for_headers(self):
        self._client.run(self._wait_for_headers())

    def send(self, request):
        self._client.run(self._write(self._call, request))

    def half_close(self):
        self._client.run(self._half_close())

    def receive(self):
        return self._client.run(self._receive())

    def cancel(self):
        self._client.run(self._cancel())
