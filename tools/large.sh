#!/bin/sh
# How long large recipes take to check: the seconds of each.
#
#     large.sh BUILD
#
# A recipe of 10,000 lines and 50,000 nodes, and an instruction list of 100,000 merges, each of them of the one before,
# which also runs, on a stack of 256 kB; and small recipes of large models: a LoRA with a weight for each block of SDXL, and
# the result as another naming has it.
set -eu

mecha=$(cd "$1" && pwd)/mecha
tool=$(cd "$1" && pwd)/make-models
measure=$(cd "$1" && pwd)/measure
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

for seed in 1 2; do
    "$tool" --kind tiny --seed $seed whole.safetensors
    echo 'model("whole.safetensors")["*.input_blocks.0.*"]' | "$mecha" run -q - -o model-$seed.safetensors
done

awk 'BEGIN {
    print "a = model(\"model-1.safetensors\")\nb = model(\"model-2.safetensors\")\nx0 = a"
    for (i = 1; i <= 9996; i++)
        printf "x%d = weighted_sum(x%d, b, %.4f) + %.6f * (b - a)\n", i, i - 1, i / 10000, i / 20000
    print "x9996"
}' > nodes.mecha

awk 'BEGIN {
    print "version 0.1.0\nmodel \"model-1.safetensors\"\nmodel \"model-2.safetensors\""
    for (i = 0; i < 100000; i++)
        printf "merge \"weighted_sum\" &%d &%d 0.%03d\n", i ? i + 1 : 0, i % 2, i % 900 + 1
}' > chain.mecha

"$tool" --kind sdxl --hollow sdxl.safetensors
"$tool" --kind sdxl --lora 16 --hollow lora.safetensors

cat > lora.mecha << 'END'
a = model("sdxl.safetensors")
lora = model("lora.safetensors")
a + 0.8 * (lora as "sdxl-sgm") * { IN00..IN08: 0.2, M00: 0.5, "*": 0.7 } | a
END
{ sed 's/^a +/merged = a +/' lora.mecha; echo 'save merged as "sdxl-kohya" to "out.safetensors"'; } > kohya.mecha

timed() { # NAME COMMAND...
    name=$1
    shift
    printf '%-26s' "$name"
    "$measure" "$@"
}

timed '50,000 nodes, check' "$mecha" check nodes.mecha
timed 'LoRA of SDXL, check' "$mecha" check lora.mecha
timed 'the same as kohya, check' "$mecha" check kohya.mecha
ulimit -s 256
timed '100,000 merges, check' "$mecha" check chain.mecha
timed '100,000 merges, run' "$mecha" run -q --no-sync chain.mecha -o out.safetensors
