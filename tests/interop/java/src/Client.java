// grpc-java against the server; how it talks to script/interop stands there.

import com.google.common.util.concurrent.Futures;
import com.google.common.util.concurrent.ListenableFuture;
import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.rpc.ErrorInfo;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import keystore.v1.KeyStoreGrpc;
import keystore.v1.KeyStoreGrpc.KeyStoreBlockingStub;
import keystore.v1.KeyStoreGrpc.KeyStoreFutureStub;
import keystore.v1.MiniRedis;

public final class Client {
    private static final int MIB = 1 << 20;
    private static final long TIMEOUT_MS = 30000;

    private final BufferedReader answers = new BufferedReader(new InputStreamReader(System.in));
    private final ManagedChannel channel;

    /** What a check does; it throws when it does not hold. */
    private interface Check {
        void run() throws Exception;
    }

    private Client(String address) {
        channel = ManagedChannelBuilder.forTarget(address).usePlaintext().build();
    }

    /** Asks script/interop for something; what it answers. */
    private String server(String what) throws Exception {
        System.out.println("server " + what);
        return answers.readLine();
    }

    private KeyStoreBlockingStub within(long timeoutMs) {
        return KeyStoreGrpc.newBlockingStub(channel)
            .withDeadlineAfter(timeoutMs, TimeUnit.MILLISECONDS);
    }

    private KeyStoreBlockingStub stub() {
        return within(TIMEOUT_MS);
    }

    private KeyStoreFutureStub futures() {
        return KeyStoreGrpc.newFutureStub(channel)
            .withDeadlineAfter(TIMEOUT_MS, TimeUnit.MILLISECONDS);
    }

    private static void check(boolean holds, String why) {
        if (!holds)
            throw new IllegalStateException(why);
    }

    private static StatusRuntimeException failure(Callable<?> call) throws Exception {
        try {
            call.call();
        } catch (StatusRuntimeException error) {
            return error;
        }
        throw new IllegalStateException("the call succeeded");
    }

    private static ByteString bytes(String text) {
        return ByteString.copyFromUtf8(text);
    }

    private static MiniRedis.Key key(ByteString key) {
        return MiniRedis.Key.newBuilder().setKey(key).build();
    }

    private static MiniRedis.KeyValue value(ByteString key, ByteString value) {
        return MiniRedis.KeyValue.newBuilder().setKey(key).setValue(value).build();
    }

    private static MiniRedis.ListInsert insert(ByteString key, List<ByteString> values) {
        return MiniRedis.ListInsert.newBuilder().setKey(key).addAllValues(values).build();
    }

    private static MiniRedis.ListRange whole(ByteString key) {
        return MiniRedis.ListRange.newBuilder().setKey(key).setStop(-1).build();
    }

    private static List<ByteString> values() {
        byte[] large = new byte[MIB];
        for (int i = 0; i < MIB; i++)
            large[i] = (byte) i;
        return List.of(ByteString.copyFrom(large, 0, 256), ByteString.EMPTY,
            ByteString.copyFrom(large));
    }

    private void strings() {
        ByteString key = ByteString.copyFrom(new byte[] {0, -1, 10, 'j', 'a', 'v', 'a'});
        for (ByteString value : values()) {
            check(stub().set(value(key, value)).getOk(), "Set");
            MiniRedis.Value got = stub().get(key(key));
            check(got.getFound() && got.getValue().equals(value), "not the value");
            check(stub().delete(key(key)).getCount() == 1, "Delete");
            check(!stub().get(key(key)).getFound(), "still there");
        }
    }

    private void lists() {
        ByteString key = bytes("java list");
        check(stub().lPush(insert(key, values())).getCount() == 3, "LPush");
        MiniRedis.ListValues all = stub().lRange(whole(key));
        check(all.getLength() == 3 && all.getValuesCount() == 3, "LRange: length");
        for (int i = 0; i < 3; i++) {
            ByteString wanted = values().get(2 - i);
            check(all.getValues(i).equals(wanted), "LRange: value");
            check(stub().lPop(key(key)).getValue().equals(wanted), "LPop: value");
        }
        check(!stub().lPop(key(key)).getFound(), "a value in an empty list");
    }

    private void checkError(Callable<?> call, Status.Code code, String reason) throws Exception {
        StatusRuntimeException error = failure(call);
        check(error.getStatus().getCode() == code, error.toString());
        check(error.getStatus().getDescription().contains(" "), "no sentence");
        Metadata.Key<String> name =
            Metadata.Key.of("keystore-reason", Metadata.ASCII_STRING_MARSHALLER);
        check(reason.equals(error.getTrailers().get(name)), "trailers " + error.getTrailers());
        Any details = StatusProto.fromThrowable(error).getDetails(0);
        ErrorInfo info = details.unpack(ErrorInfo.class);
        check(info.getReason().equals(reason) && info.getDomain().equals("keystore"),
            "details " + info);
    }

