# Python stubs from proto/mini_redis.proto, which the tests use.
find_program(GRPC_PYTHON_PLUGIN grpc_python_plugin REQUIRED)
set(python_stubs "${CMAKE_BINARY_DIR}/python")
file(MAKE_DIRECTORY "${python_stubs}")

add_custom_command(
  OUTPUT "${python_stubs}/mini_redis_pb2.py" "${python_stubs}/mini_redis_pb2_grpc.py"
  COMMAND ${PROTOC} --python_out=${python_stubs} --grpc_python_out=${python_stubs}
          --plugin=protoc-gen-grpc_python=${GRPC_PYTHON_PLUGIN}
          -I ${CMAKE_SOURCE_DIR}/proto ${proto}
  DEPENDS "${proto}" VERBATIM)
add_custom_target(python_stubs ALL
  DEPENDS "${python_stubs}/mini_redis_pb2.py" "${python_stubs}/mini_redis_pb2_grpc.py")
