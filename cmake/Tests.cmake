# tests/unit/FOLDER/test_FILE.c tests src/FOLDER/FILE.c: one program and one ctest each. FOLDER may
# have subfolders.
file(GLOB unit_tests CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}/tests/unit"
  "tests/unit/*/test_*.c" "tests/unit/*/*/test_*.c")
foreach(source ${unit_tests})
  string(REGEX REPLACE "^(.*)/test_(.*)\\.c$" "\\1_\\2" name "${source}")
  string(REPLACE "/" "_" name "${name}")
  string(REGEX REPLACE "/.*" "" folder "${source}")
  add_executable(unit_${name} "tests/unit/${source}")
  target_include_directories(unit_${name} PRIVATE tests/unit)
  target_link_libraries(unit_${name} PRIVATE ks_support keystore_flags)
  if(folder STREQUAL "client")
    target_link_libraries(unit_${name} PRIVATE ks_client_internals)
  else()
    target_link_libraries(unit_${name} PRIVATE ks_${folder})
  endif()
  if(folder STREQUAL "bench") # protobuf-c is the oracle of its templates
    target_link_libraries(unit_${name} PRIVATE keystore_proto)
  endif()
  set_target_properties(unit_${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  add_test(NAME unit/${name} COMMAND unit_${name})
  set_tests_properties(unit/${name} PROPERTIES TIMEOUT 400
    KEYSTORE_SOURCE "tests/unit/${source}")
endforeach()

# What the client asks of the system, for tests that let it fail or count it.
foreach(test buffer pool client stream watch pipeline)
  target_link_options(unit_client_${test} PRIVATE
    "LINKER:--wrap=malloc,--wrap=calloc,--wrap=realloc")
endforeach()
target_link_options(unit_client_resolve PRIVATE
  "LINKER:--wrap=getaddrinfo,--wrap=freeaddrinfo")
target_link_options(unit_client_channel PRIVATE
  "LINKER:--wrap=send,--wrap=recv,--wrap=poll")

# The client's sources once more without the symbol limits of the shared library.
add_library(ks_client_internals STATIC EXCLUDE_FROM_ALL ${client_sources})
target_include_directories(ks_client_internals PUBLIC include src)
target_link_libraries(ks_client_internals PUBLIC keystore_flags PkgConfig::libnghttp2 PkgConfig::openssl
  Threads::Threads ks_base keystore_proto)

# Debian's Python, whatever stands first on the PATH: its packages are what bootstrap installed.
set(KEYSTORE_PYTHON /usr/bin/python3 CACHE FILEPATH "A Python with grpcio and pytest")
# tests/e2e/test_NAME.py: one ctest each, so that they run side by side.
file(GLOB e2e_tests CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}/tests/e2e"
  "tests/e2e/test_*.py")
foreach(source ${e2e_tests})
  string(REGEX REPLACE "^test_(.*)\\.py$" "\\1" name "${source}")
  add_test(NAME e2e/${name} COMMAND ${KEYSTORE_PYTHON} -m pytest -ra -p no:cacheprovider
    "${CMAKE_SOURCE_DIR}/tests/e2e/${source}")
  set_tests_properties(e2e/${name} PROPERTIES TIMEOUT 1500 LABELS e2e ENVIRONMENT
    "KEYSTORE_BIN=${KEYSTORE_BIN_DIR};KEYSTORE_STUBS=${CMAKE_BINARY_DIR}/python;KEYSTORE_BUILD=${CMAKE_BINARY_DIR};KEYSTORE_SANITIZE=${KEYSTORE_SANITIZE}")
endforeach()
# docs/operations.md is what script/docs makes of the proto and the operation table.
add_test(NAME docs COMMAND "${CMAKE_SOURCE_DIR}/script/docs" --check)
add_test(NAME tidy COMMAND "${CMAKE_SOURCE_DIR}/script/tidy")
