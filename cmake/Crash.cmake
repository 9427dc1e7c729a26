# tests/crash: a model of a disk behind journal/fs/fs.h, which replays every crash. Each test_NAME.c
# there is a program and a ctest.
file(GLOB crash_sources CONFIGURE_DEPENDS "tests/crash/*.c")
list(FILTER crash_sources EXCLUDE REGEX "/test_[^/]*$")
add_library(ks_crash STATIC EXCLUDE_FROM_ALL ${crash_sources})
target_include_directories(ks_crash PUBLIC tests/unit)
target_link_libraries(ks_crash PUBLIC ks_support ks_engine ks_journal)

file(GLOB crash_tests CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}/tests/crash"
  "tests/crash/test_*.c")
foreach(source ${crash_tests})
  string(REGEX REPLACE "^test_(.*)\\.c$" "\\1" name "${source}")
  add_executable(crash_${name} "tests/crash/${source}")
  target_link_libraries(crash_${name} PRIVATE ks_crash)
  set_target_properties(crash_${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  add_test(NAME crash/${name} COMMAND crash_${name})
  set_tests_properties(crash/${name} PROPERTIES TIMEOUT 2400)
endforeach()
target_link_libraries(crash_repair PRIVATE ks_check)
