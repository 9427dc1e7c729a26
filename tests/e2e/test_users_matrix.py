"""The permission matrix beyond operations: every method with every kind of bad credentials, streams,
the names of certificates, and random users files, on which the server agrees with a naive model."""

from collections import namedtuple

import grpc
import pytest

import mini_redis_pb2 as pb
from certs import Certs, sign_client
from clients import CALL_TIMEOUT_S, Stub, open_channel
from errors import check_fails, reason_of
from needs import ADMIN_CALLS, ADMIN_STREAMS, REQUESTS, ROWS, needs_of
from server_process import Server
from test_users import EDGES, IN, OUT, USERS
from times import wait_until
from users import As, UsersFile, expires_in, metadata_of, reload_users, token_line

FORBIDDEN = (grpc.StatusCode.PERMISSION_DENIED, "ERROR_REASON_FORBIDDEN")
UNAUTHENTICATED = (grpc.StatusCode.UNAUTHENTICATED, "ERROR_REASON_UNAUTHENTICATED")

# ---- every method ----

STREAMS = ("Scan", "StreamList", "Watch", "Consume", "Pipeline", "Subscribe")
METHODS = {f"/{service.full_name}/{method.name}": method
           for service in pb.DESCRIPTOR.services_by_name.values() for method in service.methods}
REFLECTION = [f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
              for version in ("v1", "v1alpha")]
# The services have a second name, without the package.
ALL_PATHS = [*METHODS, *(path.replace("keystore.v1.", "") for path in METHODS), *REFLECTION]
# How one becomes a user.
LOGINS = [path for path in ALL_PATHS if path.endswith("/Authenticate")]
PATHS = [path for path in ALL_PATHS if path not in LOGINS]
# Whoever is a user may call these; what is in the requests is judged by itself.
WITHOUT_NEEDS = {"Pipeline", "MSet", "Txn", "ServerReflectionInfo", "WhoAmI"}


def answer_of(channel, path, metadata):
    """(code, reason) of a call with an empty message. A deadline ends what begins to wait."""
    call = channel.stream_stream(path)(iter([b""]), metadata=metadata, timeout=CALL_TIMEOUT_S)
    try:
        for _ in call:
            call.cancel()
    except grpc.RpcError as error:
        return error.code(), reason_of(error)
    return grpc.StatusCode.OK, None


def test_the_matrix_has_every_method():
    """etcd's CVE-2026-33413: endpoints that nobody had thought of had no check."""
    known = {row.method for row in ROWS} | {"Publish", *STREAMS, *ADMIN_CALLS, *ADMIN_STREAMS}
    known |= {"Authenticate", "WhoAmI"}
    assert sorted(known) == sorted(method.name for method in METHODS.values())


def test_bad_credentials_at_every_method(tmp_path, fresh_server):
    """Not there, unknown, malformed, expired, revoked: no method looks at its message before."""
    file = UsersFile(tmp_path, {})
    expired = "[user late]\nallow = all\n" + token_line(
        "late", more="expires=2026-01-02T00:00:00Z") + "\n"
    file.write({"root": ["all"], "gone": ["all"]}, expired)
    server = fresh_server("--users-file", file.path)
    with open_channel(server.address) as channel:
        assert As(channel, "gone").Get(pb.Key(key=b"k")) == pb.Value()
        file.write({"root": ["all"]}, expired)
        reload_users(server)
        for path in PATHS:
            for metadata in ((), metadata_of("late"), metadata_of("gone"), metadata_of("ghost"),
                             (("authorization", "Basic cm9vdDpyb290"),)):
                assert answer_of(channel, path, metadata) == UNAUTHENTICATED, (path, metadata)
        # The same calls by one who may do everything get further.
        for path in PATHS:
            assert answer_of(channel, path, metadata_of("root"))[1] not in (
                FORBIDDEN[1], UNAUTHENTICATED[1]), path


@pytest.mark.parametrize("path", LOGINS)
def test_a_login_needs_no_credentials(matrix_channel, path):
    """Nor does it look at those that are sent: an expired token must not keep anybody out."""
    for metadata in ((), metadata_of("ghost"), metadata_of("nobody")):
        assert answer_of(matrix_channel, path, metadata) == (
            grpc.StatusCode.INVALID_ARGUMENT, "ERROR_REASON_BAD_ARGUMENT")


@pytest.mark.parametrize("path", PATHS)
def test_a_user_without_rules_at_every_method(matrix_channel, path):
    name = path.rpartition("/")[2]
    code, reason = answer_of(matrix_channel, path, metadata_of("nobody"))
    if name in WITHOUT_NEEDS:
        assert reason not in (FORBIDDEN[1], UNAUTHENTICATED[1])
    else:
        # A message without a key may be refused for that.
        assert (code, reason) == FORBIDDEN or code == grpc.StatusCode.INVALID_ARGUMENT, (code, reason)


