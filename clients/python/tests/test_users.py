"""Passwords, the tokens that they are exchanged for, and who makes a call."""

import datetime as dt
import signal
import threading
from pathlib import Path
from typing import Any, Callable, List

import pytest
from servers import Server, cli

import keystore
from keystore._sync import auth, rt

PASSWORD = "correct horse battery"
PATIENT = keystore.Config(timeout=120, max_attempts=1000, backoff_max=0.1)
Connect = Callable[..., Any]


class Users:
    """A server with a user `app`, who has a password, and a client of `boss`, who has a token."""

    def __init__(
        self, start: Callable[..., Server], connect: Connect, path: Path, *options: str
    ) -> None:
        self.file = str(path / "users")
        self.edit("add", "app", "read,write,pubsub keys=app:*")
        self.edit("password", "app", stdin=PASSWORD)
        self.edit("add", "boss", "all")
        token = cli("--users-file", self.file, "token", "new", "boss", "test").strip()
        self.server = start("--users-file", self.file, *options)
        self.boss = connect(self.server, token=token, config=PATIENT)

    def edit(self, *words: str, stdin: str = "") -> None:
        cli("--users-file", self.file, "user", *words, stdin=stdin)

    def count(self, what: str) -> int:
        return int(self.boss.info()[f"auth_{what}"])


@pytest.fixture
def users(start_server: Any, connect: Connect, tmp_path: Path) -> Users:
    return Users(start_server, connect, tmp_path)


@pytest.fixture
def short(start_server: Any, connect: Connect, tmp_path: Path) -> Users:
    """Tokens expire after 2 seconds."""
    return Users(start_server, connect, tmp_path, "--session-lifetime", "2")


@pytest.fixture
def client(users: Users, connect: Connect) -> Any:
    return connect(users.server, user="app", password=PASSWORD, config=PATIENT)


def test_authenticate(users: Users, connect: Connect) -> None:
    anonymous = connect(users.server)
    with pytest.raises(keystore.Unauthenticated):
        anonymous.who_am_i()
    session = anonymous.authenticate("app", PASSWORD, lifetime=60)
    assert session.user == "app" and session.token not in repr(session)
    now = dt.datetime.now(dt.timezone.utc)
    assert session.expires_at <= now + dt.timedelta(seconds=60)
    assert anonymous.authenticate("app", PASSWORD).expires_at > session.expires_at
    client = connect(users.server, token=session.token)
    assert client.set("app:k", "v").ok
    assert client.who_am_i().expires_at == session.expires_at


def test_who_am_i(users: Users, client: Any, connect: Connect) -> None:
    who = client.who_am_i()
    assert (who.user, who.means) == ("app", "session")
    assert who.rules == ["read,write,pubsub keys=app:*"]
    boss = users.boss.who_am_i()
    assert (boss.user, boss.means, boss.id, boss.expires_at) == ("boss", "token", "test", None)
    assert boss.rules == ["all"]


def test_without_users(connect: Connect, shared_server: Server) -> None:
    client = connect(shared_server)
    with pytest.raises(keystore.NoUsers):
        client.authenticate("app", PASSWORD)
    who = client.who_am_i()
    assert (who.user, who.means, who.id, who.expires_at) == (None, "none", None, None)


def test_wrong_passwords(users: Users, connect: Connect) -> None:
    once = keystore.Config(timeout=60, max_attempts=1)
    client = connect(users.server, user="app", password="wrong password", config=once)
    with pytest.raises(keystore.Unauthenticated):
        client.get("app:k")
    assert users.count("denied") == 1  # a password is not tried twice
    with pytest.raises(keystore.Unauthenticated), client.watch(prefix="app:"):
        pass
    assert users.count("denied") == 2
    with pytest.raises(keystore.BadArgument) as caught:
        client.authenticate("", PASSWORD)
    assert caught.value.field == "user"
    with pytest.raises(keystore.Throttled) as throttled:
        while True:
            with pytest.raises(keystore.Unauthenticated):
                client.authenticate("app", "wrong password")
    assert throttled.value.retry_after is not None and throttled.value.retry_after > 0


def test_calls_with_a_password(users: Users, client: Any, connect: Connect) -> None:
    assert client.set("app:k", "v").ok
    with client.pipeline() as pipeline:
        found = pipeline.get("app:k")
    assert found.result() == "v"
    assert list(client.scan("app:*")) == ["app:k"]
    client.rpush("app:l", "a", "b")
    assert list(client.stream_list("app:l")) == ["a", "b"]
    with client.watch(prefix="app:") as changes:
        client.set("app:k", "w")
        assert next(changes).events[0].key == "app:k"
    assert users.count("accepted") == 1
    with pytest.raises(keystore.Forbidden):
        client.get("other")
    asked: List[int] = []

    def password() -> str:
        asked.append(1)
        return PASSWORD

    assert connect(users.server, user="app", password=password).get("app:k") == "w"
    assert len(asked) == 1


def test_a_password_in_a_url(users: Users) -> None:
    password = PASSWORD.replace(" ", "%20")
    url = f"keystore://app:{password}@{users.server.address}?decode=1"
    with keystore.Client.from_url(url) as client:
        assert client.who_am_i().user == "app"
    url = f"keystore://app@{users.server.address}?decode=1"
    with keystore.Client.from_url(url, password=PASSWORD) as client:
        assert client.who_am_i().user == "app"


