"""Addresses, URLs, configurations, TLS, users and the shell."""

import dataclasses
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, List

import pytest
from servers import Server

import keystore
from keystore import config

CERTIFICATES = Path(__file__).resolve().parents[3] / "script" / "dev-certs"
TOKEN = "kst_" + "a" * 43


@pytest.mark.parametrize(
    "url, expected",
    [
        ("keystore://h", {"address": "h"}),
        (
            "keystore://app:kst_%2Fk@h1,h2:7/3?tls=1&decode=0",
            {"address": "h1,h2:7", "token": "kst_/k", "db": 3, "tls": True, "decode": False},
        ),
        ("keystore://kst_t@[::1]:5?ca=a.pem", {"address": "[::1]:5", "token": "kst_t", "ca": "a.pem"}),
        ("keystore://a%40b:p%2Fw@h", {"address": "h", "user": "a@b", "password": "p/w"}),
        ("keystore://h?timeout=2", {"address": "h", "config": keystore.Config(timeout=2)}),
    ],
)
def test_urls(url: str, expected: Any) -> None:
    assert config.parse_url(url) == expected
    client = keystore.Client.from_url(url, tls=None, ca=None)
    client.close()


@pytest.mark.parametrize(
    "url, words",
    [
        ("redis://h", "keystore://"),
        ("keystore://", "keystore://"),
        ("keystore://h/x", "database"),
        ("keystore://h?tls=maybe", "1 or 0"),
        ("keystore://h?nonsense=1", "unknown option"),
        ("keystore://h/16", "from 0 to 15"),
        ("keystore://app@h", "password"),
    ],
)
def test_bad_urls(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        keystore.Client.from_url(url)


def test_addresses() -> None:
    def target(address: Any) -> str:
        return config.make_target(address).uri()

    assert target("h") == "dns:h:50051"
    assert target("[::1]") == "dns:[::1]:50051"
    assert target("unix:/run/x") == "unix:/run/x"
    assert target("127.0.0.1:1,127.0.0.2:2") == "ipv4:127.0.0.1:1,127.0.0.2:2"
    assert target(["127.0.0.1", "127.0.0.2"]) == "ipv4:127.0.0.1:50051,127.0.0.2:50051"
    for bad in ("", "h:x", "h:99999", "u@h", "h/p"):
        with pytest.raises(ValueError):
            config.make_target(bad)


@pytest.mark.parametrize(
    "arguments",
    [
        {"cert": b"x"},
        {"tls": False, "ca": b"x"},
        {"db": 16},
        {"db": -1},
        {"user": "app"},
        {"password": "secret"},
        {"user": "app", "password": "secret", "token": TOKEN},
    ],
)
def test_contradictions(arguments: Any) -> None:
    with pytest.raises(ValueError):
        keystore.Client("h", **arguments)


def test_presets_are_frozen() -> None:
    assert keystore.Config.laptop() == keystore.Config(timeout=60, max_attempts=4)
    assert keystore.Config.in_region() == keystore.Config(timeout=2)
    assert keystore.Config.low_latency().timeout == 0.25
    with pytest.raises(dataclasses.FrozenInstanceError):
        keystore.Config().timeout = 1  # type: ignore[misc]
    for bad in ({"timeout": 0}, {"max_attempts": 0}, {"backoff": -1}):
        with pytest.raises(ValueError):
            keystore.Config(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [{"ttl": 0}, {"ttl": -1}, {"if_version": 0}, {"expire_at": 0}])
def test_times_that_would_mean_something_else_are_refused(bad: Any) -> None:
    with keystore.Client("127.0.0.1:1") as client, pytest.raises(ValueError):
        client.set("k", "v", **bad)


def test_types_that_are_no_strings_are_refused() -> None:
    with keystore.Client("127.0.0.1:1") as client:
        for bad in (None, True, ["x"]):
            with pytest.raises(TypeError):
                client.set("k", bad)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            client.get(5)  # type: ignore[arg-type]


def test_bytes_or_text(connect: Callable[..., Any], shared_server: Server) -> None:
    text, raw = connect(shared_server), connect(shared_server, decode=False)
    text.set("k", "\u00e9")
    assert raw.get("k") == b"\xc3\xa9" and text.get("k") == "\u00e9"
    raw.set("k", b"\xff\x00")
    text.set("copy", text.get("k"))
    assert raw.get("copy") == b"\xff\x00"


def test_several_servers_and_channels(connect: Callable[..., Any], start_server: Any) -> None:
    servers = [start_server(), start_server()]

    class Both:
        address = ",".join(server.address for server in servers)

    client = connect(Both, config=keystore.Config(timeout=60, channels=2))
    singles = [connect(server) for server in servers]

    def counts() -> List[str]:
        return [single.get("n") or "" for single in singles]

    while not all(counts()):  # one of the two may be connected earlier
        client.incr("n")
    servers[0].kill()
    for _ in range(20):
        client.get("n")


def test_a_closed_client_says_so(connect: Callable[..., Any], shared_server: Server) -> None:
    client = connect(shared_server)
    client.set("k", "v")
    client.close()
    with pytest.raises(keystore.ClosedError):
        client.get("k")


@pytest.mark.skipif(not CERTIFICATES.exists(), reason="not in a checkout")
def test_tls(connect: Callable[..., Any], start_server: Any, tmp_path: Path) -> None:
    subprocess.run([str(CERTIFICATES), str(tmp_path)], check=True, stdout=subprocess.DEVNULL)

    def file(name: str) -> str:
        return str(tmp_path / name)

    options = ["--tls-cert", file("server.pem"), "--tls-key", file("server.key")]
    options += ["--tls-client-ca", file("ca.pem")]
    server = start_server(*options, listen="--tls-listen")
    own = {"ca": file("ca.pem"), "cert": file("client.pem"), "key": file("client.key")}
    client = connect(server, **own)
    assert client.set("k", "v").ok
    contents = {name: Path(path).read_bytes() for name, path in own.items()}
    assert connect(server, server_name="localhost", **contents).get("k") == "v"
    quick = keystore.Config(timeout=20, max_attempts=2)
    without_certificate = {"ca": own["ca"]}
    wrong_name = {**own, "server_name": "elsewhere"}
    for bad in (without_certificate, wrong_name, {"tls": False}, {"tls": True}):
        with pytest.raises(keystore.Unavailable):
            connect(server, config=quick, **bad).get("k")


def test_tokens(connect: Callable[..., Any], start_server: Any, tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.touch(mode=0o600)
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    users.write_text(
        "[user app]\nallow = read,write keys=app:*\n"
        f"token = laptop {digest} created=2026-01-01T00:00:00Z\n"
    )
    server = start_server("--users-file", str(users))
    assert connect(server, token=TOKEN).set("app:k", "v").ok
    assert connect(server, token=lambda: TOKEN).get("app:k") == "v"
    with pytest.raises(keystore.Forbidden):
        connect(server, token=TOKEN).get("other")
    for bad in (None, TOKEN[:-1] + "b"):
        with pytest.raises(keystore.Unauthenticated):
            connect(server, token=bad).get("app:k")
    assert TOKEN not in repr(config.make_target("h", token=TOKEN))


def shell(server: Server, *command: str, stdin: str = "") -> "tuple[int, str, str]":
    assert keystore.__file__ is not None
    paths = {"PYTHONPATH": str(Path(keystore.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-m", "keystore", server.address, *command],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **paths},
    )
    return done.returncode, done.stdout, done.stderr


def test_shell(start_server: Any) -> None:
    server = start_server()
    lines = [
        'set a "1 2" ttl=60',
        "get a",
        "get none",
        "mset x=1,y=2",
        "mget x,y,none",
        "rpush l a b c",
    ]
    lines += ["lrange l 0 1", "incr x by", "incr x 5", "exists a x nope", "scan pattern=*", "help get"]
    code, out, err = shell(server, stdin="\n".join(lines))
    assert out.split("\n")[1:3] == ['"1 2"', "(nothing)"]
    assert '1) "1"\n2) "2"\n3) (nothing)\n3\n1) "a"\n2) "b"\n6\n2\n' in out
    assert "by is 'by'; it is a number" in err and code == 1
    assert "The string; None if the key does not exist" in out
    assert shell(server, "get", "x") == (0, '"6"\n', "")
    code, _, err = shell(server, "incr", "l")
    assert code == 1 and err.startswith("error: WRONG_TYPE: ")
    code, _, err = shell(server, "nonsense")
    assert code == 1 and "there is no command nonsense" in err
    code, _, err = shell(server, "get", "x", "y")
    assert code == 1 and "'y' is too much" in err
