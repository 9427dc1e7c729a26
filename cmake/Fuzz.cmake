# tests/fuzz/NAME.c is fuzz_NAME for libFuzzer; its head says how to build it.
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
  file(GLOB fuzz_targets CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}/tests/fuzz" "tests/fuzz/*.c")
  foreach(source ${fuzz_targets})
    string(REGEX REPLACE "\\.c$" "" name "${source}")
    add_executable(fuzz_${name} EXCLUDE_FROM_ALL "tests/fuzz/${source}")
    target_include_directories(fuzz_${name} PRIVATE tests/unit)
    target_link_libraries(fuzz_${name} PRIVATE ks_support ks_journal)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    set_target_properties(fuzz_${name} PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  endforeach()
endif()
