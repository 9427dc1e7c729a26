// grpc-go against the server; how it talks to script/interop stands there.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // has channels follow the server's health
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "keystore/interop/keystorev1"
)

const (
	timeout = 30 * time.Second
	mib     = 1 << 20
)

var (
	channel *grpc.ClientConn
	client  pb.KeyStoreClient
	answers = bufio.NewReader(os.Stdin)
)

// Asks script/interop for something; what it answers.
func server(what string) string {
	fmt.Println("server", what)
	line, _ := answers.ReadString('\n')
	return strings.TrimSpace(line)
}

func within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	context.AfterFunc(ctx, cancel)
	return ctx
}

func soon() context.Context { return within(timeout) }

// Must stops a check; run() turns it into its failure.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func check(holds bool, format string, arguments ...any) {
	if !holds {
		panic(fmt.Errorf(format, arguments...))
	}
}

func values() [][]byte {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return [][]byte{all, {}, bytes.Repeat(all, mib/256)}
}

func stringValues() {
	key := []byte("\x00\xff\ngo string")
	for _, value := range values() {
		set, err := client.Set(soon(), &pb.KeyValue{Key: key, Value: value})
		must(err)
		check(set.Ok, "Set: %v", set)
		got, err := client.Get(soon(), &pb.Key{Key: key})
		must(err)
		check(got.Found && bytes.Equal(got.Value, value), "not the value of %d bytes", len(value))
		deleted, err := client.Delete(soon(), &pb.Key{Key: key})
		must(err)
		check(deleted.Count == 1, "Delete: %v", deleted)
		got, err = client.Get(soon(), &pb.Key{Key: key})
		must(err)
		check(!got.Found, "still there")
	}
}

func lists() {
	key := []byte("go list")
	pushed, err := client.LPush(soon(), &pb.ListInsert{Key: key, Values: values()})
	must(err)
	check(pushed.Count == 3, "LPush: %v", pushed)
	all, err := client.LRange(soon(), &pb.ListRange{Key: key, Stop: -1})
	must(err)
	check(all.Length == 3 && len(all.Values) == 3, "%d values", len(all.Values))
	for i := range 3 {
		wanted := values()[2-i]
		check(bytes.Equal(all.Values[i], wanted), "LRange: value %d", i)
		popped, err := client.LPop(soon(), &pb.Key{Key: key})
		must(err)
		check(popped.Found && bytes.Equal(popped.Value, wanted), "LPop: value %d", i)
	}
	popped, err := client.LPop(soon(), &pb.Key{Key: key})
	must(err)
	check(!popped.Found, "a value in an empty list")
}

func checkError(err error, trailer metadata.MD, code codes.Code, reason string) {
	state := status.Convert(err)
	check(state.Code() == code, "%v, not %v", err, code)
	check(strings.Contains(state.Message(), " "), "%q is no sentence", state.Message())
	reasons := trailer.Get("keystore-reason")
	check(len(reasons) == 1 && reasons[0] == reason, "trailers %v", trailer)
	check(len(state.Details()) > 0, "no details")
	info, ok := state.Details()[0].(*errdetails.ErrorInfo)
	check(ok && info.Reason == reason && info.Domain == "keystore", "details %v", state.Details())
}

func errorsAreWhole() {
	key := []byte("go error")
	_, err := client.Set(soon(), &pb.KeyValue{Key: key, Value: key})
	must(err)
	var trailer metadata.MD
	_, err = client.LPop(soon(), &pb.Key{Key: key}, grpc.Trailer(&trailer))
	checkError(err, trailer, codes.FailedPrecondition, "ERROR_REASON_WRONG_TYPE")
	_, err = client.Get(soon(), &pb.Key{}, grpc.Trailer(&trailer))
	checkError(err, trailer, codes.InvalidArgument, "ERROR_REASON_BAD_ARGUMENT")
	_, err = client.Incr(soon(), &pb.Increment{Key: key}, grpc.Trailer(&trailer))
	checkError(err, trailer, codes.FailedPrecondition, "ERROR_REASON_NOT_A_NUMBER")
}

func metadataIsLeftAlone() {
	ctx := metadata.AppendToOutgoingContext(soon(), "x-text", strings.Repeat("a", 4000),
		"x-binary-bin", string(values()[0]))
	got, err := client.Get(ctx, &pb.Key{Key: []byte("none")})
	must(err)
	check(!got.Found, "found")
}

// Runs the function 1000 times at once; the first error.
func atOnce(call func(number int) error) {
	failures := make(chan error, 1000)
	var all sync.WaitGroup
	for number := range 1000 {
		all.Go(func() {
			if err := call(number); err != nil {
				failures <- err
			}
		})
	}
	all.Wait()
	close(failures)
	must(<-failures)
}

func thousandAtOnce() {
	key := func(number int) []byte { return fmt.Appendf(nil, "go many %d", number) }
	atOnce(func(number int) error {
		_, err := client.Set(soon(), &pb.KeyValue{Key: key(number),
			Value: []byte(strconv.Itoa(number))})
		return err
	})
	atOnce(func(number int) error {
		got, err := client.Get(soon(), &pb.Key{Key: key(number)})
		if err == nil && string(got.Value) != strconv.Itoa(number) {
			err = fmt.Errorf("%d has %q", number, got.Value)
		}
		return err
	})
	peers := server("peers")
	check(peers != "" && !strings.Contains(peers, " "), "not one connection: %q", peers)
}

