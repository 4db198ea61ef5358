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

# The second call of a kind, and what is said of it.
second_call() { # CALL FAULT ALLOWED TEXT [STRACE OPTION…]
    local call=$1 fault=$2 allowed=$3 text=$4
    shift 4
    fresh
    run strace -f -o log "$@" -e trace="$call" -e inject="$call:$fault:when=2" "${merge[@]}"
    judge "the second $call: $fault" "$allowed"
    says "the second $call: $fault" "$text"
}

told_as_they_are() {
    fresh
    run strace -f -o log -P a.safetensors -e trace=mmap -e inject=mmap:error=ENODEV:when=1 "${merge[@]}"
    judge "an input that can't be mapped" 1:old
    says "an input that can't be mapped" "a\.safetensors: can't be mapped into memory: No such device"
    second_call fsync error=EIO "1:new" "was written, but may not outlast a power cut: Input/output error"
    second_call pread64 retval=0 "1:old" "a\.safetensors: became shorter while it was read" -P a.safetensors
}

# Half a listing is not all of a model. Those behind it look for stale files beside the output, which may stay.
failing_listings() {
    mkdir -p folder
    cp a.safetensors folder/
    sed 's/a\.safetensors/folder/' blend.mecha > folder.mecha # with the same result
    local n=1
    while fresh; do
        run strace -f -o log -e trace=getdents64 -e inject=getdents64:error=EIO:when=$n \
            "$mecha" run -q folder.mecha --metadata none -o out/o.safetensors
        injected || break
        if [ $n -le 2 ]; then
            judge "listing number $n fails" 1:old
            says "listing number $n fails" "folder: can't be listed: Input/output error"
        else
            judge "listing number $n fails" 0:new
        fi
        n=$((n + 1))
    done
    [ $n = 5 ] || fail "a model in a folder: $((n - 1)) listings, expected 4"
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
each_shim() { # CALL ALLOWED [NAME=VALUE…]
    local call=$1 allowed=$2 n=1 mode
    shift 2
    mode=${*:-once}
    while fresh; do
        rm -f mark
        run env FAULT_CALL="$call" FAULT_AT=$n FAULT_MARK=mark "$@" LD_PRELOAD="$shim" \
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
    # Libraries that get no memory end the program themselves, at worst while they are being loaded.
    every=1 each_shim malloc "0:new 1:old" FAULT_FROM=libopenblas
    unset recipe new
}

# A session says what it has no memory for, and goes on or ends; it does not crash.
failing_session() {
    local n=1 key
    key=model.diffusion_model.input_blocks.4.0.in_layers.0.weight
    printf 'm = model("a.safetensors")\n0.5 * m["%s"]\n:quit\n' $key > session
    while rm -f mark; do
        FAULT_CALL=malloc FAULT_AT=$n FAULT_MARK=mark LD_PRELOAD="$shim" \
            "$mecha" repl < session > said 2>&1
        status=$?
        [ -e mark ] || break
        if [ $status -lt 2 ] || { [ $status = 127 ] && grep -q 'loading shared librar' said; }; then
            pass
        else
            fail "a session, malloc number $n fails: status $status"
        fi
        n=$(following "$n")
    done
    echo "(a session, malloc: up to number $n)"
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
    told_as_they_are
    failing_listings
    order_of_calls
else
    skip "calls that fail" "strace cannot trace here"
fi
failing_allocations
failing_session
short_writes
