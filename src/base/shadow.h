/*
 * Tells the address sanitizer which bytes of memory managed by our own allocators are accessible.
 * No-ops without the sanitizer.
 */
#ifndef KEYSTORE_BASE_SHADOW_H
#define KEYSTORE_BASE_SHADOW_H

#include <stddef.h>

#ifdef __SANITIZE_ADDRESS__
void __asan_poison_memory_region(const volatile void *address, size_t size);
void __asan_unpoison_memory_region(const volatile void *address, size_t size);
#define SHADOW_HIDE(address, size) __asan_poison_memory_region(address, size)
#define SHADOW_SHOW(address, size) __asan_unpoison_memory_region(address, size)
#else
#define SHADOW_HIDE(address, size) ((void)(address), (void)(size))
#define SHADOW_SHOW(address, size) ((void)(address), (void)(size))
#endif

#endif
