"""keystore-cli with users: tokens that it makes and sends, and verdicts."""

import subprocess

from keystore_env import BIN
from users import reload_users

TIMEOUT_S = 60


def cli(*arguments, **environment):
    return subprocess.run([BIN / "keystore-cli", *map(str, arguments)], capture_output=True,
                          text=True, timeout=TIMEOUT_S, check=False, env=environment)


def test_users_from_nothing(tmp_path, fresh_server):
    """A users file, a token and a call with it, in a few commands."""
    file = tmp_path / "users"

    def users(*arguments):
        done = cli("--users-file", file, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    users("user", "add", "app", "read,write keys=app:*", "stream")
    token = users("token", "new", "app", "first").strip()
    assert token.startswith("kst_") and token not in file.read_text()
    assert users("user", "list") == "app: 2 rules, 1 token\n"
    assert users("token", "list").startswith("first: user app, created ")
    assert users("user", "check", "app", "Get", "app:1") == "allowed by line 3\n"
    denied = cli("--users-file", file, "user", "check", "app", "FlushDb")
    assert denied.returncode == 1
    assert denied.stdout == "denied: no rule allows write, or admin, on all keys of database 0\n"

    server = fresh_server("--users-file", file)
    call = ("-p", server.port)
    assert "UNAUTHENTICATED" in cli(*call, "GET", "app:1").stderr
    assert cli(*call, "SET", "app:1", "v", KEYSTORE_TOKEN=token).stdout == "OK\n"
    assert cli(*call, "KEYS", "*", KEYSTORE_TOKEN=token).stdout == "app:1\n"
    assert "FORBIDDEN" in cli(*call, "GET", "other", KEYSTORE_TOKEN=token).stderr
    assert "unknown" in cli(*call, "GET", "app:1", KEYSTORE_TOKEN=token + "x").stderr
    secret = tmp_path / "token"
    secret.write_text(token + "\n")
    got = cli(*call, "--token-file", secret, "GET", "app:1", KEYSTORE_TOKEN="other")
    assert got.stdout == "v\n"
    missing = cli(*call, "--token-file", tmp_path / "none", "GET", "app:1")
    assert missing.returncode == 2 and "cannot read a token" in missing.stderr

    users("token", "revoke", "first")
    reload_users(server)
    assert "revoked" in cli(*call, "GET", "app:1", KEYSTORE_TOKEN=token).stderr
