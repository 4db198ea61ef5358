# Outputs where none can or should be.
# shellcheck disable=SC2154

to() { # PATH ARGUMENTS…
    local path=$1
    shift
    run "$mecha" run -q blend.mecha --metadata none -o "$path" "$@"
}

refused() { # NAME TEXT…
    local name=$1 text
    shift
    if [ $status != 1 ]; then fail "$name: status $status"; else pass; fi
    for text in "$@"; do says "$name" "$text"; done
}

no_files() {
    fresh empty
    mkfifo out/fifo
    to out/fifo
    refused "a FIFO" "is a FIFO"
    to out/fifo --force
    refused "a FIFO by force" "is a FIFO"
    expect "the FIFO stands" test -p out/fifo
    mkdir out/folder
    to out/folder --force
    refused "a folder" "is a folder"
    to out/new/
    expect "a name that ends in a slash is a folder to make" test -s out/new/model.safetensors
    rm -r out/new
    to out/missing/o.safetensors
    refused "a missing folder" "No such file or directory"
    to /dev/null/o.safetensors
    refused "a file for a folder" "Not a directory"
    expect "nothing else stands there" test "$(ls -A out | wc -l)" = 2
    if mknod out/null c 1 3 2> /dev/null; then
        to out/null --force
        refused "a device" "is a device"
        expect "the device stands" test -c out/null
    else
        skip "a device as output" "none can be made here"
    fi
}

foreign_files() {
    fresh empty
    echo "my thesis" > out/o.safetensors
    to out/o.safetensors
    refused "a foreign file" "is no safetensors file"
    expect "the foreign file stands" grep -q thesis out/o.safetensors
    to out/o.safetensors --force
    judge "a foreign file by force" 0:new
}

own_inputs() {
    cp a.safetensors kept-a.safetensors
    cp b.safetensors kept-b.safetensors
    to a.safetensors
    refused "an input as output" "is an input of this run"
    expect "the input is as it was" cmp a.safetensors kept-a.safetensors
    to a.safetensors --force
    expect "an input replaced by force" cmp a.safetensors new.safetensors
    expect "the other input is as it was" cmp b.safetensors kept-b.safetensors
    cp kept-a.safetensors a.safetensors
    ln a.safetensors hard.safetensors
    to hard.safetensors --force
    expect "a hard link to an input" cmp hard.safetensors new.safetensors
    expect "its other name is as it was" cmp a.safetensors kept-a.safetensors
    rm hard.safetensors
    ln -s a.safetensors soft.safetensors
    to soft.safetensors
    refused "a link to an input" "is an input of this run"
    to soft.safetensors --force
    expect "a link to an input by force" cmp a.safetensors new.safetensors
    expect "the link stands" test -L soft.safetensors
    cp kept-a.safetensors a.safetensors
    rm soft.safetensors
}

