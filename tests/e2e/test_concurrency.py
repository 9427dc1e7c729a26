"""Many clients at once, and what must hold whatever their order was."""

import threading
from collections import Counter
from contextlib import ExitStack

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import PACKAGE_PATH, Stub, open_ready_channel
from h2conn import H2Conn
from keystore_env import seeded

CLIENTS = 8
ROUNDS = 400


def run_clients(address, work, count=CLIENTS):
    """Runs work(number, stub) on connections of their own; returns the results."""
    results, failures = [None] * count, []

    def run(number):
        try:
            with open_ready_channel(address) as channel:
                stub = Stub(channel)
                start.wait(60)
                results[number] = work(number, stub)
        except BaseException as failure:  # noqa: B902  (raised again below)
            failures.append(failure)
            start.abort()

    start = threading.Barrier(count)
    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results


def test_clients_setting_the_same_keys(server, stub, key, counts):
    """Each write of a key has a version of its own, and whoever reads that version, or is given
    it as the previous one, sees exactly the value of that write. So no write was torn or lost."""
    keys = [key + b":%d" % number for number in range(4)]

    def work(client, own):
        random = seeded(f"{key} {client}")
        written, seen = {}, []
        for number in range(ROUNDS):
            chosen = random.choice(keys)
            value = b"%d:%d:" % (client, number) + random.randbytes(random.choice([0, 10, 3000]))
            status = own.Set(pb.KeyValue(key=chosen, value=value, return_previous=True))
            written[chosen, status.version] = value
            if status.previous.found:
                seen.append(((chosen, status.previous.version), status.previous.value))
            chosen = random.choice(keys)
            answer = own.Get(pb.Key(key=chosen))
            if answer.found:
                seen.append(((chosen, answer.version), answer.value))
        return written, seen

    results = run_clients(server.address, work)
    written = {}
    for each, _ in results:
        assert not written.keys() & each.keys(), "two writes of a key had one version"
        written.update(each)
    seen = [sight for _, each in results for sight in each]
    for name in keys:
        final = stub.Get(pb.Key(key=name))
        seen.append(((name, final.version), final.value))
    for which, value in seen:
        assert written[which] == value, f"{which} was read as something that nobody wrote"
    assert len(written) == CLIENTS * ROUNDS
    counts(f"{len(written)} writes and {len(seen)} reads by {CLIENTS} clients on {len(keys)} keys")


def test_each_write_is_the_previous_of_exactly_one_other(server, stub, key):
    """The writes of a key form one chain from its first to the value that is left."""
    def work(client, own):
        return [(own.Set(pb.KeyValue(key=key, value=b"%d" % client, return_previous=True)))
                for _ in range(ROUNDS)]

    written = [status for each in run_clients(server.address, work) for status in each]
    followed = Counter(status.previous.version for status in written)
    final = stub.Get(pb.Key(key=key)).version
    assert Counter(status.version for status in written) + Counter([0]) == \
        followed + Counter([final])


