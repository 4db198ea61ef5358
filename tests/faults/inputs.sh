# Inputs that change, vanish or fail while they are read.
# shellcheck disable=SC2154

# The first write waits; meanwhile COMMAND… happens.
during_delay() {
    fresh
    cp pristine.safetensors a.safetensors
    strace -f -o log -e trace=pwrite64 -e inject=pwrite64:delay_enter=700000:when=1 "${merge[@]}" \
        > /dev/null 2> err < /dev/null &
    local run=$!
    sleep 0.35
    "$@"
    wait $run
    status=$?
}

changing_inputs() {
    cp a.safetensors pristine.safetensors
    local length
    for length in 0 100 4096; do
        during_delay truncate -s $length a.safetensors
        # What was read before may have been all.
        judge "an input cut to $length bytes" 1:old 0:new
        [ $status = 0 ] || says "an input cut to $length bytes" "a\.safetensors: can't be read any more"
    done
    during_delay rm a.safetensors
    judge "an input that is removed" 0:new
    during_delay mv other.safetensors a.safetensors
    judge "an input that is replaced" 0:new
    cp pristine.safetensors a.safetensors
}

# A large one: that some of it is read after the cut is certain. A copy that nothing looks at is read
# by the system alone.
large_input_cut() { # RECIPE OPTION...
    fresh
    cp big-a.safetensors kept.safetensors
    strace -f -o log -e trace=pwrite64 -e inject=pwrite64:delay_enter=700000:when=1 \
        "$mecha" run -q "$@" --metadata none -j 2 -o out/o.safetensors > /dev/null 2> err &
    sleep 0.35
    truncate -s 100000 big-a.safetensors
    wait $!
    status=$?
    mv kept.safetensors big-a.safetensors
    judge "a large input of $1 cut short" 1:old
    says "a large input of $1 cut short" "big-a\.safetensors: can't be read any more: it became shorter"
}

# An image of a file system that shrinks under it: reads fail, and so do accesses to maps.
failing_disk() {
    truncate -s 64m image
    mkfs.ext4 -q -F image 2> /dev/null && mount_at disk -o loop image 2> /dev/null || {
        skip "a failing disk" "no loop device can be mounted here"
        return
    }
    cp big-a.safetensors disk/
    sync
    echo 'slerp(model("disk/big-a.safetensors"), model("big-b.safetensors"), alpha = 0.3)' > disk.mecha
    umount disk
    mount -o loop image disk
    truncate -s 8m image
    fresh
    run "$mecha" run -q disk.mecha --metadata none -j 2 -o out/o.safetensors
    judge "a failing disk" 1:old
    says "a failing disk" "disk/big-a\.safetensors: can't be read"
    umount disk
    rm image
}

cp b.safetensors other.safetensors
if can_trace; then
    changing_inputs
    large_input_cut big.mecha
    echo 'model("big-a.safetensors")' > copy.mecha
    large_input_cut copy.mecha --keep-non-finite
else
    skip "inputs that change" "strace cannot trace here"
fi
failing_disk
