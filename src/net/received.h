/* What the kernel has received on a TCP connection; a unit of its own, since linux/tcp.h and the C
 * library's netinet/tcp.h exclude each other. */
#ifndef KEYSTORE_NET_RECEIVED_H
#define KEYSTORE_NET_RECEIVED_H

#include <stdint.h>

/* In bytes; 0 if the system does not say. A system call. */
uint64_t received_bytes(int descriptor);

#endif
