// grpc-js against the server; how it talks to script/interop stands there.
'use strict';

const assert = require('node:assert');
const readline = require('node:readline');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [address, proto] = process.argv.slice(2);
const TIMEOUT_MS = 30000;
const MIB = 1 << 20;

const definition = loader.loadSync(proto, {longs: Number, enums: String, defaults: true});
const {KeyStore} = grpc.loadPackageDefinition(definition).keystore.v1;
const client = new KeyStore(address, grpc.credentials.createInsecure());
const answers = readline.createInterface({input: process.stdin})[Symbol.asyncIterator]();

// Asks script/interop for something; what it answers.
async function server(what) {
    process.stdout.write(`server ${what}\n`);
    return (await answers.next()).value;
}

// Starts a call: its promise, and the call to cancel. An error has the trailers in `metadata`.
function start(method, request, timeoutMs = TIMEOUT_MS, metadata = new grpc.Metadata()) {
    let call;
    const done = new Promise((resolve, reject) => {
        call = client[method](request, metadata, {deadline: Date.now() + timeoutMs},
            (error, answer) => error ? reject(error) : resolve(answer));
    });
    done.catch(() => {});
    return {done, call};
}

const run = (...call) => start(...call).done;

async function failure(done) {
    try {
        await done;
    } catch (error) {
        return error;
    }
    assert.fail('the call succeeded');
}

function values() {
    const all = Buffer.from(Array.from({length: 256}, (_, byte) => byte));
    return [all, Buffer.alloc(0), Buffer.alloc(MIB, all)];
}

async function strings() {
    for (const value of values()) {
        const key = Buffer.from([0, 255, 10, ...Buffer.from('node string')]);
        assert.equal((await run('Set', {key, value})).ok, true);
        const got = await run('Get', {key});
        assert.equal(got.found, true);
        assert.ok(value.equals(got.value));
        assert.equal((await run('Delete', {key})).count, 1);
        assert.equal((await run('Get', {key})).found, false);
    }
}

async function lists() {
    const key = Buffer.from('node list');
    assert.equal((await run('LPush', {key, values: values()})).count, 3);
    const reversed = values().reverse();
    const all = await run('LRange', {key, start: 0, stop: -1});
    assert.equal(all.length, 3);
    assert.ok(all.values.every((value, number) => value.equals(reversed[number])));
    for (const value of reversed)
        assert.ok((await run('LPop', {key})).value.equals(value));
    assert.equal((await run('LPop', {key})).found, false);
}

async function errors() {
    const key = Buffer.from('node error');
    await run('Set', {key, value: key});
    const cases = [
        ['LPop', {key}, grpc.status.FAILED_PRECONDITION, 'ERROR_REASON_WRONG_TYPE'],
        ['Get', {}, grpc.status.INVALID_ARGUMENT, 'ERROR_REASON_BAD_ARGUMENT'],
        ['Incr', {key}, grpc.status.FAILED_PRECONDITION, 'ERROR_REASON_NOT_A_NUMBER'],
    ];
    for (const [method, request, code, reason] of cases) {
        const error = await failure(run(method, request));
        assert.equal(error.code, code);
        assert.deepEqual(error.metadata.get('keystore-reason'), [reason]);
        assert.ok(error.metadata.get('grpc-status-details-bin')[0].includes(reason));
        assert.match(error.details, /\w+ \w+/);
    }
}

async function metadata() {
    const given = new grpc.Metadata();
    given.set('x-text', 'a'.repeat(4000));
    given.set('x-binary-bin', values()[0]);
    assert.equal((await run('Get', {key: Buffer.from('none')}, TIMEOUT_MS, given)).found, false);
}

