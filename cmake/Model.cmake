# tests/model/: random steps on keystore-server and a real redis-server, which must answer alike;
# and many clients at once, whose sums must be right.
file(GLOB model_sources CONFIGURE_DEPENDS "tests/model/*.c")
list(FILTER model_sources EXCLUDE REGEX "/concurrency\\.c$")
add_executable(model ${model_sources})
target_link_libraries(model PRIVATE keystore_client ks_base keystore_proto PkgConfig::hiredis m)

add_executable(concurrency tests/model/concurrency.c tests/model/servers.c)
target_link_libraries(concurrency PRIVATE keystore_client Threads::Threads)

foreach(program model concurrency)
  target_include_directories(${program} PRIVATE include src)
  target_link_libraries(${program} PRIVATE ks_support keystore_flags)
  set_target_properties(${program} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
endforeach()

# Fewer steps under a sanitizer; as many as must have met everything (main.c) under the slowest.
# KEYSTORE_MODEL_STEPS in the environment is for longer runs.
if(KEYSTORE_SANITIZE STREQUAL "thread")
  target_compile_definitions(model PRIVATE MODEL_STEPS=100000)
elseif(KEYSTORE_SANITIZE)
  target_compile_definitions(model PRIVATE MODEL_STEPS=150000)
else()
  target_compile_definitions(model PRIVATE MODEL_STEPS=1000000)
endif()
add_test(NAME model COMMAND model)
add_test(NAME model_killed COMMAND model --durability always --steps 40000)
add_test(NAME concurrency COMMAND concurrency 10)
set_tests_properties(model model_killed concurrency PROPERTIES ENVIRONMENT "KEYSTORE_BIN=${KEYSTORE_BIN_DIR}")
set_tests_properties(model PROPERTIES TIMEOUT 1500)
set_tests_properties(model_killed concurrency PROPERTIES TIMEOUT 300)
