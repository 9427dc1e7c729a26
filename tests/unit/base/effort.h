/* Scales the work of a test: the full amount, or less under the slow sanitizers. */
#ifndef KEYSTORE_TESTS_BASE_EFFORT_H
#define KEYSTORE_TESTS_BASE_EFFORT_H

#if defined(__SANITIZE_THREAD__)
#define EFFORT(full, address, thread) (thread)
#elif defined(__SANITIZE_ADDRESS__)
#define EFFORT(full, address, thread) (address)
#else
#define EFFORT(full, address, thread) (full)
#endif

#endif
