// The six operations on the maps. It knows the messages of the proto, but nothing of RPCs.
#include "store.h"

#include <algorithm>
#include <utility>

namespace peer
{
Store::Shard &Store::shard_of(uint32_t db, const std::string &key)
{
    // The map takes the low bits of the same hash, so the shard comes from the high ones.
    const size_t shard = (std::hash<std::string>{}(key) >> 40) % shards_per_database;
    return shards[db % databases * shards_per_database + shard];
}

Outcome Store::set(const api::KeyValue &request, api::Status *reply)
{
    Shard &shard = shard_of(request.db(), request.key());
    const std::lock_guard lock(shard.mutex);
    Entry &entry = shard.entries[request.key()];
    entry.data = request.value();
    entry.version = ++shard.version;
    reply->set_ok(true);
    reply->set_count(1);
    reply->set_version(entry.version);
    return Outcome::done;
}

Outcome Store::get(const api::Key &request, api::Value *reply)
{
    Shard &shard = shard_of(request.db(), request.key());
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.entries.find(request.key());
    if (found == shard.entries.end())
        return Outcome::done;
    const auto *value = std::get_if<std::string>(&found->second.data);
    if (value == nullptr)
        return Outcome::wrong_type;
    reply->set_value(*value);
    reply->set_found(true);
    reply->set_version(found->second.version);
    return Outcome::done;
}

Outcome Store::remove(const api::Key &request, api::Status *reply)
{
    Shard &shard = shard_of(request.db(), request.key());
    const std::lock_guard lock(shard.mutex);
    const size_t removed = shard.entries.erase(request.key());
    reply->set_ok(removed > 0);
    reply->set_count(static_cast<int64_t>(removed));
    reply->set_version(removed > 0 ? ++shard.version : 0);
    return Outcome::done;
}

Outcome Store::push(const api::ListInsert &request, api::Status *reply)
{
    if (request.values().empty())
        return Outcome::done;
    Shard &shard = shard_of(request.db(), request.key());
    const std::lock_guard lock(shard.mutex);
    const auto [found, created] = shard.entries.try_emplace(request.key(), Entry{List{}, 0});
    auto *list = std::get_if<List>(&found->second.data);
    if (list == nullptr)
        return Outcome::wrong_type;
    for (const std::string &value : request.values())
        list->push_front(value);
    found->second.version = ++shard.version;
    reply->set_ok(true);
    reply->set_count(static_cast<int64_t>(list->size()));
    reply->set_version(found->second.version);
    return Outcome::done;
}

Outcome Store::range(const api::ListRange &request, api::ListValues *reply)
{
    Shard &shard = shard_of(request.db(), request.key());
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.entries.find(request.key());
    if (found == shard.entries.end())
        return Outcome::done;
    const auto *list = std::get_if<List>(&found->second.data);
    if (list == nullptr)
        return Outcome::wrong_type;
    const auto length = static_cast<int64_t>(list->size());
    const auto from_head = [length](int64_t index) { return index < 0 ? index + length : index; };
    const int64_t start = std::max<int64_t>(from_head(request.start()), 0);
    const int64_t stop = std::min<int64_t>(from_head(request.stop()), length - 1);
    for (int64_t i = start; i <= stop; i++)
        reply->add_values((*list)[static_cast<size_t>(i)]);
    reply->set_found(true);
    reply->set_length(length);
    reply->set_offset(start);
    reply->set_version(found->second.version);
    return Outcome::done;
}

Outcome Store::pop(const api::Key &request, api::Value *reply)
{
    Shard &shard = shard_of(request.db(), request.key());
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.entries.find(request.key());
    if (found == shard.entries.end())
        return Outcome::done;
    auto *list = std::get_if<List>(&found->second.data);
    if (list == nullptr)
        return Outcome::wrong_type;
    reply->set_value(std::move(list->front()));
    reply->set_found(true);
    list->pop_front();
    reply->set_version(++shard.version);
    if (list->empty())
        shard.entries.erase(found);
    return Outcome::done;
}
} // namespace peer
