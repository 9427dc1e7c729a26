"""Programs that others wrote and people have at hand: curl, nghttp and h2load.

They speak HTTP/2 without knowing gRPC, so that a call is a POST of a framed message.
"""

import re
import subprocess

import pytest

import mini_redis_pb2 as pb
from clients import PACKAGE_PATH
from h2conn import prefixed

MIB = 1 << 20
TIMEOUT_S = 60
GRPC = ["-H", "content-type: application/grpc", "-H", "te: trailers"]


def run(*command, code=0):
    """The finished program; `code` None is any exit code."""
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, check=False,
                              timeout=TIMEOUT_S)
    except FileNotFoundError:
        raise AssertionError(f"{command[0]} is missing; script/bootstrap --test installs it"
                             ) from None
    assert code is None or done.returncode == code, (
        f"exit code {done.returncode}: {done.stderr.decode(errors='replace')}")
    return done


@pytest.fixture
def framed(tmp_path):
    """Writes a message as a gRPC request body to a file, and says where."""
    def write(message):
        path = tmp_path / "request"
        path.write_bytes(prefixed(message.SerializeToString()))
        return path
    return write


@pytest.fixture
def url(server):
    return f"http://{server.address}{PACKAGE_PATH}"


def unframed(kind, body):
    """The one message of an answer."""
    assert body[:5] == b"\0" + (len(body) - 5).to_bytes(4, "big")
    return kind.FromString(body[5:])


# curl.

class Curled:
    def __init__(self, done, headers):
        blocks = [block.split("\n") for block in headers.read_text().split("\n\n")
                  if block]
        self.status = int(blocks[0][0].split()[1])
        # Trailers come after the header block's empty line, without a status line.
        self.fields = dict(line.split(": ", 1) for block in blocks for line in block if ": " in line)
        self.body = done.stdout


@pytest.fixture
def curl(tmp_path, url):
    def call(method, *options, code=0):
        headers = tmp_path / "headers"
        done = run("curl", "--silent", "--show-error", "--max-time", TIMEOUT_S, "--dump-header",
                   headers, "--http2-prior-knowledge", *options, url + method, code=code)
        return Curled(done, headers) if code == 0 else done
    return call


@pytest.fixture
def curl_call(curl, framed):
    """A call that must succeed."""
    def call(method, request, kind):
        answer = curl(method, *GRPC, "--data-binary", f"@{framed(request)}")
        assert (answer.status, answer.fields["grpc-status"]) == (200, "0"), answer.fields
        return unframed(kind, answer.body)
    return call


@pytest.mark.parametrize("size", [0, 1, 16384, MIB])
def test_curl(curl_call, key, random_of_test, size):
    value = random_of_test.randbytes(size)
    assert curl_call("Set", pb.KeyValue(key=key, value=value), pb.Status).ok
    got = curl_call("Get", pb.Key(key=key), pb.Value)
    assert got.found and got.value == value
    assert curl_call("Delete", pb.Key(key=key), pb.Status).ok
    assert curl_call("LPush", pb.ListInsert(key=key, values=[value, b"head"]), pb.Status).count == 2
    got = curl_call("LRange", pb.ListRange(key=key, stop=-1), pb.ListValues)
    assert list(got.values) == [b"head", value]
    assert curl_call("LPop", pb.Key(key=key), pb.Value).value == b"head"


def test_curl_sees_an_error(curl, framed):
    answer = curl("Get", *GRPC, "--data-binary", f"@{framed(pb.Key())}")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.fields["grpc-status"] == "3"
    assert answer.fields["keystore-reason"] == "ERROR_REASON_BAD_ARGUMENT"


def test_curl_gets_no_web_page(curl):
    assert curl("Get").status == 405
    # Without a body, for curl 7.88 fails if it has not sent all of one when the answer is there.
    assert curl("Get", "--request", "POST", "-H", "content-type: text/plain").status == 415


def test_curl_with_http_1(url):
    """HTTP/1.1 is answered with what to do instead; an upgrade (RFC 7540, 3.2) is not offered."""
    for version in ("--http1.1", "--http2"):
        done = run("curl", "--silent", "--show-error", "--max-time", 20, version,
                   "--write-out", "%{http_code}", url + "Get")
        assert done.stdout.endswith(b"505") and b"Use keystore-cli or a gRPC client" in done.stdout


# nghttp.

