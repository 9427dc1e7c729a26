"""Blocking pops and Consume against a model: up to 1,000 waiters with random cancels, deadlines,
disconnects, transactions, renames and expiry of the list. Every element is delivered once or still
present, and in order.

KEYSTORE_SEED replays the choices (not how the calls interleave)."""

import asyncio

import grpc
import pytest

import mini_redis_pb2 as pb
import mini_redis_pb2_grpc as rpc
from keystore_env import SANITIZE

WAITERS = 100 if SANITIZE else 1000
CHANNELS = 8
ELEMENTS = 200 if SANITIZE else 1000
QUEUES = [b"q0", b"q1", b"q2"]
OPTIONS = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_concurrent_streams", 1000)]


class Model:
    def __init__(self, address, random):
        self.random = random
        self.channels = [grpc.aio.insecure_channel(address, options=OPTIONS) for _ in range(CHANNELS)]
        self.stub = rpc.KeyStoreStub(grpc.aio.insecure_channel(address, options=OPTIONS))
        self.address = address
        self.pushed = 0
        self.expired = set()  # pushed to lists that expired, perhaps before they were popped
        self.got = []  # each answer's elements
        self.consumed = []
        self.doubtful = set()  # popped by calls whose answers may have been lost
        self.is_over = False

    def elements(self):
        """The next ones, in order."""
        count = min(self.random.randint(1, 4), ELEMENTS - self.pushed)
        first, self.pushed = self.pushed, self.pushed + count
        return [b"%d" % i for i in range(first, first + count)]

    async def push(self):
        values, key = self.elements(), self.random.choice(QUEUES)
        way = self.random.randrange(5)
        if way == 0:
            await self.stub.Txn(pb.TxnRequest(success=[
                pb.Op(r_push=pb.ListInsert(key=key, values=[value])) for value in values]))
        elif way == 1:  # to a list that replaces nothing
            name = b"aside %d" % self.pushed
            await self.stub.RPush(pb.ListInsert(key=name, values=values))
            moved = await self.stub.Rename(pb.CopyRequest(source=name, target=key, absent_only=True))
            while not moved.ok:
                await self.stub.LMove(pb.MoveRequest(source=name, target=key,
                                                     source_end=pb.LIST_END_HEAD,
                                                     target_end=pb.LIST_END_TAIL))
                moved.ok = not (await self.stub.Exists(pb.Keys(keys=[name]))).count
        elif way == 2:  # and that expires immediately, unless it is popped before
            name = b"short-lived"
            self.expired.update(values)
            await self.stub.RPush(pb.ListInsert(key=name, values=values, ttl_ms=1))
        elif way == 3:  # rolled back, then pushed
            with pytest.raises(grpc.RpcError):
                await self.stub.Txn(pb.TxnRequest(success=[
                    pb.Op(r_push=pb.ListInsert(key=key, values=values)),
                    pb.Op(incr=pb.Increment(key=key))]))
            await self.stub.RPush(pb.ListInsert(key=key, values=values))
        else:
            await self.stub.RPush(pb.ListInsert(key=key, values=values))

    async def waiter(self):
        """Pops again and again, and sometimes does not wait for the answer."""
        while not self.is_over:
            number = self.random.randrange(CHANNELS)
            stub = rpc.KeyStoreStub(self.channels[number])
            keys = self.random.sample(QUEUES + [b"short-lived"], self.random.randint(1, 3))
            wait_ms = self.random.choice([-1, 1, 20, 500])
            timeout = self.random.choice([None, 0.01, 0.3])
            call = stub.ListPop(pb.PopRequest(keys=keys, wait_ms=wait_ms,
                                              count=self.random.randint(0, 3)), timeout=timeout)
            if self.random.random() < 0.2:
                asyncio.get_running_loop().call_later(self.random.random() / 20, call.cancel)
            try:
                popped = await call
            except (grpc.RpcError, asyncio.CancelledError):
                continue
            if popped.found:
                self.got.append(list(popped.values))

    async def consumer(self):
        """Takes, acknowledges some, gives some back, and ends in any way."""
        while not self.is_over:
            stub = rpc.KeyStoreStub(self.random.choice(self.channels))
            call = stub.Consume(timeout=self.random.choice([None, 0.5]))
            start = pb.ConsumeRequest.Start(keys=QUEUES, pending=b"pending", max_in_flight=self.random.randint(1, 9),
                                            lease_ms=self.random.choice([0, 30]))
            values, asked = {}, set()
            try:
                await call.write(pb.ConsumeRequest(start=start))
                for _ in range(self.random.randint(1, 20)):
                    reply = await asyncio.wait_for(call.read(), 0.2)
                    if reply == grpc.aio.EOF:
                        break
                    self.note(reply, values, asked)
                    ids = {d.id: self.random.random() for d in reply.deliveries}
                    done = [i for i, choice in ids.items() if choice < 0.6]
                    asked.update(done)
                    await call.write(pb.ConsumeRequest(
                        done=done, give_back=[i for i, choice in ids.items() if choice > 0.9]))
                if self.random.random() < 0.5:
                    await call.done_writing()
                    while (reply := await call.read()) != grpc.aio.EOF:
                        self.note(reply, values, asked)
            except (grpc.RpcError, asyncio.CancelledError, asyncio.TimeoutError,
                    asyncio.InvalidStateError):
                pass
            call.cancel()
            self.doubtful.update(values[i] for i in asked)

    def note(self, reply, values, asked):
        for delivery in reply.deliveries:
            values[delivery.id] = delivery.value
        for number in reply.done:
            self.consumed.append(values[number])
            asked.discard(number)
        asked.difference_update(reply.returned)

    async def disconnect(self):
        """Ends all calls of a channel; new ones get a new connection."""
        number = self.random.randrange(CHANNELS)
        old, self.channels[number] = self.channels[number], grpc.aio.insecure_channel(
            self.address, options=OPTIONS)
        await old.close()

    async def run(self, waiters):
        tasks = [asyncio.ensure_future(task) for task in waiters]
        while self.pushed < ELEMENTS:
            await self.push()
            if self.random.random() < 0.03:
                await self.disconnect()
        await asyncio.sleep(0)
        self.is_over = True
        for channel in self.channels:
            await channel.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return await self.left()

    async def left(self):
        """What is in the lists when nobody waits or consumes any more."""
        admin = rpc.KeyStoreAdminStub(grpc.aio.insecure_channel(self.address, options=OPTIONS))

        async def is_quiet():
            fields = (await admin.Info(pb.InfoRequest(sections=["clients"]))).fields
            pending = await self.stub.Exists(pb.Keys(keys=[b"pending"]))
            return fields["blocked_clients"] == "0" and pending.count == 0

        while not await is_quiet():
            pass
        lists = [await self.stub.LRange(pb.ListRange(key=key, stop=-1)) for key in QUEUES]
        return [list(found.values) for found in lists]


