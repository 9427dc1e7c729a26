"""Pipelines, transactions, streams, locks and the near cache, of both variants."""

import threading
import time
from typing import Any, Callable, List

import pytest
from servers import Server

import keystore
from keystore._sync.pipeline import BATCH_OPS

PATIENT = keystore.Config(timeout=120, max_attempts=1000, backoff_max=0.1)
Connect = Callable[..., Any]


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.001)


# Pipelines and transactions.


def test_pipeline_answers_in_order(client: Any) -> None:
    count = 3 * BATCH_OPS + 7
    with client.pipeline() as pipeline:
        written = [pipeline.rpush("l", str(n)) for n in range(count)]
        failed = pipeline.expire("l", ttl=100)
        last = pipeline.lindex("l", -1)
    assert [each.result() for each in written] == list(range(1, count + 1))
    assert failed.result() is True and last.result() == str(count - 1)


def test_pipeline_goes_on_after_an_error(client: Any) -> None:
    pipeline = client.pipeline()
    pipeline.set("k", "text")
    bad = pipeline.incr("k")
    good = pipeline.append("k", "!")
    first, error, last = pipeline.execute(raise_errors=False)
    assert first.ok and isinstance(error, keystore.NotANumber) and last == 5
    assert error.reason == "NOT_A_NUMBER" and bad.error is error and good.result() == 5
    with pytest.raises(keystore.NotANumber):
        bad.result()
    pipeline.incr("k")
    with pytest.raises(keystore.NotANumber):
        pipeline.execute()
    assert pipeline.execute() == []


def test_pipeline_of_large_values(client: Any) -> None:
    value = "v" * 100_000
    with client.pipeline() as pipeline:
        for n in range(50):
            pipeline.set(f"k{n}", value)
        found = [pipeline.get(f"k{n}") for n in range(50)]
    assert all(each.result() == value for each in found)


def test_pipeline_refuses_to_wait_and_has_no_result_before(client: Any) -> None:
    pipeline = client.pipeline()
    with pytest.raises(ValueError, match="cannot wait"):
        pipeline.list_pop(["l"], wait=1)
    pending = pipeline.get("k")
    with pytest.raises(RuntimeError, match="was not executed"):
        pending.result()


def test_txn_success_and_failure(client: Any) -> None:
    client.set("k", "1")
    for value, expected in (("1", True), ("2", False)):
        with client.txn() as txn:
            txn.compare("k", value=value)
            pushed = txn.rpush("l", "x")
            read = txn.otherwise.get("k")
        assert txn.succeeded is expected
        if expected:
            assert pushed.result() == 1
        else:
            assert read.result() == "1"
    assert client.lrange("l") == ["x"]
    with pytest.raises(ValueError, match="needs something"):
        client.txn().compare("k")


def test_txn_is_all_or_nothing(client: Any) -> None:
    client.rpush("l", "x")
    txn = client.txn()
    txn.set("k", "1")
    txn.incr("l")
    with pytest.raises(keystore.WrongType):
        txn.execute()
    assert client.get("k") is None


def test_txn_of_as_of(client: Any) -> None:
    as_of = client.get_value("absent", want_as_of=True).as_of
    with client.txn() as txn:
        txn.compare("absent", unchanged_since=as_of)
        txn.set("absent", "1")
    assert txn.succeeded and txn.outcome.version == client.describe("absent").version
    with client.txn() as txn:
        txn.compare("absent", unchanged_since=as_of)
    assert not txn.succeeded


def test_transactions_of_several_threads(client: Any) -> None:
    client.mset({"a": "100", "b": "0"})

    def transfer(t: Any) -> int:
        a, b = int(t.read("a")), int(t.read("b"))
        t.mset({"a": str(a - 1), "b": str(b + 1)})
        return b + 1

    results: List[int] = []

    def work() -> None:
        for _ in range(10):
            results.append(client.transaction(transfer, attempts=1000))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.mget(["a", "b"]) == ["60", "40"]
    assert sorted(results) == list(range(1, 41))


