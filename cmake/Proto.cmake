# C messages from proto/mini_redis.proto (protobuf-c), and the Python stubs that the tests use.
find_program(PROTOC protoc REQUIRED)
find_program(PROTOC_GEN_C protoc-gen-c REQUIRED)
find_program(GRPC_PYTHON_PLUGIN grpc_python_plugin REQUIRED)
set(proto "${CMAKE_SOURCE_DIR}/proto/mini_redis.proto")
set(generated "${CMAKE_BINARY_DIR}/generated")
set(python_stubs "${CMAKE_BINARY_DIR}/python")
file(MAKE_DIRECTORY "${generated}" "${python_stubs}")

add_custom_command(
  OUTPUT "${generated}/mini_redis.pb-c.c" "${generated}/mini_redis.pb-c.h"
  COMMAND ${PROTOC} --plugin=protoc-gen-c=${PROTOC_GEN_C} --c_out=${generated}
          -I ${CMAKE_SOURCE_DIR}/proto ${proto}
  DEPENDS "${proto}" VERBATIM)
add_library(keystore_proto STATIC "${generated}/mini_redis.pb-c.c" "${generated}/mini_redis.pb-c.h")
target_include_directories(keystore_proto SYSTEM PUBLIC "${generated}")
target_link_libraries(keystore_proto PUBLIC PkgConfig::libprotobuf-c)

add_custom_command(
  OUTPUT "${python_stubs}/mini_redis_pb2.py" "${python_stubs}/mini_redis_pb2_grpc.py"
  COMMAND ${PROTOC} --python_out=${python_stubs} --grpc_python_out=${python_stubs}
          --plugin=protoc-gen-grpc_python=${GRPC_PYTHON_PLUGIN}
          -I ${CMAKE_SOURCE_DIR}/proto ${proto}
  DEPENDS "${proto}" VERBATIM)
add_custom_target(python_stubs ALL
  DEPENDS "${python_stubs}/mini_redis_pb2.py" "${python_stubs}/mini_redis_pb2_grpc.py")
