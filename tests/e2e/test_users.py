"""Users and what they may do: the permission matrix, from the operation table; credentials; and what
other servers got wrong."""

import os

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel
from errors import check_fails, reason_of
from needs import ADMIN_CALLS, ADMIN_STREAMS, REQUESTS, ROWS, needs_of
from server_process import Server, run_server
from users import As, UsersFile, metadata_of, reload_users, token_line, token_of

FORBIDDEN = (grpc.StatusCode.PERMISSION_DENIED, "ERROR_REASON_FORBIDDEN")
UNAUTHENTICATED = (grpc.StatusCode.UNAUTHENTICATED, "ERROR_REASON_UNAUTHENTICATED")

# ---- the matrix ----

# User: (grants, whether its keys start with in: and its databases are 0 and 1).
USERS = {
    "reader": ("read", True), "writer": ("write", True), "both": ("read,write", True),
    "strings": ("string", True), "lists": ("list", True), "keys": ("key", True),
    "txns": ("txn", True), "all-in": ("all", True), "free": ("read,write", False),
    "admin": ("admin", False), "root": ("all", False), "nobody": ("", False),
}
IN, OUT = b"in:1", b"out:1"
# Names beside the prefix.
EDGES = [b"in", b"in;", b"In:1", b"xin:1", b"in\0:1", b" in:1", b"../in:1"]


def allows(user, needs):
    grants, restricted = USERS[user]
    grants = grants.split(",")
    for kind, category, key, db in needs:
        good = "all" in grants or kind in grants or category in grants
        if key is None:
            good = (good or "admin" in grants) and not restricted
        elif restricted:
            good = good and key.startswith(b"in:") and db <= 1
        if not good:
            return False
    return True


@pytest.fixture(scope="module")
def users_server(tmp_path_factory):
    rules = {user: [f"{grants} keys=in:* db=0-1" if restricted else grants] if grants else []
             for user, (grants, restricted) in USERS.items()}
    file = UsersFile(tmp_path_factory.mktemp("users"), rules)
    running = Server("--users-file", file.path)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def users_channel(users_server):
    with open_channel(users_server.address) as channel:
        yield channel


def is_forbidden(call, request):
    try:
        call(request)
    except grpc.RpcError as error:
        if reason_of(error) == FORBIDDEN[1]:
            assert error.code() == FORBIDDEN[0]
            return True
    return False


def in_txn(row, request):
    return pb.Op(**{row.kind.lower(): request})


CASES = [(IN, IN, 0), (IN, IN, 1), (IN, IN, 2), (IN, OUT, 0), (OUT, IN, 0), (OUT, OUT, 0)] + [
    (edge, IN, 0) for edge in EDGES] + [(IN, edge, 0) for edge in EDGES[:3]]


def test_the_matrix_has_every_operation():
    assert sorted(REQUESTS) == sorted(row.method for row in ROWS)


@pytest.mark.parametrize("user", USERS)
def test_matrix(users_channel, user, counts):
    """user x operation x keys, databases, edges; alone, in either half of a Txn, in a Pipeline."""
    stub, admin = As(users_channel, user), As(users_channel, user, admin=True)
    decided = {True: 0, False: 0}
    for row in ROWS:
        for a, b, db in CASES:
            request = REQUESTS[row.method](a, b, db)
            expected = not allows(user, needs_of(row, a, b, db))
            about = (user, row.method, a, b, db)
            call = getattr(admin if row.category == "admin" else stub, row.method)
            assert is_forbidden(call, request) == expected, about
            decided[expected] += 1
            if row.alone:
                continue
            op = in_txn(row, request)
            assert is_forbidden(stub.Txn, pb.TxnRequest(success=[op])) == expected, about
            assert is_forbidden(stub.Txn, pb.TxnRequest(failure=[op])) == expected, about
            [replies] = stub.Pipeline(iter([pb.OpBatch(ops=[op])]))
            reason = replies.replies[0].error.reason
            assert (reason == pb.ERROR_REASON_FORBIDDEN) == expected, about
    counts(f"{decided[False]} allowed, {decided[True]} denied")


@pytest.mark.parametrize("user", USERS)
def test_administration(users_channel, user):
    admin = As(users_channel, user, admin=True)
    denied = user not in ("admin", "root")
    for name, request in ADMIN_CALLS.items():
        assert is_forbidden(getattr(admin, name), request) == denied, name
    for name, request in ADMIN_STREAMS.items():
        assert is_forbidden(lambda sent, name=name: list(getattr(admin, name)(sent)),
                            request) == denied, name