def test_transaction_gives_up(client: Any) -> None:
    def contended(t: Any) -> None:
        t.watch("k")
        client.incr("k")
        t.set("other", "1")

    with pytest.raises(keystore.Conflict):
        client.transaction(contended, attempts=3)
    assert client.mget(["k", "other"]) == ["3", None]


def test_transaction_returns_results_of_operations(client: Any) -> None:
    assert client.transaction(lambda t: t.incr("n", 5)) == 5


# Scan and StreamList.


def test_scan(client: Any) -> None:
    with client.pipeline() as pipeline:
        for n in range(2000):
            pipeline.set(f"k{n}", str(n))
        pipeline.rpush("list", "x")
    found = list(client.scan("k*", page_bytes=1000))
    assert len(found) == len(set(found)) == 2000
    assert list(client.scan(type="list")) == ["list"]
    entries = {each.key: each for each in client.scan_entries(with_values=True)}
    assert entries["k7"].value == "7" and entries["list"].value is None
    assert entries["list"].type == "list" and len(entries) == 2001
    with pytest.raises(ValueError, match="string"):
        list(client.scan(type="hash"))


def test_scan_goes_on_after_its_connection_was_killed(
    client: Any, connect: Connect, shared_server: Any
) -> None:
    with client.pipeline() as pipeline:
        for n in range(20_000):
            pipeline.set(f"key number {n}", "v")
    other = connect(shared_server)
    scan = iter(client.scan(page_bytes=1000))
    found = [next(scan)]
    mine = [each["id"] for each in client.clients(own=True)]
    assert other.kill_clients(id=mine[0]) == 1
    found += list(scan)
    assert len(found) == len(set(found)) == 20_000


def test_stream_list(client: Any) -> None:
    client.rpush("l", *(str(n) for n in range(5000)))
    elements = iter(client.stream_list("l", page_bytes=1000))
    first = next(elements)
    client.delete("l")
    assert [first, *elements] == [str(n) for n in range(5000)]
    assert list(client.stream_list("l")) == []
    client.set("s", "v")
    with pytest.raises(keystore.WrongType):
        list(client.stream_list("s"))


# Watch.


def test_watch_reports_each_change_once(client: Any) -> None:
    with client.watch("a", prefix="p:", pattern="*x") as changes:
        client.set("a", "1")
        client.mset({"p:1": "1", "bx": "2", "other": "3"})
        client.delete("a")
        client.flush_db()
        got = []
        while not got or got[-1][0] != "flush":
            got += [(event.type, event.key) for event in next(changes).events]
    assert got[0] == ("write", "a") and sorted(got[1:3]) == [("write", "bx"), ("write", "p:1")]
    assert got[3:] == [("delete", "a"), ("flush", "")]


def test_watch_with_initial_and_changes(client: Any) -> None:
    client.mset({"a": "1", "b": "2"})
    with client.watch(prefix="", initial=True, with_changes=True) as changes:
        got = {}
        batch = next(changes)
        assert batch.reset
        while True:
            got.update({event.key: event.change.set.value for event in batch.events})
            if batch.initial_done:
                break
            batch = next(changes)
            assert not batch.reset
        assert got == {"a": b"1", "b": b"2"}
        client.append("a", "x")
        (event,) = next(changes).events
        assert event.change.append.value == b"x" and event.version == changes.version


