"""Calls are repeated when that is safe, and only then."""

import random
import signal
import threading
import time
from concurrent import futures
from typing import Any, Callable, Iterator, List, Optional, Tuple

import grpc
import pytest
from servers import Server

import keystore
from keystore._proto import mini_redis_pb2 as pb
from keystore._sync.rt import HEALTH
from keystore.calls import Attempts, Call, jitter

PATIENT = keystore.Config(timeout=120, max_attempts=1000, backoff_max=0.1)


class Fake(grpc.GenericRpcHandler):
    """A server that fails the first calls as the test says, and notes what each call had."""

    def __init__(self) -> None:
        self.failures: List[Tuple[grpc.StatusCode, Tuple[Tuple[str, str], ...]]] = []
        self.calls: List[dict] = []
        self._server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[self])
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def service(self, details: Any) -> Any:
        if details.method == HEALTH:
            return None  # asked by a client that waits for its connection
        metadata = dict(details.invocation_metadata)

        def answer(request: bytes, context: Any) -> bytes:
            self.calls.append({**metadata, "deadline": context.time_remaining()})
            if self.failures:
                code, trailers = self.failures.pop(0)
                context.set_trailing_metadata(trailers)
                context.abort(code, "as the test says")
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)

    def fail(self, code: str, *trailers: Tuple[str, str]) -> None:
        self.failures.append((grpc.StatusCode[code], trailers))

    def close(self) -> None:
        self._server.stop(None).wait()

    @property
    def ids(self) -> List[Optional[bytes]]:
        return [call.get("keystore-request-id-bin") for call in self.calls]


@pytest.fixture
def fake() -> Iterator[Fake]:
    made = Fake()
    yield made
    made.close()


@pytest.fixture
def client(fake: Fake, connect: Callable[..., Any]) -> Any:
    class At:
        address = fake.address

    return lambda **config: connect(At, config=keystore.Config(timeout=60, **config))


def test_reads_and_writes_are_repeated(fake: Fake, client: Any) -> None:
    for _ in range(2):
        fake.fail("UNAVAILABLE")
    assert client().get("k") is None
    assert len(fake.calls) == 3 and set(fake.ids) == {None}


def test_a_repeated_write_has_the_same_id(fake: Fake, client: Any) -> None:
    fake.fail("UNAVAILABLE")
    made = client()
    made.incr("n")
    made.incr("n")
    first, again, second = fake.ids
    assert first == again and len(first or b"") == 16
    assert second not in (None, first)


def test_a_write_without_id_is_not_repeated(fake: Fake, client: Any) -> None:
    made = client(request_ids=False)
    for write in (lambda: made.incr("n"), lambda: made.set("k", "v", if_value="w"), made.txn().execute):
        fake.fail("UNAVAILABLE")
        count = len(fake.calls)
        with pytest.raises(keystore.Unavailable):
            write()
        assert len(fake.calls) == count + 1
    assert set(fake.ids) == {None}
    fake.fail("UNAVAILABLE")
    made.set("k", "v", if_version=7)
    assert len(fake.calls) == 5


def test_publish_is_not_repeated_and_has_no_id(fake: Fake, client: Any) -> None:
    fake.fail("UNAVAILABLE")
    with pytest.raises(keystore.Unavailable):
        client().publish("news", "once")
    assert fake.ids == [None]


@pytest.mark.parametrize(
    "code, reason",
    [
        ("UNAVAILABLE", "LOADING"),
        ("UNAVAILABLE", "STOPPING"),
        ("RESOURCE_EXHAUSTED", "TOO_MANY_CALLS"),
    ],
)
def test_what_was_not_done_is_repeated(fake: Fake, client: Any, code: str, reason: str) -> None:
    fake.fail(
        code,
        ("keystore-reason", f"ERROR_REASON_{reason}"),
        ("grpc-retry-pushback-ms", "20"),
    )
    began = time.monotonic()
    client(request_ids=False, backoff=0.0001).publish("news", "now")
    assert time.monotonic() - began >= 0.02
    assert len(fake.calls) == 2


def test_a_server_that_forbids_it_is_obeyed(fake: Fake, client: Any) -> None:
    fake.fail(
        "UNAVAILABLE",
        ("keystore-reason", "ERROR_REASON_NOT_DURABLE"),
        ("grpc-retry-pushback-ms", "-1"),
    )
    with pytest.raises(keystore.NotDurable) as caught:
        client().incr("n")
    assert caught.value.never_again and caught.value.code is grpc.StatusCode.UNAVAILABLE
    assert len(fake.calls) == 1


def test_overload_is_waited_for(fake: Fake, client: Any) -> None:
    trailers = (("keystore-reason", "ERROR_REASON_OUT_OF_MEMORY"), ("grpc-retry-pushback-ms", "1"))
    fake.fail("RESOURCE_EXHAUSTED", *trailers)
    client().incr("n")
    assert len(fake.calls) == 2
    fake.fail("RESOURCE_EXHAUSTED", trailers[0])
    with pytest.raises(keystore.OutOfMemory) as caught:
        client().incr("n")
    assert caught.value.retry_after is None
    assert len(fake.calls) == 3


