"""--max-memory through a real server: what the process takes, what goes, and what stays."""

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, admin_stub, open_channel
from errors import OUT_OF_MEMORY, TOO_LARGE, check_fails
from h2conn import H2Conn, prefixed
from keystore_env import SANITIZE
from times import HOUR_MS, wait_until

MIB = 1 << 20
LIMIT = (16 if SANITIZE else 48) * MIB
# The process may take so much beyond the limit: a tenth of it, and a fixed base, which is the program
# itself (10 MiB), what pages of several sizes in all shards take however little they hold (16 MiB), and
# the buffers of requests.
SHARE, BASE = 0.1, 32 * MIB
DAY_MS = 24 * HOUR_MS
# Bytes of keys and their management, roughly.
OVERHEAD = 50
EVICTING = ["allkeys-lru", "allkeys-random", "volatile-lru", "volatile-ttl"]


def is_within_limit(server):
    return bool(SANITIZE) or server.resident_bytes() <= LIMIT * (1 + SHARE) + BASE


def info(admin, name):
    return int(admin.Info(pb.InfoRequest()).fields[name])


class Filler:
    """Stores numbered keys, whose values can be made anew from their numbers."""

    def __init__(self, stub, random_of_test, ttl_ms=0):
        self.stub = stub
        self.bytes = random_of_test.randbytes(MIB)
        self.ttl_ms = ttl_ms
        self.count = 0
        self.sizes = []  # of the value of each key; a tuple for a list: (elements, bytes of each)
        self.cut = {}  # by size: the elements that lists take some of, for there are millions

    def key(self, number):
        return b"memory:%d" % number

    def value(self, number, size):
        start = number * 7919 % (MIB - size)
        return self.bytes[start:start + size]

    def elements(self, number, shape):
        count, size = shape
        if size not in self.cut:
            self.cut[size] = [self.value(i, size) for i in range(20000)]
        start = number * 7919 % (len(self.cut[size]) - count)
        return self.cut[size][start:start + count]

    def strings(self, total, size):
        """So many bytes of strings."""
        batch = max(1, min(500, 200000 // size))
        for _ in range(int(total / (size + OVERHEAD) / batch)):
            first = len(self.sizes)
            self.stub.MSet(pb.KeyValues(entries=[
                pb.KeyValue(key=self.key(number), value=self.value(number, size),
                            ttl_ms=self.ttl_ms) for number in range(first, first + batch)]))
            self.sizes += [size] * batch

    def lists(self, total, count, size):
        for _ in range(int(total / (count * (size + 2) + OVERHEAD))):
            number = len(self.sizes)
            self.stub.RPush(pb.ListInsert(key=self.key(number), ttl_ms=self.ttl_ms,
                                          values=self.elements(number, (count, size))))
            self.sizes.append((count, size))

    def check(self, numbers, may_miss):
        """Whatever of these keys is there has its value; returns how many are there."""
        found = 0
        for number in numbers:
            size = self.sizes[number]
            if isinstance(size, tuple):
                answer = self.stub.LRange(pb.ListRange(key=self.key(number), stop=-1))
                right = list(answer.values) == self.elements(number, size)
            else:
                answer = self.stub.Get(pb.Key(key=self.key(number)))
                right = answer.value == self.value(number, size)
            assert right if answer.found else may_miss, f"key {number}"
            found += answer.found
        return found


# The log would be as large as all that is ever written.
WITHOUT_LOG = ["--durability", "none", "--save", ""]


@pytest.fixture
def started(fresh_server):
    """Starts a server with these options; it, and its stubs."""
    channels = []

    def start(*options):
        server = fresh_server(*options)
        channels.append(open_channel(server.address))
        return server, Stub(channels[-1]), admin_stub(channels[-1])

    yield start
    for channel in channels:
        channel.close()


@pytest.fixture
def limited(started):
    """Starts a server with the limit and a policy."""
    return lambda policy: started("--max-memory", LIMIT, "--max-memory-policy", policy, *WITHOUT_LOG)


CLIENT_MEMORY = 32 * MIB


@pytest.fixture
def client_limited(started):
    """A server with a limit for what serves clients, too, and its stubs."""
    return started("--max-memory", LIMIT, "--max-client-memory", CLIENT_MEMORY, *WITHOUT_LOG)


# In turn, with shares of the limit: each makes those before go.
PHASES = {
    "64 B": lambda filler: filler.strings(0.9 * LIMIT, 64),
    "300 B": lambda filler: filler.strings(0.7 * LIMIT, 300),
    "3 KB": lambda filler: filler.strings(0.7 * LIMIT, 3000),
    "40 B": lambda filler: filler.strings(0.3 * LIMIT, 40),
    "short lists": lambda filler: filler.lists(0.4 * LIMIT, 60, 30),
    "lists": lambda filler: filler.lists(0.7 * LIMIT, 1000, 20),
    "17 KB": lambda filler: filler.strings(0.7 * LIMIT, 17000),
    "100 KB": lambda filler: filler.strings(0.5 * LIMIT, 100000),
    "200 B": lambda filler: filler.strings(0.7 * LIMIT, 200),
}


@pytest.mark.parametrize("policy", EVICTING)
def test_sizes_that_change(limited, random_of_test, counts, policy):
    server, stub, admin = limited(policy)
    volatile = policy.startswith("volatile")
    filler = Filler(stub, random_of_test, ttl_ms=HOUR_MS if volatile else 0)
    lasting = [b"lasting:%d" % i for i in range(1000)] if volatile else []
    for key in lasting:
        stub.Set(pb.KeyValue(key=key, value=key))
    most = 0
    for phase, fill in PHASES.items():
        fill(filler)
        most = max(most, server.resident_bytes())
        assert is_within_limit(server), f"{server.resident_bytes():,} bytes after {phase}"
        assert info(admin, "used_memory") <= LIMIT * 1.02
        # What goes is chosen within a shard. Of a hundred long strings one may be all that it has.
        newest = range(len(filler.sizes) - 20, len(filler.sizes))
        assert filler.check(newest, may_miss=True) >= 5
    evicted, stored = info(admin, "evicted_keys"), len(filler.sizes) + len(lasting)
    left = int(admin.Info(pb.InfoRequest()).fields["db0"].split(",")[0].removeprefix("keys="))
    assert evicted > 0 and evicted + left == stored
    # A good part of the limit is in use, not only held.
    assert info(admin, "used_memory") > 0.7 * LIMIT
    for number in random_of_test.sample(range(len(filler.sizes)), 500):
        filler.check([number], may_miss=True)
    assert all(stub.Get(pb.Key(key=key)).value == key for key in lasting)
    counts(f"at most {most / MIB:.0f} MiB of memory under a limit of {LIMIT / MIB:.0f}")


def test_lru_keeps_what_is_read(limited, random_of_test):
    _, stub, _ = limited("allkeys-lru")
    hot = [b"hot:%d" % i for i in range(100)]
    for key in hot:
        stub.Set(pb.KeyValue(key=key, value=key))
    filler = Filler(stub, random_of_test)
    for _ in range(30):
        filler.strings(0.1 * LIMIT, 500)
        found = [answer.found for answer in stub.MGet(pb.Keys(keys=hot)).values]
    assert sum(found) >= 95


def test_ttl_keeps_what_lives_long(limited, random_of_test):
    _, stub, _ = limited("volatile-ttl")
    late = [b"late:%d" % i for i in range(2000)]
    for key in late:
        stub.Set(pb.KeyValue(key=key, ttl_ms=DAY_MS))
    Filler(stub, random_of_test, ttl_ms=HOUR_MS).strings(2 * LIMIT, 500)
    assert stub.Exists(pb.Keys(keys=late)).count >= 1900


def test_sizes_that_change_by_hand(limited, random_of_test, counts):
    """Nothing is evicted: the client itself removes most of what is there before the next phase."""
    server, stub, admin = limited("noeviction")
    filler = Filler(stub, random_of_test)
    there, most = set(), 0
    for phase, fill in PHASES.items():
        first = len(filler.sizes)
        fill(filler)
        most = max(most, server.resident_bytes())
        wait_until(lambda: is_within_limit(server))
        there.update(range(first, len(filler.sizes)))
        for number in random_of_test.sample(sorted(there), min(300, len(there))):
            filler.check([number], may_miss=False)
        gone = random_of_test.sample(sorted(there), len(there) * 19 // 20)
        for start in range(0, len(gone), 1000):
            keys = [filler.key(number) for number in gone[start:start + 1000]]
            assert stub.DeleteMany(pb.Keys(keys=keys)).count == len(keys)
        there.difference_update(gone)
    assert info(admin, "evicted_keys") == 0
    counts(f"at most {most / MIB:.0f} MiB of memory under a limit of {LIMIT / MIB:.0f}")


def fill_until_refused(filler):
    """Strings of several sizes and lists, until there is no room; the refused request."""
    sizes = [32, 1000, (20, 20), 5000, 100, 100000, (300, 100)]
    while True:
        number = len(filler.sizes)
        size = sizes[number % len(sizes)]
        if isinstance(size, tuple):
            call, request = filler.stub.RPush, pb.ListInsert(key=filler.key(number),
                                                             values=filler.elements(number, size))
        else:
            call, request = filler.stub.Set, pb.KeyValue(key=filler.key(number),
                                                         value=filler.value(number, size))
        try:
            call(request)
        except Exception:  # which one is checked here
            check_fails(OUT_OF_MEMORY, call, request, words="--max-memory")
            return call, request
        filler.sizes.append(size)


@pytest.mark.parametrize("policy", ["noeviction", "volatile-lru"])
def test_refused_when_nothing_may_go(limited, random_of_test, policy):
    """And all that was acknowledged is there."""
    server, stub, admin = limited(policy)
    filler = Filler(stub, random_of_test)
    call, request = fill_until_refused(filler)
    assert is_within_limit(server)
    assert LIMIT * 0.9 <= info(admin, "used_memory") <= LIMIT * 1.02
    assert info(admin, "evicted_keys") == 0
    assert filler.check(range(len(filler.sizes)), may_miss=False) == len(filler.sizes)
    assert not stub.Exists(pb.Keys(keys=[request.key])).ok
    # What needs no memory is served, and what is removed makes room.
    assert stub.Expire(pb.ExpireRequest(key=filler.key(0), ttl_ms=HOUR_MS)).ok
    for number in range(1, 200):
        assert stub.Delete(pb.Key(key=filler.key(number))).ok
    assert call(request).ok


def test_memory_comes_back(limited, random_of_test):
    """Nine of ten keys go, here and there; what is left is moved together without being asked."""
    server, stub, admin = limited("noeviction")
    filler = Filler(stub, random_of_test)
    empty = server.resident_bytes()
    filler.strings(0.4 * LIMIT, 60)
    filler.strings(0.4 * LIMIT, 1500)
    full = server.resident_bytes() - empty
    numbers = list(range(len(filler.sizes)))
    gone = [number for number in numbers if number % 10 != 0]
    for start in range(0, len(gone), 1000):
        stub.DeleteMany(pb.Keys(keys=[filler.key(number) for number in gone[start:start + 1000]]))
    if not SANITIZE:
        wait_until(lambda: server.resident_bytes() - empty < full * 0.2 + BASE / 2)
    wait_until(lambda: info(admin, "allocator_resident") < 1.1 * info(admin, "used_memory") + BASE / 2)
    left = random_of_test.sample(numbers[::10], 1000)
    assert filler.check(left, may_miss=False) == 1000


def set_when_possible(stub, key, value):
    """Refused at most until those that do not read are gone."""
    def done():
        try:
            return stub.Set(pb.KeyValue(key=key, value=value)).ok
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "--max-client-memory" in error.details()
            return False
    wait_until(done)


def test_values_that_nobody_reads(client_limited, random_of_test):
    """Each of thirty clients asks for a value, which is then overwritten, and reads nothing."""
    server, stub, admin = client_limited
    value, most, unread = random_of_test.randbytes(6 * MIB), 0, []
    base = server.resident_bytes()
    for number in range(30):
        set_when_possible(stub, b"value", value)
        unread.append(H2Conn(server.address, credit=False))
        stream = unread[-1].open("/keystore.v1.KeyStore/Get")
        unread[-1].send(stream, prefixed(pb.Key(key=b"value").SerializeToString()), end=True)
        unread[-1].ping()  # the answer stands in its stream
        most = max(most, info(admin, "mem_clients_normal"))
    assert most > CLIENT_MEMORY / 4
    assert most <= CLIENT_MEMORY + 2 * len(value)
    assert SANITIZE or server.resident_bytes() <= base + CLIENT_MEMORY + 4 * len(value) + BASE / 2
    # Those that hold much and take nothing are gone, and what they held with them.
    wait_until(lambda: info(admin, "mem_clients_normal") <= CLIENT_MEMORY / 2 + len(value))
    assert stub.Exists(pb.Keys(keys=[b"value"])).ok
    for connection in unread:
        connection.close()


def test_a_request_that_unfolds(client_limited):
    """Three bytes a key become a hundred; what would be too much is refused before it is there."""
    server, stub, admin = client_limited
    base = server.resident_bytes()
    check_fails(TOO_LARGE, stub.MGet, pb.Keys(keys=[b"k"] * (1 << 20)),
                words="--max-client-memory")
    assert SANITIZE or server.resident_bytes() <= base + CLIENT_MEMORY
    assert len(stub.MGet(pb.Keys(keys=[b"k"] * 100000)).values) == 100000
    assert info(admin, "mem_clients_normal") < MIB


def at_once(server, method, request, count, **options):
    """The outcomes of so many calls of as many clients."""
    channels = [open_channel(server.address) for _ in range(count)]
    futures = [getattr(Stub(channel), method).future(request, **options) for channel in channels]
    outcomes = [future.exception() for future in futures]
    for channel in channels:
        channel.close()
    return outcomes


def test_several_requests_that_unfold(client_limited):
    """Each of them would do alone; what does not fit beside the others may try again."""
    server, stub, admin = client_limited
    base = server.resident_bytes()
    request = pb.Keys(keys=[b"k"] * 150000)
    for error in at_once(server, "MGet", request, 8):
        assert error is None or error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert SANITIZE or server.peak_resident_bytes() <= base + 2 * CLIENT_MEMORY
    assert len(stub.MGet(request).values) == 150000
    wait_until(lambda: info(admin, "mem_clients_normal") < 2 * MIB)


# A call takes whatever the server sends.
ANY_SIZE = {"metadata": (("keystore-max-reply-bytes", str(1 << 30)),)}


def test_an_answer_that_unfolds(client_limited):
    """A million empty elements are two megabytes in the answer, and sixteen while it is made."""
    server, stub, admin = client_limited
    count, few = 1100000, 100000
    for _ in range(count // few):
        stub.RPush(pb.ListInsert(key=b"list", values=[b""] * few))
    whole = pb.ListRange(key=b"list", stop=-1)
    pop_all = pb.PopRequest(keys=[b"list"], count=count)
    positions = pb.ListFind(key=b"list", value=b"")
    base = server.resident_bytes()
    check_fails(TOO_LARGE, stub.LRange, whole, words="--max-client-memory", **ANY_SIZE)
    check_fails(TOO_LARGE, stub.LPos, positions, words="--max-client-memory", **ANY_SIZE)
    check_fails(TOO_LARGE, stub.ListPop, pop_all, words="--max-client-memory", **ANY_SIZE)
    assert stub.Describe(pb.Key(key=b"list")).length == count
    assert SANITIZE or server.peak_resident_bytes() <= base + CLIENT_MEMORY
    part = pb.ListRange(key=b"list", stop=few - 1)
    assert len(stub.LRange(part).values) == few
    twice = pb.TxnRequest(success=[pb.Op(l_range=pb.ListRange(key=b"list", stop=800000))] * 2)
    check_fails(TOO_LARGE, stub.Txn, twice, words="--max-client-memory", **ANY_SIZE)
    assert info(admin, "mem_clients_normal") < MIB


def test_a_transaction_is_not_held_twice(started):
    """The message's pages go back as its values are copied, those of one value at a time."""
    server, stub, _ = started(*WITHOUT_LOG)
    base = server.resident_bytes()
    count, size = 10, 4 * MIB
    request = pb.TxnRequest(success=[pb.Op(set=pb.KeyValue(key=b"%d" % i, value=b"%d" % i * size))
                                     for i in range(count)])
    assert stub.Txn(request).succeeded
    assert SANITIZE or server.peak_resident_bytes() <= base + (count + 2) * size + 8 * MIB
    for i in range(count):
        assert stub.Get(pb.Key(key=b"%d" % i), **ANY_SIZE).value == b"%d" % i * size


def test_a_list_that_is_not_taken(started):
    """Of a list that is larger than the client's or the server's limit no more than that is copied."""
    server, stub, _ = started("--max-client-memory", 128 * MIB, "--max-value", 16 * MIB, *WITHOUT_LOG)
    count, size = 60000, 1000
    for _ in range(60):
        stub.RPush(pb.ListInsert(key=b"list", values=[bytes(size)] * (count // 60)))
    base = server.resident_bytes()
    pop = pb.PopRequest(keys=[b"list"], count=count)
    check_fails(TOO_LARGE, stub.ListPop, pop, words="keystore-max-reply-bytes")
    check_fails(TOO_LARGE, stub.Txn, pb.TxnRequest(success=[pb.Op(list_pop=pop)]),
                words="keystore-max-reply-bytes")
    assert SANITIZE or server.peak_resident_bytes() <= base + 16 * MIB
    check_fails(TOO_LARGE, stub.LRange, pb.ListRange(key=b"list", stop=-1),
                words="do not fit into one answer", **ANY_SIZE)
    check_fails(TOO_LARGE, stub.ListPop, pop, words="do not fit into one answer", **ANY_SIZE)
    assert SANITIZE or server.peak_resident_bytes() <= base + 48 * MIB
    assert stub.Describe(pb.Key(key=b"list")).length == count


def test_answers_that_unfold_go_back(started, random_of_test):
    """What an answer of many short elements took while it was made, too, and Info knows of all."""
    server, stub, admin = started(*WITHOUT_LOG)
    values = [random_of_test.randbytes(30) for _ in range(50000)]
    for _ in range(20):
        stub.RPush(pb.ListInsert(key=b"list", values=values))
    base = server.resident_bytes()
    for error in at_once(server, "LRange", pb.ListRange(key=b"list", stop=-1), 3, **ANY_SIZE):
        assert error is None
    if not SANITIZE:
        wait_until(lambda: server.resident_bytes() < base + 8 * MIB)
        # Pages of an answer go back while it is sent, and Info counts it until it is freed.
        wait_until(lambda: abs(info(admin, "allocator_resident") - server.resident_bytes())
                   < 10 * MIB)


def test_the_journals_memory_is_not_the_clients(started, random_of_test):
    """What the log and a snapshot gather has a field of its own."""
    server, stub, admin = started("--durability", "everysec")
    filler = Filler(stub, random_of_test)
    filler.strings(4 * MIB, 100000)
    assert info(admin, "mem_aof_buffer") > 0
    assert info(admin, "mem_clients_normal") < 2 * MIB
    admin.Save(pb.SaveRequest(wait=True))
    assert info(admin, "mem_clients_normal") < 2 * MIB


def test_memory_of_connections_comes_back(fresh_server):
    """Also when nobody asks anything of the server any more."""
    server = fresh_server(*WITHOUT_LOG)
    unused = server.resident_bytes()
    connections = [H2Conn(server.address) for _ in range(400)]
    for connection in connections:
        stream = connection.open("/keystore.v1.KeyStore/Get")
        connection.send(stream, prefixed(pb.Key(key=b"none").SerializeToString()), end=True)
    for connection in connections:
        connection.ping()
    used = server.resident_bytes()
    for connection in connections:
        connection.close()
    if not SANITIZE:
        assert used > unused + MIB
        wait_until(lambda: server.resident_bytes() < unused + (used - unused) * 3 // 4)


def test_memory_of_long_strings_comes_back(started, random_of_test):
    """Without any limit, too; and Info accounts for it."""
    server, stub, admin = started(*WITHOUT_LOG)
    empty = server.resident_bytes()
    filler = Filler(stub, random_of_test)
    filler.strings(100 * MIB, 20000)
    held = info(admin, "allocator_resident")
    assert SANITIZE or abs(server.resident_bytes() - empty - held) < 12 * MIB
    admin.FlushDb(pb.DbRequest())
    wait_until(lambda: info(admin, "allocator_resident") < 12 * MIB)
    if not SANITIZE:
        wait_until(lambda: server.resident_bytes() < empty + 16 * MIB)


# Of what the process occupies, Info may leave so much out, or count so much too much (README): the
# program's own pages, stacks, and what the C library keeps for itself.
UNACCOUNTED = 8 * MIB


def call_unread(connection, method, message):
    stream = connection.open(f"/keystore.v1.KeyStore/{method}")
    connection.send(stream, prefixed(message.SerializeToString()), end=True)
    connection.ping()  # the answer stands in its stream


def idle_connections(server, _):
    connections = [H2Conn(server.address) for _ in range(1000)]
    for connection in connections:
        connection.ping()
    return connections, 2 * MIB


def answers_that_nobody_reads(server, stub):
    """Each of a value of its own, which is overwritten."""
    connections = [H2Conn(server.address, credit=False) for _ in range(100)]
    for number, connection in enumerate(connections):
        stub.Set(pb.KeyValue(key=b"value", value=bytes([number]) * MIB))
        call_unread(connection, "Get", pb.Key(key=b"value"))
    return connections, 99 * MIB


def requests_that_are_half_sent(server, _):
    connections = [H2Conn(server.address) for _ in range(50)]
    for connection in connections:
        stream = connection.open("/keystore.v1.KeyStore/Set")
        connection.send(stream, prefixed(bytes(4 * MIB), length=8 * MIB), end=False)
        connection.ping()
    return connections, 200 * MIB


def keys_that_were_deleted(_, stub):
    numbers = range(1000000)
    for start in range(0, len(numbers), 5000):
        stub.MSet(pb.KeyValues(entries=[pb.KeyValue(key=b"%d" % number, value=b"a value of some bytes")
                                        for number in numbers[start:start + 5000]]))
    for start in range(0, len(numbers), 5000):
        stub.DeleteMany(pb.Keys(keys=[b"%d" % number for number in numbers[start:start + 5000]]))
    return [], 0


@pytest.mark.skipif(bool(SANITIZE), reason="a sanitizer's memory is nobody's business")
@pytest.mark.parametrize("load", [idle_connections, answers_that_nobody_reads,
                                  requests_that_are_half_sent, keys_that_were_deleted])
def test_info_accounts_for_the_process(started, load, counts):
    server, stub, admin = started("--durability", "everysec")

    def unaccounted():
        fields = admin.Info(pb.InfoRequest(sections=["memory"])).fields
        return int(fields["used_memory_rss"]) - int(fields["allocator_resident"])

    def check(state):
        # What the log is just writing comes and goes between the two figures.
        wait_until(lambda: abs(unaccounted()) < UNACCOUNTED)
        counts(f"{state}: {unaccounted() / MIB:.1f} MiB beside Info's sum")

    empty = server.resident_bytes()
    connections, held = load(server, stub)
    assert server.resident_bytes() >= empty + held
    check(load.__name__)
    for connection in connections:
        connection.close()
    wait_until(lambda: server.resident_bytes() < empty + 16 * MIB)
    check("afterwards")
