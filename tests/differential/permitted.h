/* Where our session and nghttp2's may differ. */
#ifndef KEYSTORE_TESTS_DIFFERENTIAL_PERMITTED_H
#define KEYSTORE_TESTS_DIFFERENTIAL_PERMITTED_H

#include "conversation.h"

/* The reaction of one session to a step. */
struct verdict {
    bool alive;
    uint32_t code; /* of the GOAWAY, if it is not alive */
    bool reset;    /* the step's stream */
    uint32_t reset_code;
    size_t events; /* other than closing */
};

struct moment {
    const struct step *step;
    struct verdict own, oracle;
    bool counts_trailers; /* the step's header block has content-length or host */
    bool has_blank_end;   /* a value there has a leading or trailing blank */
    bool odd_name;        /* nghttp2 rejects its name of the server, or it has none */
    bool was_open;        /* the step's stream, for our session */
    bool was_ended;       /* its request was complete */
    bool reset_lately;    /* our session has reset the step's stream few steps ago */
    bool apart;           /* it was open in one session only, because of the order of answers */
    bool any_apart;       /* that is so for some stream */
    bool is_new;          /* the step's stream identifier is higher than all before */
    bool was_greeted;     /* a SETTINGS frame came before */
    bool few_streams;     /* the limit on streams is reached now and then */
    bool drained;         /* the server's final GOAWAY was sent */
    bool goaways_differ;  /* the shutdown got further in one session */
    bool goaway_came;     /* from the client */
    bool stopped_reading; /* nghttp2's session, though the connection goes on */
};

enum permission {
    NOT_PERMITTED,
    GO_ON, /* the difference is over with the step, or stays with its stream */
    STOP,  /* the sessions are in different states from here on */
};

/* The permission for what differs in that moment; counts it. */
enum permission permitted(const struct moment *moment);

/* Prints how often each was used. */
void permitted_print(void);

#endif
