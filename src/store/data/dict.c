/* Linear hashing with buckets of one cache line. Knows of an entry only its key. */
#include "store/data/dict.h"

#include "base/check.h"
#include "store/data/dict_bucket.h"
#include "store/data/entry.h"
#include "store/memory/pages.h"
#include "store/memory/slab.h"

#define PAGE_BUCKETS (PAGES_PAGE_SIZE / BUCKET_SIZE)
/* Of 9 slots, 80.6 % are used before a bucket is added, and 61 % before one is removed. At 75 % a
 * table takes 0.3 bytes more per key; at 85 % it takes 0.3 less, but a tenth more searches continue
 * in a linked bucket. */
#define GROW_ABOVE   29 /* entries per 4 buckets */
#define SHRINK_BELOW 22 /* of all but one, so that small tables do not oscillate */
/* Small enough to hit an entry at about every second attempt, and exceeded by hardly any chain. */
#define RANDOM_SLOTS 16
#define RANDOM_TRIES 64

struct dict_directory {
    struct dict_directory *former; /* the smaller one that this one replaced */
    size_t capacity;
    struct dict_bucket *_Atomic pages[];
};

/* A slot, or none. */
struct place {
    struct dict_bucket *bucket; /* NULL = not found */
    unsigned slot;
};

/* ---- buckets ---- */

static struct dict_bucket *dict_last_of(struct dict_bucket *bucket)
{
    while (bucket->meta & LINKED)
        bucket = bucket_next(bucket);
    return bucket;
}

/* Invariant 2 for a chain, and from there on. */
static bool dict_is_sound_chain(const struct dict_bucket *bucket)
{
    for (; bucket->meta & LINKED; bucket = bucket_next(bucket))
        if (bucket_count(bucket) != LINK_SLOT || bucket_count(bucket_next(bucket)) < 2)
            return false;
    return bucket_count(bucket) <= SLOTS;
}

static void dict_copy_slot(struct dict_bucket *to, unsigned to_slot, const struct dict_bucket *from,
                           unsigned from_slot)
{
    bucket_store(to, to_slot, bucket_load(from, from_slot));
    to->tags[to_slot] = from->tags[from_slot];
}

/* Appends to the last bucket of a chain and returns the bucket that is then the last one. */
static struct dict_bucket *dict_append(struct dict *dict, struct dict_bucket *last, uint8_t tag,
                                       const struct entry *entry)
{
    DCHECK(!(last->meta & LINKED));
    if (bucket_count(last) == SLOTS) {
        struct dict_bucket *more = slab_alloc(dict->slab, sizeof *more);
        dict_copy_slot(more, 0, last, LINK_SLOT);
        more->meta = 1;
        bucket_store(last, LINK_SLOT, more);
        last->meta = LINKED | (SLOTS - 1);
        last = more;
        dict->overflows++;
    }
    unsigned slot = bucket_count(last);
    bucket_store(last, slot, entry);
    last->tags[slot] = tag;
    last->meta = (uint8_t)(slot + 1);
    return last;
}

static void dict_free_overflow(struct dict *dict, struct dict_bucket *bucket)
{
    slab_free(dict->slab, bucket, sizeof *bucket);
    dict->overflows--;
}

/* ---- the table ---- */

/* Under the lock there are no other writers, so relaxed loads are enough. */
static size_t dict_buckets_of(const struct dict *dict)
{
    return atomic_load_explicit(&dict->buckets, memory_order_relaxed);
}

static void dict_set_buckets(struct dict *dict, size_t buckets)
{
    atomic_store_explicit(&dict->buckets, buckets, memory_order_relaxed);
}

static struct dict_directory *dict_directory_of(const struct dict *dict)
{
    return atomic_load_explicit(&dict->directory, memory_order_relaxed);
}

static size_t dict_highest_bit(size_t number)
{
    return (size_t)1 << (63 - __builtin_clzll(number));
}

