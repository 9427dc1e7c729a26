# Warnings for our own sources, which the presets turn into errors, and the sanitizers of a preset for everything.
add_library(keystore_flags INTERFACE)
target_compile_options(keystore_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
  -fno-omit-frame-pointer)
target_compile_definitions(keystore_flags INTERFACE _GNU_SOURCE
  KEYSTORE_VERSION="${PROJECT_VERSION}"
  $<$<CONFIG:Debug>:KEYSTORE_DEBUG>) # DCHECK (base/check.h): presets debug, asan and tsan
if(KEYSTORE_SANITIZE)
  add_compile_options(-fsanitize=${KEYSTORE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${KEYSTORE_SANITIZE})
  if(CMAKE_C_COMPILER_ID STREQUAL "Clang") # it objects to NULL + 0, an empty slice; GCC does not
    add_compile_options(-fno-sanitize=pointer-overflow)
  endif()
endif()

# For everything that is optimised: a fault in the code is then a crash rather than a way in. A sanitizer
# finds more, and fortified functions would hide calls from it.
option(KEYSTORE_HARDENED "Build what is optimised with the compiler's defences; OFF to measure them" ON)
if(KEYSTORE_HARDENED AND NOT KEYSTORE_SANITIZE AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  include(CheckPIESupported)
  check_pie_supported(LANGUAGES C) # CMAKE_POSITION_INDEPENDENT_CODE then also links with -pie
  # A distribution's compiler may define _FORTIFY_SOURCE itself.
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong
    -fstack-clash-protection)
  # Not -fcf-protection: Debian 12's start-up files are not marked for it, so nothing would enforce it.
  add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()

if(CMAKE_BUILD_TYPE STREQUAL "Release" AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
  # Calls into other libraries without a detour through a table of jumps; and structs of some hundred
  # bytes are cleared by plain stores, for `rep stos`, GCC's choice, takes dozens of cycles to begin.
  target_compile_options(keystore_flags INTERFACE -fno-plt)
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    target_compile_options(keystore_flags INTERFACE
      -mmemset-strategy=vector_loop:2048:noalign,libcall:-1:noalign)
  endif()

  # A call goes through every layer, so the programs (property KEYSTORE_WHOLE) are optimised as a
  # whole: that takes a fifth off a call. The objects of the libraries hold machine code too, for the
  # two hundred tests, which would take minutes to link like that.
  set(whole $<BOOL:$<TARGET_PROPERTY:KEYSTORE_WHOLE>>)
  set(library $<STREQUAL:$<TARGET_PROPERTY:TYPE>,STATIC_LIBRARY>)
  target_compile_options(keystore_flags INTERFACE
    "$<$<OR:${whole},${library}>:-flto=auto;-ffat-lto-objects>")
  target_link_options(keystore_flags INTERFACE "$<IF:${whole},-flto=auto,-fno-lto>")
endif()
