# How ctest runs the tests that the other files have added: what takes long begins first, and what a
# sanitizer cannot find anything in is left out under it. New tests need no line here.

get_property(all_tests DIRECTORY PROPERTY TESTS)

# tests_named(VARIABLE REGEX...): the names that match; each must match one, so that no line of this
# file outlives its test.
function(tests_named variable)
  set(named "")
  foreach(regex ${ARGN})
    set(matching ${all_tests})
    list(FILTER matching INCLUDE REGEX "^(${regex})$")
    if(NOT matching)
      message(FATAL_ERROR "cmake/Plan.cmake: no test has a name like ${regex}")
    endif()
    list(APPEND named ${matching})
  endforeach()
  list(REMOVE_DUPLICATES named)
  set(${variable} ${named} PARENT_SCOPE)
endfunction()

# set_for(PROPERTY VALUE REGEX...)
function(set_for property value)
  tests_named(named ${ARGN})
  set_tests_properties(${named} PROPERTIES ${property} ${value})
endfunction()

# Seconds, roughly, under the thread sanitizer: the order in which they begin. Without a line here it
# is what the last run in the same build folder took.
set_for(COST 100 "crash/(faults|journal|repair)" "e2e/(check|http2_limits|kill|limits|memory)")
set_for(COST 60 crash/log differential unit/store_evict unit/journal_journal
  "e2e/(cli_redis|durability)")
set_for(COST 30 model_killed concurrency unit/net_progress unit/journal_rdb_block
  "unit/store_(compact|memory_regions|limit)" unit/grpc_server_large redis/directory
  "e2e/(bench|cli_pipe|concurrency|install|resources|server|sessions|tools)")

# script/test runs twice as many at once as there are processors. These keep two processors busy by
# themselves, so they take two of the places. They begin before all others: later, two places are
# seldom free at the same moment.
set_for(PROCESSORS 2 model crash/damage)
set_for(COST 200 model crash/damage)

# What a sanitizer cannot find anything in carries the label not-asan or not-tsan, which the test
# presets leave out: ctest --preset tsan. By hand it still runs: ctest --test-dir build/tsan -R NAME.
function(leave_out label)
  tests_named(named ${ARGN})
  set_property(TEST ${named} APPEND PROPERTY LABELS ${label})
endfunction()

# Without one: what runs no program of ours, but tools on the sources, or a build of the client
# library for programs that come and go; its calls run in unit/client_* and e2e/cli* as well.
leave_out(not-asan docs tidy e2e/docs e2e/install)
leave_out(not-tsan docs tidy e2e/docs e2e/install)
# It bounds memory, of which the thread sanitizer takes a multiple.
leave_out(not-tsan e2e/attacks)

# ThreadSanitizer finds what two threads do to each other. Here is only one: parsers and formats, a
# session or a data structure that the test calls directly. Where several threads meet in them is in
# the tests that are not listed: unit/store_memory_{heap,pages,regions},
# unit/store_{data_dict_scan,data_lock,limit,store}, unit/net_*, unit/server_worker,
# unit/journal_{journal,log_wal*,rdb_snapshot_file}, crash/{faults,group_commit,
# journal}, model, concurrency and e2e. Listed is what costs a second or more, or is of a kind with it.
set(one_thread
  unit/base_glob unit/http2_.* unit/grpc_.* unit/cli_.* unit/traces_.*
  "unit/bench_(answers|histogram|hpack|options|payload|plan|receive|report|session|template|verify)"
  "unit/journal_rdb_(block|encode|input|listpack|lists|packed|read|skip|write|ziplist)" redis/rdb
  "unit/journal_log_(resp|scan)"
  "unit/service_(decode|encode|wire).*"
  "unit/store_(compact|evict|memory_slab|limit_model|snapshot|sweep)"
  "unit/store_data_(dict|entry)" "unit/store_list_(chunk|list|list_model|list_sound|spine)"
  "unit/store_ops_(edit|keys|list_(answer|items|push_pop|ranges)|strings.*|substrings|txn.*|undo.*)"
  "crash/(fs_model|known|log|repair|view)")
leave_out(not-tsan ${one_thread} differential)
if(NOT KEYSTORE_SANITIZE MATCHES "fuzzer") # else they are no tests
  leave_out(not-tsan "fuzz/.*")
endif()

# These have threads, but each on a directory, a store and a model of a disk of its own.
leave_out(not-tsan crash/damage)

# keystore-check and keystore-cli have one thread each (but for the lookup of a host's name, which
# unit/client_resolve tests), and the servers beside them answer what other tests ask as well.
leave_out(not-tsan "e2e/(check|cli|cli_redis|judge|sessions)")

# That list is checked where it can be, so that nobody adds threads to a test which is left out.
tests_named(named ${one_thread})
foreach(test ${named})
  get_test_property(${test} KEYSTORE_SOURCE source)
  if(NOT source)
    string(REGEX REPLACE "^(crash|redis)/(.*)$" "tests/\\1/test_\\2.c" source "${test}")
  endif()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${source}")
  file(STRINGS "${source}" threads REGEX "pthread_create|(echo|fake)_server\\.h")
  if(threads)
    message(FATAL_ERROR "cmake/Plan.cmake leaves ${source} out under the thread sanitizer, as a "
      "test of one thread, but it says: ${threads}")
  endif()
endforeach()