/* The home of a hash among `buckets`, at least 1. */
static size_t dict_index_of(uint64_t hash, size_t buckets)
{
    size_t half = dict_highest_bit(buckets);
    size_t index = hash & (2 * half - 1);
    return index < buckets ? index : index - half;
}

static struct dict_bucket *dict_bucket_at(const struct dict *dict, size_t index)
{
    DCHECK(index / PAGE_BUCKETS < dict_directory_of(dict)->capacity);
    struct dict_bucket *page = atomic_load_explicit(
        &dict_directory_of(dict)->pages[index / PAGE_BUCKETS], memory_order_relaxed);
    DCHECK(page != NULL);
    return page + index % PAGE_BUCKETS;
}

static struct dict_bucket *dict_home_of(const struct dict *dict, uint64_t hash)
{
    return dict_bucket_at(dict, dict_index_of(hash, dict_buckets_of(dict)));
}

static size_t dict_directory_size(size_t capacity)
{
    return sizeof(struct dict_directory) + capacity * sizeof(struct dict_bucket *);
}

/* Only the pages of a spare directory may be written, since another thread may still read it. */
static struct dict_directory *dict_new_directory(struct dict *dict, size_t capacity)
{
    struct dict_directory **at = &dict->spares;
    while (*at != NULL && (*at)->capacity != capacity)
        at = &(*at)->former;
    struct dict_directory *directory = *at;
    if (directory != NULL) {
        *at = directory->former;
        return directory;
    }
    directory = slab_alloc(dict->slab, dict_directory_size(capacity));
    directory->capacity = capacity;
    return directory;
}

static struct dict_directory *dict_grow_directory(struct dict *dict)
{
    struct dict_directory *former = dict_directory_of(dict);
    size_t old = former != NULL ? former->capacity : 0;
    size_t capacity = old > 0 ? 2 * old : 1;
    struct dict_directory *directory = dict_new_directory(dict, capacity);
    directory->former = former;
    for (size_t i = 0; i < capacity; i++) {
        struct dict_bucket *page = NULL;
        if (i < old)
            page = atomic_load_explicit(&former->pages[i], memory_order_relaxed);
        atomic_store_explicit(&directory->pages[i], page, memory_order_relaxed);
    }
    /* A reader without the lock that sees the directory sees its contents. */
    atomic_store_explicit(&dict->directory, directory, memory_order_release);
    return directory;
}

static void dict_set_page(struct dict *dict, size_t page, struct dict_bucket *buckets)
{
    atomic_store_explicit(&dict_directory_of(dict)->pages[page], buckets, memory_order_relaxed);
}

/* ---- the memory of buckets ---- */

/* The capacity of the first page for that number of buckets; 0 or a power of two. */
static size_t dict_first_page_capacity(size_t buckets)
{
    size_t capacity = buckets > 0 ? dict_highest_bit(buckets) : 0;
    return capacity < buckets ? 2 * capacity : capacity;
}

static struct dict_bucket *dict_alloc_buckets(struct dict *dict, size_t capacity)
{
    return capacity == PAGE_BUCKETS ? slab_alloc_page(dict->slab)
                                    : slab_alloc(dict->slab, capacity * BUCKET_SIZE);
}

static void dict_free_buckets(struct dict *dict, struct dict_bucket *buckets, size_t capacity)
{
    if (capacity == PAGE_BUCKETS)
        slab_free_page(dict->slab, buckets);
    else
        slab_free(dict->slab, buckets, capacity * BUCKET_SIZE);
}

/* Moves the buckets of the first page if the new number of them needs another capacity; both
 * numbers are at most PAGE_BUCKETS. */
