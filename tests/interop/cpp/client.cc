// gRPC for C++ (the C core) against the server; how it talks to script/interop stands there.
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "mini_redis.grpc.pb.h"

namespace
{

namespace ks = keystore::v1;
using Clock = std::chrono::system_clock;
using std::chrono::milliseconds;

constexpr milliseconds kTimeout{30000};
constexpr size_t kMib = 1 << 20;

std::unique_ptr<ks::KeyStore::Stub> stub;

// Asks script/interop for something; what it answers.
std::string server(const std::string &what)
{
    std::string line;
    std::cout << "server " << what << std::endl;
    std::getline(std::cin, line);
    return line;
}

void check(bool holds, const std::string &why)
{
    if (!holds)
        throw std::runtime_error(why);
}

void check(const grpc::Status &status)
{
    check(status.ok(), std::to_string(status.error_code()) + ": " + status.error_message());
}

// A call under way: its context, answer and, in time, status.
template <class Answer> struct Call {
    grpc::ClientContext context;
    Answer answer;
    std::promise<grpc::Status> done;
};

template <class Request, class Answer>
using Start = void (ks::KeyStore::Stub::async::*)(grpc::ClientContext *, const Request *, Answer *,
                                                  std::function<void(grpc::Status)>);

// The request must outlive the call.
template <class Request, class Answer>
std::unique_ptr<Call<Answer>> start(Start<Request, Answer> method, const Request &request,
                                    milliseconds timeout = kTimeout)
{
    auto call = std::make_unique<Call<Answer>>();
    call->context.set_deadline(Clock::now() + timeout);
    (stub->async()->*method)(
        &call->context, &request, &call->answer,
        [at = call.get()](grpc::Status status) { at->done.set_value(status); });
    return call;
}

constexpr Start<ks::KeyValue, ks::Status> kSet = &ks::KeyStore::Stub::async::Set;
constexpr Start<ks::Key, ks::Value> kGet = &ks::KeyStore::Stub::async::Get;
constexpr Start<ks::Key, ks::Status> kDelete = &ks::KeyStore::Stub::async::Delete;
constexpr Start<ks::ListInsert, ks::Status> kLPush = &ks::KeyStore::Stub::async::LPush;
constexpr Start<ks::ListRange, ks::ListValues> kLRange = &ks::KeyStore::Stub::async::LRange;
constexpr Start<ks::Key, ks::Value> kLPop = &ks::KeyStore::Stub::async::LPop;

// The answer of a call that must succeed.
template <class Request, class Answer>
Answer run(Start<Request, Answer> method, const Request &request, milliseconds timeout = kTimeout)
{
    auto call = start(method, request, timeout);
    check(call->done.get_future().get());
    return call->answer;
}

ks::Key of_key(const std::string &key)
{
    ks::Key request;
    request.set_key(key);
    return request;
}

ks::KeyValue of_value(const std::string &key, const std::string &value)
{
    ks::KeyValue request;
    request.set_key(key);
    request.set_value(value);
    return request;
}

ks::ListInsert of_values(const std::string &key, const std::vector<std::string> &values)
{
    ks::ListInsert request;
    request.set_key(key);
    for (const auto &value : values)
        request.add_values(value);
    return request;
}

ks::ListRange whole(const std::string &key)
{
    ks::ListRange request;
    request.set_key(key);
    request.set_stop(-1);
    return request;
}

std::vector<std::string> values()
{
    std::string all, large;
    for (int byte = 0; byte < 256; byte++)
        all += static_cast<char>(byte);
    while (large.size() < kMib)
        large += all;
    return {all, "", large};
}

void strings()
{
    const std::string key("\0\xff\ncpp string", 13);
    for (const auto &value : values()) {
        check(run(kSet, of_value(key, value)).ok(), "Set");
        const auto got = run(kGet, of_key(key));
        check(got.found() && got.value() == value, "not the value");
        check(run(kDelete, of_key(key)).count() == 1, "Delete");
        check(!run(kGet, of_key(key)).found(), "still there");
    }
}

void lists()
{
    const std::string key = "cpp list";
    check(run(kLPush, of_values(key, values())).count() == 3, "LPush");
    const auto all = run(kLRange, whole(key));
    check(all.length() == 3 && all.values_size() == 3, "LRange: length");
    for (int i = 0; i < 3; i++) {
        const auto wanted = values()[2 - static_cast<size_t>(i)];
        check(all.values(i) == wanted, "LRange: value");
        check(run(kLPop, of_key(key)).value() == wanted, "LPop: value");
    }
    check(!run(kLPop, of_key(key)).found(), "a value in an empty list");
}

template <class Request, class Answer>
void check_error(Start<Request, Answer> method, const Request &request, grpc::StatusCode code,
                 const std::string &reason)
{
    auto call = start(method, request);
    const auto status = call->done.get_future().get();
    check(status.error_code() == code, "status " + std::to_string(status.error_code()));
    check(status.error_message().find(' ') != std::string::npos, "no sentence");
    check(status.error_details().find(reason) != std::string::npos, "no details");
    const auto &trailers = call->context.GetServerTrailingMetadata();
    const auto found = trailers.find("keystore-reason");
    check(found != trailers.end() && found->second == reason, "not the trailer " + reason);
}

void errors()
{
    const std::string key = "cpp error";
    run(kSet, of_value(key, key));
    check_error(kLPop, of_key(key), grpc::FAILED_PRECONDITION, "ERROR_REASON_WRONG_TYPE");
    check_error(kGet, of_key(""), grpc::INVALID_ARGUMENT, "ERROR_REASON_BAD_ARGUMENT");
    Start<ks::Increment, ks::Number> incr = &ks::KeyStore::Stub::async::Incr;
    check_error(incr, ks::Increment(), grpc::INVALID_ARGUMENT, "ERROR_REASON_BAD_ARGUMENT");
}

void metadata()
{
    grpc::ClientContext context;
    ks::Value answer;
    context.AddMetadata("x-text", std::string(4000, 'a'));
    context.AddMetadata("x-binary-bin", values()[0]);
    context.set_deadline(Clock::now() + kTimeout);
    check(stub->Get(&context, of_key("none"), &answer));
    check(!answer.found(), "found");
}

// Runs the method with all requests at once.
template <class Request, class Answer>
std::vector<Answer> at_once(Start<Request, Answer> method, const std::vector<Request> &requests)
{
    std::vector<std::unique_ptr<Call<Answer>>> calls;
    std::vector<Answer> answers;
    for (const auto &request : requests)
        calls.push_back(start(method, request));
    std::vector<grpc::Status> statuses;
    for (const auto &call : calls)
        statuses.push_back(call->done.get_future().get());
    for (size_t i = 0; i < calls.size(); i++) {
        check(statuses[i]);
        answers.push_back(calls[i]->answer);
    }
    return answers;
}

void thousand_at_once()
{
    std::vector<ks::KeyValue> sets;
    std::vector<ks::Key> gets;
    for (int i = 0; i < 1000; i++) {
        sets.push_back(of_value("cpp many " + std::to_string(i), std::to_string(i)));
        gets.push_back(of_key(sets.back().key()));
    }
    at_once(kSet, sets);
    const auto got = at_once(kGet, gets);
    for (size_t i = 0; i < got.size(); i++)
        check(got[i].value() == std::to_string(i), "another's value");
    const auto peers = server("peers");
    check(!peers.empty() && peers.find(' ') == std::string::npos, "not one connection: " + peers);
}

void deadlines()
{
    using std::chrono::hours;
    const auto key = of_key("cpp deadline");
    for (milliseconds timeout : {milliseconds(1000), milliseconds(100000), milliseconds(hours(24)),
                                 milliseconds(hours(10000))})
        run(kGet, key, timeout);
    auto late = start(kGet, key, milliseconds(-1000));
    check(late->done.get_future().get().error_code() == grpc::DEADLINE_EXCEEDED, "in the past");
    server("pause");
    auto waiting = start(kGet, key, milliseconds(300));
    const auto status = waiting->done.get_future().get();
    server("resume");
    check(status.error_code() == grpc::DEADLINE_EXCEEDED, "of a server that does not answer");
    run(kGet, key);
}

void cancellation()
{
    const std::string key = "cpp cancel";
    const auto before = server("peers");
    server("pause");
    std::vector<ks::ListInsert> requests;
    for (int i = 0; i < 50; i++)
        requests.push_back(of_values(key, {std::to_string(i)}));
    std::vector<std::unique_ptr<Call<ks::Status>>> calls;
    for (const auto &request : requests)
        calls.push_back(start(kLPush, request));
    // Once this one has failed, those before it are on their way.
    const auto last_request = of_key(key);
    auto last = start(kGet, last_request, milliseconds(300));
    last->done.get_future().get();
    for (const auto &call : calls)
        call->context.TryCancel();
    int cancelled = 0;
    for (const auto &call : calls)
        cancelled += call->done.get_future().get().error_code() == grpc::CANCELLED;
    server("resume");
    check(cancelled == 50, std::to_string(cancelled) + " were cancelled");
    const auto all = run(kLRange, whole(key));
    const std::set<std::string> distinct(all.values().begin(), all.values().end());
    check(distinct.size() == static_cast<size_t>(all.values_size()), "pushed twice");
    check(run(kLPush, of_values(key, {key})).count() == all.values_size() + 1, "count");
    check(server("peers") == before, "not the same connection");
}

void reconnection()
{
    const std::string key = "cpp restart";
    run(kSet, of_value(key, key));
    server("restart");
    grpc::ClientContext context;
    ks::Value answer;
    context.set_wait_for_ready(true);
    context.set_deadline(Clock::now() + kTimeout);
    check(stub->Get(&context, of_key(key), &answer));
    check(!answer.found(), "not a new server");
    run(kSet, of_value(key, key));
}

struct Test {
    const char *name;
    void (*run)();
};

constexpr Test kTests[] = {
    {"strings", strings},
    {"lists", lists},
    {"errors", errors},
    {"metadata", metadata},
    {"a thousand calls at once", thousand_at_once},
    {"deadlines", deadlines},
    {"cancellation", cancellation},
    {"reconnection", reconnection},
};

} // namespace

int main(int, char **argv)
{
    stub = ks::KeyStore::NewStub(grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials()));
    int number = 0, code = 0;
    std::cout << "1.." << std::size(kTests) << std::endl;
    for (const auto &test : kTests) {
        number++;
        try {
            test.run();
            std::cout << "ok " << number << " " << test.name << std::endl;
        } catch (const std::exception &error) {
            code = 1;
            std::cout << "not ok " << number << " " << test.name << ": " << error.what()
                      << std::endl;
        }
    }
    return code;
}
