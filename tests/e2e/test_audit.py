"""The audit log: which calls have a record, what it says, and what must not be in it."""

import json
import os
import signal
import stat
import subprocess

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel
from keystore_env import SERVER
from server_process import Server
from times import wait_until
from users import As, UsersFile, reload_users, token_of

RULES = {"app": ["read,write keys=app:*"], "boss": ["all"], "clerk": ["admin"]}
SECRETS = [b"hush-key", b"hush-value", b"hush-token"]
A59 = {"timestamp", "rpc_method", "principal", "policy_name", "matched_rule", "authorized"}


class Audited:
    def __init__(self, folder, *options, target=None):
        self.path = folder / "audit.log"
        self.users = UsersFile(folder, RULES)
        self.server = Server("--users-file", self.users.path, "--audit-log", target or self.path,
                             *options)
        self.channel = open_channel(self.server.address)

    def records(self):
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def wait_for(self, **fields):
        """The records that have these fields, when there are any."""
        def matching():
            return [record for record in self.records()
                    if all(record.get(name) == value for name, value in fields.items())]
        wait_until(matching, lambda: self.path.read_text() + self.server.stderr)
        return matching()

    def ends(self, call, code):
        with pytest.raises(grpc.RpcError) as caught:
            call()
        assert caught.value.code() == code
        return caught.value

    def close(self):
        self.channel.close()
        self.server.stop()


@pytest.fixture
def audited(tmp_path):
    running = Audited(tmp_path)
    yield running
    running.close()


DENIED, UNKNOWN = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED


def test_a_denied_call(audited):
    app = As(audited.channel, "app")
    error = audited.ends(lambda: app.Set(pb.KeyValue(key=b"hush-key", value=b"hush-value")), DENIED)
    [record] = audited.wait_for(rpc_method="/keystore.v1.KeyStore/Set")
    assert A59 <= set(record)
    assert record["principal"] == "app" and record["credential"] == "token:app"
    assert record["authorized"] is False and record["matched_rule"] == ""
    assert record["policy_name"] == str(audited.users.path)
    assert record["status"] == "PERMISSION_DENIED" and record["reason"] == error.details()
    assert record["peer"].startswith("127.0.0.1:") and record["event"] == "call"
    assert record["timestamp"].isdigit() and record["time"].endswith("Z")
    assert stat.S_IMODE(audited.path.stat().st_mode) == 0o600


def test_calls_without_credentials(audited):
    stub = Stub(audited.channel)
    audited.ends(lambda: stub.Get(pb.Key(key=b"a")), UNKNOWN)
    audited.ends(lambda: stub.Get(pb.Key(key=b"a"), metadata=(
        ("authorization", "Bearer hush-token"),)), UNKNOWN)
    records = audited.wait_for(status="UNAUTHENTICATED", reason="the token is unknown: it is "
                               "wrong, was revoked, or is one of Authenticate that has ended; "
                               "authenticate again, or ask an administrator for another one")
    assert [r["principal"] for r in records] == [""] and "credential" not in records[0]
    assert len(audited.wait_for(status="UNAUTHENTICATED")) == 2


def test_administrative_calls(audited):
    for name in ("boss", "clerk"):
        admin = As(audited.channel, name, admin=True)
        admin.Info(pb.InfoRequest())
        admin.FlushDb(pb.DbRequest())
        admin.Config(pb.ConfigRequest())
        list(admin.Clients(pb.ClientsRequest()))
        lines = audited.users.path.read_text().splitlines()
        line = 1 + lines.index(f"allow = {RULES[name][0]}")
        for method in ("Info", "FlushDb", "Config", "Clients"):
            [record] = audited.wait_for(rpc_method=f"/keystore.v1.KeyStoreAdmin/{method}",
                                        principal=name)
            assert record["authorized"] is True and record["status"] == "OK"
            assert record["matched_rule"] == f"line {line}", method
    app = As(audited.channel, "app", admin=True)
    audited.ends(lambda: app.Info(pb.InfoRequest()), DENIED)
    audited.ends(lambda: app.FlushDb(pb.DbRequest()), DENIED)
    audited.ends(lambda: list(app.Clients(pb.ClientsRequest())), DENIED)
    for method in ("Info", "FlushDb", "Clients"):
        [record] = audited.wait_for(rpc_method=f"/keystore.v1.KeyStoreAdmin/{method}",
                                    principal="app")
        assert record["authorized"] is False and record["status"] == "PERMISSION_DENIED"