static void dict_fit_first_page(struct dict *dict, size_t before, size_t after)
{
    DCHECK(before <= PAGE_BUCKETS && after <= PAGE_BUCKETS);
    size_t capacity = dict_first_page_capacity(before), wanted = dict_first_page_capacity(after);
    if (capacity == wanted)
        return;
    struct dict_bucket *former = capacity > 0 ? dict_bucket_at(dict, 0) : NULL;
    struct dict_bucket *buckets = wanted > 0 ? dict_alloc_buckets(dict, wanted) : NULL;
    if (former != NULL && buckets != NULL)
        memcpy(buckets, former, (before < after ? before : after) * BUCKET_SIZE);
    dict_set_page(dict, 0, buckets);
    if (former != NULL)
        dict_free_buckets(dict, former, capacity);
}

/* Creates an empty bucket after the last one; it counts once the caller sets the number. Others of
 * the first page may have moved. */
static struct dict_bucket *dict_add_bucket(struct dict *dict, size_t index)
{
    DCHECK(index == dict_buckets_of(dict));
    const struct dict_directory *directory = dict_directory_of(dict);
    size_t page = index / PAGE_BUCKETS;
    if (directory == NULL || page == directory->capacity)
        dict_grow_directory(dict);
    if (index < PAGE_BUCKETS)
        dict_fit_first_page(dict, index, index + 1);
    else if (index % PAGE_BUCKETS == 0)
        dict_set_page(dict, page, slab_alloc_page(dict->slab));
    struct dict_bucket *bucket = dict_bucket_at(dict, index);
    bucket->meta = 0;
    return bucket;
}

/* Frees what only the former last bucket needed, which is no longer counted. Others of the first
 * page may have moved. */
static void dict_drop_bucket(struct dict *dict, size_t index)
{
    if (index < PAGE_BUCKETS) {
        dict_fit_first_page(dict, index + 1, index);
    } else if (index % PAGE_BUCKETS == 0) {
        struct dict_bucket *page = dict_bucket_at(dict, index);
        dict_set_page(dict, index / PAGE_BUCKETS, NULL);
        slab_free_page(dict->slab, page);
    }
}

/* Compacts the first page like slab_move(); true if it moved. */
static bool dict_move_first_page(struct dict *dict)
{
    size_t capacity = dict_first_page_capacity(dict_buckets_of(dict));
    if (capacity >= PAGE_BUCKETS)
        return false;
    struct dict_bucket *elsewhere =
        slab_move(dict->slab, dict_bucket_at(dict, 0), capacity * BUCKET_SIZE);
    if (elsewhere != NULL)
        dict_set_page(dict, 0, elsewhere);
    return elsewhere != NULL;
}

/* ---- the table as a whole ---- */

void dict_init(struct dict *dict, struct slab *slab, const struct dict_hasher *hasher)
{
    atomic_init(&dict->directory, NULL);
    atomic_init(&dict->buckets, 0);
    dict->spares = NULL;
    dict->overflows = dict->count = 0;
    dict->slab = slab;
    dict->hasher = hasher;
}

static void dict_clear_chain(struct dict *dict, struct dict_bucket *home)
{
    for (struct dict_bucket *bucket = home, *next; bucket != NULL; bucket = next) {
        next = bucket_next(bucket);
        for (unsigned slot = 0; slot < bucket_count(bucket); slot++)
            entry_free(dict->slab, bucket_load(bucket, slot));
        CHECK(dict->count >= bucket_count(bucket));
        dict->count -= bucket_count(bucket);
        if (bucket != home)
            dict_free_overflow(dict, bucket);
    }
}

/* Merging is not needed: the entries of the last bucket are all freed. */
size_t dict_clear_some(struct dict *dict, size_t count)
{
    size_t before = dict->count, buckets = dict_buckets_of(dict);
    while (buckets > 0 && (before - dict->count < count || dict->count == 0)) {
        dict_set_buckets(dict, --buckets);
        dict_clear_chain(dict, dict_bucket_at(dict, buckets));
        dict_drop_bucket(dict, buckets);
    }
    return before - dict->count;
}

void dict_clear(struct dict *dict)
{
    dict_clear_some(dict, SIZE_MAX);
}

