"""What went wrong in other servers, one case for each. Two more are in other files: endpoints without
a check (etcd's CVE-2026-33413) in test_users_matrix.py, where every method is called with all kinds of
bad credentials, and certificates that are not reloaded (redis#8756) in test_tls.py."""

import shutil

import grpc
import pytest

import mini_redis_pb2 as pb
from certs import LISTEN, Certs, sign_client
from clients import Stub, open_channel, raw_method
from errors import check_fails, reason_of
from needs import REQUESTS, ROWS
from server_process import Server
from times import wait_until
from users import As, UsersFile, expires_in, metadata_of, reload_users, token_line

FORBIDDEN = (grpc.StatusCode.PERMISSION_DENIED, "ERROR_REASON_FORBIDDEN")
UNAUTHENTICATED = (grpc.StatusCode.UNAUTHENTICATED, "ERROR_REASON_UNAUTHENTICATED")
SECRET = b"the secret value"


@pytest.fixture(scope="module")
def users_server(tmp_path_factory):
    file = UsersFile(tmp_path_factory.mktemp("users"), {
        "root": ["all"], "in": ["read,write keys=in:*"], "writer": ["write keys=in:*,out:*"]})
    running = Server("--users-file", file.path)
    yield running
    running.stop()


@pytest.fixture
def channel(users_server):
    with open_channel(users_server.address) as opened:
        yield opened


@pytest.fixture
def secret(channel):
    """A key that only root may read, and its version."""
    return b"out:secret", As(channel, "root").Set(pb.KeyValue(key=b"out:secret", value=SECRET)).version


# ---- etcd CVE-2026-33343: a Txn within a Txn was not checked ----

def messages_within(descriptor, found):
    for field in descriptor.fields:
        inner = field.message_type
        if inner is not None and inner.full_name not in found:
            found.add(inner.full_name)
            messages_within(inner, found)
    return found


def test_cve_2026_33343_no_txn_is_within_another():
    """An Op cannot hold one, however deep."""
    assert pb.TxnRequest.DESCRIPTOR.full_name not in messages_within(pb.Op.DESCRIPTOR, set())


def test_cve_2026_33343_a_forged_inner_txn(channel, secret):
    """A Txn at every field number that an Op might know: none reads, none writes."""
    key, version = secret
    inner = pb.TxnRequest(success=[pb.Op(get=pb.Key(key=key)), pb.Op(delete=pb.Key(key=key))])
    call = raw_method(channel, "/keystore.v1.KeyStore/Txn", pb.TxnReply)
    known = {field.number for field in pb.Op.DESCRIPTOR.fields}
    for number in sorted(set(range(1, 256)) - known):
        body = inner.SerializeToString()
        op = pb.Op.FromString(bytes([number << 3 & 0x7f | 2 | (0x80 if number > 15 else 0)]) +
                              (bytes([number >> 4]) if number > 15 else b"") +
                              bytes([len(body)]) + body)
        for half in ("success", "failure"):
            try:
                reply = call(pb.TxnRequest(**{half: [op]}).SerializeToString(),
                             metadata=metadata_of("in"))
            except grpc.RpcError as error:
                assert SECRET not in error.details().encode()
            else:
                assert SECRET not in reply.SerializeToString()
    assert As(channel, "root").Get(pb.Key(key=key)).version == version


@pytest.mark.parametrize("half", ["success", "failure"])
@pytest.mark.parametrize("op", [
    pb.Op(get=pb.Key(key=b"out:secret")),
    pb.Op(m_get=pb.Keys(keys=[b"in:1", b"out:secret"])),
    pb.Op(m_set=pb.KeyValues(entries=[pb.KeyValue(key=b"in:1"), pb.KeyValue(key=b"out:secret")])),
    pb.Op(copy=pb.CopyRequest(source=b"out:secret", target=b"in:stolen")),
], ids=lambda op: op.WhichOneof("op"))
def test_cve_2026_33343_every_member_counts(channel, secret, op, half):
    """Also in the half that is not carried out, after members that are allowed, and if it holds
    others itself; then nothing of the Txn takes effect."""
    key, version = secret
    root, stub = As(channel, "root"), As(channel, "in")
    root.Delete(pb.Key(key=b"in:first"))
    ops = [pb.Op(set=pb.KeyValue(key=b"in:first", value=b"v"))] * 20 + [op]
    for compare in ([], [pb.TxnRequest.Compare(key=b"in:first", condition=pb.Condition(
            existence=pb.EXISTENCE_PRESENT))]):
        check_fails(FORBIDDEN, stub.Txn, pb.TxnRequest(compares=compare, **{half: ops}))
    assert not root.Get(pb.Key(key=b"in:first")).found
    assert root.Get(pb.Key(key=key)).version == version


