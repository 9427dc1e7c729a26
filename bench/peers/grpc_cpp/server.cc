// The same service in gRPC C++, with its callback API: the fastest way that gRPC C++ offers.
//
// usage: grpc-cpp-server [HOST:PORT]   (default 127.0.0.1:0; port 0 lets the system choose)
//
// It serves the core six without conditions and without time to live; nothing here is needed to
// make Get fast but left out. Every method finishes at once, in the thread that received the call.
#include <csignal>
#include <iostream>
#include <memory>
#include <string>

#include <grpcpp/grpcpp.h>

#include "mini_redis.grpc.pb.h"
#include "store.h"

namespace
{
namespace api = peer::api;
using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

class Service final : public api::KeyStore::CallbackService
{
  public:
    ServerUnaryReactor *Set(CallbackServerContext *context, const api::KeyValue *request,
                            api::Status *reply) override
    {
        return finish(context, store.set(*request, reply));
    }

    ServerUnaryReactor *Get(CallbackServerContext *context, const api::Key *request,
                            api::Value *reply) override
    {
        return finish(context, store.get(*request, reply));
    }

    ServerUnaryReactor *Delete(CallbackServerContext *context, const api::Key *request,
                               api::Status *reply) override
    {
        return finish(context, store.remove(*request, reply));
    }

    ServerUnaryReactor *LPush(CallbackServerContext *context, const api::ListInsert *request,
                              api::Status *reply) override
    {
        return finish(context, store.push(*request, reply));
    }

    ServerUnaryReactor *LRange(CallbackServerContext *context, const api::ListRange *request,
                               api::ListValues *reply) override
    {
        return finish(context, store.range(*request, reply));
    }

    ServerUnaryReactor *LPop(CallbackServerContext *context, const api::Key *request,
                             api::Value *reply) override
    {
        return finish(context, store.pop(*request, reply));
    }

  private:
    static ServerUnaryReactor *finish(CallbackServerContext *context, peer::Outcome outcome)
    {
        ServerUnaryReactor *reactor = context->DefaultReactor();
        if (outcome == peer::Outcome::done)
            reactor->Finish(grpc::Status::OK);
        else
            reactor->Finish({grpc::StatusCode::FAILED_PRECONDITION, "the key holds another type"});
        return reactor;
    }

    peer::Store store;
};
} // namespace

int main(int argc, char **argv)
{
    // SIGTERM and SIGINT are waited for below; the threads of gRPC inherit that they are blocked.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    const std::string address = argc > 1 ? argv[1] : "127.0.0.1:0";
    auto service = std::make_unique<Service>();
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(service.get());
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (server == nullptr || port == 0) {
        std::cerr << "grpc-cpp-server: cannot listen on " << address << "; use HOST:PORT\n";
        return 1;
    }
    std::cout << "Server started on port " << port << std::endl;

    int signal = 0;
    sigwait(&signals, &signal);
    server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
    return 0;
}
