# Writes chapters.c: the chapters of docs/language.md, for `mecha help`.
# usage: awk -f chapters.awk docs/language.md
BEGIN {
    print "#include \"cli/chapters.h\"\n"
    print "const Chapter chapters[] = {"
}
/^###? / {
    title = $0
    sub(/^#+ /, "", title)
    name = tolower(title)
    gsub(/ *\([^)]*\)/, "", name)
    gsub(/[^a-z0-9]+/, "-", name)
    if (n++ > 0) print "    },"
    printf "    {\"%s\", \"%s\",\n", name, title
    next
}
n > 0 {
    line = $0
    gsub(/\\/, "\\\\\\\\", line)
    gsub(/"/, "\\\"", line)
    gsub(/\?/, "\\?", line)
    print "     \"" line "\\n\""
}
END {
    print "    },\n};"
    printf "const unsigned n_chapters = %d;\n", n
}
