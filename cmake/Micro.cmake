# Measurements of single data structures, never part of the tests: build/release/micro/micro_dict.
file(GLOB micro_benchmarks CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}/bench/micro"
  "bench/micro/*.c")
foreach(source ${micro_benchmarks})
  string(REGEX REPLACE "\\.c$" "" name "${source}")
  add_executable(micro_${name} "bench/micro/${source}")
  target_link_libraries(micro_${name} PRIVATE keystore_flags ks_store ks_journal)
  set_target_properties(micro_${name} PROPERTIES KEYSTORE_WHOLE ON
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/micro")
endforeach()