def test_compare_and_set_counts_exactly(server, stub, key, counts):
    """An optimistic counter: every success added one."""
    stub.Set(pb.KeyValue(key=key, value=b"0"))

    def work(_, own):
        tries = 0
        for _ in range(ROUNDS // 5):
            current = own.Get(pb.Key(key=key))
            while True:
                tries += 1
                status = own.Set(pb.KeyValue(key=key, value=b"%d" % (int(current.value) + 1),
                                             condition=pb.Condition(version=current.version)))
                if status.ok:
                    break
                current = status.previous
        return tries

    tries = sum(run_clients(server.address, work))
    assert int(stub.Get(pb.Key(key=key)).value) == CLIENTS * (ROUNDS // 5)
    counts(f"{CLIENTS * (ROUNDS // 5)} increments in {tries} tries")


def test_one_of_many_creates_the_key(server, keys):
    for _, name in zip(range(20), keys):
        def work(client, own, name=name):
            absent = pb.Condition(existence=pb.EXISTENCE_ABSENT)
            return own.Set(pb.KeyValue(key=name, value=b"%d" % client, condition=absent))

        statuses = run_clients(server.address, work, count=4)
        winner = [client for client, status in enumerate(statuses) if status.ok]
        assert len(winner) == 1
        assert all(status.previous.value == b"%d" % winner[0]
                   for status in statuses if not status.ok)


def test_pushes_and_pops_account_for_every_element_once(server, stub, key, counts):
    """Four clients push, four pop, on three lists; what is left at the end is popped by one."""
    names = [key + b":%d" % number for number in range(3)]

    def work(client, own):
        random = seeded(f"{key} {client}")
        elements = []
        for number in range(ROUNDS):
            if client % 2:
                answer = own.LPop(pb.Key(key=random.choice(names)))
                elements += [answer.value] if answer.found else []
            else:
                batch = [b"%d:%d:%d" % (client, number, n) for n in range(random.randint(1, 3))]
                assert own.LPush(pb.ListInsert(key=random.choice(names), values=batch)).ok
                elements += batch
        return elements

    results = run_clients(server.address, work)
    pushed = Counter(element for each in results[::2] for element in each)
    popped = Counter(element for each in results[1::2] for element in each)
    taken = sum(popped.values())
    for name in names:
        left = stub.LRange(pb.ListRange(key=name, stop=-1))
        assert left.length == len(left.values)
        for element in left.values:
            assert stub.LPop(pb.Key(key=name)).value == element
            popped[element] += 1
        assert not stub.LPop(pb.Key(key=name)).found
    assert popped == pushed and max(pushed.values()) == 1
    counts(f"{sum(pushed.values())} elements pushed, {taken} popped meanwhile, the rest after")


def test_a_push_of_many_is_atomic(server, stub, key):
    """Values of one push stay side by side, and a reader never sees half of them."""
    def work(client, own):
        for number in range(ROUNDS // 5):
            if client < 4:
                own.LPush(pb.ListInsert(key=key, values=[b"%d:%d" % (client, number)] * 5))
            else:
                check_groups(own.LRange(pb.ListRange(key=key, stop=-1)))

    def check_groups(answer):
        values = list(answer.values)
        groups = [values[start:start + 5] for start in range(0, len(values), 5)]
        assert len(values) == answer.length
        assert all(len(group) == 5 and len(set(group)) == 1 for group in groups)

    run_clients(server.address, work)
    final = stub.LRange(pb.ListRange(key=key, stop=-1))
    check_groups(final)
    assert final.length == 4 * (ROUNDS // 5) * 5


def test_strings_lists_and_deletes_on_one_key(server, stub, key):
    """Writers of both types and deleters: each answer is a possible one, the server lives."""
    def work(client, own):
        random = seeded(f"{key} {client}")
        codes = Counter()
        calls = [lambda: own.Set(pb.KeyValue(key=key, value=b"v" * random.randrange(100))),
                 lambda: own.Get(pb.Key(key=key)),
                 lambda: own.Delete(pb.Key(key=key)),
                 lambda: own.LPush(pb.ListInsert(key=key, values=[b"v"] * random.randint(1, 3))),
                 lambda: own.LPop(pb.Key(key=key)),
                 lambda: own.LRange(pb.ListRange(key=key, stop=-1))]
        for _ in range(ROUNDS):
            try:
                random.choice(calls)()
                codes["OK"] += 1
            except grpc.RpcError as error:
                codes[error.code().name] += 1
        return codes

    codes = sum(run_clients(server.address, work), Counter())
    assert set(codes) == {"OK", "FAILED_PRECONDITION"}
    assert sum(codes.values()) == CLIENTS * ROUNDS
    stub.Delete(pb.Key(key=key))
    assert not stub.Get(pb.Key(key=key)).found


def test_a_thousand_calls_at_once_on_one_channel(stub, key, counts):
    calls = [stub.Set.future(pb.KeyValue(key=key + b"%d" % n, value=b"%d" % n))
             for n in range(1000)]
    assert all(call.result().ok for call in calls)
    calls = [stub.Get.future(pb.Key(key=key + b"%d" % n)) for n in range(1000)]
    assert [call.result().value for call in calls] == [b"%d" % n for n in range(1000)]
    counts("1000 Sets, then 1000 Gets, in flight at once")


@pytest.mark.parametrize("count", [400])
def test_hundreds_of_connections(server, key, counts, count):
    """All open at once, all used twice, the second time in reverse."""
    with ExitStack() as stack:
        connections = [stack.enter_context(H2Conn(server.address)) for _ in range(count)]
        for number, connection in enumerate(connections):
            request = pb.KeyValue(key=key + b"%d" % number, value=b"%d" % number)
            connection.start(PACKAGE_PATH + "Set", request.SerializeToString())
        for connection in connections:
            assert pb.Status.FromString(connection.wait(1).message()).ok
        for number, connection in enumerate(reversed(connections)):
            request = pb.Key(key=key + b"%d" % number)
            answer = connection.call(PACKAGE_PATH + "Get", request.SerializeToString())
            assert pb.Value.FromString(answer.message()).value == b"%d" % number
    counts(f"{count} connections open at once")


def test_connections_come_and_go(server, key):
    """More than the server has at once, one after the other."""
    for number in range(300):
        with H2Conn(server.address) as connection:
            request = pb.KeyValue(key=key, value=b"%d" % number).SerializeToString()
            connection.call(PACKAGE_PATH + "Set", request).message()