def test_watch_goes_on_after_a_restart(connect: Connect, own_server: Server) -> None:
    client = connect(own_server, config=PATIENT)
    rounds, restarts = 60, [20, 40]
    seen: List[int] = []
    may_write = threading.Semaphore(restarts[0])

    def write() -> None:
        for _ in range(rounds):
            may_write.acquire()
            client.incr("n")

    with client.watch("n") as changes:
        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        while len(seen) < rounds:
            if restarts and len(seen) >= restarts[0]:
                restarts.pop(0)
                may_write.release(rounds // 3)  # some of them while the server is away
                own_server.kill()
                own_server.start()
            seen += [event.version for event in next(changes).events]
        writer.join()
    assert not restarts
    assert len(seen) == len(set(seen)) == rounds and seen == sorted(seen)


def test_watch_of_lost_history(connect: Connect, own_server: Server) -> None:
    client = connect(own_server)
    first = client.set("k", "1").version
    for n in range(10):
        client.set("k", n)
    client.save()
    client.set("k", "last")
    with pytest.raises(keystore.HistoryLost) as caught, client.watch("k", start_version=first):
        pass
    assert caught.value.oldest_version is not None and caught.value.oldest_version > first
    with client.watch("k", start_version=caught.value.oldest_version) as changes:
        newest = client.set("k", "more").version
        while next(changes).events[-1].version < newest:
            pass
        assert changes.version == newest


def test_closing_ends_the_iteration(client: Any) -> None:
    for stream in (client.watch("k"), client.subscribe("c"), client.consume("l")):
        got: List[Any] = []
        with stream:
            reader = threading.Thread(target=lambda s=stream, g=got: g.extend(s))
            reader.start()
            stream.close()
            reader.join(60)
            assert not reader.is_alive() and got == []


def test_a_bad_watch_raises(client: Any) -> None:
    with pytest.raises(keystore.BadArgument), client.watch():
        pass


def test_nobody_there_for_a_stream(connect: Connect) -> None:
    class Nowhere:
        address = "127.0.0.1:1"

    client = connect(Nowhere, config=keystore.Config(timeout=0.2))
    with pytest.raises(keystore.Unavailable), client.watch("k"):
        pass


# Publish and subscribe.


def test_messages_arrive(client: Any) -> None:
    with client.subscribe("news", patterns=["w.*"]) as messages:
        assert client.publish("news", "1") == 1
        assert client.publish("w.north", "2") == 1
        assert client.publish("other", "3") == 0
        first, second = next(messages), next(messages)
    assert (first.channel, first.payload, first.missed, first.resumed) == ("news", "1", 0, False)
    assert (second.channel, second.payload) == ("w.north", "2")


def test_subscription_resumes(connect: Connect, own_server: Server) -> None:
    client = connect(own_server, config=PATIENT)
    with client.subscribe("news") as messages:
        client.publish("news", "before")
        assert not next(messages).resumed
        got: List[Any] = []
        reader = threading.Thread(target=lambda: got.append(next(messages)))
        reader.start()
        own_server.kill()
        own_server.start()
        other = connect(own_server)
        wait_until(lambda: other.publish("news", "after") == 1)
        reader.join(60)
    assert got[0].resumed and got[0].payload == "after"


# Consume.


def test_jobs_are_done_or_returned(client: Any) -> None:
    client.rpush("jobs", "a", "b", "c")
    with client.consume("jobs", max_in_flight=3) as jobs:
        first, second, third = next(jobs), next(jobs), next(jobs)
        assert client.lrange("jobs:pending") == ["a", "b", "c"]
        with first:
            pass
        with pytest.raises(RuntimeError), second:
            raise RuntimeError
        assert next(jobs).value == "b"
        assert (third.key, third.value) == ("jobs", "c")
    # The one that was given back was delivered last.
    assert client.lrange("jobs") == ["c", "b"] and client.exists("jobs:pending") == 0


def test_consume_survives_a_kill(connect: Connect, own_server: Server) -> None:
    client = connect(own_server, config=PATIENT)
    client.rpush("jobs", *(str(n) for n in range(20)))
    seen = []
    with client.consume("jobs", max_in_flight=4) as jobs:
        lost = next(jobs)
        own_server.kill()
        own_server.start()
        while set(seen) != {str(n) for n in range(20)}:
            job = next(jobs)
            seen.append(job.value)
            job.done()
        assert lost.lost
    assert client.exists("jobs", "jobs:pending") == 0


def test_auto_ack_pops(client: Any) -> None:
    client.rpush("jobs", "a", "b")
    with client.consume("jobs", auto_ack=True) as jobs:
        assert [next(jobs).value, next(jobs).value] == ["a", "b"]
    assert client.exists("jobs", "jobs:pending") == 0


# Locks.


def test_lock_excludes_and_tokens_ascend(client: Any) -> None:
    with client.lock("lock", ttl=60) as lock:
        first = lock.token
        assert not client.lock("lock", ttl=60, wait=0.05).acquire()
        with pytest.raises(keystore.LockTimeout), client.lock("lock", ttl=60, wait=0):
            pass
        lock.extend(120)
        assert lock.token == first
    with client.lock("lock", ttl=60) as lock:
        assert lock.token > first
    assert client.exists("lock") == 0


def test_lock_that_expired_is_not_taken_from_the_next_one(client: Any) -> None:
    late = client.lock("lock", ttl=60)
    assert late.acquire()
    client.delete("lock")  # as if it had expired
    with client.lock("lock", ttl=60):
        with pytest.raises(keystore.LockLost):
            late.extend()
        with pytest.raises(keystore.LockLost):
            late.release()
        with pytest.raises(keystore.LockLost):
            print(late.token)
        assert client.exists("lock") == 1


def test_lock_counts_right(client: Any) -> None:
    client.set("n", "0")

    def work() -> None:
        for _ in range(10):
            with client.lock("lock", ttl=60):
                client.set("n", int(client.get("n")) + 1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.get("n") == "40"


# Near cache.


def test_cache(client: Any, connect: Connect, shared_server: Server) -> None:
    other = connect(shared_server)
    client.mset({"p:a": "1", "q": "2"})
    with client.cached("p:", max_entries=2) as cache:
        assert [cache.get("p:a"), cache.get("p:a")] == ["1", "1"]
        assert (cache.hits, cache.misses) == (1, 1)
        assert cache.get("p:none") is None and cache.get("p:none") is None
        assert cache.hits == 2
        assert cache.get("q") == "2" and len(cache) == 2  # without the prefix: not kept
        other.set("p:a", "new")
        wait_until(lambda: cache.get("p:a") == "new")
        other.set("p:none", "now")
        wait_until(lambda: cache.get("p:none") == "now")
        cache.get("p:third")
        assert len(cache) == 2
        other.flush_db()
        wait_until(lambda: cache.get("p:a") is None)


def test_cache_after_a_restart(connect: Connect, own_server: Server) -> None:
    client = connect(own_server, config=PATIENT)
    client.set("k", "1")
    with client.cached() as cache:
        assert cache.get("k") == "1"
        own_server.kill()
        own_server.start()
        connect(own_server, config=PATIENT).set("k", "2")
        wait_until(lambda: cache.get("k") == "2")
        wait_until(lambda: cache.get("k") == "2" and cache.hits > 3)
        assert cache.error is None


# Operators.


def test_admin(client: Any) -> None:
    client.set("k", "v")
    assert int(client.info("clients")["connected_clients"]) >= 1
    assert client.swap_db(1) is True and client.get("k") is None
    assert client.with_options(db=1).get("k") == "v"
    client.swap_db(1)
    client.with_options(timeout=60).save()
    assert b"".join(client.backup())[:5] == b"REDIS"
    setting = next(each for each in client.config() if each.changeable)
    assert isinstance(client.set_config(setting.name, setting.value), bool)
    assert client.config("max-value")[0].value and not client.config("no-such-*")
    with pytest.raises(keystore.BadArgument):
        client.set_config("nonsense", 1)
    assert isinstance(client.slow_log(1), list)
    (get,) = client.latency(["Get"])
    assert get["count"] >= 1 and get["method"] == "Get"
