# Writes stdlib.c: the text of every stdlib file, and an index from what they define to the file.
# usage: awk -f embed.awk stdlib/methods/linear.mecha …
BEGIN {
    print "#include \"recipe/stdlib.h\"\n"
}
FNR == 1 {
    if (n > 0) print "    ;\n"
    files[++n] = FILENAME
    printf "static const char text_%d[] =\n", n
}
{
    line = $0
    if (match(line, /^(method|def|conversion|template)[ \t]+(`[^`]*`|[A-Za-z_0-9]+)/)) {
        split(line, words, /[ \t]+/)
        kind = words[1]
        name = substr(line, RSTART + length(kind), RLENGTH - length(kind))
        gsub(/^[ \t]+|`/, "", name)
        entries[++m] = sprintf("    {\"%s\", \"%s\", %d},", kind, name, n - 1)
    } else if (match(line, /^config[ \t]+"[^"]*"/)) {
        split(line, words, "\"")
        entries[++m] = sprintf("    {\"config\", \"%s\", %d},", words[2], n - 1)
    }
    gsub(/\\/, "\\\\", line)
    gsub(/"/, "\\\"", line)
    gsub(/\?/, "\\?", line)
    print "    \"" line "\\n\""
}
END {
    if (n > 0) print "    ;\n"
    print "const StdlibFile stdlib_files[] = {"
    for (i = 1; i <= n; i++) {
        name = files[i]
        sub(/^stdlib\//, "", name)
        printf "    {\"<stdlib>/%s\", text_%d, sizeof text_%d - 1},\n", name, i, i
    }
    print "    {0},\n};\n"
    printf "const unsigned n_stdlib_files = %d;\n\n", n
    print "const StdlibEntry stdlib_entries[] = {"
    for (i = 1; i <= m; i++) print entries[i]
    print "    {0},\n};\n"
    printf "const unsigned n_stdlib_entries = %d;\n", m
}
