# cmake -D FOLDER=src/metrics -D OUTPUT=FILE.html -P Page.cmake: page.html with page.css and page.js in
# the places of @STYLE@ and @SCRIPT@; and OUTPUT.c with the Content-Security-Policy of that page, which
# allows this style and this script by their hashes.

# to_base64(VARIABLE HEX): of the 32 bytes of a SHA-256. Three hexadecimal digits are two of base64.
function(to_base64 variable hex)
  set(digits "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
  set(text "")
  foreach(at RANGE 0 63 3)
    string(SUBSTRING "${hex}00" ${at} 3 three)
    math(EXPR high "0x${three} >> 6")
    math(EXPR low "0x${three} & 63")
    string(SUBSTRING "${digits}" ${high} 1 high)
    string(SUBSTRING "${digits}" ${low} 1 low)
    string(APPEND text "${high}${low}")
  endforeach()
  string(REGEX REPLACE "A$" "=" text "${text}")
  set(${variable} "${text}" PARENT_SCOPE)
endfunction()

file(READ "${FOLDER}/page.html" page)
file(READ "${FOLDER}/page.css" style)
file(READ "${FOLDER}/page.js" script)
string(SHA256 style_hash "${style}")
string(SHA256 script_hash "${script}")
to_base64(style_hash "${style_hash}")
to_base64(script_hash "${script_hash}")
string(REPLACE "@STYLE@" "${style}" page "${page}")
string(REPLACE "@SCRIPT@" "${script}" page "${page}")
file(WRITE "${OUTPUT}" "${page}")
file(WRITE "${OUTPUT}.c" "extern const char metrics_page_policy[];\nconst char metrics_page_policy[] =
    \"default-src 'none'; connect-src 'self'; img-src data:; style-src 'sha256-${style_hash}'; \"
    \"script-src 'sha256-${script_hash}'; base-uri 'none'; form-action 'none'; \"
    \"frame-ancestors 'none'\";\n")