# ---- etcd: prev_kv of a Put showed what the user may not read ----

def revealing_requests(key, version):
    """(method, request): each write that has a condition, with each, and all that return a value."""
    conditions = [pb.Condition(existence=pb.EXISTENCE_PRESENT),
                  pb.Condition(existence=pb.EXISTENCE_ABSENT), pb.Condition(version=version),
                  pb.Condition(match_value=True, value=b"guess")]
    for row in ROWS:
        plain = REQUESTS[row.method](key, key, 0)
        fields = plain.DESCRIPTOR.fields_by_name
        # On others than writes of one key a condition is a bad argument.
        if row.alone or row.keys != "KEY" or row.needs not in ("WRITE", "BOTH"):
            continue
        if row.needs == "BOTH":
            yield row, plain
        if "condition" in fields:
            for condition in conditions:
                plain.condition.CopyFrom(condition)
                yield row, type(plain).FromString(plain.SerializeToString())
    yield next(row for row in ROWS if row.method == "Set"), pb.KeyValue(
        key=key, value=b"v", return_previous=True)


def test_prev_kv_a_write_shows_nothing(channel, secret):
    """One who may write, but not read: neither answers nor errors show the value or the version."""
    key, version = secret
    root, stub, tried = As(channel, "root"), As(channel, "writer"), 0
    for row, request in revealing_requests(key, version):
        op = pb.Op(**{row.kind.lower(): request})
        for call, sent in ((getattr(stub, row.method), request),
                           (stub.Txn, pb.TxnRequest(success=[op]))):
            with pytest.raises(grpc.RpcError) as caught:
                call(sent)
            error = caught.value
            assert error.code() in (FORBIDDEN[0], grpc.StatusCode.INVALID_ARGUMENT), (row, error)
            told = str(error.trailing_metadata()) + error.details()
            assert SECRET.decode() not in told and str(version) not in told.split(), told
        [batch] = stub.Pipeline(iter([pb.OpBatch(ops=[op])]))
        assert SECRET not in batch.SerializeToString()
        assert batch.replies[0].WhichOneof("result") == "error", batch
        tried += 1
    assert tried > 10
    assert root.Get(pb.Key(key=key)).version == version
    # What reveals nothing is allowed.
    assert stub.Set(pb.KeyValue(key=key, value=b"other")).ok


# ---- etcd GHSA-xg4h-6gfc-h4m8: who may watch one key got all later ones ----

def test_ghsa_xg4h_6gfc_h4m8_a_watch_of_one_key(tmp_path, fresh_server):
    file = UsersFile(tmp_path, {"root": ["all"], "one": ["read keys=b"]})
    server = fresh_server("--users-file", file.path)
    with open_channel(server.address) as channel:
        root, stub = As(channel, "root"), As(channel, "one")
        everything = stub.Watch(pb.WatchRequest(selectors=[pb.WatchRequest.Selector(prefix=b"")]))
        one = stub.Watch(pb.WatchRequest(selectors=[pb.WatchRequest.Selector(key=b"b")]))
        seen = {"all": [], "one": []}
        for call in (everything, one):
            next(call)
        for key in (b"a", b"b", b"b\0", b"ba", b"c", b"\xff"):
            root.Set(pb.KeyValue(key=key, value=b"v"))
        root.Set(pb.KeyValue(key=b"b", value=b"end"))
        for name, call in (("all", everything), ("one", one)):
            while len(seen[name]) < 2:
                seen[name] += [event.key for event in next(call).events]
            call.cancel()
        assert seen == {"all": [b"b"] * 2, "one": [b"b"] * 2}


# ---- etcd GHSA-3wh4-j44w-pg92: a certificate that was revoked worked at the second listener ----