void dict_take_all(struct dict *dict, struct dict *taken)
{
    dict_init(taken, dict->slab, dict->hasher);
    atomic_init(&taken->directory, dict_directory_of(dict));
    atomic_init(&taken->buckets, dict_buckets_of(dict));
    taken->overflows = dict->overflows;
    taken->count = dict->count;
    dict->overflows = dict->count = 0;
    dict_set_buckets(dict, 0);
    atomic_store_explicit(&dict->directory, NULL, memory_order_relaxed);
}

void dict_give_back(struct dict *dict, struct dict *taken)
{
    CHECK(taken->count == 0 && dict_buckets_of(taken) == 0);
    for (struct dict_directory *at = dict_directory_of(taken), *former; at != NULL; at = former) {
        former = at->former;
        at->former = dict->spares;
        dict->spares = at;
    }
}

/* A prefetch without the lock may see the table of one with the size of the other. */
void dict_swap(struct dict *one, struct dict *other)
{
    DCHECK(one->slab == other->slab && one->hasher == other->hasher);
    struct dict_directory *directory = dict_directory_of(one), *spares = one->spares;
    size_t buckets = dict_buckets_of(one), overflows = one->overflows, count = one->count;
    atomic_store_explicit(&one->directory, dict_directory_of(other), memory_order_release);
    atomic_store_explicit(&other->directory, directory, memory_order_release);
    dict_set_buckets(one, dict_buckets_of(other));
    dict_set_buckets(other, buckets);
    one->spares = other->spares;
    other->spares = spares;
    one->overflows = other->overflows;
    other->overflows = overflows;
    one->count = other->count;
    other->count = count;
}

static void dict_free_directories(struct dict *dict, struct dict_directory *directory)
{
    while (directory != NULL) {
        struct dict_directory *former = directory->former;
        slab_free(dict->slab, directory, dict_directory_size(directory->capacity));
        directory = former;
    }
}

void dict_deinit(struct dict *dict)
{
    dict_clear(dict);
    CHECK(dict->count == 0 && dict->overflows == 0);
    dict_free_directories(dict, dict_directory_of(dict));
    dict_free_directories(dict, dict->spares);
    dict_init(dict, dict->slab, dict->hasher);
}

static size_t dict_directories_memory(const struct dict_directory *directory)
{
    size_t size = 0;
    for (; directory != NULL; directory = directory->former)
        size += slab_round(dict_directory_size(directory->capacity));
    return size;
}

size_t dict_min_memory(const struct dict *dict)
{
    return dict_directories_memory(dict_directory_of(dict)) + dict_directories_memory(dict->spares);
}

size_t dict_memory(const struct dict *dict)
{
    size_t buckets = dict_buckets_of(dict);
    size_t size = (buckets + PAGE_BUCKETS - 1) / PAGE_BUCKETS * PAGES_PAGE_SIZE;
    if (buckets > 0 && dict_first_page_capacity(buckets) < PAGE_BUCKETS)
        size = slab_round(dict_first_page_capacity(buckets) * BUCKET_SIZE);
    return size + dict->overflows * BUCKET_SIZE + dict_min_memory(dict);
}

size_t dict_memory_per_entry(const struct dict *dict)
{
    if (dict->count == 0)
        return 0;
    size_t size = (dict_buckets_of(dict) + dict->overflows) * BUCKET_SIZE;
    return (size + dict->count - 1) / dict->count;
}

/* ---- searching ---- */

static struct place dict_find_place(const struct dict *dict, uint64_t hash, struct slice key)
{
    if (dict->count == 0)
        return (struct place){.bucket = NULL};
    struct dict_bucket *bucket = dict_home_of(dict, hash);
    uint8_t tag = bucket_tag(hash);
    for (; bucket != NULL; bucket = bucket_next(bucket)) {
        for (unsigned found = bucket_match(bucket, tag); found != 0; found &= found - 1) {
            unsigned slot = (unsigned)__builtin_ctz(found);
            if (slice_equal(entry_key(bucket_load(bucket, slot)), key))
                return (struct place){.bucket = bucket, .slot = slot};
        }
    }
    return (struct place){.bucket = NULL};
}

