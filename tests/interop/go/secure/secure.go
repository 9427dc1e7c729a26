// grpc-go over TLS: tokens, certificates of clients, and what must be refused. Its arguments are
// ADDRESS PROTO FOLDER; see script/interop.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "keystore/interop/keystorev1"
)

const timeout = 30 * time.Second

var (
	folder  string
	token   string
	answers = bufio.NewReader(os.Stdin)
)

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

func read(name string) []byte {
	bytes, err := os.ReadFile(filepath.Join(folder, name))
	must(err)
	return bytes
}

func restart(pair string, options ...string) {
	path := filepath.Join(folder, pair)
	fmt.Printf("server restart --users-file %s/users --tls-cert %s.pem --tls-key %s.key %s\n",
		folder, path, path, strings.Join(options, " "))
	_, err := answers.ReadString('\n')
	must(err)
}

// Sent with each call of a channel, and only over TLS.
type bearer string

func (token bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(token)}, nil
}

func (bearer) RequireTransportSecurity() bool { return true }

type identity struct {
	ca, name string // "": ours, that of the address
	pair     string // the certificate to show
	token    string // that the channel sends with each call
}

func (who identity) connect() (pb.KeyStoreClient, func() error) {
	if who.ca == "" {
		who.ca = "ca.pem"
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: who.name}
	check(config.RootCAs.AppendCertsFromPEM(read(who.ca)), "%s has no certificate", who.ca)
	if who.pair != "" {
		pair, err := tls.X509KeyPair(read(who.pair+".pem"), read(who.pair+".key"))
		must(err)
		// Also if its CA is none that the server names.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &pair, nil
		}
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithDisableRetry()}
	if who.token != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer(who.token)))
	}
	channel, err := grpc.NewClient("passthrough:///"+os.Args[1], options...)
	must(err)
	return pb.NewKeyStoreClient(channel), channel.Close
}

func with(token string) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	context.AfterFunc(ctx, cancel)
	if token == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

func fails(err error, code codes.Code, trailers metadata.MD, reason ...string) {
	check(status.Code(err) == code, "%v", err)
	got := trailers.Get("keystore-reason")
	check(strings.Join(got, " ") == strings.Join(reason, " "), "%v", got)
}

func getFails(client pb.KeyStoreClient, token, key string, code codes.Code, reason ...string) {
	var trailers metadata.MD
	_, err := client.Get(with(token), &pb.Key{Key: []byte(key)}, grpc.Trailer(&trailers))
	fails(err, code, trailers, reason...)
}

// The keys that a Scan shows.
func scan(client pb.KeyStoreClient, token string) (keys []string, err error) {
	pages, err := client.Scan(with(token), &pb.ScanRequest{})
	must(err)
	for {
		page, err := pages.Recv()
		if err != nil {
			if err.Error() == "EOF" {
				err = nil
			}
			return keys, err
		}
		for _, entry := range page.Entries {
			keys = append(keys, string(entry.Key))
		}
	}
}

func setAndGet(client pb.KeyStoreClient, token, key string, value []byte) {
	set, err := client.Set(with(token), &pb.KeyValue{Key: []byte(key), Value: value})
	must(err)
	check(set.Ok, "Set: %v", set)
	got, err := client.Get(with(token), &pb.Key{Key: []byte(key)})
	must(err)
	check(bytes.Equal(got.Value, value), "Get: %d bytes", len(got.Value))
}

func tokenInTheMetadata() {
	client, end := identity{}.connect()
	defer end()
	for _, value := range [][]byte{[]byte("a"), bytes.Repeat([]byte("abc"), 1<<18)} {
		setAndGet(client, token, "app:1", value)
	}
	keys, err := scan(client, token)
	must(err)
	check(strings.Join(keys, " ") == "app:1", "%v", keys)
}

func tokenOfTheChannel() {
	client, end := identity{token: token}.connect()
	defer end()
	setAndGet(client, "", "app:2", []byte("v"))
	getFails(client, "", "other", codes.PermissionDenied, "ERROR_REASON_FORBIDDEN")
}

func wrongTokens() {
	client, end := identity{}.connect()
	defer end()
	for _, wrong := range []string{"", token + "x", token[:len(token)-1]} {
		getFails(client, wrong, "app:1", codes.Unauthenticated, "ERROR_REASON_UNAUTHENTICATED")
		_, err := scan(client, wrong)
		check(status.Code(err) == codes.Unauthenticated, "%v", err)
	}
}

// No connection comes about, so no call has an answer of the server.
func refused(who identity) func() {
	return func() {
		client, end := who.connect()
		defer end()
		getFails(client, "", "app:1", codes.Unavailable)
	}
}

func expiredCertificate() {
	restart("expired")
	refused(identity{token: token})()
	restart("server")
	tokenOfTheChannel()
}

func clientCertificate() {
	restart("server", "--tls-client-ca", filepath.Join(folder, "ca.pem"))
	client, end := identity{pair: "client"}.connect()
	defer end()
	setAndGet(client, "", "dev:1", []byte("v"))
	getFails(client, "", "app:1", codes.PermissionDenied, "ERROR_REASON_FORBIDDEN")
	// A token counts for more.
	_, err := client.Get(with(token), &pb.Key{Key: []byte("app:none")})
	must(err)
	getFails(client, token+"x", "dev:1", codes.Unauthenticated, "ERROR_REASON_UNAUTHENTICATED")
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
	folder = os.Args[3]
	token = strings.TrimSpace(string(read("app.token")))
	tests := []struct {
		name string
		test func()
	}{
		{"a token in the metadata", tokenInTheMetadata},
		{"a token of the channel", tokenOfTheChannel},
		{"wrong tokens", wrongTokens},
		{"another CA", refused(identity{ca: "other-ca.pem"})},
		{"another name", refused(identity{name: "other.example"})},
		{"an expired certificate", expiredCertificate},
		{"a client's certificate", clientCertificate},
		{"no client's certificate", refused(identity{token: token})},
		{"a client's certificate of another CA", refused(identity{pair: "other-client"})},
		{"a client's certificate that has expired", refused(identity{pair: "expired-client"})},
	}
	fmt.Printf("1..%d\n", len(tests))
	code := 0
	for i, each := range tests {
		if !run(i+1, each.name, each.test) {
			code = 1
		}
	}
	os.Exit(code)
}