def check(model, left, lost_allowed):
    """Each element was delivered once or is there; those whose answers were lost may be neither."""
    delivered = [value for values in model.got for value in values] + model.consumed
    assert len(delivered) == len(set(delivered)), "delivered twice"
    there = [value for values in left for value in values]
    assert len(there) == len(set(there)) and not set(there) & set(delivered)
    missing = {b"%d" % i for i in range(model.pushed)} - set(there) - set(delivered)
    missing -= model.expired | model.doubtful
    assert len(missing) <= lost_allowed, f"{len(missing)} lost, of {model.pushed}"


def in_order(values):
    numbers = [int(value) for value in values]
    return numbers == sorted(numbers)


def test_blocking_pops(fresh_server, random_of_test):
    """An element may be lost only with a call that was cancelled as it was answered."""
    server = fresh_server("--durability", "none", threads=3)

    async def run():
        model = Model(server.address, random_of_test)
        left = await model.run(model.waiter() for _ in range(WAITERS))
        check(model, left, lost_allowed=model.pushed)
        for values in model.got:
            assert in_order(values)
        for values in left:
            assert in_order(values)

    asyncio.run(run())


def test_nothing_is_lost_without_lost_answers(fresh_server, random_of_test):
    """Pops that only end by wait_ms have no answers that could be lost."""
    server = fresh_server("--durability", "none", threads=3)

    async def waiter(model, key):
        stub, last = rpc.KeyStoreStub(model.random.choice(model.channels)), -1
        while not model.is_over:
            popped = await stub.ListPop(pb.PopRequest(keys=[key], wait_ms=model.random.choice([1, 50])))
            if popped.found:
                model.got.append(list(popped.values))
                assert int(popped.values[0]) > last
                last = int(popped.values[0])

    async def run():
        model = Model(server.address, random_of_test)
        tasks = [asyncio.ensure_future(waiter(model, QUEUES[i % 3])) for i in range(WAITERS // 5)]
        while model.pushed < ELEMENTS:
            await model.push()
        model.is_over = True
        await asyncio.gather(*tasks)
        check(model, await model.left(), lost_allowed=0)

    asyncio.run(run())


def test_consume(fresh_server, random_of_test):
    """Whatever happens to the streams, nothing is lost but what was acknowledged."""
    server = fresh_server("--durability", "none", threads=3)

    async def run():
        model = Model(server.address, random_of_test)
        left = await model.run(model.consumer() for _ in range(WAITERS // 20))
        check(model, left, lost_allowed=0)

    asyncio.run(run())