struct entry *dict_find(const struct dict *dict, uint64_t hash, struct slice key)
{
    struct place place = dict_find_place(dict, hash, key);
    return place.bucket != NULL ? bucket_load(place.bucket, place.slot) : NULL;
}

void dict_prefetch_bucket(const struct dict *dict, uint64_t hash)
{
    /* Another thread may be changing the table: then the address is useless, but it is not
     * dereferenced. */
    const struct dict_directory *directory =
        atomic_load_explicit(&dict->directory, memory_order_acquire);
    size_t buckets = dict_buckets_of(dict);
    if (directory == NULL || buckets == 0)
        return;
    size_t index = dict_index_of(hash, buckets), number = index / PAGE_BUCKETS;
    if (number >= directory->capacity)
        return;
    const struct dict_bucket *page =
        atomic_load_explicit(&directory->pages[number], memory_order_relaxed);
    if (page != NULL)
        __builtin_prefetch(page + index % PAGE_BUCKETS);
}

struct dict_guess dict_guess(const struct dict *dict, uint64_t hash, unsigned links)
{
    if (dict->count == 0)
        return (struct dict_guess){.at = NULL};
    const struct dict_bucket *bucket = dict_home_of(dict, hash);
    for (; links > 0 && bucket != NULL; links--)
        bucket = bucket_next(bucket);
    if (bucket == NULL)
        return (struct dict_guess){.at = NULL};
    unsigned found = bucket_match(bucket, bucket_tag(hash));
    if (found != 0)
        return (struct dict_guess){.at = bucket_load(bucket, (unsigned)__builtin_ctz(found))};
    return (struct dict_guess){.at = bucket_next(bucket), .is_bucket = bucket->meta & LINKED};
}

void dict_prefetch(struct dict_guess guess)
{
    const char *entry = guess.at;
    __builtin_prefetch(entry);
    __builtin_prefetch(entry + ENTRY_PREFETCH);
}

/* ---- growing and shrinking ---- */

static uint64_t dict_hash_of(const struct dict *dict, const struct entry *entry)
{
    return dict->hasher->hash(dict->hasher->context, entry_key(entry));
}

/* The keys are probably not in the cache, so they are fetched in parallel. */
static void dict_prefetch_keys(const struct dict_bucket *bucket)
{
    for (unsigned slot = 0; slot < bucket_count(bucket); slot++) {
        const char *entry = bucket_load(bucket, slot);
        __builtin_prefetch(entry);
        __builtin_prefetch(entry + ENTRY_PREFETCH / 2);
    }
}

/* Adds the next bucket: it receives its entries from the bucket that stood in for it, whose number
 * lacks the highest bit. */
static void dict_split(struct dict *dict)
{
    size_t index = dict_buckets_of(dict), bit = dict_highest_bit(index);
    struct dict_bucket *high = dict_add_bucket(dict, index);
    struct dict_bucket *home = dict_bucket_at(dict, index - bit), *low = home;
    struct dict_bucket first = *home; /* a copy, since its slots are written while it is read */
    low->meta = 0;
    for (struct dict_bucket *bucket = &first, *next; bucket != NULL; bucket = next) {
        next = bucket_next(bucket);
        dict_prefetch_keys(bucket);
        for (unsigned slot = 0; slot < bucket_count(bucket); slot++) {
            const struct entry *entry = bucket_load(bucket, slot);
            struct dict_bucket **last = dict_hash_of(dict, entry) & bit ? &high : &low;
            *last = dict_append(dict, *last, bucket->tags[slot], entry);
        }
        if (bucket != &first)
            dict_free_overflow(dict, bucket);
    }
    dict_set_buckets(dict, index + 1);
    DCHECK(dict_is_sound_chain(home) && dict_is_sound_chain(dict_bucket_at(dict, index)));
}