async function thousandAtOnce() {
    const numbers = Array.from({length: 1000}, (_, number) => number);
    const key = number => Buffer.from(`node many ${number}`);
    const set = await Promise.all(numbers.map(
        number => run('Set', {key: key(number), value: Buffer.from(`${number}`)})));
    assert.ok(set.every(status => status.ok));
    const got = await Promise.all(numbers.map(number => run('Get', {key: key(number)})));
    assert.deepEqual(got.map(value => Number(value.value.toString())), numbers);
    assert.match(await server('peers'), /^\w+$/, 'not one connection');
}

async function deadlines() {
    const key = Buffer.from('node deadline');
    for (const timeoutMs of [1000, 100 * 1000, 24 * 3600 * 1000, 1000 * 24 * 3600 * 1000])
        await run('Get', {key}, timeoutMs);
    assert.equal((await failure(run('Get', {key}, -1000))).code, grpc.status.DEADLINE_EXCEEDED);
    await server('pause');
    const error = await failure(run('Get', {key}, 300));
    await server('resume');
    assert.equal(error.code, grpc.status.DEADLINE_EXCEEDED);
    await run('Get', {key});
}

async function cancellation() {
    const key = Buffer.from('node cancel');
    const before = await server('peers');
    await server('pause');
    const calls = Array.from({length: 50}, (_, number) => start(
        'LPush', {key, values: [Buffer.from(`${number}`)]}));
    // Once this one has failed, those before it are on their way.
    await failure(run('Get', {key}, 300));
    for (const {call} of calls)
        call.cancel();
    const codes = await Promise.all(calls.map(async ({done}) => (await failure(done)).code));
    await server('resume');
    assert.ok(codes.every(code => code === grpc.status.CANCELLED));
    const pushed = (await run('LRange', {key, stop: -1})).values.map(value => value.toString());
    assert.equal(new Set(pushed).size, pushed.length);
    assert.equal((await run('LPush', {key, values: [key]})).count, pushed.length + 1);
    assert.equal(await server('peers'), before, 'not the same connection');
}

async function reconnection() {
    const key = Buffer.from('node restart');
    await run('Set', {key, value: key});
    await server('restart');
    const waiting = grpc.waitForClientReady.bind(null, client, Date.now() + TIMEOUT_MS);
    await new Promise((resolve, reject) => waiting(error => error ? reject(error) : resolve()));
    assert.equal((await run('Get', {key})).found, false);
    assert.equal((await run('Set', {key, value: key})).ok, true);
}

// Streams: a row says how to open a call of the method, and how to have the server send replies;
// `items` are the replies in a message, if it is not one itself.

const CHANNEL = Buffer.from('node channel');
const streams = {
    Pipeline: {
        bidi: true,
        more: async (call, count) => {
            for (let number = 0; number < count; number++)
                call.write({ops: [{id: number + 1, get: {key: Buffer.from('none')}}]});
        },
        check: reply => assert.equal(reply.replies.length, 1),
    },
    Subscribe: {
        request: {channels: [CHANNEL], patterns: [Buffer.from('node c*')]},
        wrong: {},
        more: async (call, count) => {
            for (let number = 0; number < count; number++)
                await run('Publish', {channel: CHANNEL, payload: Buffer.from(`${number}`)});
        },
        check: reply => assert.ok(reply.channel.equals(CHANNEL)),
    },
    Watch: {
        request: {selectors: [{prefix: Buffer.from('node watched ')}]},
        wrong: {},
        more: async (call, count) => {
            for (let number = 0; number < count; number++)
                await run('Set', {key: Buffer.from(`node watched ${number}`), value: CHANNEL});
        },
        items: batch => batch.events, // none in the first batch, perhaps several in others
        check: event => assert.equal(event.type, 'EVENT_TYPE_WRITE'),
    },
};