def test_a_token_that_expires_while_it_is_used(tmp_path, fresh_server):
    """The server remembers who sent a header block, but not beyond the token's expiry."""
    file = UsersFile(tmp_path, {"u": ["all"]})
    server = fresh_server("--users-file", file.path)
    with open_channel(server.address) as channel:
        stub = As(channel, "u")
        for _ in range(3):  # the same header block
            assert not stub.Get(pb.Key(key=b"k")).found
        file.write_text("[user u]\nallow = all\n" + token_line("u", more=expires_in(2)) + "\n")
        reload_users(server)

        def is_refused():
            try:
                stub.Get(pb.Key(key=b"k"))
            except grpc.RpcError as error:
                assert reason_of(error) == UNAUTHENTICATED[1] and "expired" in error.details()
                return True
            return False

        wait_until(is_refused)
        check_fails(UNAUTHENTICATED, stub.Set, pb.KeyValue(key=b"k", value=b"v"), "expired")


# ---- streams and channels ----

@pytest.fixture(scope="module")
def matrix_server(tmp_path_factory):
    rules = {user: [f"{grants} keys=in:* db=0-1" if restricted else grants] if grants else []
             for user, (grants, restricted) in USERS.items()}
    rules |= {"streams": ["stream keys=in:* db=0-1"], "watches": ["watch keys=in:* db=0-1"],
              "talks": ["pubsub keys=in:* db=0-1"]}
    file = UsersFile(tmp_path_factory.mktemp("users"), rules)
    running = Server("--users-file", file.path)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def matrix_channel(matrix_server):
    with open_channel(matrix_server.address) as channel:
        yield channel


# Method: (kinds, types, whether it is of a database), as docs/users.md has it.
STREAM_NEEDS = {
    "StreamList": ({"read"}, {"stream", "list"}, True),
    "Watch": ({"read"}, {"watch"}, True),
    "Consume": ({"read", "write"}, {"stream", "list"}, True),
    "Subscribe": ({"read"}, {"pubsub"}, False),
    "Publish": ({"write"}, {"pubsub"}, False),
    "Scan": ({"read"}, {"stream"}, True),
}


def begin(stub, root, method, key, db):
    """Makes the call and takes its first reply, if it has one."""
    requests = {
        "StreamList": lambda: pb.ListRange(key=key, stop=-1, db=db),
        "Watch": lambda: pb.WatchRequest(selectors=[pb.WatchRequest.Selector(key=key, db=db)]),
        "Consume": lambda: iter([pb.ConsumeRequest(start=pb.ConsumeRequest.Start(
            keys=[key], pending=b"in:pending", db=db))]),
        "Subscribe": lambda: pb.SubscribeRequest(channels=[key]),
        "Publish": lambda: pb.Message(channel=key),
        "Scan": lambda: pb.ScanRequest(db=db),
    }
    call = getattr(stub, method)(requests[method]())
    if method == "Publish":
        return
    if method == "Subscribe":
        call.initial_metadata()
        root.Publish(pb.Message(channel=key))
    next(call, None)
    call.cancel()


def may_begin(user, method, key, db):
    kinds, types, has_db = STREAM_NEEDS[method]
    grants, restricted = {**USERS, "streams": ("stream", True), "watches": ("watch", True),
                          "talks": ("pubsub", True)}[user]
    granted = set(grants.split(","))
    if not granted & {"all", *types} and not kinds <= granted:
        return False
    if restricted and has_db and db > 1:
        return False
    return not restricted or method == "Scan" or key.startswith(b"in:")


@pytest.mark.parametrize("method", STREAM_NEEDS)
def test_streams_matrix(matrix_channel, method, counts):
    """user x stream x keys, databases, edges."""
    root, decided = As(matrix_channel, "root"), {True: 0, False: 0}
    for user in [*USERS, "streams", "watches", "talks"]:
        stub = As(matrix_channel, user)
        for key, db in [(IN, 0), (IN, 1), (IN, 2), (OUT, 0), *((edge, 0) for edge in EDGES)]:
            if method == "Consume":
                root.Delete(pb.Key(key=key, db=db))
                root.RPush(pb.ListInsert(key=key, values=[b"v"], db=db))
            elif method == "StreamList":
                root.Delete(pb.Key(key=key, db=db))
            expected, forbidden = may_begin(user, method, key, db), False
            try:
                begin(stub, root, method, key, db)
            except grpc.RpcError as error:
                forbidden = (error.code(), reason_of(error)) == FORBIDDEN
                assert forbidden, (user, key, db, error)
            assert forbidden != expected, (user, key, db)
            decided[expected] += 1
    assert decided[True] > 10 and decided[False] > 10
    counts(f"{decided[True]} allowed, {decided[False]} denied")