/* Removes the last bucket: its entries return to where they were before the split. */
static void dict_merge(struct dict *dict)
{
    DCHECK(dict_buckets_of(dict) > 1);
    size_t index = dict_buckets_of(dict) - 1;
    struct dict_bucket *home = dict_bucket_at(dict, index);
    struct dict_bucket *last = dict_last_of(dict_bucket_at(dict, index - dict_highest_bit(index)));
    dict_set_buckets(dict, index);
    for (struct dict_bucket *bucket = home, *next; bucket != NULL; bucket = next) {
        next = bucket_next(bucket);
        for (unsigned slot = 0; slot < bucket_count(bucket); slot++)
            last = dict_append(dict, last, bucket->tags[slot], bucket_load(bucket, slot));
        if (bucket != home)
            dict_free_overflow(dict, bucket);
    }
    dict_drop_bucket(dict, index);
}

static void dict_grow(struct dict *dict)
{
    if (dict->count * 4 > dict_buckets_of(dict) * GROW_ABOVE)
        dict_split(dict);
}

static void dict_shrink(struct dict *dict)
{
    size_t buckets = dict_buckets_of(dict);
    if (dict->count == 0)
        dict_clear(dict);
    else if (dict->count * 4 < (buckets - 1) * SHRINK_BELOW)
        dict_merge(dict);
}

/* ---- writing ---- */

void dict_put(struct dict *dict, uint64_t hash, struct entry *entry)
{
    struct place place = dict_find_place(dict, hash, entry_key(entry));
    if (place.bucket != NULL) {
        entry_free(dict->slab, bucket_load(place.bucket, place.slot));
        bucket_store(place.bucket, place.slot, entry);
    } else {
        dict_add(dict, hash, entry);
    }
}

void dict_add(struct dict *dict, uint64_t hash, struct entry *entry)
{
    if (dict_buckets_of(dict) == 0) {
        dict_add_bucket(dict, 0);
        dict_set_buckets(dict, 1);
    }
    dict_append(dict, dict_last_of(dict_home_of(dict, hash)), bucket_tag(hash), entry);
    DCHECK(dict_is_sound_chain(dict_home_of(dict, hash)));
    dict->count++;
    dict_grow(dict);
    DCHECK(dict->count * 4 <= dict_buckets_of(dict) * GROW_ABOVE);
    DCHECK_SOUND(dict_is_sound(dict), dict->count + dict_buckets_of(dict));
}

void dict_reserve(struct dict *dict, size_t entries)
{
    size_t wanted = entries / GROW_ABOVE * 4;
    if (dict->count > 0)
        return;
    for (size_t index = dict_buckets_of(dict); index < wanted; index++) {
        dict_add_bucket(dict, index);
        dict_set_buckets(dict, index + 1);
    }
}

void dict_replace(struct dict *dict, uint64_t hash, const struct entry *former, struct entry *entry)
{
    struct dict_bucket *bucket = dict_home_of(dict, hash);
    uint8_t tag = bucket_tag(hash);
    for (; bucket != NULL; bucket = bucket_next(bucket)) {
        for (unsigned found = bucket_match(bucket, tag); found != 0; found &= found - 1) {
            unsigned slot = (unsigned)__builtin_ctz(found);
            if (bucket_load(bucket, slot) != former)
                continue;
            bucket_store(bucket, slot, entry);
            return;
        }
    }
    CHECK_NEVER("the former entry is in the chain of its hash");
}

/* Fills the slot, whose entry is gone, with the last entry of the chain. */
static void dict_close_gap(struct dict *dict, struct dict_bucket *home, struct place gap)
{
    struct dict_bucket *before = NULL, *last = home;
    while (last->meta & LINKED) {
        before = last;
        last = bucket_next(last);
    }
    DCHECK(bucket_count(last) > 0 && gap.slot < bucket_count(gap.bucket));
    dict_copy_slot(gap.bucket, gap.slot, last, bucket_count(last) - 1);
    last->meta--;
    if (before == NULL || bucket_count(last) > 1)
        return;
    dict_copy_slot(before, LINK_SLOT, last, 0);
    before->meta = SLOTS;
    dict_free_overflow(dict, last);
}

