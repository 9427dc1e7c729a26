# Python stubs of the API and of health checks, which the tests use. Those of the latter have no
# folder: Python would look for it in grpcio's.
find_program(GRPC_PYTHON_PLUGIN grpc_python_plugin REQUIRED)
set(python_stubs "${CMAKE_BINARY_DIR}/python")
file(MAKE_DIRECTORY "${python_stubs}")

add_custom_command(
  OUTPUT "${python_stubs}/mini_redis_pb2.py" "${python_stubs}/mini_redis_pb2_grpc.py"
  COMMAND ${PROTOC} --python_out=${python_stubs} --grpc_python_out=${python_stubs}
          --plugin=protoc-gen-grpc_python=${GRPC_PYTHON_PLUGIN}
          -I ${CMAKE_SOURCE_DIR}/proto ${proto}
  DEPENDS "${proto}" VERBATIM)
set(health_proto_dir "${CMAKE_SOURCE_DIR}/proto/grpc/health/v1")
add_custom_command(
  OUTPUT "${python_stubs}/health_pb2.py" "${python_stubs}/health_pb2_grpc.py"
  COMMAND ${PROTOC} --python_out=${python_stubs} --grpc_python_out=${python_stubs}
          --plugin=protoc-gen-grpc_python=${GRPC_PYTHON_PLUGIN}
          -I ${health_proto_dir} ${health_proto_dir}/health.proto
  DEPENDS "${health_proto_dir}/health.proto" VERBATIM)
add_custom_target(python_stubs ALL
  DEPENDS "${python_stubs}/mini_redis_pb2.py" "${python_stubs}/mini_redis_pb2_grpc.py"
  "${python_stubs}/health_pb2.py" "${python_stubs}/health_pb2_grpc.py")