# ---- random users files ----

GRANTS = ["read", "write", "string", "list", "key", "txn", "stream", "pubsub", "all", "admin"]
GLOBS = ["in:*", "in:1", "i*", "*:1", "in:[0-9]", "*", "in?", "[^o]*", r"in\:1", "in:[a-c2]*", "**1"]
NAMES = [b"in:1", b"in:2", b"in:", b"in", b"out:1", b"in:a", b"in*", b"o", b"in:12", b"in\0:1"]
SCANNED_DB = 3  # nothing else touches it


class Rule:
    def __init__(self, random):
        self.grants = set(random.sample(GRANTS, random.choice([1, 1, 2, 3])))
        self.globs = random.sample(GLOBS, random.choice([1, 2])) if random.random() < 0.7 else None
        first = random.randrange(4)
        self.databases = range(first, first + 1 + random.randrange(3)) if random.random() < 0.5 \
            else None
        if "admin" in self.grants:  # such a rule is of no keys
            self.grants, self.globs, self.databases = {"admin"}, None, None

    def line(self):
        line = ",".join(sorted(self.grants))
        if self.globs is not None:
            line += " keys=" + ",".join(self.globs)
        if self.databases is not None:
            line += f" db={self.databases[0]}-{self.databases[-1]}"
        return line

    def has_db(self, db):
        return self.databases is None or db in self.databases

    def meets(self, kind, category, key, db):
        """`key`: None is all keys."""
        granted = self.grants & {"all", kind, category} or (key is None and "admin" in self.grants)
        named = self.globs is None or (key is not None and
                                       any(matches(glob.encode(), key) for glob in self.globs))
        return bool(granted) and named and self.has_db(db)


def matches(glob, text):
    """What base/glob.h says, one byte after the other."""
    if not glob:
        return not text
    if glob[:1] == b"*":
        return any(matches(glob[1:], text[i:]) for i in range(len(text) + 1))
    if not text:
        return False
    if glob[:1] == b"?":
        return matches(glob[1:], text[1:])
    if glob[:1] == b"[":
        members, rest = glob[1:].split(b"]", 1)
        inverted = members[:1] == b"^"
        members = members[inverted:]
        found, i = False, 0
        while i < len(members):
            last = members[i + 2] if members[i + 1:i + 2] == b"-" else members[i]
            found = found or members[i] <= text[0] <= last
            i += 3 if members[i + 1:i + 2] == b"-" else 1
        return found != inverted and matches(rest, text[1:])
    if glob[:1] == b"\\":
        glob = glob[1:]
    return glob[0] == text[0] and matches(glob[1:], text[1:])


Attempt = namedtuple("Attempt", "row a b db")


def random_attempt(random):
    row = random.choice(ROWS)
    return Attempt(row, random.choice(NAMES), random.choice(NAMES), random.randrange(3))


def request_of(attempt):
    return REQUESTS[attempt.row.method](attempt.a, attempt.b, attempt.db)


def model_allows(rules, attempts):
    return all(any(rule.meets(*need) for rule in rules)
               for attempt in attempts for need in needs_of(*attempt))


def is_forbidden(call, request):
    try:
        call(request)
    except grpc.RpcError as error:
        return reason_of(error) == FORBIDDEN[1]
    return False


def op_of(attempt):
    return pb.Op(**{attempt.row.kind.lower(): request_of(attempt)})


def try_in_one_of_the_ways(random, channel, user):
    """(what was tried, whether it was forbidden)."""
    stub = As(channel, user)
    way = random.choice(["unary", "txn", "pipeline"])
    attempts = [random_attempt(random) for _ in range(1 if way == "unary" else random.randint(1, 3))]
    if way == "unary":
        [attempt] = attempts
        of = As(channel, user, admin=True) if attempt.row.category == "admin" else stub
        return attempts, is_forbidden(getattr(of, attempt.row.method), request_of(attempt))
    attempts = [attempt for attempt in attempts if not attempt.row.alone]
    ops = [op_of(attempt) for attempt in attempts]
    if way == "txn":
        return attempts, is_forbidden(stub.Txn, pb.TxnRequest(**{random.choice(
            ["success", "failure"]): ops}))
    attempts, ops = attempts[:1], ops[:1]
    [batch] = stub.Pipeline(iter([pb.OpBatch(ops=ops)]))
    return attempts, any(reply.error.reason == pb.ERROR_REASON_FORBIDDEN for reply in batch.replies)


