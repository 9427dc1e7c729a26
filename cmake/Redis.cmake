# tests/redis: our files and commands before a real redis-server.
include(cmake/Suite.cmake)
add_suite(redis 400 ks_support ks_journal)
