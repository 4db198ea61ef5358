# Disks that are full, and files that may not grow.
# shellcheck disable=SC2154

size=$(stat -c %s new.safetensors)

# A file system whose free space is a PART of the output.
full_disk() { # PART in hundredths
    mount_at full -t tmpfs -o size=1m tmpfs
    local free
    cp old.safetensors full/o.safetensors
    free=$(($(stat -f -c '%a*%S' full)))
    head -c $((free - size * $1 / 100)) /dev/zero > full/ballast 2> /dev/null
    run "$mecha" run -q blend.mecha --metadata none -o full/o.safetensors
    check_full "with room for $1 %"
    says "with room for $1 %" "space"
    umount full
}

check_full() { # NAME
    if [ $status != 1 ]; then
        fail "$1: status $status"
    elif [ "$(state full/o.safetensors)" != old ]; then
        fail "$1: $(state full/o.safetensors)"
    elif [ -n "$(litter full | grep -vx ballast)" ]; then
        fail "$1: leaves $(litter full)"
    else
        pass
    fi
}

# The space is there at the start, and taken by someone else before the first write.
disk_fills_meanwhile() {
    mount_at full -t tmpfs -o size=1m tmpfs
    cp old.safetensors full/o.safetensors
    (
        sleep 0.5
        head -c 2m /dev/zero > full/ballast 2> /dev/null
    ) &
    run strace -f -o log -e trace=pwrite64 -e inject=pwrite64:delay_enter=1000000:when=1 \
        "$mecha" run -q blend.mecha --metadata none -o full/o.safetensors
    wait
    check_full "the disk fills in the middle"
    says "the disk fills in the middle" "No space left on device"
    umount full
}

no_inodes() {
    mount_at full -t tmpfs -o size=1m,nr_inodes=2 tmpfs
    cp old.safetensors full/o.safetensors
    run "$mecha" run -q blend.mecha --metadata none -o full/o.safetensors
    check_full "no inode is left"
    umount full
}

file_size_limit() {
    local limit
    for limit in 0 1 4096 $((size - 1)); do
        fresh
        # Through a pipe: the limit is on the file of messages, too.
        timeout 100 prlimit --fsize="$limit" "${merge[@]}" 2>&1 > /dev/null | cat > err
        status=${PIPESTATUS[0]}
        judge "files of $limit bytes" 1:old
        says "files of $limit bytes" "File too large"
    done
    fresh
    run prlimit --fsize="$size" "${merge[@]}"
    judge "files that just fit" 0:new
}

if can_mount; then
    for part in 1 10 50 90 99; do full_disk $part; done
    if can_trace; then disk_fills_meanwhile; else skip "a disk that fills meanwhile" "no strace"; fi
    no_inodes
else
    skip "full disks" "nothing can be mounted here"
fi
file_size_limit
