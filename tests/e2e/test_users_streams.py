"""What streams show to users, and what becomes of them when rules change or a token expires."""

import datetime
import queue

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import open_channel
from errors import check_ends, check_fails
from server_process import Server
from users import As, UsersFile, metadata_of, reload_users, token_line
from waiting import wait_for_numbers

FORBIDDEN = (grpc.StatusCode.PERMISSION_DENIED, "ERROR_REASON_FORBIDDEN")
UNAUTHENTICATED = (grpc.StatusCode.UNAUTHENTICATED, "ERROR_REASON_UNAUTHENTICATED")
RULES = {"root": ["all"], "in": ["read,write keys=in:*"], "nobody": [], "scans": ["stream keys=in:*"],
         "watches": ["watch keys=in:*"], "talks": ["pubsub keys=in:*"], "lists": ["list keys=in:*"],
         "writes": ["write keys=in:*"], "other": ["read,write db=1"]}
KEYS = [b"in:1", b"in:2", b"in:", b"in", b"out:1", b"inn", b"in\0:"]


@pytest.fixture(scope="module")
def users_server(tmp_path_factory):
    file = UsersFile(tmp_path_factory.mktemp("users"), RULES)
    running = Server("--users-file", file.path)
    with open_channel(running.address) as channel:
        root = As(channel, "root")
        for key in KEYS:
            root.Set(pb.KeyValue(key=key, value=b"v"))
        root.RPush(pb.ListInsert(key=b"in:list", values=[b"a", b"b"]))
        root.RPush(pb.ListInsert(key=b"out:list", values=[b"a", b"b"]))
    yield running
    running.stop()


@pytest.fixture
def channel(users_server):
    with open_channel(users_server.address) as opened:
        yield opened


def scanned(stub, **request):
    return sorted(entry.key for page in stub.Scan(pb.ScanRequest(**request))
                  for entry in page.entries)


def test_scan_shows_what_may_be_read(channel):
    readable = sorted([key for key in KEYS if key.startswith(b"in:")] + [b"in:list"])
    for user in ("in", "scans"):
        stub = As(channel, user)
        assert scanned(stub) == readable
        assert scanned(stub, pattern=b"out*") == []
        assert scanned(stub, pattern=b"*1", with_values=True) == [b"in:1"]
        # Small pages: what is hidden takes no room in them.
        pages = list(stub.Scan(pb.ScanRequest(page_bytes=1)))
        assert [len(page.entries) for page in pages if page.entries] == [1] * len(readable)
    for user in ("nobody", "writes", "watches", "other"):
        check_ends(As(channel, user).Scan(pb.ScanRequest()), FORBIDDEN, "Scan needs `read`")


def test_stream_list(channel):
    for user in ("in", "scans", "lists", "root"):
        [page] = As(channel, user).StreamList(pb.ListRange(key=b"in:list", stop=-1))
        assert list(page.values) == [b"a", b"b"]
    for user in ("nobody", "writes"):
        check_ends(As(channel, user).StreamList(pb.ListRange(key=b"in:list")), FORBIDDEN)
    for user in ("in", "scans", "lists"):
        check_ends(As(channel, user).StreamList(pb.ListRange(key=b"out:list")), FORBIDDEN)


def selector(**fields):
    return pb.WatchRequest.Selector(**fields)


def events_until(call, key):
    """The keys of the events up to that of the key."""
    seen = []
    for batch in call:
        seen += [event.key for event in batch.events]
        if key in seen:
            return seen
    raise AssertionError(seen)


@pytest.mark.parametrize("initial", [False, True])
def test_watch_shows_what_may_be_read(channel, initial):
    """etcd: a watcher that was allowed one key got every later one. Two watchers with the same
    selectors share their pages, but not what they may read."""
    root = As(channel, "root")
    request = pb.WatchRequest(selectors=[selector(prefix=b"")], initial=initial, with_changes=True)
    calls = {user: As(channel, user).Watch(request) for user in ("in", "root", "watches")}
    firsts = {user: next(call) for user, call in calls.items()}
    for key in (b"out:1", b"in", b"in:2", b"inn"):
        root.Set(pb.KeyValue(key=key, value=b"later"))
    root.Copy(pb.CopyRequest(source=b"out:1", target=b"in:copied", replace=True))
    root.LMove(pb.MoveRequest(source=b"out:list", target=b"in:list"))
    root.LMove(pb.MoveRequest(source=b"in:list", target=b"out:list"))
    root.Set(pb.KeyValue(key=b"in:end", value=b"v"))
    for user, call in calls.items():
        seen = [event.key for event in firsts[user].events] + events_until(call, b"in:end")
        if user == "root":
            assert b"out:1" in seen and b"out:list" in seen
        else:
            assert b"in:2" in seen and b"in:copied" in seen and b"in:list" in seen
            assert all(key.startswith(b"in:") for key in seen), seen
        call.cancel()


