# Makes a C file out of a text: `const char NAME[]`, terminated, and `const int NAME_size`.
#   cmake -D FROM=prelude.rank -D TO=prelude_text.c -D NAME=prelude_text -P text_to_c.cmake
# Numbers rather than a string literal: C11 promises only 4095 characters of those.

file(READ ${FROM} text)
file(READ ${FROM} hex HEX)
if(text MATCHES "[^\n\t -~]")
  message(FATAL_ERROR "${FROM}: only ASCII is embedded")
endif()
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(0x0a,)" "\\1\n" bytes "${bytes}")
file(SIZE ${FROM} size)
file(WRITE ${TO}.new "extern const char ${NAME}[];\nextern const int ${NAME}_size;\n\n\
const char ${NAME}[] = {\n${bytes}0};\nconst int ${NAME}_size = ${size};\n")
file(RENAME ${TO}.new ${TO})
