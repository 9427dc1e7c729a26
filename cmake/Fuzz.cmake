# tests/fuzz/NAME.c is fuzz_NAME: for libFuzzer with preset `fuzz` (script/fuzz), else with a driver
# (tests/fuzz/common/driver.c) as the test fuzz/NAME, which tries its corpus, tests/fuzz/NAME/, and for
# a second mutations of that.
add_library(ks_fuzz STATIC EXCLUDE_FROM_ALL tests/fuzz/common/mutate.c tests/fuzz/common/driver.c)
target_include_directories(ks_fuzz PUBLIC tests/fuzz tests)
target_link_libraries(ks_fuzz PUBLIC keystore_flags ks_base)

file(GLOB fuzz_targets CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}/tests/fuzz" "tests/fuzz/*.c")
foreach(source ${fuzz_targets})
  string(REGEX REPLACE "\\.c$" "" name "${source}")
  add_executable(fuzz_${name} "tests/fuzz/${source}")
  target_include_directories(fuzz_${name} PRIVATE tests/unit tests/fuzz)
  target_link_libraries(fuzz_${name} PRIVATE ks_support)
  set_target_properties(fuzz_${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  if(KEYSTORE_SANITIZE MATCHES "fuzzer")
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    target_link_libraries(fuzz_${name} PRIVATE ks_fuzz)
    add_test(NAME fuzz/${name} COMMAND fuzz_${name} --cpu-ms 1000
      "${CMAKE_SOURCE_DIR}/tests/fuzz/${name}")
    set_tests_properties(fuzz/${name} PROPERTIES TIMEOUT 400)
  endif()
endforeach()

# What each of them tests.
function(fuzz_links libraries)
  foreach(name ${ARGN})
    target_link_libraries(fuzz_${name} PRIVATE ${libraries})
  endforeach()
endfunction()
fuzz_links(ks_journal rdb restore aof manifest)
fuzz_links(ks_service decode streams)
fuzz_links(ks_grpc grpc)
fuzz_links(ks_http2 http2)
fuzz_links(ks_differential differential)
fuzz_links(ks_server config)
fuzz_links(ks_base glob)
fuzz_links(ks_access users)
fuzz_links(ks_cli cli_words)
fuzz_links("ks_net;ks_client_internals" address)
fuzz_links(ks_client_internals client_reply)
target_link_options(fuzz_client_reply PRIVATE "LINKER:--wrap=socket_connect")
