# Signals at any moment.
# shellcheck disable=SC2154

big_merge=("$mecha" run -q big.mecha --metadata none -j 2 -o out/o.safetensors)

# A job in the background would ignore SIGINT.
at_random() { # SIGNAL NUMBER
    local i child
    for i in 0 1 2 4 7 11 16 22 29 37 46 60; do
        fresh
        env --default-signal=INT "${big_merge[@]}" 2> err &
        child=$!
        sleep "0.0$(printf %02d $i)"
        kill "-$1" $child 2> /dev/null
        { wait $child; } 2> /dev/null
        status=$?
        new=big-new.safetensors judge "SIG$1 after 0.0$i s" "$((128 + $2)):old" "$((128 + $2)):new" 0:new
    done
}

# At each call of a kind.
at_each() { # SIGNAL NUMBER CALL ALLOWED
    local n=1
    while fresh; do
        run strace -f -o log -e trace="$3" -e inject="$3:signal=$1:when=$n" "${merge[@]}"
        injected || break
        # shellcheck disable=SC2086
        judge "SIG$1 at $3 number $n" $4
        [ "$1" != KILL ] || next_run_cleans "SIGKILL at $3 number $n"
        n=$(following "$n")
    done
}

# At most one temporary file is left, and the next run to the same output removes it.
next_run_cleans() { # NAME
    if [ "$(litter | wc -l)" -gt 1 ]; then fail "$1: leaves $(litter)"; else pass; fi
    run "${merge[@]}"
    judge "$1, then another run" 0:new
}

killed_at_random() {
    local i child
    for i in 0 2 4 6 9 13 18 24 32 42 55; do
        fresh
        "${big_merge[@]}" 2> err &
        child=$!
        sleep "0.0$(printf %02d $i)"
        kill -KILL $child 2> /dev/null
        { wait $child; } 2> /dev/null
        status=$?
        new=big-new.safetensors judge "SIGKILL after 0.0$i s" 137:old 137:new 0:new
        next_run_cleans "SIGKILL after 0.0$i s"
    done
}

# What another run holds is none of ours.
lock_is_respected() {
    fresh
    strace -f -o log -e trace=rename -e inject=rename:delay_enter=800000 "${merge[@]}" 2> first &
    sleep 0.4
    run "${merge[@]}"
    judge_beside "a run beside another"
    wait $!
    status=$?
    cp first err
    judge "the run that another overtook" 0:new
}

judge_beside() {
    if [ $status = 0 ] && [ "$(state out/o.safetensors)" = new ] && [ "$(litter | wc -l)" = 1 ]; then
        pass
    else
        fail "$1: $status:$(state out/o.safetensors), $(litter)"
    fi
}

two_runs_at_once() {
    local i one two
    for i in 1 2 3 4 5 6; do
        fresh empty
        "${big_merge[@]}" 2> err &
        one=$!
        "${big_merge[@]}" 2> err2 &
        two=$!
        wait $one
        one=$?
        wait $two
        two=$?
        status=$((one + two))
        new=big-new.safetensors judge "two runs at once" 0:new
    done
}

at_random INT 2
at_random TERM 15
at_random HUP 1
if can_trace; then
    at_each TERM 15 pwrite64 "143:old"
    at_each INT 2 fsync "130:old 130:new"
    at_each TERM 15 rename "143:old 143:new 0:new"
    at_each KILL 9 pwrite64 "137:old"
    at_each KILL 9 fsync "137:old 137:new"
    at_each KILL 9 rename "137:old 137:new"
    lock_is_respected
else
    skip "signals at each call" "strace cannot trace here"
fi
killed_at_random
two_runs_at_once
