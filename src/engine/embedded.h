/* The engine that answers from a store in this process. Every task is answered at once. */
#ifndef KEYSTORE_ENGINE_EMBEDDED_H
#define KEYSTORE_ENGINE_EMBEDDED_H

#include "engine/engine.h"

/* Usable from any number of threads. Free with embedded_free(). */
struct engine *embedded_new(uint32_t databases);

/* No task may be in flight. NULL is allowed. */
void embedded_free(struct engine *engine);

#endif
