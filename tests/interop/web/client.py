"""What a browser sends and gets (gRPC-Web, CORS), with Envoy in front of the server and configured as
docs/proxies.md says.

usage: client.py ADDRESS PROTO; see script/interop. The stubs are made by protoc beforehand; Envoy comes
from PyPI.
"""

import base64
import http.client
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import checks
import mini_redis_pb2 as pb

TIMEOUT_S = 30
ADDRESS, PROTO = sys.argv[1:]
GUIDE = Path(PROTO).parents[1] / "docs" / "proxies.md"
ENVOY = Path(sys.executable).parent / "envoy"  # in the venv
HERE = Path(__file__).parent
ORIGIN = "https://app.example.com"
KEY_STORE = "/keystore.v1.KeyStore/"
BINARY, TEXT = "application/grpc-web+proto", "application/grpc-web-text+proto"
SHORT = "application/grpc-web"  # the same as BINARY
TRAILERS = 0x80  # the flag of the last frame


def same(found, expected):
    assert found == expected, f"{found!r}, not {expected!r}"


class Envoy:
    """On a port that was free, in front of the server."""

    def __enter__(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        text = re.search(r"```yaml\n(static_resources:.*?)```", GUIDE.read_text(encoding="utf-8"),
                         re.DOTALL).group(1)
        host, port = ADDRESS.split(":")
        for documented, ours in (("port_value: 8080", f"port_value: {self.port}"),
                                 ("address: 10.0.0.1, port_value: 50051",
                                  f"address: {host}, port_value: {port}")):
            same(text.count(documented), 1)
            text = text.replace(documented, ours)
        path = HERE / "envoy.yaml"
        path.write_text(text, encoding="utf-8")
        self._log = open(HERE / "envoy.log", "w", encoding="utf-8")
        self._process = subprocess.Popen([ENVOY, "-c", path, "--use-dynamic-base-id",
                                          "--concurrency", "1"], stdout=self._log,
                                         stderr=self._log)
        deadline = time.monotonic() + TIMEOUT_S
        while not self._listens():
            assert self._process.poll() is None, f"Envoy has ended, see {self._log.name}"
            assert time.monotonic() < deadline, f"Envoy does not listen, see {self._log.name}"
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(TIMEOUT_S)
        self._log.close()

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def ask(self, method, path, body=None, **headers):
        """The answer, whose body is to be read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        connection.request(method, path, body, {name.replace("_", "-"): value
                                                for name, value in headers.items()})
        return connection.getresponse()

    def post(self, method, request, content_type=BINARY, **headers):
        message = request.SerializeToString()
        body = b"\0" + len(message).to_bytes(4, "big") + message
        if content_type == TEXT:
            body = base64.b64encode(body)
        answer = self.ask("POST", KEY_STORE + method, body, content_type=content_type,
                          accept=content_type, x_grpc_web="1", origin=ORIGIN, **headers)
        same(answer.status, 200)
        return answer


def frames_of(body):
    """(flag, content) of each frame."""
    found = []
    while body:
        size = int.from_bytes(body[1:5], "big")
        assert len(body) >= 5 + size, "a frame is cut off"
        found.append((body[0], body[5:5 + size]))
        body = body[5 + size:]
    return found


def trailers_of(content):
    pairs = (line.split(":", 1) for line in content.decode().split("\r\n") if line)
    return {name: value.strip() for name, value in pairs}


def messages_of(answer, body, kind):
    """The messages of a call that has succeeded."""
    frames = frames_of(body)
    assert frames and frames[-1][0] == TRAILERS, f"no trailers: {body!r} {answer.getheaders()}"
    same(trailers_of(frames[-1][1])["grpc-status"], "0")
    same({flag for flag, _ in frames[:-1]}, {0})
    return [kind.FromString(content) for _, content in frames[:-1]]


def unary(envoy):
    key = bytes(range(256))
    for value in (b"", key, key * 4096):
        answer = envoy.post("Set", pb.KeyValue(key=key, value=value))
        same(answer.headers["content-type"], BINARY)
        [status] = messages_of(answer, answer.read(), pb.Status)
        assert status.ok
        answer = envoy.post("Get", pb.Key(key=key))
        [got] = messages_of(answer, answer.read(), pb.Value)
        same((got.found, got.value), (True, value))
    answer = envoy.post("Get", pb.Key(key=b"none"), SHORT)
    [got] = messages_of(answer, answer.read(), pb.Value)
    same(got.found, False)


def text(envoy):
    """In base64, for browsers that cannot read bytes as they come. Each chunk may have padding."""
    answer = envoy.post("Get", pb.Key(key=bytes(range(256))), TEXT)
    same(answer.headers["content-type"], TEXT)
    body = b"".join(base64.b64decode(part) for part in
                    re.findall(rb"[A-Za-z0-9+/]+=*", answer.read()))
    [got] = messages_of(answer, body, pb.Value)
    same(got.value, bytes(range(256)) * 4096)


def errors(envoy):
    """They come without a body, their trailers among the headers."""
    envoy.post("Set", pb.KeyValue(key=b"web text", value=b"v")).read()
    answer = envoy.post("LPop", pb.Key(key=b"web text"))
    same((answer.read(), answer.headers["grpc-status"], answer.headers["keystore-reason"]),
         (b"", "9", "ERROR_REASON_WRONG_TYPE"))
    assert answer.headers["grpc-message"].startswith("the key holds a string")
    assert b"ErrorInfo" in base64.b64decode(answer.headers["grpc-status-details-bin"] + "==")
    exposed = answer.headers["access-control-expose-headers"].split(",")
    for name in ("grpc-status", "grpc-message", "grpc-status-details-bin", "keystore-reason"):
        assert name in exposed, f"a browser does not see {name}"


def server_stream(envoy):
    names = {b"web scan %03d" % number for number in range(200)}
    envoy.post("MSet", pb.KeyValues(entries=[pb.KeyValue(key=name, value=bytes(1000))
                                             for name in names])).read()
    answer = envoy.post("Scan", pb.ScanRequest(pattern=b"web scan *", with_values=True,
                                               page_bytes=10000))
    pages = messages_of(answer, answer.read(), pb.ScanPage)
    assert len(pages) > 1, "one page"
    same({entry.key for page in pages for entry in page.entries}, names)


def messages_as_they_come(envoy):
    """Each is there when it is published, and the end of the caller ends the stream."""
    answer = envoy.post("Subscribe", pb.SubscribeRequest(channels=[b"web"]))
    for number in range(3):
        published = envoy.post("Publish", pb.Message(channel=b"web", payload=b"%d" % number))
        same(messages_of(published, published.read(), pb.Status)[0].count, 1)
        head = answer.read(5)
        message = pb.Message.FromString(answer.read(int.from_bytes(head[1:], "big")))
        same((head[0], message.payload), (0, b"%d" % number))
    answer.close()
    deadline = time.monotonic() + TIMEOUT_S
    while messages_of(published := envoy.post("Publish", pb.Message(channel=b"web")),
                      published.read(), pb.Status)[0].count:
        assert time.monotonic() < deadline, "the stream has not ended"


def deadlines(envoy):
    answer = envoy.post("ListPop", pb.PopRequest(keys=[b"web none"], wait_ms=-1),
                        grpc_timeout="300m")
    answer.read()
    same(answer.headers["grpc-status"], "4")


def preflight(envoy, origin):
    answer = envoy.ask("OPTIONS", KEY_STORE + "Get", origin=origin,
                       access_control_request_method="POST",
                       access_control_request_headers="content-type,x-grpc-web,grpc-timeout")
    answer.read()
    return answer


def origins(envoy):
    """A page of another origin is not allowed to ask."""
    answer = preflight(envoy, ORIGIN)
    same((answer.status, answer.headers["access-control-allow-origin"]), (200, ORIGIN))
    assert "POST" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].split(",")
    assert {"content-type", "x-grpc-web", "grpc-timeout"} <= set(allowed), allowed
    answer = preflight(envoy, "https://evil.example.com")
    same(answer.headers["access-control-allow-origin"], None)
    answer = envoy.post("Get", pb.Key(key=b"k"))
    answer.read()
    same(answer.headers["access-control-allow-origin"], ORIGIN)


def no_admin(envoy):
    answer = envoy.ask("POST", "/keystore.v1.KeyStoreAdmin/FlushDb", b"\0\0\0\0\0",
                       content_type=BINARY, x_grpc_web="1")
    answer.read()
    assert answer.status == 404 or answer.headers["grpc-status"] == "12", answer.getheaders()


def main():
    with Envoy() as envoy:
        checks.run({
            "unary": lambda: unary(envoy),
            "text": lambda: text(envoy),
            "errors": lambda: errors(envoy),
            "a server stream": lambda: server_stream(envoy),
            "messages as they come": lambda: messages_as_they_come(envoy),
            "deadlines": lambda: deadlines(envoy),
            "origins": lambda: origins(envoy),
            "no admin": lambda: no_admin(envoy),
        })


main()
