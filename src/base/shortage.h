/* What an operator can do about something that the system does not give. */
#ifndef KEYSTORE_BASE_SHORTAGE_H
#define KEYSTORE_BASE_SHORTAGE_H

/* For the end of a message about that errno, which may also be negative: "; raise the limit of
 * ...".
 * "" for errors that no limit of the system is behind. */
const char *shortage_advice(int error);

#endif