// A call of the row, whose replies are read one by one.
class Stream {
    constructor(method, {request = streams[method].request, timeoutMs = TIMEOUT_MS} = {}) {
        const options = {deadline: Date.now() + timeoutMs};
        this.row = streams[method];
        this.call = this.row.bidi ? client[method](options) : client[method](request, options);
        this.replies = [];
        this.waiting = [];
        this.headers = new Promise(resolve => this.call.once('metadata', resolve));
        this.end = new Promise(resolve => this.call.once('status', resolve));
        this.call.on('error', () => {});
        this.call.on('data', message => {
            for (const reply of this.row.items ? this.row.items(message) : [message]) {
                this.replies.push(reply);
                this.waiting.shift()?.();
            }
        });
        this.end.then(() => this.waiting.forEach(wake => wake()));
    }

    // Waits until the server sends what it is asked for.
    async open() {
        if (!this.row.bidi)
            await this.headers;
        return this;
    }

    more(count) {
        return this.row.more(this.call, count);
    }

    async next() {
        if (this.replies.length === 0)
            await new Promise(resolve => this.waiting.push(resolve));
        assert.ok(this.replies.length > 0, 'the stream has ended');
        this.row.check(this.replies[0]);
        return this.replies.shift();
    }

    async cancelled() {
        this.call.cancel();
        assert.equal((await this.end).code, grpc.status.CANCELLED);
    }
}

const forEachStream = check => async () => {
    for (const method of Object.keys(streams))
        await check(method);
};

const pingPong = forEachStream(async method => {
    const stream = await new Stream(method).open();
    for (let number = 0; number < 20; number++) {
        await stream.more(1);
        await stream.next();
    }
    await stream.cancelled();
});

const serverStreaming = forEachStream(async method => {
    const stream = await new Stream(method).open();
    await stream.more(100);
    for (let number = 0; number < 100; number++)
        await stream.next();
    await stream.cancelled();
});

// All requests first, then all replies; and no request at all.
const halfDuplex = forEachStream(async method => {
    if (!streams[method].bidi)
        return;
    for (const count of [0, 1, 50]) {
        const stream = await new Stream(method).open();
        await stream.more(count);
        stream.call.end();
        for (let number = 0; number < count; number++)
            await stream.next();
        assert.equal((await stream.end).code, grpc.status.OK);
    }
});

const cancelAtEveryPoint = forEachStream(async method => {
    await new Stream(method).cancelled();
    for (let replies = 0; replies < 5; replies++) {
        const stream = await new Stream(method).open();
        await stream.more(replies + 2);
        for (let number = 0; number < replies; number++)
            await stream.next();
        await stream.cancelled();
    }
});

const streamDeadlines = forEachStream(async method => {
    const stream = new Stream(method, {timeoutMs: 500});
    await stream.more(1);
    assert.equal((await stream.end).code, grpc.status.DEADLINE_EXCEEDED);
});

const streamErrors = forEachStream(async method => {
    if (!streams[method].wrong)
        return;
    const status = await new Stream(method, {request: streams[method].wrong}).end;
    assert.equal(status.code, grpc.status.INVALID_ARGUMENT);
    assert.deepEqual(status.metadata.get('keystore-reason'), ['ERROR_REASON_BAD_ARGUMENT']);
    assert.match(status.details, /\w+ \w+/);
});

// A reader that pauses holds the server back, and gets all when it goes on.
async function slowReader() {
    const stream = await new Stream('Pipeline').open();
    const key = Buffer.from('node slow');
    await run('Set', {key, value: Buffer.alloc(100000)});
    stream.row = {check: reply => assert.equal(reply.replies[0].value.value.length, 100000)};
    stream.call.pause();
    for (let number = 0; number < 100; number++)
        stream.call.write({ops: [{get: {key}}]});
    await run('Get', {key: Buffer.from('none')}); // other calls go on
    stream.call.resume();
    for (let number = 0; number < 100; number++)
        await stream.next();
    stream.call.end();
    assert.equal((await stream.end).code, grpc.status.OK);
}

