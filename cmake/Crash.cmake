# tests/crash: a model of a disk behind journal/fs/fs.h, which replays every crash.
include(cmake/Suite.cmake)
add_suite(crash 2400 ks_support ks_engine ks_journal)
target_link_libraries(crash_repair PRIVATE ks_check)
