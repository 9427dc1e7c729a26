# bench/traces/: the load of script/bench eviction, build/release/micro/cache-trace. All of it but
# main() is a library, which tests/unit/traces/ tests.
file(GLOB trace_sources CONFIGURE_DEPENDS "bench/traces/*.c")
list(FILTER trace_sources EXCLUDE REGEX "/main\\.c$")
add_library(ks_traces STATIC EXCLUDE_FROM_ALL ${trace_sources})
target_include_directories(ks_traces PUBLIC bench)
target_link_libraries(ks_traces PUBLIC keystore_flags ks_client_internals PkgConfig::hiredis m)
add_executable(cache-trace bench/traces/main.c)
target_link_libraries(cache-trace PRIVATE ks_traces)
set_target_properties(cache-trace PROPERTIES KEYSTORE_WHOLE ON
  RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/micro")
