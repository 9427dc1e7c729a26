"""Passwords: Authenticate and WhoAmI, who is slowed down, when sessions end, and keystore-cli as a user."""

import os
import pty
import re
import subprocess
import threading
import time

import grpc
import pytest

import mini_redis_pb2 as pb
import mini_redis_pb2_grpc as rpc
from clients import CALL_TIMEOUT_S, Stub, admin_stub, open_channel
from errors import check_ends, check_fails
from keystore_env import BIN
from server_process import Server
from users import As, UsersFile, metadata_of, reload_users, token_line
from times import wait_until

UNAUTHENTICATED = (grpc.StatusCode.UNAUTHENTICATED, "ERROR_REASON_UNAUTHENTICATED")
THROTTLED = (grpc.StatusCode.RESOURCE_EXHAUSTED, "ERROR_REASON_THROTTLED")
BAD_ARGUMENT = (grpc.StatusCode.INVALID_ARGUMENT, "ERROR_REASON_BAD_ARGUMENT")
RULES = {"ann": ["read,write keys=app:* db=0-3,7", "pubsub"], "bob": ["all"], "tom": ["read"]}
CLI = BIN / "keystore-cli"
PASSWORD, OTHER = "correct horse", "battery staple"
BURST = 10


def set_password(path, user, password):
    """With keystore-cli, whose standard input is no terminal."""
    done = subprocess.run([CLI, "--users-file", path, "user", "password", user], input=password,
                          capture_output=True, text=True, timeout=CALL_TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr


def run_cli(server, *arguments, password=None, **options):
    environment = {**os.environ, "KEYSTORE_CLI_HISTORY": ""}
    if password is not None:
        environment["KEYSTORE_PASSWORD"] = password
    return subprocess.run([CLI, "-p", str(server.port), *arguments], capture_output=True, text=True,
                          timeout=CALL_TIMEOUT_S, check=False, env=environment, **options)


class UsersServer:
    """A server with users of whom ann and bob have passwords."""

    def __init__(self, folder, *options):
        self.file = UsersFile(folder, RULES)
        set_password(self.file.path, "ann", PASSWORD)
        set_password(self.file.path, "bob", OTHER)
        self.server = Server("--users-file", self.file.path, *options,
                             listen=("127.0.0.1:0", f"unix:{folder}/socket"))
        self.address = self.server.address
        self.other_address = f"unix:{folder}/socket"  # whose peers count by their own address

    def stop(self):
        stderr = self.server.stderr
        self.server.stop()
        for secret in (PASSWORD, OTHER, "wrong password"):
            assert secret not in stderr


@pytest.fixture
def users(tmp_path):
    running = UsersServer(tmp_path, "--log-level", "debug", "--slow-log-us", "0")
    yield running
    running.stop()


@pytest.fixture
def channel(users):
    with open_channel(users.address) as opened:
        yield opened


def auth(channel):
    return Stub(channel, rpc.KeyStoreAuthStub)


def authenticate(channel, user="ann", password=PASSWORD, **more):
    return auth(channel).Authenticate(pb.AuthenticateRequest(user=user, password=password, **more))


def with_token(token):
    return {"metadata": (("authorization", f"Bearer {token}"),)}


def retry_ms(call):
    return int(dict(call.value.trailing_metadata())["grpc-retry-pushback-ms"])


def deny(channel, user="ann", password="wrong password"):
    check_fails(UNAUTHENTICATED, auth(channel).Authenticate,
                pb.AuthenticateRequest(user=user, password=password), "is wrong")


def fail_until_throttled(channel):
    """On a slow machine, more may fail in the time that it takes; then for three seconds none may."""
    while True:
        with pytest.raises(grpc.RpcError) as failure:
            auth(channel).Authenticate(pb.AuthenticateRequest(user="ann", password="wrong password"))
        if failure.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and retry_ms(failure) > 3000:
            return


# ---- authenticating ----

def test_a_password_is_exchanged_for_a_token(channel):
    before_ms = time.time() * 1000
    reply = authenticate(channel)
    assert re.fullmatch(r"kst_[\w-]{43}", reply.token) and reply.user == "ann"
    assert before_ms + 899000 <= reply.expires_at_ms <= time.time() * 1000 + 901000
    stub = Stub(channel)
    assert stub.Set(pb.KeyValue(key=b"app:1", value=b"v"), **with_token(reply.token)).ok
    check_fails((grpc.StatusCode.PERMISSION_DENIED, "ERROR_REASON_FORBIDDEN"), stub.Set,
                pb.KeyValue(key=b"other", value=b"v"), "the user ann", **with_token(reply.token))
    assert authenticate(channel).token != reply.token  # both are valid
    assert stub.Get(pb.Key(key=b"app:1"), **with_token(reply.token)).value == b"v"


def test_unknown_users_and_wrong_passwords_are_the_same_to_callers(channel):
    messages = set()
    for user, password in [("ann", "wrong password"), ("ann", PASSWORD + "x"), ("ann", OTHER),
                           ("nobody", PASSWORD), ("tom", PASSWORD), ("Ann", PASSWORD)]:
        with pytest.raises(grpc.RpcError) as failure:
            authenticate(channel, user, password)
        assert failure.value.code() == grpc.StatusCode.UNAUTHENTICATED
        messages.add((failure.value.details(), tuple(sorted(failure.value.trailing_metadata()))))
    assert len(messages) == 1


@pytest.mark.parametrize("request_,words", [
    (pb.AuthenticateRequest(password=PASSWORD), "user: it is empty"),
    (pb.AuthenticateRequest(user="a" * 65, password=PASSWORD), "user: it is empty or longer than 64"),
    (pb.AuthenticateRequest(user="ann"), "password: it is empty"),
    (pb.AuthenticateRequest(user="ann", password="x" * 1025), "longer than 1,024 bytes"),
    (pb.AuthenticateRequest(user="ann", password=PASSWORD, lifetime_ms=-1), "lifetime_ms: it is"),
])
def test_malformed_requests(channel, request_, words):
    check_fails(BAD_ARGUMENT, auth(channel).Authenticate, request_, words)


def test_a_lifetime_is_at_most_the_servers(channel):
    now_ms = time.time() * 1000
    assert authenticate(channel, lifetime_ms=60000).expires_at_ms < now_ms + 120000
    assert authenticate(channel, lifetime_ms=10**15).expires_at_ms < now_ms + 960000


def test_without_users(server):
    with open_channel(server.address) as channel:
        check_fails((grpc.StatusCode.FAILED_PRECONDITION, "ERROR_REASON_NO_USERS"),
                    auth(channel).Authenticate, pb.AuthenticateRequest(user="a", password="b"),
                    "no users")
        identity = auth(channel).WhoAmI(pb.WhoAmIRequest())
        assert identity == pb.Identity(rules=["all"])


# ---- who am I ----

def test_who_am_i(channel, users):
    reply = authenticate(channel)
    seen = auth(channel).WhoAmI(pb.WhoAmIRequest(), **with_token(reply.token))
    assert seen.user == "ann" and seen.means == pb.Identity.MEANS_SESSION
    assert seen.expires_at_ms == reply.expires_at_ms and re.fullmatch("[0-9a-f]{16}", seen.id)
    assert list(seen.rules) == ["read,write keys=app:* db=0-3,7", "pubsub"]
    assert auth(channel).WhoAmI(pb.WhoAmIRequest(), metadata=metadata_of("bob")) == pb.Identity(
        user="bob", means=pb.Identity.MEANS_TOKEN, id="bob", rules=["all"])
    check_fails(UNAUTHENTICATED, auth(channel).WhoAmI, pb.WhoAmIRequest(), "no credentials")
    check_fails(UNAUTHENTICATED, auth(channel).WhoAmI, pb.WhoAmIRequest(), "unknown",
                **with_token("kst_" + "A" * 43))


# ---- throttling ----

def test_an_address_that_fails_often_is_slowed_down(users):
    with open_channel(users.address) as channel:
        for _ in range(BURST):
            deny(channel)
        fail_until_throttled(channel)
        for user, password in [("ann", "wrong password"), ("ann", PASSWORD), ("bob", OTHER)]:
            with pytest.raises(grpc.RpcError) as failure:
                authenticate(channel, user, password)
            assert failure.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert 0 < retry_ms(failure) <= 6000
        counts = admin_info(channel)
        assert int(counts["auth_denied"]) >= BURST and int(counts["auth_throttled"]) >= 4
    # Other addresses are not concerned, and a call with a token never is.
        assert As(channel, "bob").Set(pb.KeyValue(key=b"k", value=b"v")).ok
    with open_channel(users.other_address) as channel:
        deny(channel)
        authenticate(channel)


def admin_info(channel):
    reply = admin_stub(channel).Info(pb.InfoRequest(sections=["stats"]),
                                     metadata=metadata_of("bob"))
    return dict(reply.fields)


def test_successes_do_not_count(channel):
    for _ in range(BURST - 1):
        deny(channel)
    for _ in range(5):
        authenticate(channel)
    counts = admin_info(channel)
    assert (counts["auth_accepted"], counts["auth_denied"]) == ("5", str(BURST - 1))
    assert counts["auth_sessions"] == "5"


def test_attempts_at_the_same_time_count(channel):
    """None of them has failed yet when the others come."""
    calls = [auth(channel).Authenticate.future(
        pb.AuthenticateRequest(user="ann", password="wrong password")) for _ in range(30)]
    codes = [call.code() for call in calls]
    assert codes.count(grpc.StatusCode.UNAUTHENTICATED) >= BURST
    assert set(codes) <= {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert codes.count(grpc.StatusCode.RESOURCE_EXHAUSTED) > 0


def slow_hash(path, user):
    """Has the user's password take as long as the server allows, so that attempts wait."""
    lines = path.read_text().splitlines()
    at = lines.index(f"[user {user}]")
    lines.insert(at + 1, "password = $argon2id$v=19$m=262144,t=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
                         + "A" * 43)
    UsersFile.write_text(type("File", (), {"path": path})(), "\n".join(lines) + "\n")


def test_a_full_queue_and_attempts_that_are_given_up(tmp_path):
    """One attempt is computed, for seconds; 16 wait, and the next is refused; one that is cancelled,
    and one whose deadline passes, make room and are not computed."""
    users = UsersServer(tmp_path)
    slow_hash(users.file.path, "tom")
    reload_users(users.server)
    with open_channel(users.address) as here, open_channel(users.other_address) as there:
        def begin(channel, timeout=CALL_TIMEOUT_S):
            return auth(channel).Authenticate.future(
                pb.AuthenticateRequest(user="tom", password="wrong password"), timeout=timeout)
        calls = [begin(here)]
        wait_until(lambda: is_computing(users), lambda: "no attempt is computed")
        late = begin(here, timeout=0.5)
        calls += [begin(here) for _ in range(8)]
        calls += [begin(there) for _ in range(BURST)]
        # Others wait, so it ends without having been computed.
        assert late.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        wait_until(lambda: any(call.done() for call in calls), lambda: "none is refused")
        refused = next(call for call in calls if call.done())
        assert refused.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "wait already" in refused.details()
        assert int(dict(refused.trailing_metadata())["grpc-retry-pushback-ms"]) > 0
        wait_until(lambda: int(admin_info(here)["auth_dropped"]) >= 1, lambda: admin_info(here))
        for call in calls:
            call.cancel()
        # All but the first one, and perhaps one that began meanwhile.
        wait_until(lambda: int(admin_info(here)["auth_dropped"]) >= 15, lambda: admin_info(here))
        assert int(admin_info(here)["auth_crowded"]) >= 1
    users.stop()


def is_computing(users):
    """The thread for passwords uses its processor."""
    folder = f"/proc/{users.server.pid}/task"
    for task in os.listdir(folder):
        with open(f"{folder}/{task}/comm", encoding="utf-8") as comm:
            if comm.read() != "passwords\n":
                continue
        with open(f"{folder}/{task}/stat", encoding="utf-8") as stat:
            return int(stat.read().rpartition(")")[2].split()[11]) > 0
    return False


# ---- the end of sessions ----

def open_watch(channel, token):
    watch = rpc.KeyStoreStub(channel).Watch(
        pb.WatchRequest(selectors=[pb.WatchRequest.Selector(prefix=b"app:")]),
        timeout=CALL_TIMEOUT_S, **with_token(token))
    first = next(watch)
    return watch, first


def test_a_session_expires_and_a_watch_says_where_to_go_on(channel):
    reply = authenticate(channel, lifetime_ms=2500)
    watch, _ = open_watch(channel, reply.token)
    written = Stub(channel).Set(pb.KeyValue(key=b"app:1", value=b"v"), metadata=metadata_of("bob"))
    batches = []
    with pytest.raises(grpc.RpcError) as ended:
        batches.extend(watch)
    assert ended.value.code() == grpc.StatusCode.UNAUTHENTICATED
    version = int(dict(ended.value.trailing_metadata())["keystore-resume-version"])
    assert version >= written.version
    check_fails(UNAUTHENTICATED, Stub(channel).Get, pb.Key(key=b"app:1"), **with_token(reply.token))
    # What is written after that version is the first that another watch sees.
    later = Stub(channel).Set(pb.KeyValue(key=b"app:2", value=b"v"), metadata=metadata_of("bob"))
    again = rpc.KeyStoreStub(channel).Watch(
        pb.WatchRequest(selectors=[pb.WatchRequest.Selector(prefix=b"app:")],
                        start_version=version),
        timeout=CALL_TIMEOUT_S, metadata=metadata_of("bob"))
    events = next(batch.events for batch in again if batch.events)
    assert [(event.key, event.version) for event in events] == [(b"app:2", later.version)]
    again.cancel()


@pytest.mark.parametrize("change", ["another password", "no password", "no user"])
def test_a_reload_ends_the_sessions_of_a_user(channel, users, change):
    ann, bob = authenticate(channel).token, authenticate(channel, "bob", OTHER).token
    watch, _ = open_watch(channel, ann)
    others, _ = open_watch(channel, bob)
    if change == "another password":
        set_password(users.file.path, "ann", "another password")
    else:
        arguments = {"no password": ["password", "ann", "--remove"], "no user": ["remove", "ann"]}
        subprocess.run([CLI, "--users-file", users.file.path, "user", *arguments[change]],
                       check=True, timeout=CALL_TIMEOUT_S)
    assert Stub(channel).Get(pb.Key(key=b"app:1"), **with_token(ann)) is not None
    reload_users(users.server)
    check_fails(UNAUTHENTICATED, Stub(channel).Get, pb.Key(key=b"app:1"), "authenticate again",
                **with_token(ann))
    check_ends(watch, UNAUTHENTICATED, "unknown")
    assert others.is_active()
    Stub(channel).Set(pb.KeyValue(key=b"app:1", value=b"v"), **with_token(bob))
    assert next(batch.events for batch in others if batch.events)[0].key == b"app:1"
    others.cancel()
    deny(channel, "ann", PASSWORD)


def test_another_change_of_the_file_leaves_sessions(channel, users):
    token = authenticate(channel).token
    text = users.file.path.read_text()
    users.file.write_text(text.replace("keys=app:* db=0-3,7", "keys=*"))
    reload_users(users.server)
    assert Stub(channel).Set(pb.KeyValue(key=b"new", value=b"v"), **with_token(token)).ok


def test_a_user_has_so_many_sessions(channel):
    tokens = [authenticate(channel).token for _ in range(33)]
    check_fails(UNAUTHENTICATED, Stub(channel).Get, pb.Key(key=b"app:1"), "authenticate again",
                **with_token(tokens[0]))
    for token in tokens[1:]:
        Stub(channel).Get(pb.Key(key=b"app:1"), **with_token(token))


def test_a_restart_ends_sessions(tmp_path):
    users = UsersServer(tmp_path)
    with open_channel(users.address) as channel:
        token = authenticate(channel).token
    users.stop()
    users.server = Server("--users-file", users.file.path)
    with open_channel(users.server.address) as channel:
        check_fails(UNAUTHENTICATED, Stub(channel).Get, pb.Key(key=b"app:1"), "unknown",
                    **with_token(token))
    users.stop()


def test_sessions_are_valid_on_all_workers(tmp_path):
    users = UsersServer(tmp_path, "--threads", "4")
    with open_channel(users.address) as channel:
        token = authenticate(channel).token
    for _ in range(16):
        with open_channel(users.address) as channel:
            Stub(channel).Get(pb.Key(key=b"app:1"), **with_token(token))
    users.stop()


# ---- the log, and the users file ----

def test_no_password_is_in_the_log_or_the_slow_log(channel, users):
    authenticate(channel)
    deny(channel)
    slow = admin_stub(channel).SlowLog(pb.SlowLogRequest(), metadata=metadata_of("bob"))
    assert PASSWORD.encode() not in slow.SerializeToString()
    assert not any("Authenticate" in call.method for call in slow.entries)
    wait_until(lambda: "Authenticate" in users.server.stderr, lambda: users.server.stderr)
    # stop() looks for passwords in the log.


@pytest.mark.parametrize("line,words", [
    ("password = hunter2", "does not begin with $argon2id$v=19$"),
    ("password = $argon2i$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43, "$argon2id"),
    ("password = $argon2id$v=19$m=262145,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43, "too much"),
    ("password = $argon2id$v=19$m=19456,t=17,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43, "too much"),
    ("password = $argon2id$v=19$m=19456,t=2,p=9$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43, "too much"),
])
def test_lines_that_the_server_refuses(tmp_path, line, words):
    file = UsersFile(tmp_path, RULES)
    file.write({}, f"[user ann]\n{line}\n")
    with pytest.raises(AssertionError) as failure:
        Server("--users-file", file.path)
    assert words in str(failure.value) and "hunter2" not in str(failure.value)


# ---- keystore-cli ----

def test_the_program_authenticates(users, tmp_path):
    server = users.server
    done = run_cli(server, "--user", "ann", "SET", "app:1", "v", password=PASSWORD)
    assert (done.stdout, done.stderr) == ("OK\n", "")
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\nignored\n")
    done = run_cli(server, "--user", "ann", "--password-file", str(file), "ACL", "WHOAMI")
    assert (done.stdout, done.stderr) == ("ann\n", "")
    done = run_cli(server, "--user", "ann", "WHOAMI", password=PASSWORD)
    assert "user = ann\nknown by = a password\nid = " in done.stdout
    assert "allow = read,write keys=app:* db=0-3,7\nallow = pubsub\n" in done.stdout
    done = run_cli(server, "--user", "ann", "GET", "app:1", password="wrong password")
    assert done.returncode == 1 and "UNAUTHENTICATED" in done.stderr and done.stdout == ""
    done = run_cli(server, "AUTH", "ann", PASSWORD)
    assert done.returncode == 2 and "others can see" in done.stderr
    done = run_cli(server, "--password-file", str(file), "PING")
    assert done.returncode == 2 and "--user" in done.stderr


def test_auth_in_a_batch(users):
    done = run_cli(users.server, input=f"AUTH ann '{PASSWORD}'\nACL WHOAMI\nAUTH bob nonsense\n"
                                       f"ACL WHOAMI\nAUTH bob '{OTHER}'\nACL WHOAMI\n")
    assert done.stdout.splitlines() == ["OK", "ann", "ann", "OK", "bob"]
    assert "line 3: (error) UNAUTHENTICATED" in done.stderr


def test_the_program_gets_another_token_in_time(tmp_path):
    """Its token expires between two commands, and is known to; or has ended without its knowledge."""
    users = UsersServer(tmp_path, "--session-lifetime", "2")
    program = subprocess.Popen(
        [CLI, "-p", str(users.server.port), "--user", "ann"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True, env={**os.environ, "KEYSTORE_PASSWORD": PASSWORD})
    try:
        # A command that waits for longer than the token is valid.
        for _ in range(3):
            program.stdin.write("BLPOP app:none 1\nACL WHOAMI\n")
        program.stdin.close()
        lines = program.stdout.read().splitlines()
        assert program.wait(CALL_TIMEOUT_S) == 0
        assert [line for line in lines if line.strip()] == ["ann"] * 3
    finally:
        program.kill()
        program.wait()
        program.stdout.close()
        users.stop()


class Terminal:
    """keystore-cli on a terminal of its own."""

    def __init__(self, *arguments, **environment):
        self.descriptor, inner = pty.openpty()
        known = {key: value for key, value in os.environ.items() if key != "KEYSTORE_PASSWORD"}
        self.process = subprocess.Popen(["setsid", "--ctty", CLI, *arguments], stdin=inner,
                                        stdout=inner, stderr=inner,
                                        env={**known, "TERM": "dumb", **environment})
        os.close(inner)
        self.text = ""
        self.seen = 0
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while True:
            try:
                data = os.read(self.descriptor, 65536)
            except OSError:
                return
            if not data:
                return
            self.text += data.decode(errors="replace")

    def expect(self, words):
        """Waits for the words after those that were expected before."""
        wait_until(lambda: self.text.find(words, self.seen) >= 0, lambda: self.text)
        self.seen = self.text.index(words, self.seen) + len(words)

    def type(self, text):
        os.write(self.descriptor, text.encode())

    def end(self):
        status = self.process.wait(CALL_TIMEOUT_S)
        self.reader.join()
        os.close(self.descriptor)
        return status


def test_the_prompt_hides_passwords(users, tmp_path):
    history = tmp_path / "history"
    terminal = Terminal("-p", str(users.server.port), "--user", "ann",
                        KEYSTORE_CLI_HISTORY=str(history))
    terminal.expect("Password of ann: ")
    terminal.type(f"{PASSWORD}\n")
    terminal.expect("> ")
    terminal.type("ACL WHOAMI\n")
    terminal.expect('"ann"')
    assert PASSWORD not in terminal.text
    terminal.expect("> ")
    terminal.type("AUTH bob\n")
    terminal.expect("Password of bob: ")
    terminal.type(f"{OTHER}\n")
    terminal.expect("OK")
    terminal.expect("> ")
    terminal.type("ACL WHOAMI\n")
    terminal.expect('"bob"')
    assert OTHER not in terminal.text
    terminal.expect("> ")
    terminal.type(f"AUTH ann '{PASSWORD}'\n")
    terminal.expect("OK")
    terminal.expect("> ")
    terminal.type(f"AUTH ann \"{PASSWORD}\n")  # malformed
    terminal.expect("error")
    terminal.expect("> ")
    terminal.type("ECHO last\nQUIT\n")
    assert terminal.end() == 0
    kept = history.read_text()
    assert "last" in kept and "AUTH bob" in kept.replace("\\040", " ")
    assert "horse" not in kept


def test_a_password_is_set_on_a_terminal(tmp_path):
    file = UsersFile(tmp_path, RULES)
    for first, second, words, code in [(PASSWORD, PASSWORD, "", 0), (PASSWORD, OTHER, "differ", 1),
                                       ("little", "little", "too short", 1)]:
        before = file.path.read_text()
        terminal = Terminal("--users-file", str(file.path), "user", "password", "ann")
        terminal.expect("New password of ann: ")
        terminal.type(f"{first}\n")
        terminal.expect("The same again: ")
        terminal.type(f"{second}\n")
        terminal.expect(words)
        assert terminal.end() == code
        assert first not in terminal.text
        assert (file.path.read_text() != before) == (code == 0)
    assert re.search(r"^password = \$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$",
                     file.path.read_text(), re.M)
    assert file.path.stat().st_mode & 0o777 == 0o600
    done = subprocess.run([CLI, "--users-file", file.path, "user", "password", "ann"], input="",
                          capture_output=True, text=True, check=False, timeout=CALL_TIMEOUT_S)
    assert done.returncode == 1 and "there is no password" in done.stderr