def test_an_administrative_call_that_fails_is_authorized(audited):
    boss = As(audited.channel, "boss", admin=True)
    audited.ends(lambda: boss.FlushDb(pb.DbRequest(db=99)), grpc.StatusCode.INVALID_ARGUMENT)
    [record] = audited.wait_for(rpc_method="/keystore.v1.KeyStoreAdmin/FlushDb")
    assert record["authorized"] is True and record["status"] == "INVALID_ARGUMENT"
    assert "reason" not in record


def test_other_calls_have_none(audited):
    app = As(audited.channel, "app")
    app.Set(pb.KeyValue(key=b"app:1", value=b"hush-value"))
    app.Get(pb.Key(key=b"app:1"))
    audited.ends(lambda: app.LRange(pb.ListRange(key=b"app:1", stop=-1)),
                 grpc.StatusCode.FAILED_PRECONDITION)
    As(audited.channel, "boss", admin=True).Info(pb.InfoRequest())
    audited.wait_for(principal="boss")
    assert [r["principal"] for r in audited.records()] == ["boss"]


def test_members_of_transactions_and_pipelines(audited):
    app = As(audited.channel, "app")
    good, bad = pb.Op(get=pb.Key(key=b"app:1")), pb.Op(delete=pb.Key(key=b"hush-key"))
    audited.ends(lambda: app.Txn(pb.TxnRequest(success=[good, bad])), DENIED)
    [record] = audited.wait_for(rpc_method="/keystore.v1.KeyStore/Txn")
    assert record["authorized"] is False and "operation" not in record
    list(app.Pipeline(iter([pb.OpBatch(ops=[good, bad, good])])))
    [record] = audited.wait_for(rpc_method="/keystore.v1.KeyStore/Pipeline")
    assert record["event"] == "operation" and record["operation"] == "Delete"
    assert record["principal"] == "app" and record["authorized"] is False


def test_streams(audited):
    app = As(audited.channel, "app")
    audited.ends(lambda: list(app.Subscribe(pb.SubscribeRequest(channels=[b"hush-key"]))), DENIED)
    [record] = audited.wait_for(rpc_method="/keystore.v1.KeyStore/Subscribe")
    assert record["principal"] == "app" and record["authorized"] is False
    watch = app.Watch(pb.WatchRequest(selectors=[pb.WatchRequest.Selector(prefix=b"app:")]))
    next(iter(watch))
    audited.users.write({"app": ["read keys=other:*"]})
    reload_users(audited.server)
    audited.ends(lambda: list(watch), DENIED)
    [record] = audited.wait_for(rpc_method="/keystore.v1.KeyStore/Watch")
    assert record["principal"] == "app" and "have changed" in record["reason"]


def test_the_users_file(audited):
    reload_users(audited.server)
    audited.wait_for(event="users_file", authorized=True)
    audited.users.write_text("nonsense\n")
    reload_users(audited.server, "is refused")
    [record] = audited.wait_for(event="users_file", authorized=False)
    assert "line 1" in record["reason"]


def test_a_flood_is_folded(audited):
    app = As(audited.channel, "app")
    for call in [app.Get.future(pb.Key(key=b"hush-key%d" % i)) for i in range(2000)]:
        assert call.code() == DENIED
    total = lambda: sum(r.get("count", 1) for r in audited.records())
    wait_until(lambda: total() == 2000, lambda: audited.path.read_text())
    records = audited.records()
    # Each second of the flood has at most two records.
    seconds = int(records[-1]["timestamp"]) - int(records[0]["timestamp"]) + 1
    assert len(records) <= 2 * (seconds + 1) < 2000


def test_rotation(audited):
    app = As(audited.channel, "app")
    audited.ends(lambda: app.Get(pb.Key(key=b"x")), DENIED)
    audited.wait_for(rpc_method="/keystore.v1.KeyStore/Get")
    former = audited.path.rename(audited.path.with_suffix(".1"))
    before = former.read_text()
    audited.server.send_signal(signal.SIGUSR1)
    wait_until(lambda: "was opened again" in audited.server.stderr, lambda: audited.server.stderr)
    audited.ends(lambda: app.Set(pb.KeyValue(key=b"x")), DENIED)
    audited.wait_for(rpc_method="/keystore.v1.KeyStore/Set")
    assert former.read_text() == before and stat.S_IMODE(audited.path.stat().st_mode) == 0o600


def test_rotation_that_fails_keeps_the_former_file(audited):
    app = As(audited.channel, "app")
    audited.ends(lambda: app.Get(pb.Key(key=b"x")), DENIED)
    audited.wait_for(rpc_method="/keystore.v1.KeyStore/Get")
    former = audited.path.rename(audited.path.with_suffix(".1"))
    audited.path.mkdir()
    audited.server.send_signal(signal.SIGUSR1)
    wait_until(lambda: "the former file is used on" in audited.server.stderr,
               lambda: audited.server.stderr)
    audited.ends(lambda: app.Set(pb.KeyValue(key=b"x")), DENIED)
    wait_until(lambda: "KeyStore/Set" in former.read_text(), former.read_text)


