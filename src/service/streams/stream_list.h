/* StreamList: the elements of a list in pages, all as of one version. */
#ifndef KEYSTORE_SERVICE_STREAMS_STREAM_LIST_H
#define KEYSTORE_SERVICE_STREAMS_STREAM_LIST_H

struct grpc_stream_method;

extern const struct grpc_stream_method stream_list_method;

#endif
