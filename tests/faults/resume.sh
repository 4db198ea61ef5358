# Runs that are interrupted, and go on.
# shellcheck disable=SC2154

resume=("$mecha" run blend.mecha --metadata none -j 2 --resume -o out/o.safetensors)

# After an interruption nothing else stands there: the old file, and perhaps what to go on from.
judge_interrupted() { # NAME STATUS [OTHER]: the state of the file that is as good as the old one
    local extra
    extra=$(litter | grep -vx 'o.safetensors.partial\|o.safetensors.partial.journal')
    if [ "$status" != "$2" ]; then
        fail "$1: status $status, expected $2"
    elif [[ " old ${3:-} " != *" $(state out/o.safetensors) "* ]]; then
        fail "$1: $(state out/o.safetensors)"
    elif [ -n "$extra" ]; then
        fail "$1: leaves $extra"
    else
        pass
    fi
}

# At the N-th write, sync or rename; the next run ends with the same bytes as one that was never interrupted.
interrupted_at() { # SIGNAL STATUS CALL [OTHER]
    local n=1
    while fresh; do
        run strace -f -o log -e trace="$3" -e inject="$3:signal=$1:when=$n" "${resume[@]}"
        injected || break
        judge_interrupted "resumable, SIG$1 at $3 number $n" "$2" "${4:-}"
        run "${resume[@]}"
        judge "resumed after SIG$1 at $3 number $n" 0:new
        n=$(following "$n")
    done
}

goes_on() {
    fresh
    run strace -f -o log -e trace=fsync -e inject=fsync:signal=TERM:when=1 "${resume[@]}"
    judge_interrupted "interrupted at the end" 143
    says "interrupted at the end" "interrupted; nothing was changed; the same command goes on from here"
    run "${resume[@]}"
    judge "all was done before" 0:new
    says "all was done before" "38 of the keys by an earlier run"
}

# Whatever decides the bytes is looked at; what does not is not.
starts_over() {
    local change
    cp a.safetensors kept.safetensors
    cp blend.mecha kept.mecha
    for change in 'cp other-a.safetensors a.safetensors' 'sed -i s/0.3/0.4/ blend.mecha' \
        'sed -i s/$/["*.input_blocks.4.0.*"]/ blend.mecha' 'touch a.safetensors'; do
        fresh
        run strace -f -o log -e trace=fsync -e inject=fsync:signal=KILL:when=1 "${resume[@]}"
        $change
        "$mecha" run -q blend.mecha --metadata none -o expected.safetensors
        run "${resume[@]}"
        new=expected.safetensors judge "goes on after '$change'" 0:new
        says "goes on after '$change'" "it is made from the start"
        cp kept.safetensors a.safetensors
        cp kept.mecha blend.mecha
    done
    fresh
    run strace -f -o log -e trace=fsync -e inject=fsync:signal=KILL:when=1 "${resume[@]}"
    run "${resume[@]}" -j 1 --memory 64M
    judge "goes on with other threads and memory" 0:new
    says "goes on with other threads and memory" "38 of the keys by an earlier run"
    fresh
    run strace -f -o log -e trace=fsync -e inject=fsync:signal=KILL:when=1 "${resume[@]}"
    run "${merge[@]}"
    judge "a run that does not go on" 0:new
}

resumed_large() {
    local i child
    for i in 6 12 20 30 45; do
        fresh
        "$mecha" run -q big.mecha --metadata none -j 2 --resume -o out/o.safetensors 2> err &
        child=$!
        sleep "0.0$(printf %02d $i)"
        kill -KILL $child 2> /dev/null
        { wait $child; } 2> /dev/null
        status=$?
        [ $status = 0 ] || judge_interrupted "a large run killed after 0.0$i s" 137
        run "$mecha" run big.mecha --metadata none -j 2 --resume -o out/o.safetensors
        new=big-new.safetensors judge "a large run resumed after 0.0$i s" 0:new
        grep -o '[0-9]* of the keys by an earlier run' err
    done
}

# A folder of shards holds them all, or no index that names them.
resumed_shards() {
    local to=("$mecha" run blend.mecha --metadata none -j 2 --shard-size 4K --resume -o out/)
    local call n
    fresh empty
    "${to[@]}" 2> err
    rm -rf shards
    mv out shards
    for call in pwrite64 fsync rename; do
        for n in 1 2 5 7; do
            rm -rf out
            run strace -f -o log -e trace=$call -e inject=$call:signal=KILL:when=$n "${to[@]}"
            expect "shards, SIGKILL at $call number $n" test $status = 137
            expect "no index yet" test ! -e out/model.safetensors.index.json
            run "${to[@]}"
            if [ $status = 0 ] && diff -r shards out > /dev/null; then
                pass
            else
                fail "shards resumed after SIGKILL at $call number $n: status $status, $(diff -rq shards out)"
            fi
        done
    done
    rm -rf out
    run strace -f -o log -e trace=fsync -e inject=fsync:signal=KILL:when=1 "${to[@]}"
    run "${to[@]}"
    says "shards that were all done before" "38 of the keys by an earlier run"
}

"$build/make-models" --kind tiny --seed 9 --only '*.input_blocks.4.*' other-a.safetensors
if can_trace; then
    interrupted_at TERM 143 pwrite64
    interrupted_at KILL 137 pwrite64
    interrupted_at KILL 137 fsync new # the second: of the folder, after the rename
    goes_on
    starts_over
    resumed_shards
else
    skip "interruptions at each call" "strace cannot trace here"
fi
resumed_large