def test_every_method_asks_who_calls(users_channel):
    """No call gets past without a token; health checks need none."""
    stub, admin = Stub(users_channel), admin_stub(users_channel)
    for row in ROWS:
        call = getattr(admin if row.category == "admin" else stub, row.method)
        check_fails(UNAUTHENTICATED, call, REQUESTS[row.method](IN, IN, 0), "authorization")
    for name, request in ADMIN_CALLS.items():
        check_fails(UNAUTHENTICATED, getattr(admin, name), request)
    for name, request in ADMIN_STREAMS.items():
        check_fails(UNAUTHENTICATED, lambda sent, name=name: list(getattr(admin, name)(sent)),
                    request)
    check_fails(UNAUTHENTICATED, stub.Publish, pb.Message(channel=b"in:c"))
    for name in ("Pipeline", "Consume"):
        check_fails(UNAUTHENTICATED,
                    lambda sent, name=name: list(getattr(stub, name)(iter(sent))), [])
    for name, request in {
            "Scan": pb.ScanRequest(), "StreamList": pb.ListRange(key=IN),
            "Watch": pb.WatchRequest(), "Subscribe": pb.SubscribeRequest(channels=[b"in:c"]),
    }.items():
        check_fails(UNAUTHENTICATED, lambda sent, name=name: list(getattr(stub, name)(sent)),
                    request)
    reflect = users_channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
    check_fails(UNAUTHENTICATED, lambda sent: list(reflect(iter(sent), timeout=60)), [])
    health = users_channel.unary_unary("/grpc.health.v1.Health/Check")
    assert health(b"", timeout=60) == b"\x08\x01"


@pytest.mark.parametrize("path", ["/KeyStore/Get", "//keystore.v1.KeyStore/Get",
                                  "/keystore.v1.KeyStore//Get", "/keystore.v1.keystore/Get",
                                  "/keystore.v1.KeyStore/%47et", "/keystore.v1.KeyStore/Get/",
                                  "/keystore.v1.KeyStoreAdmin/Get", "/keystore.v1.KeyStore/get"])
def test_no_path_goes_around_it(users_channel, path):
    call = users_channel.unary_unary(path)
    with pytest.raises(grpc.RpcError) as caught:
        call(pb.Key(key=IN).SerializeToString(), timeout=60)
    assert caught.value.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNIMPLEMENTED)


# ---- what other servers got wrong ----

def test_what_a_write_reveals_is_a_read(users_channel):
    """etcd: prev_kv of a Put showed what the user may not read. Here: return_previous, and a
    condition that compares."""
    As(users_channel, "root").Set(pb.KeyValue(key=b"in:secret", value=b"s"))
    stub = As(users_channel, "writer")
    stub.Set(pb.KeyValue(key=b"in:w", value=b"v"))
    for revealing in ({"return_previous": True},
                      {"condition": pb.Condition(existence=pb.EXISTENCE_ABSENT)},
                      {"condition": pb.Condition(match_value=True, value=b"s")},
                      {"condition": pb.Condition(version=1)}):
        request = pb.KeyValue(key=b"in:secret", value=b"v", **revealing)
        check_fails(FORBIDDEN, stub.Set, request, "needs `read`")
        if not request.return_previous:
            check_fails(FORBIDDEN, stub.MSet, pb.KeyValues(entries=[request]))
        check_fails(FORBIDDEN, stub.Txn, pb.TxnRequest(success=[pb.Op(set=request)]))
    check_fails(FORBIDDEN, stub.Txn, pb.TxnRequest(compares=[pb.TxnRequest.Compare(
        key=b"in:secret", condition=pb.Condition(match_value=True, value=b"s"))]))


def test_a_move_needs_both_ends(users_channel):
    As(users_channel, "root").Set(pb.KeyValue(key=b"out:moved", value=b"s"))
    stub = As(users_channel, "both")
    for call in (stub.Rename, stub.Copy):
        check_fails(FORBIDDEN, call, pb.CopyRequest(source=b"out:moved", target=b"in:moved"))
        check_fails(FORBIDDEN, call, pb.CopyRequest(source=b"in:moved", target=b"out:moved"))
        check_fails(FORBIDDEN, call, pb.CopyRequest(source=b"in:moved", target=b"in:moved",
                                                    target_db=2), "database 2")


