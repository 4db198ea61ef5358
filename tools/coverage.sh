#!/bin/sh
# How much of the sources the tests ran, from what gcov counted; what generators wrote is left out.
#
#     coverage.sh BUILD [--lines|--errors]
#
# Prints each file's share of lines, least first, and the whole, and the errors that no test brought about and
# docs/testing.md does not know by name: there should be none. With --lines the lines that never ran, with --errors the
# errors among them.
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

# `file: message` of each call that says an error and never ran.
errors() {
    for report in "$folder"/src#*.c.gcov; do
        awk -v file="$(basename "$report" .gcov | tr '#' /)" '
            { code = $0; sub(/^[^:]*:[^:]*:/, "", code) }
            /^ *#####:/ && code ~ /(diag_error|diag_warning|refuse|refuse_errno|lower_error|argument_wants|structure_fail|fault)\(/ {
                wanted = 3 }
            wanted > 0 && match(code, /"([^"\\]|\\.)*"/) {
                print file ": " substr(code, RSTART + 1, RLENGTH - 2); wanted = 0 }
            { wanted-- }' "$report"
    done | sort -u
}

if [ "${2:-}" = --errors ]; then
    errors
    exit
fi
errors | while read -r error; do
    grep -qF -- "\`${error%%: *}\` | ${error#*: } |" "$here/docs/testing.md" || echo "nobody tests $error"
done > "$folder/unknown"
cat "$folder/unknown"
[ ! -s "$folder/unknown" ] || unknown=1
awk -v unknown="${unknown:-0}" '/^File / { file = $2; gsub(/\047/, "", file) }
     /^Lines executed/ && file ~ /^src\/.*\.c$/ {
         split($0, part, /[:% ]+/)
         lines[file] = part[5]; run[file] = part[3] * part[5] / 100; file = "" }
     END {
         for (f in lines) {
             total += lines[f]; ran += run[f]
             printf "%6.1f %% of %5d  %s\n", lines[f] ? 100 * run[f] / lines[f] : 100, lines[f], f | "sort -n" }
         close("sort -n")
         printf "%6.1f %% of %5d  all\n", 100 * ran / total, total
         exit ran / total < 0.9 || unknown }' "$folder/report"
