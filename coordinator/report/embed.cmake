# cmake -DIN=FILE -DOUT=FILE.c -DNAME=identifier -P embed.cmake: a file as `const char NAME[]` with a zero byte after it
# and `const size_t NAME_len_bytes`.
file(READ "${IN}" hex HEX)
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(SIZE "${IN}" size)
file(WRITE "${OUT}"
    "#include \"coordinator/report/embedded.h\"\n\nconst char ${NAME}[] = {\n${bytes}0};\nconst size_t ${NAME}_len_bytes = ${size};\n")
