# nghttp2's server session behind the contract of src/http2: what ours is compared with.

# In speed: the server with that session instead of ours. Its object defines every function that
# http2/http2.h declares, so the linker takes nothing that would clash from ks_http2; were one
# missing, it would report a symbol defined twice. Only script/bench needs it.
add_executable(keystore-server-nghttp2 EXCLUDE_FROM_ALL src/server/main.c
  tests/oracle/nghttp2_session.c)
target_link_libraries(keystore-server-nghttp2 PRIVATE ks_server)
set_target_properties(keystore-server-nghttp2 PROPERTIES KEYSTORE_WHOLE ON
  RUNTIME_OUTPUT_DIRECTORY "${KEYSTORE_BIN_DIR}")

# In verdicts: both in one program, the oracle under other names.
add_library(ks_oracle STATIC tests/oracle/nghttp2_session.c tests/differential/side.c)
target_compile_options(ks_oracle PRIVATE -include "${CMAKE_SOURCE_DIR}/tests/oracle/rename.h")
target_compile_definitions(ks_oracle PRIVATE SIDE=side_oracle SIDE_NAME="nghttp2")
target_link_libraries(ks_oracle PUBLIC ks_http2)

file(GLOB differential_sources CONFIGURE_DEPENDS "tests/differential/*.c")
list(FILTER differential_sources EXCLUDE REGEX "/main\\.c$")
add_library(ks_differential STATIC ${differential_sources})
target_compile_definitions(ks_differential PRIVATE SIDE=side_own SIDE_NAME="ours")
target_link_libraries(ks_differential PUBLIC ks_oracle ks_http2)
add_executable(differential tests/differential/main.c)
target_link_libraries(differential PRIVATE ks_differential)
set_target_properties(differential PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
# As many cases as a processor does in a minute; a third of a minute under a sanitizer.
if(KEYSTORE_SANITIZE)
  set(differential_cases 5000)
else()
  set(differential_cases 60000)
endif()
add_test(NAME differential COMMAND differential --cases ${differential_cases})
set_tests_properties(differential PROPERTIES TIMEOUT 900)