def test_the_end_of_the_server_writes_what_is_left(audited):
    app = As(audited.channel, "app")
    for _ in range(3):
        audited.ends(lambda: app.Get(pb.Key(key=b"x")), DENIED)
    audited.channel.close()
    audited.server.stop()
    assert sum(r.get("count", 1) for r in audited.records()) == 3


def test_no_keys_values_or_tokens(audited):
    app = As(audited.channel, "app")
    for call in (lambda: app.Get(pb.Key(key=b"hush-key")),
                 lambda: app.MGet(pb.Keys(keys=[b"app:1", b"hush-key"])),
                 lambda: app.Set(pb.KeyValue(key=b"hush-key", value=b"hush-value")),
                 lambda: app.Publish(pb.Message(channel=b"hush-key", payload=b"hush-value"))):
        audited.ends(call, DENIED)
    audited.channel.close()
    audited.server.stop()
    text = audited.path.read_bytes()
    assert len(text.splitlines()) == 4
    for secret in (*SECRETS, token_of("app").encode()):
        assert secret not in text


def test_a_full_disk_stops_nothing(tmp_path):
    """A limit of the file's size stands for a full disk: the write fails in the same way."""
    running = Audited(tmp_path)
    try:
        with open(running.path, "ab") as file:
            file.truncate(1 << 20)
        limit = (1 << 20) + 100  # the first record does not fit whole
        subprocess.run(["prlimit", f"--pid={running.server.pid}", f"--fsize={limit}:unlimited"],
                       check=True)
        app, boss = As(running.channel, "app"), As(running.channel, "boss", admin=True)
        running.ends(lambda: app.Get(pb.Key(key=b"x")), DENIED)
        wait_until(lambda: "records of the audit log" in running.server.stderr,
                   lambda: running.server.stderr)
        subprocess.run(["prlimit", f"--pid={running.server.pid}", "--fsize=unlimited:unlimited"],
                       check=True)
        assert app.Set(pb.KeyValue(key=b"app:1", value=b"v"))
        running.ends(lambda: app.Set(pb.KeyValue(key=b"x")), DENIED)
        lines = lambda: running.path.read_bytes().lstrip(b"\0").splitlines()
        wait_until(lambda: b"KeyStore/Set" in lines()[-1], lambda: str(lines()))
        assert json.loads(lines()[-1])["dropped"] == 1
        fields = boss.Info(pb.InfoRequest(sections=["stats"])).fields
        assert fields["audit_dropped"] == "1" and int(fields["audit_records"]) == 1
    finally:
        running.close()


@pytest.mark.parametrize("target, prefix", [("stderr", ""), ("journal", "<5>")])
def test_standard_error(tmp_path, target, prefix):
    running = Audited(tmp_path, target=target)
    try:
        running.ends(lambda: As(running.channel, "app").Get(pb.Key(key=b"x")), DENIED)
        found = lambda: [line for line in running.server.stderr.splitlines()
                         if line.startswith(prefix + "{") and "KeyStore/Get" in line]
        wait_until(found, lambda: running.server.stderr)
        assert json.loads(found()[0].removeprefix(prefix))["principal"] == "app"
        running.server.send_signal(signal.SIGUSR1)  # nothing to open again
        running.ends(lambda: As(running.channel, "app").Get(pb.Key(key=b"y")), DENIED)
    finally:
        running.close()


def test_without_users(tmp_path):
    path = tmp_path / "audit.log"
    server = Server("--audit-log", path)
    with open_channel(server.address) as channel:
        admin_stub(channel).Info(pb.InfoRequest())
        Stub(channel).Get(pb.Key(key=b"x"))
    server.stop()
    [record] = [json.loads(line) for line in path.read_text().splitlines()]
    assert record["principal"] == "" and record["policy_name"] == "" and record["authorized"]


@pytest.mark.parametrize("make, words", [
    (lambda path: path.mkdir(), "Is a directory"),
    (lambda path: os.mkfifo(path), ""),
    (lambda path: path.symlink_to("/nonexistent/x"), "No such file"),
])
def test_a_file_that_cannot_be_opened(tmp_path, make, words):
    path = tmp_path / "audit.log"
    make(path)
    result = subprocess.run([SERVER, "--dir", tmp_path / "data", "--audit-log", path], text=True,
                            capture_output=True, timeout=60, check=False)
    assert result.returncode == 1 and "--audit-log" in result.stderr and words in result.stderr
