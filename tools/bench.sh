#!/bin/sh
# mecha's time as a ratio to the floor: a program that only reads every input byte and writes every output byte.
#
#     bench.sh BUILD [WORKLOAD...]
#
# Full-size models lie in /dev/shm, so that no disk is measured, and freed memory stays with this machine (reserve.c).
# Runs alternate; the first pair, which also takes the memory, is discarded; the ratio is the median of the other pairs,
# with the least and the greatest beside it.
# THREADS= and PAIRS= change how many of each. Exit status 1: a limit is exceeded.
set -eu

build=$1
shift
wanted=" $* "
threads=${THREADS:-2}
pairs=${PAIRS:-9}
folder=/dev/shm/mecha-bench.$$
status=0

# A row of the table: name, kind and number of models, limits of the ratio and of the memory in MB, the recipe, in which
# m1, m2, ... are the models.
workloads() {
    workload weighted_sum sd15 2 1.3 64 'weighted_sum(m1, m2, alpha = 0.3)'
    workload ties_sum     sd15 3 3.0 96 'm1 + ties_sum(m2 - m1, m3 - m1, k = 0.2)'
}

trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

reserve=4600000000 # twice an output

# Three models, and the reserve while it is made.
need=12
have=$(df -Pk /dev/shm | awk 'NR == 2 { print int($4 / 1000000) }')
free=$(awk '/^MemAvailable/ { print int($2 / 1000000) }' /proc/meminfo)
if [ "$have" -lt $need ] || [ "$free" -lt $((need + 1)) ]; then
    echo "bench: needs $need GB in /dev/shm and $((need + 1)) GB of memory; there are $have and $free" >&2
    exit 1
fi
mkdir "$folder"

# Model N of KIND: the first by itself, the others fine-tunes of it.
model() {
    path=$folder/$1-$2.safetensors
    [ -e "$path" ] || "$build/make-models" --kind "$1" --seed "$2" --base 1 --strength "$([ "$2" = 1 ] && echo 0 || echo 0.1)" \
        --threads "$threads" "$path"
}

# The seconds and kB of one run; the output is made anew.
measure() {
    rm -f "$folder/out.safetensors"
    "$build/measure" "$@"
}

floor_of() { # OPTION... -- INPUT...
    mode=$1
    shift
    measure "$build/floor" --threads "$threads" --mode "$mode" "$folder/out.safetensors" "$@"
}

# floor prints a line of its own before that of measure.
floor_seconds() { floor_of "$@" | awk 'END { print $1 }'; }

faster_mode() {
    for i in 1 2 3; do
        for mode in mmap pread; do
            echo "$(floor_seconds $mode "$@") $mode"
        done
    done | sort -n | awk 'NR == 1 { print $2 }'
}

mecha_run() { measure $1 "$build/mecha" run "$folder/plan.mecha" -q -j "$threads" -o "$folder/out.safetensors"; }

# Median, least and greatest of a column of numbers.
spread() { sort -n | awk '{ v[NR] = $1 } END { printf "%.2f %.2f %.2f", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2, v[1], v[NR] }'; }

workload() {
    name=$1 kind=$2 count=$3 limit=$4 memory_limit=$5 recipe=$6
    case $wanted in "  " | *" $name "*) ;; *) return 0 ;; esac
    inputs=
    : > "$folder/plan.mecha"
    for i in $(seq "$count"); do
        model "$kind" "$i"
        inputs="$inputs $folder/$kind-$i.safetensors"
        echo "m$i = model(\"$kind-$i.safetensors\")" >> "$folder/plan.mecha"
    done
    echo "$recipe" >> "$folder/plan.mecha"
    [ -e "$folder/reserve" ] || "$build/reserve" "$folder/reserve" $reserve
    mode=$(faster_mode $inputs)
    : > "$folder/times"
    for i in $(seq 0 "$pairs"); do
        floor=$(floor_seconds "$mode" $inputs)
        if [ "$i" = 0 ]; then
            memory=$(mecha_run --memory | awk '{ print $2 }')
        else
            echo "$(mecha_run "" | awk '{ print $1 }') $floor" >> "$folder/times"
        fi
    done
    rm -f "$folder/out.safetensors"
    ours=$(awk '{ print $1 }' "$folder/times" | spread)
    floors=$(awk '{ print $2 }' "$folder/times" | spread)
    ratios=$(awk '{ print $1 / $2 }' "$folder/times" | spread)
    echo "$name ${ours%% *} ${floors%% *} $mode $ratios $limit $memory $memory_limit" | awk '{
        over = $5 > $8 || $9 / 1000 > $10
        printf "%-16s %8.2f %8.2f %-6s %6.2f %6.2f %6.2f %6.2f %8.1f %6d  %s\n", $1, $2, $3, $4, $5, $6, $7, $8, $9 / 1000, $10, over ? "over" : "ok"
        exit over }' || status=1
}

printf '%-16s %8s %8s %-6s %6s %6s %6s %6s %8s %6s\n' workload 'mecha s' 'floor s' by ratio least most limit 'anon MB' limit
workloads
exit $status