def check_scan(channel, user, rules):
    """A Scan shows exactly the keys that a Get of its type could; or is refused."""
    may = any(rule.grants & {"all", "read", "stream"} and rule.has_db(SCANNED_DB) for rule in rules)
    call = As(channel, user).Scan(pb.ScanRequest(db=SCANNED_DB))
    if not may:
        check_fails(FORBIDDEN, list, call)
        return
    shown = sorted(entry.key for page in call for entry in page.entries)
    assert shown == sorted(key for key in NAMES if any(
        rule.meets("read", "stream", key, SCANNED_DB) for rule in rules)), user


def test_random_users_files(tmp_path, fresh_server, random_of_test, counts):
    """Operations alone, in a Txn, in a Pipeline, and scans: the server decides as the model does."""
    random, decided = random_of_test, {True: 0, False: 0}
    file = UsersFile(tmp_path, {"root": ["all"]})
    server = fresh_server("--users-file", file.path)
    with open_channel(server.address) as channel:
        for key in NAMES:
            As(channel, "root").Set(pb.KeyValue(key=key, value=b"v", db=SCANNED_DB))
        for _ in range(12):
            users = {f"u{i}": [Rule(random) for _ in range(random.randrange(4))] for i in range(6)}
            text = {user: [rule.line() for rule in rules] for user, rules in users.items()}
            file.write({"root": ["all"], **text})
            reload_users(server)
            for user, rules in users.items():
                check_scan(channel, user, rules)
                for _ in range(20):
                    attempts, forbidden = try_in_one_of_the_ways(random, channel, user)
                    assert forbidden != model_allows(rules, attempts), (text[user], attempts)
                    decided[forbidden] += 1
    assert all(decided.values())
    counts(f"{decided[False]} allowed, {decided[True]} denied")


# ---- the names of certificates ----

@pytest.fixture(name="certs", scope="module")
def certs_fixture(tmp_path_factory):
    return Certs(tmp_path_factory.mktemp("matrix-certs"))


CERTIFICATE_USERS = """[user by-dns]
allow = read
certificate = dns:app.example
[user by-uri]
allow = read
certificate = uri:spiffe://example/app
[user by-subject]
allow = read
certificate = subject:CN=app,O=Example
"""
NUL_NAME = "DER:30:12:82:10:" + b"app.example\0.org".hex(":").upper()
RIGHT_NAMES = [
    ("/CN=x", "DNS:app.example"), ("/CN=x", "DNS:other.example,DNS:app.example"),
    ("/CN=x", "URI:spiffe://example/app"), ("/O=Example/CN=app", None),
]
WRONG_NAMES = [
    ("/CN=app.example", None), ("/CN=app.example", "DNS:other.example"),
    ("/CN=dns:app.example", None), ("/CN=x", "DNS:app.example.org"),
    ("/CN=x", "DNS:an.app.example"), ("/CN=x", "DNS:*.example"), ("/CN=x", "DNS:pp.example"),
    ("/CN=x", NUL_NAME), ("/CN=x", "URI:app.example"), ("/CN=x", "email:app.example@example"),
    ("/CN=x", "DNS:spiffe://example/app"), ("/CN=x", "URI:spiffe://example/app/"),
    ("/CN=x", "URI:spiffe://example/app/../app"), ("/CN=x", "URI:spiffe://example/ap"),
    ("/CN=x", "URI:spiffe://EXAMPLE/app"), ("/CN=app", None), ("/CN=app/O=Example", None),
    ("/O=Example/OU=y/CN=app", None), ("/CN=app,O=Example", None), ("/O=Example/CN=App", None),
]


@pytest.fixture(name="named_server", scope="module")
def named_server_fixture(certs, tmp_path_factory):
    users = UsersFile(tmp_path_factory.mktemp("users"), {})
    users.write_text(CERTIFICATE_USERS)
    running = Server(*certs.server_options("--tls-client-ca", certs.path("ca.pem"), "--users-file",
                                           users.path), listen=())
    yield running
    running.stop()


@pytest.mark.parametrize("is_user, subject, names",
                         [(True, *each) for each in RIGHT_NAMES] +
                         [(False, *each) for each in WRONG_NAMES])
def test_names_of_certificates(certs, named_server, is_user, subject, names):
    """The CA has signed all of them; only those with exactly the name of a user are users."""
    sign_client(certs, "named", subject, names)
    with certs.channel(named_server.address, "named") as channel:
        get = pb.Key(key=b"k")
        if is_user:
            assert not Stub(channel).Get(get).found
        else:
            check_fails(UNAUTHENTICATED, Stub(channel).Get, get)
