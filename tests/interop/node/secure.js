// grpc-js over TLS: tokens, certificates of clients, and what must be refused. Its arguments are
// ADDRESS PROTO FOLDER; see script/interop.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const readline = require('node:readline');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [address, proto, folder] = process.argv.slice(2);
const TIMEOUT_MS = 30000;

const definition = loader.loadSync(proto, {longs: Number, enums: String, defaults: true});
const {KeyStore} = grpc.loadPackageDefinition(definition).keystore.v1;
const answers = readline.createInterface({input: process.stdin})[Symbol.asyncIterator]();

const read = name => fs.readFileSync(`${folder}/${name}`);
const token = read('app.token').toString().trim();
const {UNAUTHENTICATED, UNAVAILABLE, PERMISSION_DENIED} = grpc.status;

async function restart(pair, ...options) {
    process.stdout.write(`server restart --users-file ${folder}/users --tls-cert ${folder}/${pair}.pem ` +
        `--tls-key ${folder}/${pair}.key ${options.join(' ')}\n`);
    await answers.next();
}

function bearer(value) {
    const metadata = new grpc.Metadata();
    metadata.set('authorization', `Bearer ${value}`);
    return metadata;
}

// `pair`: the certificate to show; `sent`: a token that the channel sends with each call.
async function connected({ca = 'ca.pem', pair, sent, options = {}}, work) {
    let credentials = grpc.credentials.createSsl(read(ca), pair && read(`${pair}.key`),
        pair && read(`${pair}.pem`));
    if (sent !== undefined)
        credentials = grpc.credentials.combineChannelCredentials(credentials,
            grpc.credentials.createFromMetadataGenerator((_, done) => done(null, bearer(sent))));
    const client = new KeyStore(address, credentials, {'grpc.use_local_subchannel_pool': 1,
        'grpc.enable_retries': 0, ...options});
    try {
        await work(client);
    } finally {
        client.close();
    }
}

const call = (client, method, request, metadata = new grpc.Metadata()) =>
    new Promise((resolve, reject) => client[method](request, metadata,
        {deadline: Date.now() + TIMEOUT_MS}, (error, reply) => error ? reject(error) : resolve(reply)));

const scan = (client, metadata) => new Promise((resolve, reject) => {
    const keys = [];
    client.Scan({}, metadata, {deadline: Date.now() + TIMEOUT_MS})
        .on('data', page => keys.push(...page.entries.map(entry => entry.key.toString())))
        .on('error', reject).on('end', () => resolve(keys));
});

async function fails(code, reason, done) {
    let failure;
    try {
        await done;
    } catch (error) {
        failure = error;
    }
    assert.ok(failure, 'the call succeeded');
    assert.equal(failure.code, code, failure.message);
    assert.deepEqual(failure.metadata.get('keystore-reason'), reason ? [`ERROR_REASON_${reason}`] : []);
}

const key = name => ({key: Buffer.from(name)});
const refused = channel => connected(channel,
    client => fails(UNAVAILABLE, null, call(client, 'Get', key('app:1'))));

const tokenInTheMetadata = () => connected({}, async client => {
    for (const value of [Buffer.from('a'), Buffer.alloc(1 << 20, 'abc')]) {
        assert.ok((await call(client, 'Set', {...key('app:1'), value}, bearer(token))).ok);
        assert.ok(value.equals((await call(client, 'Get', key('app:1'), bearer(token))).value));
    }
    assert.deepEqual(await scan(client, bearer(token)), ['app:1']);
});

const tokenOfTheChannel = () => connected({sent: token}, async client => {
    assert.ok((await call(client, 'Set', {...key('app:2'), value: Buffer.from('v')})).ok);
    assert.equal((await call(client, 'Get', key('app:2'))).value.toString(), 'v');
    await fails(PERMISSION_DENIED, 'FORBIDDEN', call(client, 'Get', key('other')));
});

const wrongTokens = () => connected({}, async client => {
    for (const metadata of [new grpc.Metadata(), bearer(token + 'x'), bearer(token.slice(0, -1))]) {
        await fails(UNAUTHENTICATED, 'UNAUTHENTICATED', call(client, 'Get', key('app:1'), metadata));
        await fails(UNAUTHENTICATED, 'UNAUTHENTICATED', scan(client, metadata));
    }
});

async function expiredCertificate() {
    await restart('expired');
    await refused({sent: token});
    await restart('server');
    await tokenOfTheChannel();
}

async function clientCertificate() {
    await restart('server', '--tls-client-ca', `${folder}/ca.pem`);
    await connected({pair: 'client'}, async client => {
        assert.ok((await call(client, 'Set', {...key('dev:1'), value: Buffer.from('v')})).ok);
        assert.equal((await call(client, 'Get', key('dev:1'))).value.toString(), 'v');
        await fails(PERMISSION_DENIED, 'FORBIDDEN', call(client, 'Get', key('app:1')));
        // A token counts for more.
        assert.equal((await call(client, 'Get', key('app:none'), bearer(token))).found, false);
        await fails(UNAUTHENTICATED, 'UNAUTHENTICATED',
            call(client, 'Get', key('dev:1'), bearer(token + 'x')));
    });
}

const checks = {
    'a token in the metadata': tokenInTheMetadata,
    'a token of the channel': tokenOfTheChannel,
    'wrong tokens': wrongTokens,
    'another CA': () => refused({ca: 'other-ca.pem'}),
    'another name': () => refused({options: {'grpc.ssl_target_name_override': 'other.example'}}),
    'an expired certificate': expiredCertificate,
    "a client's certificate": clientCertificate,
    "no client's certificate": () => refused({sent: token}),
    "a client's certificate of another CA": () => refused({pair: 'other-client'}),
    "a client's certificate that has expired": () => refused({pair: 'expired-client'}),
};

async function main() {
    console.log(`1..${Object.keys(checks).length}`);
    let number = 0;
    for (const [name, check] of Object.entries(checks)) {
        number++;
        try {
            await check();
            console.log(`ok ${number} ${name}`);
        } catch (error) {
            console.log(`not ok ${number} ${name}: ${error.message.replaceAll('\n', ' ')}`);
            process.exitCode = 1;
        }
    }
    process.stdin.destroy();
}

main();