def test_watch_that_may_see_nothing_is_refused(channel):
    for user, wanted in [("nobody", selector(prefix=b"in:")), ("in", selector(key=b"out:1")),
                         ("scans", selector(prefix=b"in:")), ("other", selector(prefix=b"")),
                         ("writes", selector(pattern=b"in:*"))]:
        check_ends(As(channel, user).Watch(pb.WatchRequest(selectors=[wanted])), FORBIDDEN,
                   "Watch needs `read`")


def test_watch_of_the_past_shows_what_may_be_read(channel):
    root = As(channel, "root")
    start = root.Set(pb.KeyValue(key=b"in:start", value=b"v")).version
    for key in (b"out:past", b"in:past", b"out:past", b"in:past-end"):
        root.Set(pb.KeyValue(key=key, value=b"v"))
    call = As(channel, "in").Watch(pb.WatchRequest(selectors=[selector(prefix=b"")],
                                                   start_version=start))
    assert events_until(call, b"in:past-end") == [b"in:past", b"in:past-end"]
    call.cancel()


def test_subscribe_and_publish(channel):
    root = As(channel, "root")
    calls = {user: As(channel, user).Subscribe(pb.SubscribeRequest(patterns=[b"*"]))
             for user in ("in", "talks", "root")}
    for call in calls.values():
        call.initial_metadata()
    for name in (b"out:c", b"in", b"in:c"):
        root.Publish(pb.Message(channel=name, payload=b"p"))
    for user, call in calls.items():
        wanted = [b"out:c", b"in", b"in:c"] if user == "root" else [b"in:c"]
        assert [next(call).channel for _ in wanted] == wanted
        call.cancel()
    for user in ("in", "talks", "writes"):
        As(channel, user).Publish(pb.Message(channel=b"in:c"))
        check_fails(FORBIDDEN, As(channel, user).Publish, pb.Message(channel=b"out:c"), "Publish")
    check_fails(FORBIDDEN, As(channel, "scans").Publish, pb.Message(channel=b"in:c"))
    for user in ("in", "talks"):
        check_ends(As(channel, user).Subscribe(pb.SubscribeRequest(channels=[b"in:c", b"out:c"])),
                   FORBIDDEN, "Subscribe")
    for request in (pb.SubscribeRequest(channels=[b"in:c"]), pb.SubscribeRequest(patterns=[b"*"])):
        for user in ("nobody", "writes", "scans"):
            check_ends(As(channel, user).Subscribe(request), FORBIDDEN)


def start(**fields):
    return iter([pb.ConsumeRequest(start=pb.ConsumeRequest.Start(**fields))])


def test_consume(channel):
    root = As(channel, "root")
    for user in ("in", "scans", "lists"):
        root.RPush(pb.ListInsert(key=b"in:queue", values=[b"v"]))
        call = As(channel, user).Consume(start(keys=[b"in:queue"], auto_ack=True))
        assert next(call).deliveries[0].value == b"v"
        call.cancel()
        for fields in ({"keys": [b"out:queue"]}, {"keys": [b"in:queue", b"out:queue"]},
                       {"keys": [b"in:queue"], "pending": b"out:pending"}):
            check_ends(As(channel, user).Consume(start(**fields)), FORBIDDEN, "Consume needs")
    for user in ("nobody", "writes", "watches"):
        check_ends(As(channel, user).Consume(start(keys=[b"in:queue"])), FORBIDDEN)


def test_pipeline_denies_one_by_one(channel):
    ops = [pb.Op(get=pb.Key(key=b"in:1")), pb.Op(get=pb.Key(key=b"out:1")),
           pb.Op(set=pb.KeyValue(key=b"in:p", value=b"v")),
           pb.Op(set=pb.KeyValue(key=b"out:p", value=b"v"))]
    [batch] = As(channel, "in").Pipeline(iter([pb.OpBatch(ops=ops)]))
    reasons = [reply.error.reason for reply in batch.replies]
    assert reasons == [0, pb.ERROR_REASON_FORBIDDEN] * 2
    # A large batch is decoded by another thread.
    many = [pb.Op(set=pb.KeyValue(key=b"out:p", value=b"v" * 100))] * 2000
    [*batches] = As(channel, "in").Pipeline(iter([pb.OpBatch(ops=many)]))
    replies = [reply for batch in batches for reply in batch.replies]
    assert {reply.error.reason for reply in replies} == {pb.ERROR_REASON_FORBIDDEN}
    assert not As(channel, "root").Get(pb.Key(key=b"out:p")).found


def test_large_requests_are_judged_on_other_threads(channel):
    keys = [b"in:%d" % i for i in range(20000)]
    As(channel, "in").MGet(pb.Keys(keys=keys))
    check_fails(FORBIDDEN, As(channel, "in").MGet, pb.Keys(keys=[*keys, b"out:1"]))
    check_fails(FORBIDDEN, As(channel, "writes").MGet, pb.Keys(keys=keys))


# ---- changes ----

def error_of(call):
    """The error with which the stream ends, or the call."""
    with pytest.raises(grpc.RpcError) as caught:
        if isinstance(call, grpc.Future) and not hasattr(call, "__next__"):
            call.result(30)
        else:
            for _ in call:
                pass
    return caught.value


