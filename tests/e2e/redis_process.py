"""A redis-server of our own on a Unix socket, which keeps its data where it is told."""

import os
import socket
import subprocess
import tempfile
import time

PATIENCE_S = 30


class RedisError(Exception):
    """An error that Redis answered."""


class Redis:
    """Ready once it has loaded its data. What it has answered stands in its files: it does not wait
    for a sync, as it does by default, before it writes more."""

    def __init__(self, directory, *arguments):
        self._place = tempfile.TemporaryDirectory(prefix="keystore-redis-")
        path = self.path = os.path.join(self._place.name, "socket")
        self._log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", path, "--dir", str(directory),
             "--save", "", "--appendfsync", "no", *map(str, arguments)], stdout=self._log, stderr=self._log)
        self._file = None
        deadline = time.monotonic() + PATIENCE_S
        while not self._is_ready(path):
            assert self.process.poll() is None, f"redis-server ended: {self.log}"
            assert time.monotonic() < deadline, f"redis-server does not get ready: {self.log}"
            time.sleep(0.01)

    def _is_ready(self, path):
        if self._file is None:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(PATIENCE_S)
            if connection.connect_ex(path) != 0:
                connection.close()
                return False
            self._file = connection.makefile("rwb")
            connection.close()
        try:
            return self.call("PING") == b"PONG"
        except RedisError:  # it is loading
            return False

    @property
    def log(self):
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def call(self, *words):
        """The answer: bytes, int, list or None."""
        encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self._file.write(b"*%d\r\n" % len(encoded))
        for word in encoded:
            self._file.write(b"$%d\r\n%s\r\n" % (len(word), word))
        self._file.flush()
        return self._read()

    def _read(self):
        line = self._file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self._file.read(size + 2)[:-2]
        if kind == b"*":
            return [self._read() for _ in range(int(rest))]
        return rest

    def contents(self, databases=16):
        """{(db, key): (value, deadline)}: bytes of a string, or the list of a list's elements."""
        found = {}
        for db in range(databases):
            self.call("SELECT", db)
            for key in self.call("KEYS", "*"):
                is_list = self.call("TYPE", key) == b"list"
                value = self.call("LRANGE", key, 0, -1) if is_list else self.call("GET", key)
                found[db, key] = value, max(0, self.call("PEXPIRETIME", key))
        self.call("SELECT", 0)
        return found

    def __enter__(self):
        return self

    def __exit__(self, *error):
        """Whatever came in between, nothing is left running."""
        if self.process.poll() is None:
            self._file.close()
            self.process.kill()
            self.process.wait()
        self._place.cleanup()

    def stop(self):
        """An orderly end, after which all that it keeps is on disk."""
        self._file.close()
        self.process.terminate()
        try:
            code = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        log = self.log
        self._place.cleanup()
        assert code == 0, log