NGHTTP_OPTIONS = {
    "plain": [],  # with PRIORITY frames for streams that are never opened
    "no priorities": ["--no-dep"],
    "padding": ["--padding=255"],
    "no table": ["--header-table-size=0"],
    "table that shrinks": ["--header-table-size=0", "--header-table-size=65536"],
    "no table of its own": ["--encoder-header-table-size=0"],
    "small windows": ["--window-bits=4", "--connection-window-bits=16"],
    "one stream at a time": ["--peer-max-concurrent-streams=1"],
    "many": ["--multiply=500"],
}


@pytest.mark.parametrize("name", NGHTTP_OPTIONS)
def test_nghttp(stub, url, framed, key, random_of_test, name):
    value = random_of_test.randbytes(1000)
    stub.Set(pb.KeyValue(key=key, value=value))
    answer = prefixed(stub.Get(pb.Key(key=key)).SerializeToString())
    done = run("nghttp", *NGHTTP_OPTIONS[name], *GRPC, f"--timeout={TIMEOUT_S}",
               f"--data={framed(pb.Key(key=key))}", url + "Get")
    count = 500 if name == "many" else 1
    assert len(done.stdout) == count * len(answer)
    if name != "many":  # whose answers are interleaved
        assert done.stdout == answer


def test_nghttp_with_continuations(fresh_server, framed, key):
    """It sends 18 KiB of fields, for which there must be room."""
    server = fresh_server("--max-header-size", "32KiB")
    done = run("nghttp", "--continuation", *GRPC, f"--timeout={TIMEOUT_S}",
               f"--data={framed(pb.KeyValue(key=key, value=b'v'))}",
               f"http://{server.address}{PACKAGE_PATH}Set")
    assert unframed(pb.Status, done.stdout).ok


def test_nghttp_sends_a_large_value(stub, url, framed, key, random_of_test):
    value = random_of_test.randbytes(4 * MIB)
    done = run("nghttp", "--padding=100", *GRPC, f"--timeout={TIMEOUT_S}",
               f"--data={framed(pb.KeyValue(key=key, value=value))}", url + "Set")
    assert unframed(pb.Status, done.stdout).ok
    assert stub.Get(pb.Key(key=key)).value == value


def test_nghttp_shows_the_trailers(url, framed, key):
    done = run("nghttp", "--verbose", *GRPC, f"--timeout={TIMEOUT_S}",
               f"--data={framed(pb.Key(key=key))}", url + "Get")
    frames = re.findall(r"recv (\w+) frame", done.stdout.decode(errors="replace"))
    assert frames.count("HEADERS") == 2 and frames.count("DATA") == 1
    assert {"SETTINGS", "WINDOW_UPDATE"} <= set(frames) and "RST_STREAM" not in frames
    assert b"recv (stream_id=13) grpc-status: 0" in done.stdout


# h2load.

@pytest.mark.parametrize("clients,streams,calls", [(1, 1, 500), (1, 100, 5000), (50, 20, 10000),
                                                   (200, 1, 2000)])
def test_h2load(stub, url, framed, key, random_of_test, clients, streams, calls):
    value = random_of_test.randbytes(100)
    stub.Set(pb.KeyValue(key=key, value=value))
    size = len(prefixed(stub.Get(pb.Key(key=key)).SerializeToString()))
    check_load(url, framed(pb.Key(key=key)), size, "-c", clients, "-m", streams, "-n", calls)


def test_h2load_with_small_windows(stub, url, framed, key, random_of_test):
    """Answers of 100 KiB by 1 KiB at a time, 20 at once."""
    value = random_of_test.randbytes(100 * 1024)
    stub.Set(pb.KeyValue(key=key, value=value))
    size = len(prefixed(stub.Get(pb.Key(key=key)).SerializeToString()))
    check_load(url, framed(pb.Key(key=key)), size, "-c", 4, "-m", 20, "-n", 400, "-w", 10, "-W", 12)


def check_load(url, request, size, *options):
    """Every call is answered with so many bytes of body."""
    calls = options[options.index("-n") + 1]
    done = run("h2load", *options, *GRPC, "-d", request, url + "Get").stdout.decode()
    assert (f"requests: {calls} total, {calls} started, {calls} done, {calls} succeeded, "
            "0 failed, 0 errored, 0 timeout") in done
    assert f"status codes: {calls} 2xx" in done
    assert f"({size * calls}) data" in done
