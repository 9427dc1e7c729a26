"""A users file, with a token for each user, and stubs that send it."""

import datetime
import hashlib
import os
import signal
from pathlib import Path

from clients import Stub, admin_stub
from times import wait_until

CREATED = "created=2026-01-01T00:00:00Z"
FORBIDDEN_REASON = "ERROR_REASON_FORBIDDEN"


def token_of(name):
    return f"kst_token-of-{name}"


def token_line(name, *, token=None, more=""):
    digest = hashlib.sha256((token or token_of(name)).encode()).hexdigest()
    return f"token = {name} {digest} {CREATED} {more}"


def expires_in(seconds):
    """For `more` of a token's line."""
    time = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return f"expires={time:%Y-%m-%dT%H:%M:%SZ}"


def metadata_of(name):
    return (("authorization", f"Bearer {token_of(name)}"),)


class UsersFile:
    """`rules`: user -> its `allow` lines, without that word."""

    def __init__(self, folder, rules):
        self.path = Path(folder) / "users"
        self.write(rules)

    def write(self, rules, more=""):
        lines = []
        for name, allowed in rules.items():
            lines += [f"[user {name}]", token_line(name), *(f"allow = {rule}" for rule in allowed)]
        self.write_text("\n".join(lines) + "\n" + more)

    def write_text(self, text):
        new = self.path.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(text)
        os.replace(new, self.path)


def reload_users(server, words="was read again"):
    """Has the server read its file again, and waits until it says that it has."""
    before = server.stderr.count(words)
    server.send_signal(signal.SIGHUP)
    wait_until(lambda: server.stderr.count(words) > before, lambda: server.stderr)


class _Authorized:
    def __init__(self, method, metadata):
        self._method, self._metadata = method, metadata

    def __call__(self, request, **options):
        return self._method(request, metadata=self._metadata + options.pop("metadata", ()),
                            **options)

    def future(self, request, **options):
        return self._method.future(request, metadata=self._metadata, **options)


class As:
    """A stub whose calls are those of the user."""

    def __init__(self, channel, name, *, admin=False):
        self._stub = (admin_stub if admin else Stub)(channel)
        self._metadata = metadata_of(name)

    def __getattr__(self, name):
        return _Authorized(getattr(self._stub, name), self._metadata)
