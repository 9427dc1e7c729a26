"""Fixtures of the end-to-end tests: servers, channels, keys, and the numbers printed at the end."""

import itertools
import zlib

import pytest

from clients import Stub, admin_stub, open_channel
from keystore_env import BIN, SANITIZE, SEED, seeded
from server_process import Server
from small_disk import small_disk  # noqa: F401  (a fixture)

RESULTS = []


def pytest_report_header():
    return [f"KEYSTORE_SEED={SEED}", f"programs: {BIN}, sanitizers: {SANITIZE or 'none'}"]


def pytest_terminal_summary(terminalreporter):
    if RESULTS:
        terminalreporter.section("counts")
        for line in RESULTS:
            terminalreporter.write_line(line)


@pytest.fixture
def counts(request):
    """counts("3 things") is printed after the run, with the name of the test."""
    return lambda text: RESULTS.append(f"{request.node.name}: {text}")


@pytest.fixture(scope="session")
def server():
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def fresh_server():
    """Starts servers with arguments of their own; each must end cleanly with the test."""
    started = []

    def start(*arguments, **options):
        started.append(Server(*arguments, **options))
        return started[-1]

    yield start
    # All are told first, so that a failed one leaves none behind.
    running = [each for each in started if each.running]
    for each in running:
        each.send_signal()
    for each in running:
        each.wait()


@pytest.fixture(scope="session")
def channel(server):
    with open_channel(server.address) as opened:
        yield opened


@pytest.fixture(scope="session")
def stub(channel):
    return Stub(channel)


@pytest.fixture(scope="session")
def admin(channel):
    return admin_stub(channel)


@pytest.fixture
def random_of_test(request):
    return seeded(request.node.nodeid)


@pytest.fixture
def key(request):
    """A key that no other test uses."""
    return next(key_names(request))


@pytest.fixture
def keys(request):
    """As many such keys as wanted, by next()."""
    return key_names(request)


def key_names(request):
    name = request.node.nodeid.encode(errors="replace")
    prefix = b"%08x:%s" % (zlib.crc32(name), request.node.originalname.encode())
    return (b"%s:%d" % (prefix, number) for number in itertools.count())