func deadlines() {
	key := &pb.Key{Key: []byte("go deadline")}
	for _, d := range []time.Duration{time.Second, 100 * time.Second, 24 * time.Hour,
		10000 * time.Hour} {
		_, err := client.Get(within(d), key)
		must(err)
	}
	_, err := client.Get(within(-time.Second), key)
	check(status.Code(err) == codes.DeadlineExceeded, "%v", err)
	server("pause")
	_, err = client.Get(within(300*time.Millisecond), key)
	server("resume")
	check(status.Code(err) == codes.DeadlineExceeded, "%v", err)
	_, err = client.Get(soon(), key)
	must(err)
}

func cancellation() {
	key := []byte("go cancel")
	before := server("peers")
	server("pause")
	ctx, cancel := context.WithCancel(context.Background())
	results := make(chan error)
	for number := range 50 {
		go func() {
			_, err := client.LPush(ctx, &pb.ListInsert{Key: key,
				Values: [][]byte{[]byte(strconv.Itoa(number))}})
			results <- err
		}()
	}
	// By the time this one has failed, those before it are on their way.
	client.Get(within(300*time.Millisecond), &pb.Key{Key: key})
	cancel()
	for range 50 {
		err := <-results
		check(status.Code(err) == codes.Canceled, "%v", err)
	}
	server("resume")
	all, err := client.LRange(soon(), &pb.ListRange{Key: key, Stop: -1})
	must(err)
	seen := map[string]bool{}
	for _, value := range all.Values {
		check(!seen[string(value)], "%q was pushed twice", value)
		seen[string(value)] = true
	}
	pushed, err := client.LPush(soon(), &pb.ListInsert{Key: key, Values: [][]byte{key}})
	must(err)
	check(pushed.Count == int64(len(seen))+1, "%d values, then %d", len(seen), pushed.Count)
	after := server("peers")
	check(after == before, "not the same connection: %s, %s", before, after)
}

func reconnection() {
	key := []byte("go restart")
	_, err := client.Set(soon(), &pb.KeyValue{Key: key, Value: key})
	must(err)
	server("restart")
	got, err := client.Get(soon(), &pb.Key{Key: key}, grpc.WaitForReady(true))
	must(err)
	check(!got.Found, "not a new server")
	_, err = client.Set(soon(), &pb.KeyValue{Key: key, Value: key})
	must(err)
}

func connect(options ...grpc.DialOption) *grpc.ClientConn {
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	connected, err := grpc.NewClient("passthrough:///"+os.Args[1], options...)
	must(err)
	return connected
}

func healthChecks() {
	checker := health.NewHealthClient(channel)
	listed, err := checker.List(soon(), &health.HealthListRequest{})
	must(err)
	for _, name := range []string{"", "keystore.v1.KeyStore", "keystore.live", "keystore.write"} {
		state, err := checker.Check(soon(), &health.HealthCheckRequest{Service: name})
		must(err)
		check(state.Status == health.HealthCheckResponse_SERVING, "%q is %v", name, state.Status)
		check(listed.Statuses[name].GetStatus() == state.Status, "listed: %v", listed.Statuses)
	}
	_, err = checker.Check(soon(), &health.HealthCheckRequest{Service: "none"})
	check(status.Code(err) == codes.NotFound, "%v", err)
}

// A channel follows the server's health; a Watch has the news of its end before it ends itself.
func healthOfARestart() {
	following := connect(grpc.WithDefaultServiceConfig(
		`{"healthCheckConfig": {"serviceName": ""}, "loadBalancingConfig": [{"round_robin": {}}]}`))
	defer following.Close()
	_, err := pb.NewKeyStoreClient(following).Get(soon(), &pb.Key{Key: []byte("k")})
	must(err)
	watching, err := health.NewHealthClient(channel).Watch(soon(), &health.HealthCheckRequest{})
	must(err)
	state, err := watching.Recv()
	must(err)
	check(state.Status == health.HealthCheckResponse_SERVING, "%v", state.Status)
	server("restart")
	state, err = watching.Recv()
	must(err)
	check(state.Status == health.HealthCheckResponse_NOT_SERVING, "%v", state.Status)
	_, err = watching.Recv()
	check(status.Code(err) == codes.Unavailable, "%v", err)
	_, err = pb.NewKeyStoreClient(following).Get(soon(), &pb.Key{Key: []byte("k")},
		grpc.WaitForReady(true))
	must(err)
}

func run(number int, name string, test func()) (ok bool) {
	defer func() {
		if why := recover(); why != nil {
			fmt.Printf("not ok %d %s: %v\n", number, name, why)
		}
	}()
	test()
	fmt.Printf("ok %d %s\n", number, name)
	return true
}

func main() {
	channel = connect()
	client = pb.NewKeyStoreClient(channel)
	tests := []struct {
		name string
		test func()
	}{
		{"strings", stringValues}, {"lists", lists}, {"errors", errorsAreWhole},
		{"metadata", metadataIsLeftAlone}, {"a thousand calls at once", thousandAtOnce},
		{"deadlines", deadlines}, {"cancellation", cancellation}, {"reconnection", reconnection},
		{"health checks", healthChecks}, {"health of a restart", healthOfARestart},
	}
	fmt.Printf("1..%d\n", len(tests))
	var failed error
	for i, each := range tests {
		if !run(i+1, each.name, each.test) {
			failed = errors.New("failed")
		}
	}
	if failed != nil {
		os.Exit(1)
	}
}
