"""grpcio over TLS: tokens, certificates of clients, and what must be refused.

usage: secure.py ADDRESS PROTO FOLDER; see script/interop. Today's grpcio and Debian's run it.
"""

import sys
from pathlib import Path

import grpc
import checks
import mini_redis_pb2 as pb
import mini_redis_pb2_grpc as rpc

TIMEOUT_S = 30
ADDRESS, FOLDER = sys.argv[1], Path(sys.argv[3])
TOKEN = (FOLDER / "app.token").read_text().strip()
# Each channel connects anew.
OPTIONS = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]


def read(name):
    return (FOLDER / name).read_bytes()


def open_channel(ca="ca.pem", pair=None, token=None, options=()):
    """`pair`: the certificate to show; `token`: a token that the channel sends with each call."""
    own = (read(f"{pair}.key"), read(f"{pair}.pem")) if pair else (None, None)
    credentials = grpc.ssl_channel_credentials(read(ca), *own)
    if token is not None:
        credentials = grpc.composite_channel_credentials(
            credentials, grpc.access_token_call_credentials(token))
    return grpc.secure_channel(ADDRESS, credentials, options=[*OPTIONS, *options])


def bearer(token):
    return (("authorization", f"Bearer {token}"),)


def fails(code, reason, call, *arguments, **options):
    try:
        reply = call(*arguments, timeout=TIMEOUT_S, **options)
        if not isinstance(reply, (pb.Value, pb.Status)):
            list(reply)
    except grpc.RpcError as error:
        got = (error.code(), dict(error.trailing_metadata() or ()).get("keystore-reason"))
        assert got == (code, reason and f"ERROR_REASON_{reason}"), (got, error.details())
    else:
        raise AssertionError("the call did not fail")


def refused(**channel):
    """No connection comes about, so no call has an answer of the server."""
    with open_channel(**channel) as opened:
        fails(grpc.StatusCode.UNAVAILABLE, None, rpc.KeyStoreStub(opened).Get, pb.Key(key=b"app:1"))


def restart(pair, *options):
    checks.server(f"restart --users-file {FOLDER}/users --tls-cert {FOLDER}/{pair}.pem "
                  f"--tls-key {FOLDER}/{pair}.key " + " ".join(options))


def a_token_in_the_metadata():
    with open_channel() as channel:
        stub = rpc.KeyStoreStub(channel)
        for value in (b"a", bytes(range(256)) * 4096):
            assert stub.Set(pb.KeyValue(key=b"app:1", value=value), metadata=bearer(TOKEN)).ok
            assert stub.Get(pb.Key(key=b"app:1"), metadata=bearer(TOKEN)).value == value
        pages = list(stub.Scan(pb.ScanRequest(), metadata=bearer(TOKEN), timeout=TIMEOUT_S))
        assert [entry.key for page in pages for entry in page.entries] == [b"app:1"]


def a_token_of_the_channel():
    with open_channel(token=TOKEN) as channel:
        stub = rpc.KeyStoreStub(channel)
        assert stub.Set(pb.KeyValue(key=b"app:2", value=b"v")).ok
        [batch] = stub.Pipeline(iter([pb.OpBatch(ops=[pb.Op(get=pb.Key(key=b"app:2"))])]))
        assert batch.replies[0].value.value == b"v"
        fails(grpc.StatusCode.PERMISSION_DENIED, "FORBIDDEN", stub.Get, pb.Key(key=b"other"))


def wrong_tokens():
    with open_channel() as channel:
        stub = rpc.KeyStoreStub(channel)
        for metadata in (None, bearer(TOKEN + "x"), bearer(TOKEN[:-1]), bearer("")):
            fails(grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED", stub.Get,
                  pb.Key(key=b"app:1"), metadata=metadata)
            fails(grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED", stub.Scan, pb.ScanRequest(),
                  metadata=metadata)


def an_expired_certificate():
    restart("expired")
    refused(token=TOKEN)
    restart("server")
    a_token_of_the_channel()


def a_client_certificate():
    restart("server", f"--tls-client-ca {FOLDER}/ca.pem")
    with open_channel(pair="client") as channel:
        stub = rpc.KeyStoreStub(channel)
        assert stub.Set(pb.KeyValue(key=b"dev:1", value=b"v")).ok
        assert stub.Get(pb.Key(key=b"dev:1")).value == b"v"
        fails(grpc.StatusCode.PERMISSION_DENIED, "FORBIDDEN", stub.Get, pb.Key(key=b"app:1"))
        # A token counts for more.
        assert not stub.Get(pb.Key(key=b"app:none"), metadata=bearer(TOKEN)).found
        fails(grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED", stub.Get, pb.Key(key=b"dev:1"),
              metadata=bearer(TOKEN + "x"))


checks.run({
    "a token in the metadata": a_token_in_the_metadata,
    "a token of the channel": a_token_of_the_channel,
    "wrong tokens": wrong_tokens,
    "another CA": lambda: refused(ca="other-ca.pem"),
    "another name": lambda: refused(options=[("grpc.ssl_target_name_override", "other.example")]),
    "an expired certificate": an_expired_certificate,
    "a client's certificate": a_client_certificate,
    "no client's certificate": lambda: refused(token=TOKEN),
    "a client's certificate of another CA": lambda: refused(pair="other-client"),
    "a client's certificate that has expired": lambda: refused(pair="expired-client"),
})
