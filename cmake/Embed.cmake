# cmake -D INPUT=FILE -D OUTPUT=FILE.c -D NAME=SYMBOL -P Embed.cmake: a C file with the bytes of the
# input as `const unsigned char SYMBOL[]` and their number as `const size_t SYMBOL_size`.
file(READ "${INPUT}" bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "((0x..,){20})" "\\1\n" bytes "${bytes}")
file(WRITE "${OUTPUT}" "#include <stddef.h>\n\
extern const unsigned char ${NAME}[];\nextern const size_t ${NAME}_size;\n\
const unsigned char ${NAME}[] = {\n${bytes}\n};\nconst size_t ${NAME}_size = sizeof ${NAME};\n")