class Running:
    """Streams of a user, and a call that waits; all in effect."""

    def __init__(self, channel, user):
        stub = As(channel, user)
        self.queue = queue.Queue()
        self.queue.put(pb.ConsumeRequest(start=pb.ConsumeRequest.Start(keys=[b"in:none"])))
        self.calls = {
            "Watch": stub.Watch(pb.WatchRequest(selectors=[selector(prefix=b"")])),
            "Subscribe": stub.Subscribe(pb.SubscribeRequest(channels=[b"in:c"])),
            "Patterns": stub.Subscribe(pb.SubscribeRequest(patterns=[b"*"])),
            "Consume": stub.Consume(iter(self.queue.get, None)),
            "ListPop": stub.ListPop.future(pb.PopRequest(keys=[b"in:nothing"], wait_ms=-1)),
        }
        next(self.calls["Watch"])
        for name in ("Subscribe", "Patterns"):
            self.calls[name].initial_metadata()
        wait_for_numbers(As(channel, "root", admin=True), {"blocked_clients": 2})

    def check_all_end(self, expected, words):
        for name, call in self.calls.items():
            error = error_of(call)
            assert error.code() == expected[0], (name, error)
            assert dict(error.trailing_metadata())["keystore-reason"] == expected[1], name
            assert words in error.details(), name
        self.queue.put(None)

    def check_all_go_on(self, root):
        """Each shows something that comes now."""
        root.Set(pb.KeyValue(key=b"in:news", value=b"v"))
        root.Publish(pb.Message(channel=b"in:c", payload=b"p"))
        for key in (b"in:none", b"in:nothing"):
            root.RPush(pb.ListInsert(key=key, values=[b"v"]))
        events_until(self.calls["Watch"], b"in:news")
        assert next(self.calls["Subscribe"]).payload == b"p"
        assert next(self.calls["Patterns"]).payload == b"p"
        assert next(self.calls["Consume"]).deliveries[0].value == b"v"
        assert list(self.calls["ListPop"].result(30).values) == [b"v"]
        for name in ("Watch", "Subscribe", "Patterns", "Consume"):
            self.calls[name].cancel()
        self.queue.put(None)


RUNNING = {"root": ["all"], "u": ["read,write keys=in:*"], "v": ["all keys=in:*"]}


@pytest.mark.parametrize("later, expected, words", [
    ({**RUNNING, "u": ["write keys=in:*"]}, FORBIDDEN, "have changed"),
    ({**RUNNING, "u": ["read,write keys=other:*"]}, FORBIDDEN, "have changed"),
    ({"root": ["all"]}, UNAUTHENTICATED, "unknown"),
])
def test_a_reload_ends_what_is_not_allowed_any_longer(tmp_path, fresh_server, later, expected,
                                                      words):
    file = UsersFile(tmp_path, RUNNING)
    server = fresh_server("--users-file", file.path)
    with open_channel(server.address) as channel, open_channel(server.address) as other:
        running = Running(channel, "u")
        file.write(later)
        reload_users(server)
        if expected == FORBIDDEN and later["u"] == ["read,write keys=other:*"]:
            running.calls["Patterns"].cancel()  # which may still show something
            del running.calls["Patterns"]
        running.check_all_end(expected, words)
        As(other, "root").Get(pb.Key(key=b"k"))


def test_a_reload_ends_nothing_else(tmp_path, fresh_server):
    """More rights, of others or for something else, end no stream."""
    file = UsersFile(tmp_path, RUNNING)
    server = fresh_server("--users-file", file.path)
    with open_channel(server.address) as channel:
        running = Running(channel, "u")
        loses = As(channel, "v").Watch(pb.WatchRequest(selectors=[selector(prefix=b"")]))
        next(loses)
        file.write({**RUNNING, "u": ["read,write keys=in:*", "write keys=more:*"], "v": []})
        reload_users(server)
        As(channel, "u").Set(pb.KeyValue(key=b"more:1", value=b"v"))
        # When this one has ended, all calls of the connection have been looked at.
        assert error_of(loses).code() == FORBIDDEN[0]
        running.check_all_go_on(As(channel, "root"))


def test_an_expired_token_ends_its_streams_only(tmp_path, fresh_server):
    """etcd: an expired token ended or hung the watches of others."""
    file = UsersFile(tmp_path, RUNNING)
    expires = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=4)
    file.write({"root": ["all"], "v": ["all keys=in:*"]}, "[user u]\nallow = read,write keys=in:*\n" +
               token_line("u", more=f"expires={expires:%Y-%m-%dT%H:%M:%SZ}") + "\n")
    server = fresh_server("--users-file", file.path)
    with open_channel(server.address) as channel:
        others = As(channel, "v").Watch(pb.WatchRequest(selectors=[selector(prefix=b"")]))
        next(others)
        running = Running(channel, "u")
        running.check_all_end(UNAUTHENTICATED, "expired")
        check_fails(UNAUTHENTICATED, As(channel, "u").Get, pb.Key(key=b"in:1"), "expired")
        As(channel, "root").Set(pb.KeyValue(key=b"in:end", value=b"v"))
        events_until(others, b"in:end")
        others.cancel()
