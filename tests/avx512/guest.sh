#!/bin/busybox sh
# The first and only process of the guest of check.sh, which reads what this says.
/bin/busybox --install -s /bin
export PATH=/bin LD_LIBRARY_PATH=/lib HOME=/tmp
export BUILD=build MECHA=build/mecha CK_TIMEOUT_MULTIPLIER=10
mount -t proc proc /proc
mount -t devtmpfs dev /dev
mkdir /dev/shm
ln -s /proc/self/fd /dev/fd
cd /mecha || exit

# What this makes must have the bytes that are expected.
merges() { # NAME RECIPE MODELS OPTION…
    name=$1 recipe=/mecha/tests/avx512/$2.mecha models=/mecha/models/$3
    shift 3
    sh tests/avx512/merges.sh /mecha/build/mecha "$recipe" "$models" /tmp/made "$@"
    same=0 different=0
    for expected in "/mecha/expected/$name"/*; do
        if cmp "/tmp/made/${expected##*/}" "$expected"; then
            same=$((same + 1))
        else
            different=$((different + 1))
        fi
    done
    rm -r /tmp/made
    echo "merges $name: $same same, $different different"
}

echo "kernels $(build/kernels)"

grep -v '^#' tests/avx512/merges.txt > /tmp/runs
while read -r run; do
    merges $run
done < /tmp/runs

for suite in $(cat suites); do
    case $suite in
    */*) export CK_RUN_CASE="${suite#*/}" ;;
    *) unset CK_RUN_CASE ;;
    esac
    if CK_RUN_SUITE=${suite%/*} build/tests > /tmp/log 2>&1; then
        sed -n '/^note: /p' /tmp/log | sort -u
        echo "suite $suite: $(tail -n 1 /tmp/log)"
    else
        head -n 40 /tmp/log
        echo "suite $suite: failed"
    fi
done

echo "guest: done"
sleep 1 # until that is through the port
poweroff -f