def run_all(function: Callable[[], Any], count: int) -> List[Any]:
    """What it returns, or raises, in that many threads."""
    results: List[Any] = []

    def run() -> None:
        try:
            results.append(function())
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_one_call_gets_the_token_for_all(users: Users, client: Any, connect: Connect) -> None:
    assert run_all(lambda: client.get("app:none"), 8) == [None] * 8
    assert users.count("accepted") == 1


def test_calls_go_on_when_tokens_expire(short: Users, connect: Connect) -> None:
    client = connect(short.server, user="app", password=PASSWORD, config=PATIENT)
    while short.count("accepted") < 3:
        client.get("app:k")
    assert short.count("denied") == 0


class Clock:
    """Stands in for the module `time`."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1e9 + self.now


def test_tokens_are_renewed_before_they_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(auth, "time", clock)
    answers: List[Any] = []

    def authenticate(call: Any) -> Any:
        assert (call.request.user, call.request.password) == ("app", PASSWORD)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        expires_at = dt.datetime.fromtimestamp(clock.time() + 100, dt.timezone.utc)
        return keystore.Session(answer, expires_at, "app")

    login = auth.Login("app", PASSWORD)

    def token(now: float, *coming: Any) -> str:
        clock.now = now
        answers[:] = coming
        found = login.token(authenticate, rt.Lock(), 1.0)
        assert not answers
        return found

    assert token(0, "a") == token(74) == "a"
    assert token(75, "b") == token(149) == "b"
    failure = keystore.Throttled("", retry_after=6.0)
    assert token(155, failure) == token(156) == "b"  # it is still valid
    assert token(162, failure) == "b"
    with pytest.raises(keystore.Throttled):
        token(176, failure)
    assert token(176, "c") == "c"
    login.refused(175)  # of a call with the token before
    assert token(180) == "c"
    login.refused(180)
    assert token(180, "d") == "d"


def test_those_that_wait_for_a_token_fail_together() -> None:
    """Else each would wait for an attempt of its own."""
    attempts: List[Any] = []
    waiting = threading.Barrier(8)

    class Lock(rt.Lock):
        def acquire(self, timeout: float) -> bool:
            waiting.wait()
            return super().acquire(timeout)

    def authenticate(call: Any) -> Any:
        attempts.append(call)
        raise keystore.Unavailable("as the test says")

    login, lock = auth.Login("app", PASSWORD), Lock()
    found = run_all(lambda: login.token(authenticate, lock, 60.0), 8)
    assert [type(each) for each in found] == [keystore.Unavailable] * 8
    assert len({id(each) for each in found}) == 8 and len(attempts) == 1


def test_a_server_that_was_restarted_has_forgotten_the_token(users: Users, client: Any) -> None:
    client.set("app:n", 0)
    with client.watch("app:n") as changes:
        users.server.kill()
        users.server.start()
        assert users.boss.set("app:n", 1).ok
        assert [event.key for event in next(changes).events] == ["app:n"]
    users.server.kill()
    users.server.start()
    assert users.boss.info()
    assert run_all(lambda: client.incr("app:n"), 8) and client.get("app:n") == "9"


def test_a_token_that_was_refused_is_renewed(users: Users, client: Any, connect: Connect) -> None:
    def end_tokens() -> None:
        token = users.boss.authenticate("app", PASSWORD).token
        other = connect(users.server, token=token)
        users.edit("password", "app", stdin=PASSWORD)  # the same, but with other salt
        users.server.process.send_signal(signal.SIGHUP)
        with pytest.raises(keystore.Unauthenticated):
            while True:
                other.who_am_i()

    client.get("app:n")
    end_tokens()
    assert client.publish("app:news", "x") == 0  # is not repeated else
    end_tokens()
    with pytest.raises(keystore.Unauthenticated), client.pipeline() as pipeline:
        pipeline.incr("app:n")  # might have been executed, as far as the client can tell
    with client.pipeline() as pipeline:
        pipeline.incr("app:n")
    end_tokens()
    with client.pipeline() as pipeline:
        found = pipeline.get("app:n")
    assert found.result() == "1"
    end_tokens()
    assert list(client.scan("app:*")) == ["app:n"]


def test_streams_go_on_when_their_token_has_expired(short: Users, connect: Connect) -> None:
    client = connect(short.server, user="app", password=PASSWORD, config=PATIENT)
    resumed = False
    with client.subscribe("app:news") as messages:
        stop = threading.Event()

        def publish() -> None:
            while not stop.is_set():
                short.boss.publish("app:news", "x")
                stop.wait(0.01)

        publisher = threading.Thread(target=publish, daemon=True)
        publisher.start()
        while not resumed:
            resumed = next(messages).resumed
        stop.set()
        publisher.join()
    assert short.count("denied") == 0


def test_a_password_that_was_changed_ends_streams(users: Users, client: Any) -> None:
    client.set("app:k", "v")
    with client.watch(prefix="app:") as changes:
        users.edit("password", "app", stdin=PASSWORD + "!")
        users.server.process.send_signal(signal.SIGHUP)
        with pytest.raises(keystore.Unauthenticated):
            next(changes)
    assert users.count("denied") == 1
