# Warnings for our own sources, and the sanitizers of a preset for everything.
add_library(keystore_flags INTERFACE)
target_compile_options(keystore_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Werror -Wstrict-prototypes -Wmissing-prototypes
  -fno-omit-frame-pointer)
target_compile_definitions(keystore_flags INTERFACE _GNU_SOURCE
  KEYSTORE_VERSION="${PROJECT_VERSION}")
if(KEYSTORE_SANITIZE)
  add_compile_options(-fsanitize=${KEYSTORE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${KEYSTORE_SANITIZE})
endif()
