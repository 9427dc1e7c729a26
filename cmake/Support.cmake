# tests/support/: what the test programs of several folders share. It has cmocka, nghttp2 and OpenSSL, and of
# our own libraries only ks_base.
file(GLOB support_sources CONFIGURE_DEPENDS "tests/support/*.c")
add_library(ks_support STATIC EXCLUDE_FROM_ALL ${support_sources})
target_include_directories(ks_support PUBLIC tests)
target_link_libraries(ks_support PUBLIC keystore_flags ks_base PkgConfig::cmocka
  PkgConfig::libnghttp2 PkgConfig::openssl Threads::Threads)
