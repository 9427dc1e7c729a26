# C messages from proto/mini_redis.proto (protobuf-c).
find_program(PROTOC protoc REQUIRED)
find_program(PROTOC_GEN_C protoc-gen-c REQUIRED)
set(proto "${CMAKE_SOURCE_DIR}/proto/mini_redis.proto")
set(generated "${CMAKE_BINARY_DIR}/generated")
file(MAKE_DIRECTORY "${generated}")

add_custom_command(
  OUTPUT "${generated}/mini_redis.pb-c.c" "${generated}/mini_redis.pb-c.h"
  COMMAND ${PROTOC} --plugin=protoc-gen-c=${PROTOC_GEN_C} --c_out=${generated}
          -I ${CMAKE_SOURCE_DIR}/proto ${proto}
  DEPENDS "${proto}" VERBATIM)
add_library(keystore_proto STATIC "${generated}/mini_redis.pb-c.c" "${generated}/mini_redis.pb-c.h")
target_include_directories(keystore_proto SYSTEM PUBLIC "${generated}")
target_link_libraries(keystore_proto PUBLIC PkgConfig::libprotobuf-c)
