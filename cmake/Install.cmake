# What `cmake --install` puts where, besides the programs, in components that can be installed alone:
#   library      libkeystore, what a program that was linked with it needs
#   development  what linking takes: header, proto, the files that pkg-config and CMake look for; and
#                the descriptors of all services, for tools
#   programs     those that were built; the others are left out
# Nothing that is installed knows the prefix, so that --prefix may say any.
install(TARGETS keystore_client EXPORT keystoreTargets
  LIBRARY COMPONENT library NAMELINK_COMPONENT development)
install(FILES include/keystore/admin.h include/keystore/client.h include/keystore/messages.h
  include/keystore/streams.h
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/keystore" COMPONENT development)
add_dependencies(keystore_client protoset) # so that a build of the library alone can be installed
install(FILES proto/mini_redis.proto "${protoset}" DESTINATION "${CMAKE_INSTALL_DATADIR}/keystore"
  COMPONENT development)

# keystore.pc names its folders from its own.
set(pkgconfig_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
foreach(name PREFIX FULL_LIBDIR FULL_INCLUDEDIR)
  file(RELATIVE_PATH pc_${name} "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_${name}}")
  string(REGEX REPLACE "/$" "" pc_${name} "${pc_${name}}")
endforeach()
configure_file(cmake/keystore.pc.in keystore.pc @ONLY)
install(FILES "${CMAKE_BINARY_DIR}/keystore.pc" DESTINATION "${pkgconfig_dir}" COMPONENT development)

# find_package(keystore) and the target keystore::keystore.
include(CMakePackageConfigHelpers)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/keystore")
install(EXPORT keystoreTargets NAMESPACE keystore:: DESTINATION "${package_dir}"
  COMPONENT development)
configure_package_config_file(cmake/keystoreConfig.cmake.in keystoreConfig.cmake
  INSTALL_DESTINATION "${package_dir}" NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${CMAKE_BINARY_DIR}/keystoreConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_BINARY_DIR}/keystoreConfig.cmake"
  "${CMAKE_BINARY_DIR}/keystoreConfigVersion.cmake" DESTINATION "${package_dir}"
  COMPONENT development)