    private void errors() throws Exception {
        ByteString key = bytes("java error");
        stub().set(value(key, key));
        checkError(() -> stub().lPop(key(key)), Status.Code.FAILED_PRECONDITION,
            "ERROR_REASON_WRONG_TYPE");
        checkError(() -> stub().get(key(ByteString.EMPTY)), Status.Code.INVALID_ARGUMENT,
            "ERROR_REASON_BAD_ARGUMENT");
        checkError(() -> stub().incr(MiniRedis.Increment.getDefaultInstance()),
            Status.Code.INVALID_ARGUMENT, "ERROR_REASON_BAD_ARGUMENT");
    }

    private void metadata() {
        Metadata given = new Metadata();
        given.put(Metadata.Key.of("x-text", Metadata.ASCII_STRING_MARSHALLER), "a".repeat(4000));
        given.put(Metadata.Key.of("x-binary-bin", Metadata.BINARY_BYTE_MARSHALLER),
            values().get(0).toByteArray());
        KeyStoreBlockingStub stub =
            stub().withInterceptors(MetadataUtils.newAttachHeadersInterceptor(given));
        check(!stub.get(key(bytes("none"))).getFound(), "found");
    }

    /** The answers of 1000 calls that are under way at once. */
    private static <T> List<T> atOnce(Function<Integer, ListenableFuture<T>> call)
            throws Exception {
        List<ListenableFuture<T>> calls = new ArrayList<>();
        for (int i = 0; i < 1000; i++)
            calls.add(call.apply(i));
        return Futures.allAsList(calls).get();
    }

    private void thousandAtOnce() throws Exception {
        KeyStoreFutureStub stub = futures();
        atOnce(i -> stub.set(value(bytes("java many " + i), bytes("" + i))));
        List<MiniRedis.Value> got = atOnce(i -> stub.get(key(bytes("java many " + i))));
        for (int i = 0; i < got.size(); i++)
            check(got.get(i).getValue().equals(bytes("" + i)), "another's value");
        String peers = server("peers");
        check(peers.matches("\\w+"), "not one connection: " + peers);
    }

    private void deadlines() throws Exception {
        MiniRedis.Key key = key(bytes("java deadline"));
        for (long seconds : new long[] {1, 100, 24 * 3600, 10000 * 3600})
            within(seconds * 1000).get(key);
        check(failure(() -> within(-1000).get(key)).getStatus().getCode()
            == Status.Code.DEADLINE_EXCEEDED, "in the past");
        server("pause");
        Status.Code code = failure(() -> within(300).get(key)).getStatus().getCode();
        server("resume");
        check(code == Status.Code.DEADLINE_EXCEEDED, "of a server that does not answer: " + code);
        stub().get(key);
    }

    private void cancellation() throws Exception {
        ByteString key = bytes("java cancel");
        String before = server("peers");
        server("pause");
        List<ListenableFuture<MiniRedis.Status>> calls = new ArrayList<>();
        for (int i = 0; i < 50; i++)
            calls.add(futures().lPush(insert(key, List.of(bytes("" + i)))));
        // Once this one has failed, those before it are on their way.
        failure(() -> within(300).get(key(key)));
        int cancelled = 0;
        for (ListenableFuture<MiniRedis.Status> call : calls)
            call.cancel(true);
        for (ListenableFuture<MiniRedis.Status> call : calls) {
            try {
                call.get();
            } catch (CancellationException expected) {
                cancelled++;
            }
        }
        server("resume");
        check(cancelled == 50, cancelled + " were cancelled");
        List<ByteString> pushed = stub().lRange(whole(key)).getValuesList();
        check(new HashSet<>(pushed).size() == pushed.size(), "pushed twice");
        check(stub().lPush(insert(key, List.of(key))).getCount() == pushed.size() + 1, "count");
        check(server("peers").equals(before), "not the same connection");
    }

    private void reconnection() throws Exception {
        ByteString key = bytes("java restart");
        stub().set(value(key, key));
        server("restart");
        check(!stub().withWaitForReady().get(key(key)).getFound(), "not a new server");
        stub().set(value(key, key));
    }

    private boolean run(int number, String name, Check check) {
        try {
            check.run();
            System.out.println("ok " + number + " " + name);
            return true;
        } catch (Exception error) {
            System.out.println("not ok " + number + " " + name + ": " + error);
            return false;
        }
    }

    private boolean runAll() {
        Map<String, Check> checks = new LinkedHashMap<>();
        checks.put("strings", this::strings);
        checks.put("lists", this::lists);
        checks.put("errors", this::errors);
        checks.put("metadata", this::metadata);
        checks.put("a thousand calls at once", this::thousandAtOnce);
        checks.put("deadlines", this::deadlines);
        checks.put("cancellation", this::cancellation);
        checks.put("reconnection", this::reconnection);
        System.out.println("1.." + checks.size());
        int number = 0;
        boolean good = true;
        for (Map.Entry<String, Check> each : checks.entrySet())
            good &= run(++number, each.getKey(), each.getValue());
        return good;
    }

    public static void main(String[] arguments) {
        Client client = new Client(arguments[0]);
        boolean good = client.runAll();
        client.channel.shutdownNow();
        System.exit(good ? 0 : 1);
    }
}
