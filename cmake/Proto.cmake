# What is made of the files in proto/: C messages of each (protobuf-c), and the descriptors of all.
find_program(PROTOC protoc REQUIRED)
find_program(PROTOC_GEN_C protoc-gen-c REQUIRED)
set(proto_dir "${CMAKE_SOURCE_DIR}/proto")
set(proto "${proto_dir}/mini_redis.proto")
set(service_protos grpc/reflection/v1/reflection.proto grpc/reflection/v1alpha/reflection.proto
  grpc/health/v1/health.proto)
set(generated "${CMAKE_BINARY_DIR}/generated")
file(MAKE_DIRECTORY "${generated}")

# proto_library(TARGET FILE...)
function(proto_library target)
  set(outputs "")
  foreach(file ${ARGN})
    string(REGEX REPLACE "\\.proto$" "" name "${generated}/${file}")
    add_custom_command(
      OUTPUT "${name}.pb-c.c" "${name}.pb-c.h"
      COMMAND ${PROTOC} --plugin=protoc-gen-c=${PROTOC_GEN_C} --c_out=${generated}
              -I ${proto_dir} ${proto_dir}/${file}
      DEPENDS "${proto_dir}/${file}" VERBATIM)
    list(APPEND outputs "${name}.pb-c.c" "${name}.pb-c.h")
  endforeach()
  add_library(${target} STATIC ${outputs})
  target_include_directories(${target} SYSTEM PUBLIC "${generated}")
  target_link_libraries(${target} PUBLIC PkgConfig::libprotobuf-c)
endfunction()

# What the client library calls, too.
proto_library(keystore_proto mini_redis.proto grpc/health/v1/health.proto)
# v1alpha of reflection differs from v1 in nothing but its package.
proto_library(service_proto grpc/reflection/v1/reflection.proto)

# The descriptors of all services and of the details of errors, for reflection and for tools that take
# a file of them.
set(protoset "${generated}/keystore.protoset")
set(described_protos ${service_protos} google/rpc/error_details.proto
  google/protobuf/duration.proto)
list(TRANSFORM described_protos PREPEND "${proto_dir}/" OUTPUT_VARIABLE described_proto_files)
add_custom_command(
  OUTPUT "${protoset}"
  COMMAND ${PROTOC} --descriptor_set_out=${protoset} --include_imports
          -I ${proto_dir} ${proto} ${described_proto_files}
  DEPENDS "${proto}" ${described_proto_files} VERBATIM)
add_custom_target(protoset DEPENDS "${protoset}")
add_custom_command(
  OUTPUT "${generated}/keystore_protoset.c"
  COMMAND ${CMAKE_COMMAND} -D INPUT=${protoset} -D OUTPUT=${generated}/keystore_protoset.c
          -D NAME=keystore_protoset -P "${CMAKE_SOURCE_DIR}/cmake/Embed.cmake"
  DEPENDS "${protoset}" protoset cmake/Embed.cmake VERBATIM)
target_sources(service_proto PRIVATE "${generated}/keystore_protoset.c")
