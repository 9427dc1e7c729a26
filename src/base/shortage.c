/* Maps errno to advice. */
#include "base/shortage.h"

#include <errno.h>
#include <stdlib.h>

const char *shortage_advice(int error)
{
    switch (abs(error)) {
    case EMFILE:
        return "; raise the limit of open files (ulimit -n)";
    case ENFILE:
        return "; raise the system's limit of open files (fs.file-max)";
    case EAGAIN:
        return "; raise the limit of threads (ulimit -u)";
    case ENOMEM:
        return "; raise the limit of memory (ulimit -v, the container's)";
    default:
        return "";
    }
}
