// The data of the gRPC C++ peer: what a C++ programmer would write first, and write well.
// A map per shard under a mutex; strings and lists; nothing that a peer needs for speed is missing.
#ifndef PEER_STORE_H
#define PEER_STORE_H

#include <array>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <unordered_map>
#include <variant>

#include "mini_redis.pb.h"

namespace peer
{
namespace api = keystore::v1;

enum class Outcome { done, wrong_type };

// Keys and values are bytes. Every member may be called from any thread.
class Store
{
  public:
    Outcome set(const api::KeyValue &request, api::Status *reply);
    Outcome get(const api::Key &request, api::Value *reply);
    Outcome remove(const api::Key &request, api::Status *reply);
    Outcome push(const api::ListInsert &request, api::Status *reply);
    Outcome range(const api::ListRange &request, api::ListValues *reply);
    Outcome pop(const api::Key &request, api::Value *reply);

  private:
    using List = std::deque<std::string>;
    struct Entry {
        std::variant<std::string, List> data;
        uint64_t version = 0;
    };
    struct Shard {
        std::mutex mutex;
        uint64_t version = 0;
        std::unordered_map<std::string, Entry> entries;
    };

    Shard &shard_of(uint32_t db, const std::string &key);

    static constexpr size_t databases = 16;
    static constexpr size_t shards_per_database = 64;
    std::array<Shard, databases * shards_per_database> shards;
};
} // namespace peer

#endif