struct entry *dict_take(struct dict *dict, uint64_t hash, struct slice key)
{
    struct place place = dict_find_place(dict, hash, key);
    if (place.bucket == NULL)
        return NULL;
    struct entry *entry = bucket_load(place.bucket, place.slot);
    dict_close_gap(dict, dict_home_of(dict, hash), place);
    DCHECK(dict_is_sound_chain(dict_home_of(dict, hash)));
    dict->count--;
    dict_shrink(dict);
    DCHECK_SOUND(dict_is_sound(dict), dict->count + dict_buckets_of(dict));
    return entry;
}

bool dict_remove(struct dict *dict, uint64_t hash, struct slice key)
{
    struct entry *entry = dict_take(dict, hash, key);
    entry_free(dict->slab, entry);
    return entry != NULL;
}

/* ---- iterating over the table ---- */

static size_t dict_chain_length(const struct dict_bucket *bucket)
{
    size_t length = 0;
    for (; bucket != NULL; bucket = bucket_next(bucket))
        length += bucket_count(bucket);
    return length;
}

static struct entry *dict_nth_of_chain(const struct dict_bucket *bucket, size_t n)
{
    for (; n >= bucket_count(bucket); bucket = bucket_next(bucket))
        n -= bucket_count(bucket);
    return bucket_load(bucket, (unsigned)n);
}

/* A number below `bound` from the high bits of a random one. */
static size_t dict_scale(uint64_t random, size_t bound)
{
    return (size_t)((unsigned __int128)random * bound >> 64);
}

/* The next number of a random sequence (splitmix64). */
static uint64_t dict_next_random(uint64_t *state)
{
    uint64_t number = *state += 0x9e3779b97f4a7c15u;
    number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9u;
    number = (number ^ number >> 27) * 0x94d049bb133111ebu;
    return number ^ number >> 31;
}

/*
 * Draws a bucket and a position until it hits an entry. That is fair whatever the lengths of the
 * chains, unless one is longer than RANDOM_SLOTS or many draws hit nothing, which is unlikely
 * except in a table of one bucket; then at least each entry has a chance.
 */
struct entry *dict_random(const struct dict *dict, uint64_t random)
{
    if (dict->count == 0)
        return NULL;
    size_t buckets = dict_buckets_of(dict), slots = buckets > 1 ? RANDOM_SLOTS : 1;
    for (int tries = 0;; tries++) {
        const struct dict_bucket *home =
            dict_bucket_at(dict, dict_scale(dict_next_random(&random), buckets));
        size_t length = dict_chain_length(home);
        if (tries == RANDOM_TRIES)
            slots = 1;
        size_t n = dict_scale(dict_next_random(&random), length > slots ? length : slots);
        if (n < length)
            return dict_nth_of_chain(home, n);
    }
}

static uint64_t dict_reverse_bits(uint64_t number)
{
    const uint64_t pairs = 0x3333333333333333u, nibbles = 0x0f0f0f0f0f0f0f0fu;
    const uint64_t bits = 0x5555555555555555u;
    number = (number >> 1 & bits) | (number & bits) << 1;
    number = (number >> 2 & pairs) | (number & pairs) << 2;
    number = (number >> 4 & nibbles) | (number & nibbles) << 4;
    return __builtin_bswap64(number);
}

uint64_t dict_scan_position(uint64_t hash)
{
    return dict_reverse_bits(hash);
}

