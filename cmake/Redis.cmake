# tests/redis/: our files and commands before a real redis-server. Each test_NAME.c there is a program
# and a ctest, redis/NAME; the other files are theirs in common.
file(GLOB redis_sources CONFIGURE_DEPENDS "tests/redis/*.c")
list(FILTER redis_sources EXCLUDE REGEX "/test_[^/]*$")
add_library(ks_redis STATIC EXCLUDE_FROM_ALL ${redis_sources})
target_include_directories(ks_redis PUBLIC tests/unit)
target_link_libraries(ks_redis PUBLIC ks_support ks_journal)

file(GLOB redis_tests CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}/tests/redis"
  "tests/redis/test_*.c")
foreach(source ${redis_tests})
  string(REGEX REPLACE "^test_(.*)\\.c$" "\\1" name "${source}")
  add_executable(redis_${name} "tests/redis/${source}")
  target_link_libraries(redis_${name} PRIVATE ks_redis)
  set_target_properties(redis_${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  add_test(NAME redis/${name} COMMAND redis_${name})
  set_tests_properties(redis/${name} PROPERTIES TIMEOUT 400)
endforeach()
