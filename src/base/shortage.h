/* Advice for operators when a system resource runs out. */
#ifndef KEYSTORE_BASE_SHORTAGE_H
#define KEYSTORE_BASE_SHORTAGE_H

/* The end of an error message about that errno, which may be negative: "; raise the limit of ...".
 * Empty for errors not caused by a limit of the system. */
const char *shortage_advice(int error);

#endif