size_t dict_move_links(struct dict *dict, uint64_t cursor)
{
    size_t buckets = dict_buckets_of(dict), moved = 0;
    if (buckets == 0)
        return 0;
    size_t index = dict_index_of(dict_reverse_bits(cursor), buckets);
    if (index == 0)
        moved += dict_move_first_page(dict);
    struct dict_bucket *bucket = dict_bucket_at(dict, index);
    for (; bucket->meta & LINKED; bucket = bucket_next(bucket)) {
        struct dict_bucket *elsewhere = slab_move(dict->slab, bucket_next(bucket), sizeof *bucket);
        if (elsewhere == NULL)
            continue;
        bucket_store(bucket, LINK_SLOT, elsewhere);
        moved++;
    }
    return moved;
}

/* How many low bits of the hash all entries of the bucket share with its number. */
static unsigned dict_depth_of(size_t index, size_t buckets)
{
    size_t half = dict_highest_bit(buckets);
    bool is_split = index >= half || index < buckets - half;
    return (unsigned)__builtin_ctzll(half) + is_split;
}

/* The cursor of the bucket that a scan reaches after that one. */
static uint64_t dict_next_cursor(size_t index, size_t buckets)
{
    unsigned depth = dict_depth_of(index, buckets);
    return depth > 0 ? dict_reverse_bits(index) + ((uint64_t)1 << (64 - depth)) : 0;
}

/* The bucket at the cursor of a scan; NULL if there are none. The next one, whose cursor is *next,
 * is prefetched. */
static const struct dict_bucket *dict_scan_bucket(const struct dict *dict, uint64_t cursor,
                                                  uint64_t *next)
{
    size_t buckets = dict_buckets_of(dict);
    *next = 0;
    if (buckets == 0)
        return NULL;
    size_t index = dict_index_of(dict_reverse_bits(cursor), buckets);
    *next = dict_next_cursor(index, buckets);
    __builtin_prefetch(dict_bucket_at(dict, dict_index_of(dict_reverse_bits(*next), buckets)));
    return dict_bucket_at(dict, index);
}

/* True if the bucket at the cursor starts before it: some of its entries have been reported. */
static bool dict_scan_repeats(const struct dict *dict, uint64_t cursor)
{
    size_t buckets = dict_buckets_of(dict);
    if (buckets == 0)
        return false;
    size_t index = dict_index_of(dict_reverse_bits(cursor), buckets);
    unsigned depth = dict_depth_of(index, buckets);
    uint64_t below = depth > 0 ? ((uint64_t)1 << (64 - depth)) - 1 : UINT64_MAX;
    return (cursor & below) != 0;
}

/*
 * With the bits of the hashes reversed, each bucket holds an interval of them; splitting a bucket
 * cuts its interval in two, and merging joins the two again. The cursor is the reversed hash below
 * which everything has been reported, and each step advances it to the end of the interval that it
 * is in.
 */
uint64_t dict_scan(const struct dict *dict, uint64_t cursor,
                   void (*on_entry)(void *context, struct entry *entry), void *context)
{
    size_t buckets = dict_buckets_of(dict);
    bool repeats = dict_scan_repeats(dict, cursor);
    uint64_t next;
    for (const struct dict_bucket *bucket = dict_scan_bucket(dict, cursor, &next); bucket != NULL;
         bucket = bucket_next(bucket)) {
        dict_prefetch_keys(bucket);
        for (unsigned slot = 0; slot < bucket_count(bucket); slot++) {
            struct entry *entry = bucket_load(bucket, slot);
            if (!repeats || dict_scan_position(dict_hash_of(dict, entry)) >= cursor)
                on_entry(context, entry);
        }
    }
    DCHECK((next & 0xffff) == 0 && dict_buckets_of(dict) == buckets);
    return next;
}

uint64_t dict_scan_prefetch(const struct dict *dict, uint64_t cursor)
{
    uint64_t next;
    const struct dict_bucket *bucket = dict_scan_bucket(dict, cursor, &next);
    for (unsigned slot = 0; bucket != NULL && slot < bucket_count(bucket); slot++)
        __builtin_prefetch(bucket_load(bucket, slot));
    return next;
}
