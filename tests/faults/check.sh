#!/bin/bash
# Faults during a run, each made for real: full disks, failing calls, signals, shrinking inputs, limits.
#
#     check.sh BUILD [PART…]
#
# After any of them the output's name holds the old file, the whole new one, or nothing; its folder holds nothing else;
# the exit status is 0 only if the new file stands; a message says why it is not; and no signal ended the program that
# was not sent. Prints what went wrong, what was skipped and why, and `N passed, 0 failed` at the end.
#
# FAULTS_EVERY=1 makes every n-th call fail; the default leaves most of them out beyond the first few.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
shift
mecha=$build/mecha
shim=$build/shim.so
every=${FAULTS_EVERY:-7}
work=$(mktemp -d "${TMPDIR:-/tmp}/mecha-faults-XXXXXX")
passed=0 failed=0 skipped=0
mounted=()

# Not of a child that a signal ends before it becomes another program.
clean_up() {
    [ "$BASHPID" = $$ ] || return
    local folder
    for folder in "${mounted[@]}"; do
        umount "$folder" 2> /dev/null
    done
    chattr -i "$work"/* 2> /dev/null
    rm -rf "$work"
}
trap clean_up EXIT
cd "$work" || exit 1
chmod 755 . # some runs are of another user

# ---- verdicts ----

fail() { # NAME WHAT…
    echo "FAILED $*"
    [ ! -s err ] || sed 's/^/    /' err | head -5
    failed=$((failed + 1))
}

pass() { passed=$((passed + 1)); }

skip() { # NAME WHY
    echo "skipped $1: $2"
    skipped=$((skipped + 1))
}

expect() { # NAME COMMAND…: it succeeds
    local name=$1
    shift
    if "$@" > /dev/null 2>> err; then pass; else fail "$name: $*"; fi
}

# ---- runs ----

# The output's folder as it was before, with an old file in it or (fresh empty) without.
fresh() {
    rm -rf out
    mkdir out
    [ "${1:-}" = empty ] || cp old.safetensors out/o.safetensors
}

merge=("$mecha" run -q blend.mecha --metadata none -j 2 -o out/o.safetensors)

run() { # COMMAND…: its exit status in $status, what it said in err
    { timeout 100 "$@" > /dev/null < /dev/null; } 2> err
    status=$?
}

state() { # of the file $1: none, old, new, part
    if [ ! -e "$1" ]; then echo none
    elif cmp -s "$1" "${new:-new.safetensors}"; then echo new
    elif cmp -s "$1" old.safetensors; then echo old
    else echo part; fi
}

litter() { # what stands in the folder besides the output
    ls -A "${1:-out}" | grep -vx o.safetensors
}

# judge NAME ALLOWED…: what the last run left must be one of ALLOWED, `STATUS:STATE` each.
judge() {
    local name=$1 found
    shift
    found=$status:$(state out/o.safetensors)
    if [ "$found" = 127:old ] && grep -q 'loading shared librar' err; then
        pass # it was the dynamic loader's call, and nothing of ours began
    elif [[ " $* " != *" $found "* ]]; then
        fail "$name: $found, expected $*"
    elif [ -n "$(litter)" ] && [ "$status" != 137 ]; then
        fail "$name: leaves $(litter)"
    elif [ "$status" != 0 ] && [ "$status" -lt 128 ] && ! grep -q 'error: \|mecha: ' err; then
        fail "$name: says nothing"
    else
        pass
    fi
}

says() { # NAME TEXT: the last run said so
    if grep -q -- "$2" err; then pass; else fail "$1: does not say '$2'"; fi
}

# The number after N that is tried next.
following() {
    if [ "$1" -lt 4 ]; then echo $(($1 + 1)); else echo $(($1 + every)); fi
}

# Fails the n-th CALL with ERROR, for one n after the other.
each_call() { # CALL ERROR ALLOWED [STRACE OPTION…]
    local call=$1 error=$2 allowed=$3 n=1
    shift 3
    while fresh; do
        run strace -f -y -o log "$@" -e trace="$call" -e inject="$call:error=$error:when=$n" "${merge[@]}"
        injected || break
        # shellcheck disable=SC2086
        judge "$call number $n fails with $error" $allowed
        n=$(following "$n")
    done
    [ "$n" -gt 1 ] || echo "(no $call was called)"
}

can_mount() {
    mkdir -p probe
    mount -t tmpfs -o size=64k tmpfs probe 2> /dev/null && umount probe
}

mount_at() { # FOLDER ARGUMENTS…
    local folder=$1
    shift
    mkdir -p "$folder"
    mount "$@" "$folder" && mounted+=("$folder")
}

# Whether strace did to the last run what it was told to: a signal is not marked as a failing call is.
injected() { grep -q 'INJECTED\|--- SIG\|killed by SIG' log; }

can_trace() { strace -o /dev/null true 2> /dev/null; }

# ---- what is merged ----

make_inputs() {
    local make=$build/make-models
    "$make" --kind tiny --seed 1 --only '*.input_blocks.4.*' a.safetensors &&
        "$make" --kind tiny --seed 2 --only '*.input_blocks.4.*' b.safetensors &&
        "$make" --kind sd15 --seed 1 --only '*.input_blocks.4.*' big-a.safetensors &&
        "$make" --kind sd15 --seed 2 --only '*.input_blocks.4.*' big-b.safetensors || exit 1
    echo 'slerp(model("a.safetensors"), model("b.safetensors"), alpha = 0.3)' > blend.mecha
    echo 'slerp(model("big-a.safetensors"), model("big-b.safetensors"), alpha = 0.3)' > big.mecha
    cat > thorough.mecha <<'END'
method flat(a: S) -> S {
    f = if a.rank == 2 then polar(a) else a
    a + 0.1 * (f - sort(a)[0])
}
a = model("a.safetensors")
b = model("b.safetensors")
save flat(a) + ties_sum(b - a, 0.5 * (b - a), k = 0.4) to "out/o.safetensors", metadata = { "by": "me" }
END
    cp a.safetensors old.safetensors
    "$mecha" run -q blend.mecha --metadata none -o new.safetensors &&
        "$mecha" run -q big.mecha --metadata none -o big-new.safetensors || exit 1
}

make_inputs
[ $# -gt 0 ] || set -- calls disk inputs signals resume folders places limits strangers
for part in "$@"; do
    echo "-- $part"
    # shellcheck disable=SC1090
    . "$here/$part.sh"
done

[ $skipped = 0 ] || echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