def test_ghsa_3wh4_j44w_pg92_at_every_listener(tmp_path, fresh_server):
    """A user whose certificate's name, or whose CA, is taken away is one at no address."""
    certs, others = Certs(tmp_path / "certs"), Certs(tmp_path / "others")
    ca = certs.path("client-ca.pem")
    shutil.copy(certs.path("ca.pem"), ca)
    dev = "[user dev]\nallow = read\ncertificate = dns:{}\n"
    users = UsersFile(tmp_path, {})
    users.write({"root": ["all"]}, dev.format("developer"))
    server = fresh_server(*certs.server_options(
        "--tls-client-ca", ca, "--tls-client-certs", "optional", "--tls-listen", LISTEN,
        "--users-file", users.path), listen=("127.0.0.1:0",))
    wait_until(lambda: sum("Server started on port" in line for line in server.stdout) == 3)
    ports = [line.split()[4] for line in server.stdout if line.endswith("with TLS")]
    assert len(ports) == 2
    with open_channel(server.address) as channel:  # plaintext: there is no certificate
        check_fails(UNAUTHENTICATED, Stub(channel).Get, pb.Key(key=b"k"))
    running = [certs.channel(f"127.0.0.1:{port}", "client") for port in ports]
    for channel in running:
        assert not Stub(channel).Get(pb.Key(key=b"k")).found
    users.write({"root": ["all"]}, dev.format("another"))
    reload_users(server)
    for channel in running:
        check_fails(UNAUTHENTICATED, Stub(channel).Get, pb.Key(key=b"k"))
    users.write({"root": ["all"]}, dev.format("developer"))
    reload_users(server)
    before = server.stderr.count("new connections get the certificate in")
    shutil.copy(others.path("ca.pem"), ca)
    wait_until(lambda: server.stderr.count("new connections get the certificate in") > before)
    for port in ports:
        with certs.channel(f"127.0.0.1:{port}", "client") as channel:
            with pytest.raises(grpc.RpcError) as caught:
                Stub(channel).Get(pb.Key(key=b"k"))
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    for channel in running:
        channel.close()


def test_an_expired_certificate_is_no_user(tmp_path, fresh_server):
    certs = Certs(tmp_path / "certs")
    users = UsersFile(tmp_path, {})
    users.write_text("[user dev]\nallow = read\ncertificate = dns:dev\n")
    server = fresh_server(*certs.server_options("--tls-client-ca", certs.path("ca.pem"),
                                                "--users-file", users.path), listen=())
    sign_client(certs, "now", "/CN=dev", "DNS:dev")
    sign_client(certs, "past", "/CN=dev", "DNS:dev", days=-1)
    with certs.channel(server.address, "now") as channel:
        assert not Stub(channel).Get(pb.Key(key=b"k")).found
    with certs.channel(server.address, "past") as channel:
        with pytest.raises(grpc.RpcError) as caught:
            Stub(channel).Get(pb.Key(key=b"k"))
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    wait_until(lambda: "certificate has expired" in server.stderr or
               "certificate verify failed" in server.stderr)


# ---- etcd#12385, #13413, #16112: an expired token ended or hung the watches of others ----

def test_etcd_12385_the_watch_goes_on_with_a_new_token(tmp_path, fresh_server):
    """Its own watch ends with UNAUTHENTICATED; the version of its last batch is where a watch with
    another token goes on, and misses nothing."""
    rules = {"root": ["all"], "other": ["read"], "u": ["read"]}
    file = UsersFile(tmp_path, rules)
    server = fresh_server("--users-file", file.path)
    request = pb.WatchRequest(selectors=[pb.WatchRequest.Selector(prefix=b"")])
    with open_channel(server.address) as channel:
        root = As(channel, "root")
        own, others = As(channel, "u").Watch(request), As(channel, "other").Watch(request)
        for call in (own, others):
            next(call)
        root.Set(pb.KeyValue(key=b"before", value=b"v"))
        [event] = next(batch for batch in own if batch.events).events
        assert event.key == b"before"
        version = event.version
        file.write({"root": ["all"], "other": ["read"]}, "[user u]\nallow = read\n" +
                   token_line("new") + "\n" + token_line("u", more=expires_in(2)) + "\n")
        reload_users(server)
        with pytest.raises(grpc.RpcError) as caught:
            for batch in own:
                assert not batch.events
                version = batch.version
        assert reason_of(caught.value) == UNAUTHENTICATED[1]
        assert "expired" in caught.value.details()
        root.Set(pb.KeyValue(key=b"between", value=b"v"))
        later = As(channel, "new").Watch(pb.WatchRequest(
            selectors=request.selectors, start_version=version))
        root.Set(pb.KeyValue(key=b"after", value=b"v"))
        for call, wanted in ((later, [b"between", b"after"]),
                             (others, [b"before", b"between", b"after"])):
            got = []
            while len(got) < len(wanted):
                got += [event.key for event in next(call).events]
            assert got == wanted
            call.cancel()
