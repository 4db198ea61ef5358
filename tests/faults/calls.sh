# Calls that fail: of the system by strace, of the C library by a preloaded shim (shim.c).
# shellcheck disable=SC2154

injected_calls() {
    local error
    for error in EIO ENOSPC EDQUOT; do
        each_call pwrite64 $error "1:old"
    done
    each_call ftruncate EIO "0:new 1:old"
    each_call fallocate ENOSPC "1:old"
    each_call rename EIO "1:old"
    each_call rename EACCES "1:old"
    each_call close EIO "0:new 1:old"
    # Of the folder after the rename: the new file stands.
    each_call fsync EIO "1:old 1:new"
    each_call fchmod EPERM "0:new"
    each_call fchown EPERM "0:new"
    each_call madvise EINVAL "0:new"
    each_call fallocate EOPNOTSUPP "0:new"
    each_call flock ENOLCK "0:new"
}

interrupted_calls() {
    local call
    for call in pwrite64 fsync ftruncate fallocate close flock; do
        each_call $call EINTR "0:new"
    done
    each_call openat EINTR "0:new" -P a.safetensors
    each_call pread64 EINTR "0:new" -P a.safetensors
}

# One input: nothing of it may be believed.
unreadable_input() {
    local error
    for error in EACCES EMFILE ENFILE EIO ENOMEM; do
        each_call openat $error "1:old" -P a.safetensors
        says "openat $error" 'a\.safetensors'
    done
    each_call pread64 EIO "1:old" -P a.safetensors
    each_call mmap ENOMEM "1:old" -P a.safetensors
    each_call mmap ENODEV "1:old" -P a.safetensors
    each_call newfstatat EIO "1:old 0:new" -P a.safetensors
}

# When a file's last call was made, it was on the disk under its name.
order_of_calls() {
    fresh
    run strace -f -y -o log -e trace=pwrite64,fsync,rename "${merge[@]}"
    judge "a traced run" 0:new
    local order
    order=$(grep -v 'resumed\|exited' log | sed 's/^[0-9]* *//; s/(.*//' | uniq | tr '\n' ' ')
    if [[ "$order" == *"pwrite64 fsync rename fsync "* ]]; then pass; else fail "durability: $order"; fi
}

# Every allocation, map or thread from the FAULT_AT-th on, or that one alone.
each_shim() { # CALL ALLOWED [NAME=VALUE]
    local call=$1 allowed=$2 n=1 once=${3:-FAULT_ONCE=1} mode
    shift 2
    mode=${once%%=*}
    while fresh; do
        rm -f mark
        run env FAULT_CALL="$call" FAULT_AT=$n FAULT_MARK=mark "$once" LD_PRELOAD="$shim" \
            "$mecha" run -q "${recipe:-blend.mecha}" --metadata none -j 2 -o out/o.safetensors
        [ -e mark ] || break
        # shellcheck disable=SC2086
        judge "$call number $n fails ($mode)" $allowed
        n=$(following "$n")
    done
    echo "($call: up to number $n)"
}

failing_allocations() {
    each_shim malloc "0:new 1:old"
    each_shim malloc "0:new 1:old" FAULT_EVER=1
    each_shim mmap "0:new 1:old"
    each_shim mmap "0:new 1:old" FAULT_EVER=1
    each_shim pthread_create "0:new" FAULT_EVER=1
    "$mecha" run -q thorough.mecha --metadata none -o thorough.safetensors || fail "thorough.mecha"
    recipe=thorough.mecha new=thorough.safetensors
    each_shim malloc "0:new 1:old"
    unset recipe new
}

short_writes() {
    fresh
    run env FAULT_SHORT=1 LD_PRELOAD="$shim" "${merge[@]}"
    judge "writes of seven bytes" 0:new
}

if can_trace; then
    injected_calls
    interrupted_calls
    unreadable_input
    order_of_calls
else
    skip "calls that fail" "strace cannot trace here"
fi
failing_allocations
short_writes
