"""Unmodified gRPC clients: each channel has a connection of its own, each call a deadline."""

import grpc

import keystore_env  # noqa: F401  (puts the stubs on the path)
import mini_redis_pb2_grpc as rpc

CALL_TIMEOUT_S = 60
PACKAGE_PATH = "/keystore.v1.KeyStore/"
SHORT_PATH = "/KeyStore/"
ADMIN_PATH = "/keystore.v1.KeyStoreAdmin/"


def open_channel(address, retries=False):
    """With `retries`, grpcio sends again what has not left it, as it does by default."""
    # Without a pool of its own, channels to one address would share a connection.
    return grpc.insecure_channel(address, options=[
        ("grpc.max_receive_message_length", -1),
        ("grpc.max_send_message_length", -1),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", int(retries)),
    ])


def open_ready_channel(address):
    """The same, connected: for threads that connect at the same time. There grpcio's first attempt
    may fail by itself, as its errno may be that of another call; a channel then tries again."""
    channel = open_channel(address)
    grpc.channel_ready_future(channel).result(CALL_TIMEOUT_S)
    return channel


class Timed:
    """A method of a stub with a default deadline, so that no test hangs."""

    def __init__(self, method):
        self._method = method

    def __call__(self, request, timeout=CALL_TIMEOUT_S, **options):
        return self._method(request, timeout=timeout, **options)

    def with_call(self, request, timeout=CALL_TIMEOUT_S, **options):
        return self._method.with_call(request, timeout=timeout, **options)

    def future(self, request, timeout=CALL_TIMEOUT_S, **options):
        return self._method.future(request, timeout=timeout, **options)


class Stub:
    """The generated KeyStoreStub, or another, with a deadline on every unary call."""

    def __init__(self, channel, kind=rpc.KeyStoreStub):
        self._stub = kind(channel)

    def __getattr__(self, name):
        return Timed(getattr(self._stub, name))


def admin_stub(channel):
    return Stub(channel, rpc.KeyStoreAdminStub)


def raw_method(channel, path, reply=None):
    """A unary call of any path with request bytes as they are."""
    return Timed(channel.unary_unary(path, request_serializer=None,
                                     response_deserializer=reply.FromString if reply else None))