def test_a_repeated_request_is_answered_to_its_user_only(users_channel):
    """The reply that is kept for a request id is not for those who may not make the request."""
    request = pb.KeyValue(key=b"in:once", value=b"v")
    ident = (("keystore-request-id", "users-once-1"),)
    first = As(users_channel, "both").Set(request, metadata=ident)
    assert As(users_channel, "writer").Set(request, metadata=ident) == first
    check_fails(FORBIDDEN, As(users_channel, "reader").Set, request, metadata=ident)
    check_fails(FORBIDDEN, As(users_channel, "nobody").Set, request, metadata=ident)


# ---- credentials ----

def test_credentials(tmp_path, fresh_server):
    file = UsersFile(tmp_path, {})
    file.write_text("[user a]\nallow = all\n" + token_line("good") + "\n" +
                    token_line("over", more="expires=2026-01-02T00:00:00Z") + "\n")
    server = fresh_server("--users-file", file.path)
    good = f"Bearer {token_of('good')}"
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        for sent in (good, good.replace("Bearer", "bearer"), good.replace(" ", "  ")):
            stub.Get(pb.Key(key=b"k"), metadata=(("authorization", sent),))
        for sent, words in [
                ("", "no credentials"), ("Bearer", "malformed"), (token_of("good"), "malformed"),
                ("Basic YTpi", "malformed"), ("Bearer " + token_of("other"), "unknown"),
                ("Bearer " + token_of("good") + "x", "unknown"),
                ("Bearer " + token_of("good")[:-1], "unknown"),
                ("Bearer " + token_of("over"), "expired")]:
            check_fails(UNAUTHENTICATED, stub.Get, pb.Key(key=b"k"), words,
                        metadata=(("authorization", sent),))
        check_fails(UNAUTHENTICATED, stub.Get, pb.Key(key=b"k"), "several authorization fields",
                    metadata=(("authorization", good), ("authorization", good)))
    assert token_of("good") not in server.stderr


def test_the_peer_of_a_unix_socket(tmp_path, fresh_server):
    file = UsersFile(tmp_path, {})
    file.write_text(f"[user me]\nallow = read\nunix = {os.geteuid()}\n")
    path = tmp_path / "socket"
    fresh_server("--users-file", file.path, listen=("127.0.0.1:0", f"unix:{path}"))
    with open_channel(f"unix:{path}") as channel:
        stub = Stub(channel)
        stub.Get(pb.Key(key=b"k"))
        check_fails(FORBIDDEN, stub.Set, pb.KeyValue(key=b"k", value=b"v"))
        check_fails(UNAUTHENTICATED, stub.Get, pb.Key(key=b"k"), "unknown",
                    metadata=metadata_of("me"))


def test_a_bad_file_starts_nothing(tmp_path):
    file = UsersFile(tmp_path, {"a": ["read"]})
    arguments = ("--dir", tmp_path / "data", "--listen", "127.0.0.1:0", "--users-file", file.path)
    file.path.chmod(0o640)
    refused = run_server(*arguments)
    assert refused.returncode == 1 and f"chmod 600 {file.path}" in refused.stderr
    file.write_text("[user a]\nallow = reed\n")
    refused = run_server(*arguments)
    assert refused.returncode == 1 and "line 2: `reed`" in refused.stderr
    file.path.unlink()
    assert "No such file" in run_server(*arguments).stderr


def test_reload(tmp_path, fresh_server):
    file = UsersFile(tmp_path, {"a": ["read"], "b": ["all"]})
    server = fresh_server("--users-file", file.path)
    get, put = pb.Key(key=b"k"), pb.KeyValue(key=b"k", value=b"v")
    with open_channel(server.address) as channel:
        a, b = As(channel, "a"), As(channel, "b")
        a.Get(get)
        check_fails(FORBIDDEN, a.Set, put)
        file.write_text("[user a\n")
        reload_users(server, "is refused, and the former users stay: line 1")
        a.Get(get)
        b.Set(put)
        file.write({"a": ["write"]})
        reload_users(server)
        a.Set(put)
        check_fails(FORBIDDEN, a.Get, get)
        check_fails(UNAUTHENTICATED, b.Get, get)