links() {
    fresh
    mkdir -p elsewhere
    rm -f elsewhere/*
    mv out/o.safetensors elsewhere/real.safetensors
    ln -s ../elsewhere/real.safetensors out/o.safetensors
    to out/o.safetensors
    judge "a link" 0:new
    expect "the link is followed" cmp elsewhere/real.safetensors new.safetensors
    expect "nothing else stands beside its file" test "$(ls -A elsewhere)" = real.safetensors
    ln -sfn dangling.safetensors out/o.safetensors
    to out/o.safetensors
    expect "a link to nothing" cmp out/dangling.safetensors new.safetensors
    ln -sfn o.safetensors out/o.safetensors
    to out/o.safetensors
    refused "a link to itself" "Too many levels of symbolic links"
}

unwritable() {
    fresh
    chmod 555 out
    if [ "$(id -u)" = 0 ]; then
        run setpriv --reuid=65534 --clear-groups "${merge[@]}"
    else
        run "${merge[@]}"
    fi
    judge "a folder that is not ours" 1:old
    says "a folder that is not ours" "Permission denied"
    chmod 755 out
    if chattr +i out/o.safetensors 2> /dev/null; then
        run "${merge[@]}"
        judge "an immutable file" 1:old
        says "an immutable file" "can't be replaced: Operation not permitted"
        chattr -i out/o.safetensors
    else
        skip "an immutable file" "none can be made here"
    fi
    if can_mount; then
        mount_at full -t tmpfs -o size=1m tmpfs
        cp old.safetensors full/o.safetensors
        mount -o remount,ro full
        to full/o.safetensors
        refused "a read-only disk" "Read-only file system"
        umount full
    else
        skip "a read-only disk" "nothing can be mounted here"
    fi
}

# As another user than root, whom modes do not stop.
as_nobody() {
    if [ "$(id -u)" = 0 ]; then
        run setpriv --reuid=65534 --clear-groups "$@"
    else
        run "$@"
    fi
}

# What cannot be read, or is no file.
odd_inputs() {
    local path text
    mkdir -p odd/closed
    cp a.safetensors odd/secret.safetensors
    chmod 000 odd/secret.safetensors odd/closed
    ln -sfn loop.safetensors odd/loop.safetensors
    [ -p odd/fifo.safetensors ] || mkfifo odd/fifo.safetensors
    chmod 755 odd
    while IFS='~' read -r path text; do
        fresh
        chmod 777 out
        echo "model(\"$path\")" > odd.mecha
        chmod 644 odd.mecha
        as_nobody "$mecha" run -q odd.mecha --metadata none -o out/o.safetensors
        judge "the input $path" 1:old
        says "the input $path" "$text"
    done <<'END'
odd/secret.safetensors~odd/secret.safetensors: can't be opened: Permission denied
odd/closed~odd/closed: can't be \(read\|listed\): Permission denied
odd/loop.safetensors~odd/loop.safetensors: can't be opened: Too many levels of symbolic links
odd/fifo.safetensors~is a FIFO
/dev/full~is a device
/proc/self/mem~error: /proc/self/mem: 
/proc/self/maps~/proc/self/maps: the file is empty
odd/secret.safetensors/x~there is no file .odd/secret.safetensors/x.
END
    chmod 755 odd/closed
}

# Shards take the place of others: what stands there and can't go is said.
odd_outputs() {
    local long
    fresh empty
    to out/ --shard-size 4K
    expect "shards" test -e out/model.safetensors.index.json
    if can_trace; then
        run strace -f -o log -e trace=unlink -e inject=unlink:error=EACCES:when=1 \
            "$mecha" run -q blend.mecha --metadata none --shard-size 4K -o out/
        refused "shards that can't be replaced" "can't be replaced: Permission denied"
    fi
    fresh empty
    long=$(printf '%0243d' 0).safetensors
    to "out/$long"
    expect "a name of 255 bytes" cmp "out/$long" new.safetensors
    expect "and nothing beside it" test "$(ls -A out)" = "$long"
    to "out/0$long"
    refused "a name of 256 bytes" "File name too long"
}

# What goes to standard output is lost: said, and the status tells.
full_standard_output() {
    local command
    for command in "methods" "info a.safetensors" "help" "fmt blend.mecha" "compile blend.mecha" \
        "explain blend.mecha" "configs" "diff a.safetensors b.safetensors" "--version"; do
        # shellcheck disable=SC2086
        "$mecha" $command > /dev/full 2> err < /dev/null
        status=$?
        if [ $status = 1 ]; then pass; else fail "$command > /dev/full: status $status"; fi
        says "$command > /dev/full" "No space left on device"
    done
}

closed_streams() {
    fresh empty
    "${merge[@]}" <&- >&- 2>&-
    status=$?
    : > err
    judge "no standard streams" 0:new
    fresh empty
    "${merge[@]}" --progress always -v 2>&- > /dev/null
    status=$?
    judge "no standard error" 0:new
}

no_files
foreign_files
own_inputs
links
unwritable
odd_inputs
odd_outputs
full_standard_output
closed_streams
