# Defines the suite in the folder tests/FOLDER. Each test_NAME.c there is a program, FOLDER_NAME, and a
# ctest, FOLDER/NAME, that may take `timeout` seconds; the other files are theirs in common, with the
# libraries that follow.
function(add_suite folder timeout)
  file(GLOB sources CONFIGURE_DEPENDS "tests/${folder}/*.c")
  list(FILTER sources EXCLUDE REGEX "/test_[^/]*$")
  add_library(ks_${folder} STATIC EXCLUDE_FROM_ALL ${sources})
  target_include_directories(ks_${folder} PUBLIC tests/unit)
  target_link_libraries(ks_${folder} PUBLIC ${ARGN})

  file(GLOB tests CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}/tests/${folder}"
    "tests/${folder}/test_*.c")
  foreach(source ${tests})
    string(REGEX REPLACE "^test_(.*)\\.c$" "\\1" name "${source}")
    add_executable(${folder}_${name} "tests/${folder}/${source}")
    target_link_libraries(${folder}_${name} PRIVATE ks_${folder})
    set_target_properties(${folder}_${name} PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
    add_test(NAME ${folder}/${name} COMMAND ${folder}_${name})
    set_tests_properties(${folder}/${name} PROPERTIES TIMEOUT ${timeout})
  endforeach()
endfunction()
