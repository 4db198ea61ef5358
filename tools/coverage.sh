#!/bin/sh
# How much of the sources the tests ran, from what gcov counted; what generators wrote is left out.
#
#     coverage.sh BUILD [--lines]
#
# Prints each file's share of lines, least first, and the whole; with --lines the lines that never ran.
set -eu
build=$1
here=$(pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ln -s "$here/src" "$folder/src" # it looks for sources from where it writes
find "$here/$build/obj/src" -name '*.gcda' > "$folder/all"
(cd "$folder" && xargs gcov -p < all) > "$folder/report" 2> "$folder/trouble" || {
    cat "$folder/trouble" >&2
    exit 1
}
if [ "${2:-}" = --lines ]; then
    grep -H '^ *#####:' "$folder"/src#*.c.gcov | sed 's/.*\/src#/src#/; s/\.gcov: *#####: */:/; s/#/\//g'
    exit
fi
awk '/^File / { file = $2; gsub(/\047/, "", file) }
     /^Lines executed/ && file ~ /^src\/.*\.c$/ {
         split($0, part, /[:% ]+/)
         lines[file] = part[5]; run[file] = part[3] * part[5] / 100; file = "" }
     END {
         for (f in lines) {
             total += lines[f]; ran += run[f]
             printf "%6.1f %% of %5d  %s\n", lines[f] ? 100 * run[f] / lines[f] : 100, lines[f], f | "sort -n" }
         close("sort -n")
         printf "%6.1f %% of %5d  all\n", 100 * ran / total, total
         exit ran / total < 0.9 }' "$folder/report"
