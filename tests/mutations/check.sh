#!/bin/sh
# Does the suite notice when a line is wrong? Breaks one line after the other in a copy of the sources, builds, and runs
# the suites that list.txt names for it: one of them must fail.
#
#     check.sh BUILD [FILE…]
#
# with FILEs only what is broken in those.
# Prints the lines whose break nobody noticed, and `N passed, 0 failed`.
set -u
here=$(pwd)
copy=$1/mutations
shift
only=" $* "
list=$here/tests/mutations/list.txt
passed=0
failed=0

mkdir -p "$copy"
for part in Makefile src grammar stdlib tests tools docs; do
    cp -rpu "$here/$part" "$copy/"
done
cd "$copy" || exit 1
make -j"$(nproc)" all build/tests > build.log 2>&1 || {
    tail -5 build.log
    exit 1
}

# Replaces the first FROM of a file by TO, as they stand.
change() { # FILE FROM TO
    FROM=$2 TO=$3 awk 'BEGIN { from = ENVIRON["FROM"]; to = ENVIRON["TO"] }
        !done && (at = index($0, from)) {
            $0 = substr($0, 1, at - 1) to substr($0, at + length(from)); done = 1 }
        { print }
        END { exit !done }' "$1" > changed
}

noticed() { # SUITES
    make -j"$(nproc)" all build/tests > build.log 2>&1 || return 0
    for suite in $1; do
        CK_RUN_SUITE=$suite MECHA=build/mecha BUILD=build timeout 300 build/tests > run.log 2>&1 || return 0
    done
    return 1
}

while IFS='~' read -r file from to suites; do
    case $file in '#'* | '') continue ;; esac
    case $only in '  ' | *" $file "*) ;; *) continue ;; esac
    if ! change "$file" "$from" "$to"; then
        echo "FAILED $file: no line holds '$from'"
        failed=$((failed + 1))
        continue
    fi
    cp "$file" original
    cp changed "$file"
    if noticed "$suites"; then
        passed=$((passed + 1))
    else
        echo "FAILED $file: nobody noticed '$to'"
        failed=$((failed + 1))
    fi
    cp original "$file"
done < "$list"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
