# Few descriptors, little memory, few threads.
# shellcheck disable=SC2154

descriptors() {
    local i n
    {
        printf 'n_average('
        for i in $(seq 500); do
            [ "$i" = 1 ] || printf ', '
            cp a.safetensors "many-$i.safetensors"
            printf 'model("many-%d.safetensors")' "$i"
        done
        echo ')'
    } > many.mecha
    "$mecha" run -q many.mecha --metadata none -o many.safetensors || fail "many inputs"
    for n in 64 32 24 16 12 10 9 8 7 6 5 4 3; do
        fresh
        run prlimit --nofile=$n "$mecha" run -q many.mecha --metadata none -o out/o.safetensors
        if [ $n -ge 32 ]; then
            new=many.safetensors judge "500 inputs with $n descriptors" 0:new
        else
            new=many.safetensors judge "500 inputs with $n descriptors" 0:new 1:old
        fi
    done
    rm -f many-*.safetensors
}

# A program that cannot even be loaded was not ours yet: 127 from the dynamic loader, 139 from the kernel.
limited() { # NAME OPTION…
    local name=$1
    shift
    fresh
    run prlimit "$@" "${merge[@]}"
    if [ "$(state out/o.safetensors)" = old ] && { [ $status = 127 ] || never_began "$@"; }; then
        pass
    else
        judge "$name" 0:new 1:old
    fi
}

never_began() { # OPTION…: not even the version is told under these limits
    ! { prlimit "$@" "$mecha" --version > /dev/null; } 2> /dev/null
}

address_space() {
    local mebibytes kibibytes
    for mebibytes in 4 8 12 16 20 24 32 40 48 64 80 96 128 160 200 256 400 800; do
        limited "an address space of $mebibytes MiB" --as=$((mebibytes << 20))
    done
    for kibibytes in 64 256 512 1024 2048 4096 16384 65536; do
        limited "$kibibytes KiB of data" --data=$((kibibytes << 10))
        limited "a stack of $kibibytes KiB" --stack=$((kibibytes << 10))
    done
}

# Page cache counts in there, and has to be given back.
little_memory() {
    local group limit
    if [ -d /sys/fs/cgroup/memory ]; then
        group=/sys/fs/cgroup/memory/mecha-faults-$$ limit=memory.limit_in_bytes
    else
        group=/sys/fs/cgroup/mecha-faults-$$ limit=memory.max
    fi
    if ! mkdir "$group" 2> /dev/null || [ ! -e "$group/$limit" ]; then
        rmdir "$group" 2> /dev/null
        skip "a group of 24 MiB" "no memory cgroup can be made here"
        return
    fi
    echo 25165824 > "$group/$limit"
    sync
    for file in big-a.safetensors big-b.safetensors; do
        dd if=$file iflag=nocache count=0 2> /dev/null # else they are in the memory of this group
    done
    fresh
    run bash -c 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"' - "$group" \
        "$mecha" run -q big.mecha --metadata none -j 2 -o out/o.safetensors
    new=big-new.safetensors judge "60 MB of inputs in 24 MiB of memory" 0:new
    rmdir "$group"
}

few_threads() {
    local group=/sys/fs/cgroup/pids/mecha-faults-$$ limit
    [ -d /sys/fs/cgroup/pids ] || group=/sys/fs/cgroup/mecha-faults-$$
    if ! mkdir "$group" 2> /dev/null || [ ! -e "$group/pids.max" ]; then
        rmdir "$group" 2> /dev/null
        skip "a group of few threads" "no pids cgroup can be made here"
    else
        for limit in 1 2 3; do
            fresh
            echo $limit > "$group/pids.max"
            # No `timeout` here: it would count.
            bash -c 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"' - "$group" \
                "$mecha" run -q blend.mecha --metadata none -j 8 -o out/o.safetensors 2> err
            status=$?
            judge "$limit threads in all" 0:new
        done
        rmdir "$group"
    fi
    if [ "$(id -u)" = 0 ]; then
        fresh empty
        chmod 777 out
        run prlimit --nproc=1 setpriv --reuid=65534 --clear-groups "$mecha" run -q blend.mecha \
            --metadata none -j 8 -o out/o.safetensors
        judge "one process for this user" 0:new
    fi
}

# A run keeps its budget, as the kernel counts what it holds: at most 32 MiB above.
budget() { # RECIPE SIZE-IN-MiB
    fresh
    "$mecha" run -q "$1" --space any --metadata none -j 2 --memory "$2M" -o out/o.safetensors 2> err &
    local child=$! most=0 now
    while now=$(awk '/RssAnon/ { print $2 }' /proc/$child/status 2> /dev/null) && [ -n "$now" ]; do
        [ "$now" -le $most ] || most=$now
    done
    wait $child
    status=$?
    if [ $status = 0 ] && [ $most -gt 0 ] && [ $most -le $((($2 + 32) << 10)) ]; then
        pass
    else
        fail "$1 within $2 MiB: status $status, $most kB at most"
    fi
    echo "($1 --memory $2M: $most kB)"
}

budgets() {
    cat > sorting.mecha <<'END'
method halves(a: S) -> S { x = sort(flatten(a)); a * 0.5 + 0 * x[0] }
halves(model("big-a.safetensors"))
END
    echo 'a = model("big-a.safetensors"); b = model("big-b.safetensors")
a + ties_sum(b - a, 0.5 * (b - a), k = 0.4)' > ties.mecha
    budget big.mecha 16
    budget ties.mecha 32
    budget ties.mecha 64
    budget sorting.mecha 128
    run "$mecha" check sorting.mecha --space any --memory 4M
    if [ $status = 1 ]; then pass; else fail "too large a task: status $status"; fi
    says "too large a task" "input_blocks.4.0.out_layers.3.weight' needs 98 MiB of memory, and --memory allows 4.0 MiB"
}

descriptors
address_space
little_memory
few_threads
budgets