@pytest.mark.parametrize(
    "reason, expected",
    [("TOO_MANY_CALLS", keystore.TooManyCalls), ("THROTTLED", keystore.Throttled)],
)
def test_errors_say_how_long_to_wait(fake: Fake, client: Any, reason: str, expected: Any) -> None:
    trailers = (("keystore-reason", f"ERROR_REASON_{reason}"), ("grpc-retry-pushback-ms", "6000"))
    fake.fail("RESOURCE_EXHAUSTED", *trailers)
    with pytest.raises(expected) as caught:
        client(max_attempts=1).authenticate("app", "password")
    assert caught.value.retry_after == 6.0 and len(fake.calls) == 1


def test_attempts_are_limited_and_share_a_deadline(fake: Fake, client: Any) -> None:
    for _ in range(10):
        fake.fail("UNAVAILABLE")
    with pytest.raises(keystore.Unavailable):
        client(max_attempts=3).get("k")
    assert len(fake.calls) == 3
    deadlines = [call["deadline"] for call in fake.calls]
    assert all(0 < deadline <= 60 for deadline in deadlines)


def test_a_pause_beyond_the_deadline_is_not_begun() -> None:
    config = keystore.Config()
    attempts = Attempts(Call("Get", pb.Key(), bool), config, 1.0, None)
    assert attempts.pause_after(keystore.Unavailable("", retry_after=5.0)) is None
    assert attempts.pause_after(keystore.Unavailable("", retry_after=0.5)) == 0.5


def test_jitter_is_full_and_bounded() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    random.seed(seed)
    config = keystore.Config(backoff=0.1, backoff_max=0.5)
    for number, most in ((1, 0.2), (2, 0.4), (3, 0.5), (60, 0.5)):
        pauses = [jitter(config, number) for _ in range(1000)]
        assert 0 <= min(pauses) < most / 2 < max(pauses) <= most


def test_an_id_of_the_callers_own(fake: Fake, client: Any) -> None:
    client(request_ids=False).with_options(request_id="order-1").incr("n")
    assert fake.ids == [b"order-1"]
    with pytest.raises(ValueError, match="takes no request id"):
        client().with_options(request_id="order-1").get("n")


def test_a_deadline_is_kept(connect: Callable[..., Any], start_server: Any) -> None:
    server = start_server()
    client = connect(server).with_options(timeout=0.2)
    client.set("k", "v")
    server.freeze()
    began = time.monotonic()
    with pytest.raises(keystore.DeadlineExceeded) as caught:
        client.get("k")
    assert time.monotonic() - began >= 0.19
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED and not caught.value.reason
    server.process.send_signal(signal.SIGCONT)


def test_nobody_there(connect: Callable[..., Any]) -> None:
    class Nowhere:
        address = "127.0.0.1:1"

    client = connect(Nowhere, config=keystore.Config(timeout=60, max_attempts=3))
    with pytest.raises(keystore.Unavailable):
        client.set("k", "v")


def test_nothing_is_executed_twice_when_the_server_is_killed(
    connect: Callable[..., Any], own_server: Server
) -> None:
    """Writers go on while the server is killed and started again, in the middle of their calls."""
    rounds, threads_count, kills = 150, 4, 3
    client = connect(own_server, config=PATIENT)
    failures: List[BaseException] = []
    progress = threading.Semaphore(0)

    def write(name: str) -> None:
        try:
            for number in range(rounds):
                client.incr("count")
                client.rpush("list", f"{name} {number}")
                with client.txn() as txn:
                    txn.incr("txn")
                progress.release()
        except BaseException as error:
            failures.append(error)
            progress.release()

    threads = [threading.Thread(target=write, args=(f"t{n}",)) for n in range(threads_count)]
    for thread in threads:
        thread.start()
    for _ in range(kills):
        for _ in range(rounds * threads_count // (kills + 2)):
            assert progress.acquire(timeout=120)
        own_server.kill()
        own_server.start()
    for thread in threads:
        thread.join()
    assert not failures
    total = rounds * threads_count
    assert client.get("count") == client.get("txn") == str(total)
    elements = client.lrange("list")
    assert len(elements) == len(set(elements)) == total
    for n in range(threads_count):
        own = [each for each in elements if each.startswith(f"t{n} ")]
        assert own == [f"t{n} {number}" for number in range(rounds)]


def test_a_pipeline_of_reads_is_repeated_and_one_of_writes_is_not(
    connect: Callable[..., Any], own_server: Server
) -> None:
    client = connect(own_server, config=PATIENT)
    client.set("k", "v")
    own_server.kill()
    with pytest.raises(keystore.Unavailable), client.pipeline() as pipeline:
        pipeline.incr("n")
    starter = threading.Thread(target=own_server.start)
    starter.start()
    with client.pipeline() as pipeline:
        found = pipeline.get("k")
    starter.join()
    assert found.result() == "v"
    assert client.get("n") is None