// Streams that end by themselves.
async function finiteStreams() {
    const key = Buffer.from('node finite');
    const elements = Array.from({length: 30000}, (_, number) => Buffer.from(`${number}`));
    await run('RPush', {key, values: elements});
    const read = [];
    for await (const page of client.StreamList({key, start: 0, stop: -1, pageBytes: 1000}))
        read.push(...page.values);
    assert.ok(read.every((value, number) => value.equals(elements[number])));
    assert.equal(read.length, elements.length);
    const found = [];
    for await (const page of client.Scan({pattern: Buffer.from('node fin*')}))
        found.push(...page.entries);
    assert.deepEqual(found.map(entry => [entry.key, entry.type]), [[key, 'VALUE_TYPE_LIST']]);
    for (const method of ['Scan', 'StreamList']) {
        const call = client[method]({db: 99, key});
        const status = await new Promise(resolve => {
            call.on('status', resolve).on('error', () => {}).on('data', () => {});
        });
        assert.equal(status.code, grpc.status.INVALID_ARGUMENT);
    }
}

// Elements are delivered in order; what is acknowledged is gone, the rest returns.
async function queue() {
    const key = Buffer.from('node queue');
    const call = client.Consume({deadline: Date.now() + TIMEOUT_MS});
    const ended = new Promise(resolve => call.once('status', resolve));
    call.on('error', () => {});
    call.write({start: {keys: [key], maxInFlight: 10}});
    await run('RPush', {key, values: Array.from({length: 25}, (_, n) => Buffer.from(`${n}`))});
    const delivered = [], done = [];
    await new Promise(resolve => call.on('data', reply => {
        delivered.push(...reply.deliveries.map(each => each.value.toString()));
        done.push(...reply.done);
        const ids = reply.deliveries.map(each => each.id).filter(id => id <= 20);
        if (ids.length > 0)
            call.write({done: ids});
        if (done.length === 20 && delivered.length === 25)
            resolve();
    }));
    call.end();
    assert.equal((await ended).code, grpc.status.OK);
    assert.deepEqual(delivered.map(Number), Array.from({length: 25}, (_, number) => number));
    const left = (await run('LRange', {key, stop: -1})).values.map(value => Number(value.toString()));
    assert.deepEqual(left, [20, 21, 22, 23, 24]);
}

// They end with a reason when the server stops.
async function streamsAndRestart() {
    const open = await Promise.all(Object.keys(streams).map(method => new Stream(method).open()));
    for (const stream of open) {
        await stream.more(1);
        await stream.next();
    }
    await server('restart');
    for (const stream of open) {
        const status = await stream.end;
        assert.equal(status.code, grpc.status.UNAVAILABLE);
        assert.deepEqual(status.metadata.get('keystore-reason'), ['ERROR_REASON_STOPPING']);
    }
    await new Promise((resolve, reject) => client.waitForReady(Date.now() + TIMEOUT_MS,
        error => error ? reject(error) : resolve()));
    await pingPong();
}

async function main() {
    const checks = {strings, lists, errors, metadata, 'a thousand calls at once': thousandAtOnce,
        deadlines, cancellation, reconnection, 'ping pong': pingPong,
        'server streaming': serverStreaming, 'half duplex': halfDuplex,
        'cancel at every point': cancelAtEveryPoint, 'deadlines of streams': streamDeadlines,
        'errors of streams': streamErrors, 'a slow reader': slowReader,
        'streams that end': finiteStreams, 'a queue': queue,
        'streams and a restart': streamsAndRestart};
    process.stdout.write(`1..${Object.keys(checks).length}\n`);
    let number = 0;
    for (const [name, check] of Object.entries(checks)) {
        number++;
        try {
            await check();
            process.stdout.write(`ok ${number} ${name}\n`);
        } catch (error) {
            process.exitCode = 1;
            const why = String(error.stack).replace(/\s*\n\s*/g, '; ');
            process.stdout.write(`not ok ${number} ${name}: ${why}\n`);
        }
    }
    client.close();
    process.stdin.destroy();
}

main();
