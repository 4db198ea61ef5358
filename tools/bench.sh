#!/bin/sh
# mecha's time as a ratio to the floor: a program that only reads every input byte and writes as many bytes as mecha did.
#
#     bench.sh BUILD [--methods | --scaling] [WORKLOAD...]
#
# --methods: every merge method instead of the workloads that have limits. --scaling: the same merge of ever more bytes, models,
# ranks and threads.
#
# Full-size models lie in /dev/shm, so that no disk is measured, and freed memory stays with this machine (reserve.c).
# Runs alternate; the first pair, which also takes the memory, is discarded; the ratio is the median of the other pairs,
# with the least and the greatest beside it.
# THREADS= and PAIRS= change how many of each. Exit status 1: a limit is exceeded.
set -eu

build=$1
shift
table=workloads
case ${1-} in --methods | --scaling)
    table=${1#--}
    shift
    ;;
esac
wanted=" $* "
threads=${THREADS:-2}
pairs=${PAIRS:-9}
folder=/dev/shm/mecha-bench.$$
status=0

# A row of a table: name, kind and number of models, limits of the ratio and of the memory in MB (- where there is none), the
# recipe, in which m1, m2, ... are the models. Of a kind that ends in +N there is a LoRA of rank N, too.
workloads() {
    workload weighted_sum     sd15 2 1.15 40 'weighted_sum(m1, m2, alpha = 0.3)'
    workload add_difference   sd15 3 1.15 40 'add_difference(m1, m2, m3, alpha = 0.5)'
    workload block_weighted   sd15 2 1.15 40 'm1 + (m2 - m1) * { IN00..IN05: 0.2, IN06..IN11: 0.4, M00: 0.5, OUT00..OUT11: 0.8, "*": 0 }'
    workload slerp            sd15 2 2.0 40 'slerp(m1, m2, alpha = 0.3)'
    workload ties_sum         sd15 3 2.0 40 'm1 + ties_sum(m2 - m1, m3 - m1, k = 0.2)'
    workload dare_ties        sd15 3 2.5 40 'add_ties_with_dare(m1, m2, m3, apply_stock = true)'
    workload model_stock      sd15 3 2.0 40 'm1 + model_stock(m2 - m1, m3 - m1)'
    workload copy             sd15 1 -   40 'pick_component(m1, "diffuser") | m1'
    workload weighted_sum_20  part 20 1.15 40 "$(sum_of 20)"
    workload n_average_100    part 100 1.15 40 "n_average($(models 100))"
    workload tree_of_12       part 12 -   40 "$(tree)"
    workload f32_to_f16       sd15-f32 1 - 40 'save m1, dtype = "f16"'
    workload bf16_to_f8       lm 1 -      40 'save m1, dtype = "f8_e4m3"'
    workload lm_weighted_sum  lm 2 1.15   40 'weighted_sum(m1, m2, alpha = 0.3)'
    workload lm_ties          lm 3 2.0    40 'm1 + ties_sum(m2 - m1, m3 - m1, k = 0.2)'
    workload lm_shards        lm-shards 3 2.0 40 'save m1 + ties_sum(m2 - m1, m3 - m1, k = 0.2) to "out", shard_size = "500MB"'
    workload lora_unet        sdxl-unet+32 1 1.15 40 'm1 + 0.8 * (lora as "sdxl-sgm") | m1'
    workload lora_sdxl        sdxl+32 1 1.3 40 'm1 + 0.8 * (lora as "sdxl-sgm") | m1'
    workload lora_flux        flux-blocks+32 1 -   40 'apply(m1, lora, 0.8)'
    workload rotate           block 2 -   - 'rotate(m1, m2)'
    workload svd_of_each      block 2 -   - "$(decompositions)"
    workload truncate_rank    block 2 -   - 'm1 + truncate_rank(m2 - m1, rank = 16)'
}

# One singular value decomposition for each matrix that rotation has, by LAPACK: what rotations are compared to.
decompositions() {
    echo 'def matrix_shape(a) ='
    echo '    if a.rank == 4 and a.shape[2] * a.shape[3] != 1 then [a.shape[0] * a.shape[1], a.shape[2] * a.shape[3]]'
    echo '    else [a.shape[0], numel(a) / a.shape[0]]'
    echo 'method decomposed(a: weight, b: weight) -> weight {'
    echo '    if a.rank < 2 then a + b else a + svd(reshape(b, matrix_shape(a)))[1][0]'
    echo '}'
    echo 'decomposed(m1, m2)'
}

# m1, m2, ... up to a number.
models() { seq -s ', ' "$1" | sed 's/[0-9][0-9]*/m&/g'; }

# All of so many with equal weights that are not those of an average.
sum_of() { seq -s ' + ' "$1" | sed "s/[0-9][0-9]*/m& * 0.05/g"; }

# Twelve models, of which two merges of three are in two places each.
tree() {
    echo 'left = n_average(m1, m2, m3)'
    echo 'right = weighted_sum(m4, m5, alpha = 0.3) + 0.5 * (m6 - m4)'
    echo 'low = weighted_sum(left, right, alpha = 0.4) + 0.3 * (m7 - m8)'
    echo 'high = add_difference(left, m9, right, alpha = 0.6)'
    echo 'n_average(low, high, weighted_sum(m10, m11, alpha = 0.2), m12)'
}

# Those with one reduction before the output, or none, have a limit. The rest of streamed methods reads its inputs more often;
# what transforms or decomposes is shown on one block of the denoiser.
methods() {
    workload weighted_sum       sd15 2 2.5 64 'weighted_sum(m1, m2, alpha = 0.3)'
    workload n_average          sd15 3 2.5 64 'n_average(m1, m2, m3)'
    workload slerp              sd15 2 2.5 64 'slerp(m1, m2, alpha = 0.3)'
    workload add_difference     sd15 3 2.5 64 'add_difference(m1, m2, m3, alpha = 0.5)'
    workload subtract_scale     sd15 2 2.5 64 'm1 + scale(subtract(m2, m1), alpha = 0.5)'
    workload perpendicular_component sd15 3 2.5 64 'm1 + perpendicular_component(m2 - m1, m3 - m1)'
    workload add_perpendicular  sd15 3 2.5 64 'add_perpendicular(m1, m2, m3)'
    workload geometric_sum      sd15 2 -   64 'geometric_sum(m1, m2, alpha = 0.3)'
    workload train_difference_mask sd15 3 2.5 64 'm1 + (m2 - m1) * train_difference_mask(m1, m2, m3)'
    workload add_opposite_mask  sd15 3 2.5 64 'm1 + (m2 - m1) * add_opposite_mask(m1, m2, m3)'
    workload add_strict_opposite_mask sd15 3 2.5 64 'm1 + (m2 - m1) * add_strict_opposite_mask(m1, m2, m3)'
    workload multiply_quotient  sd15 3 -   64 'multiply_quotient(m1, m2, m3)'
    workload add_cosine_a       sd15 2 2.5 64 'add_cosine_a(m1, m2, alpha = 0.3)'
    workload add_cosine_b       sd15 2 2.5 64 'add_cosine_b(m1, m2, alpha = 0.3)'
    workload clamp              sd15 3 2.5 64 'clamp(m1, m2, m3)'
    workload clamp_stiffness    sd15 3 -   64 'clamp(m1, m2, m3, stiffness = 0.5)'
    workload tensor_sum         sd15 2 2.5 64 'tensor_sum(m1, m2, width = 0.3)'
    workload cast               sd15 1 2.5 64 'cast(m1, dtype = "float16")'
    workload fallback           sd15 2 2.5 64 'fallback(m1, m2)'
    workload pick_component     sd15 1 2.5 64 'pick_component(m1, "vae") | m1'
    workload omit_non_finite    sd15 1 2.5 64 'omit_non_finite(m1)'
    workload ties_sum           sd15 3 -   96 'm1 + ties_sum(m2 - m1, m3 - m1)'
    workload ties_sum_extended  sd15 3 -   96 'm1 + ties_sum_extended(m2 - m1, m3 - m1, apply_stock = true)'
    workload add_difference_ties sd15 3 -  96 'add_difference_ties(m1, m2, m3, alpha = 1.0)'
    workload ties_sum_with_dropout sd15 3 - - 'm1 + ties_sum_with_dropout(m2 - m1, m3 - m1)'
    workload dropout            sd15 3 -   96 'dropout(m1, m2, m3)'
    workload model_stock        sd15 3 2.5 64 'm1 + model_stock(m2 - m1, m3 - m1)'
    workload n_model_stock      sd15 3 2.5 64 'n_model_stock(m1, m2, m3)'
    workload add_difference_ties_extended sd15 3 - 96 'add_difference_ties_extended(m1, m2, m3)'
    workload omit_component     sd15 1 2.5 64 'omit_component(m1, "vae") | m1'
    workload add_ties_with_dare sd15 3 - 96 'add_ties_with_dare(m1, m2, m3)'
    workload geometric_median   sd15 3 2.5 64 'geometric_median(m1, m2, m3)'
    workload get_dtype          sd15 1 2.5 64 'cast(m1, dtype = get_dtype(1.0))'
    workload get_device         sd15 1 2.5 64 'cast(m1, device = get_device(1.0))'
    workload exchange_ema       sd15-ema 1 2.5 64 'exchange_ema(m1)'
    workload stack              block 2 2.5 64 'stack(m1, m2)'
    workload top_k_tensor_sum   block 2 - - 'top_k_tensor_sum(m1, m2, width = 0.3)'
    workload crossover          block 2 - - 'crossover(m1, m2)'
    workload rotate             block 2 - - 'rotate(m1, m2)'
    workload rotate_half        block 2 - - 'rotate(m1, m2, alignment = 0.5)'
    workload truncate_rank      block 2 - - 'm1 + truncate_rank(m2 - m1, rank = 16)'
    workload truncate_rank_exact block 2 - - 'm1 + truncate_rank(m2 - m1, rank = 16, use_approximate_basis = false)'
    workload get_rank_from_ratio block 2 - - 'm1 + truncate_rank(m2 - m1, rank = get_rank_from_ratio(m1, ratio = 0.05))'
    workload truncate_kronecker block 2 - - 'm1 + truncate_kronecker(m2 - m1)'
    workload extract_kohya_lora block 2 - - 'extract_kohya_lora((m2 - m1) as "sd1-kohya")'
    workload extract_lycoris_lora block 2 - - 'extract_lycoris_lora((m2 - m1) as "sd1-kohya")'
    workload extract_kohya_lokr block 2 - - 'extract_kohya_lokr((m2 - m1) as "sd1-kohya")'
    workload extract_lycoris_lokr block 2 - - 'extract_lycoris_lokr((m2 - m1) as "sd1-kohya")'
    workload randperm           sdxl-block 1 - - 'randperm(m1)'
    workload balance_attention  sdxl-block 1 - - 'balance_attention(m1)'
    workload rebasin            sdxl-block 2 - - 'rebasin(m1, m2)'
}

# By bytes, by models, by a LoRA's rank, by threads; and, once, a whole denoiser where blocks are the rule.
scaling() {
    workload average_170MB      block 3 -  40 'n_average(m1, m2, m3)'
    workload average_480MB      part 3 -   40 'n_average(m1, m2, m3)'
    workload average_8500MB     sd15 3 -   40 'n_average(m1, m2, m3)'
    workload average_20500MB    sdxl-unet 3 - 40 'n_average(m1, m2, m3)'
    for count in 2 5 10 20 50 100 200; do
        workload models_$count  block $count - 40 "n_average($(models $count))"
    done
    for rank in 4 8 16 32 64 128; do
        workload lora_rank_$rank sdxl-unet+$rank 1 - 40 'm1 + 0.8 * (lora as "sdxl-sgm") | m1'
    done
    for threads in $(seq "$threads"); do
        workload threads_$threads sd15 3 - 40 'm1 + ties_sum(m2 - m1, m3 - m1, k = 0.2)'
    done
    pairs=1
    workload rotate_unet        sd15-unet 2 - - 'rotate(m1, m2)'
    workload svd_of_unet        sd15-unet 2 - - "$(decompositions)"
}

trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

mkdir "$folder"

# The MB of a model of KIND.
megabytes_of() {
    case $1 in
    block) echo 42 ;;
    sdxl-block) echo 55 ;;
    part) echo 119 ;;
    flux-blocks) echo 1000 ;;
    sd15-unet) echo 1719 ;;
    sd15-f32) echo 4265 ;;
    sdxl-unet) echo 5135 ;;
    sdxl) echo 6938 ;;
    *) echo 2200 ;;
    esac
}

# Makes room for the models of a KIND and an output, in /dev/shm and of memory: those of another kind go.
enter() { # KIND NUMBER
    [ "$(cat "$folder/kind" 2> /dev/null)" = "$1" ] || find "$folder" -mindepth 1 -delete
    needed=$((($2 + 1) * $(megabytes_of "$1") + 1000))
    used=$(du -sm "$folder" | cut -f 1)
    have=$(df -Pk /dev/shm | awk -v used="$used" 'NR == 2 { print int($4 / 1000 + used) }')
    free=$(awk -v used="$used" '/^MemAvailable/ { print int($2 / 1000 + used) }' /proc/meminfo)
    if [ "$have" -lt "$needed" ] || [ "$free" -lt "$needed" ]; then
        echo "bench: needs $needed MB in /dev/shm and as much memory; there are $have and $free" >&2
        return 1
    fi
    echo "$1" > "$folder/kind"
}

# Keeps what outputs of KIND need with this machine, once the NUMBER of models are there: they would take it.
hold() {
    [ "$(cat "$folder/held" 2> /dev/null)" = "$1 $2" ] && return
    rm -f "$folder/reserve"
    "$build/reserve" "$folder/reserve" $(($(megabytes_of "$1") * 1080000))
    echo "$1 $2" > "$folder/held"
}

# What make-models makes of a kind.
options_of() {
    case $1 in
    block) echo "--kind sd15 --only model.diffusion_model.output_blocks.7.*" ;;
    part) echo "--kind sd15 --only model.diffusion_model.input_blocks.7.*" ;;
    sdxl-block) echo "--kind sdxl --only model.diffusion_model.input_blocks.4.*" ;;
    sd15-unet) echo "--kind sd15 --only model.diffusion_model.*" ;;
    sd15-ema) echo "--kind sd15 --ema" ;;
    sd15-f32) echo "--kind sd15 --dtype f32" ;;
    flux-blocks) echo "--kind flux-blocks --dtype bf16" ;;
    lm) echo "--kind lm --dtype bf16" ;;
    lm-shards) echo "--kind lm --dtype bf16 --shards 4" ;;
    *) echo "--kind $1" ;;
    esac
}

# What a kind's file leaves open about itself: a part of a model may be of several architectures.
config_of() {
    case $1 in
    sdxl-block) echo ', config = "sdxl-sgm"' ;;
    block | sd15-unet) echo ', config = "sd1-ldm"' ;;
    esac
}

# What model N of KIND is called: a file, or a folder of shards.
name_of() {
    case $1 in
    *-shards) echo "$1-$2" ;;
    *) echo "$1-$2.safetensors" ;;
    esac
}

# The files that hold its tensors.
files_of() {
    case $1 in
    *-shards) echo "$folder/$(name_of "$1" "$2")"/*.safetensors ;;
    *) echo "$folder/$(name_of "$1" "$2")" ;;
    esac
}

# Model N of KIND: the first by itself, the others fine-tunes of it.
model() {
    path=$folder/$(name_of "$1" "$2")
    [ -e "$path" ] || "$build/make-models" $(options_of "$1") --seed "$2" --base 1 --strength "$([ "$2" = 1 ] && echo 0 || echo 0.1)" \
        --threads "$threads" "$path"
}

# The seconds and kB of one run; the output is made anew.
measure() {
    rm -rf "$folder/out"
    "$build/measure" "$@"
}

floor_of() { # OPTION... -- INPUT...
    mode=$1
    shift
    measure "$build/floor" --threads "$threads" --mode "$mode" --write "$written" "$folder/out" "$@"
}

# floor prints a line of its own before that of measure.
floor_seconds() { floor_of "$@" | awk 'END { print $1 }'; }

# Once for a kind and a number of models.
faster_mode() {
    cat "$folder/mode-$1" 2> /dev/null && return
    kind=$1
    shift
    for i in 1 2 3; do
        for mode in mmap pread; do
            echo "$(floor_seconds $mode "$@") $mode"
        done
    done | sort -n | awk 'NR == 1 { print $2 }' | tee "$folder/mode-$kind"
}

mecha_run() { measure $1 "$build/mecha" run "$folder/plan.mecha" -q -j "$threads" -o "$folder/out"; }

# Median, least and greatest of a column of numbers.
spread() { sort -n | awk '{ v[NR] = $1 } END { printf "%.2f %.2f %.2f", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2, v[1], v[NR] }'; }

workload() {
    name=$1 kind=${2%+*} rank=${2#"${2%+*}"} count=$3 limit=$4 memory_limit=$5 recipe=$6
    case $wanted in "  " | *" $name "*) ;; *) return 0 ;; esac
    enter "$kind" "$count" || { status=1; return 0; }
    inputs=
    : > "$folder/plan.mecha"
    for i in $(seq "$count"); do
        model "$kind" "$i"
        inputs="$inputs $(files_of "$kind" "$i")"
        echo "m$i = model(\"$(name_of "$kind" "$i")\"$(config_of "$kind"))" >> "$folder/plan.mecha"
    done
    if [ -n "$rank" ]; then
        "$build/make-models" $(options_of "$kind") --lora "${rank#+}" "$folder/lora.safetensors"
        echo 'lora = model("lora.safetensors")' >> "$folder/plan.mecha"
    fi
    echo "$recipe" >> "$folder/plan.mecha"
    hold "$kind" "$count"
    memory=$(mecha_run --memory | awk '{ print $2 }')
    [ -e "$folder/out" ] || { status=1; return 0; }
    written=$(find "$folder/out" -name '*.json' -o -type f -printf '%s\n' | awk '{ sum += $1 } END { printf "%.0f", sum }')
    mode=$(faster_mode "$kind-$count" $inputs)
    floor_seconds "$mode" $inputs > /dev/null
    : > "$folder/times"
    for i in $(seq "$pairs"); do
        floor=$(floor_seconds "$mode" $inputs)
        echo "$(mecha_run "" | awk '{ print $1 }') $floor" >> "$folder/times"
    done
    rm -rf "$folder/out"
    ours=$(awk '{ print $1 }' "$folder/times" | spread)
    floors=$(awk '{ print $2 }' "$folder/times" | spread)
    ratios=$(awk '{ print $1 / $2 }' "$folder/times" | spread)
    echo "$name ${ours%% *} ${floors%% *} $mode $ratios $limit $memory $memory_limit" | awk '{
        over = ($8 != "-" && $5 > $8) || ($10 != "-" && $9 / 1000 > $10)
        printf "%-24s %8.3f %8.3f %-6s %7.2f %7.2f %7.2f %6s %8.1f %6s  %s\n", $1, $2, $3, $4, $5, $6, $7, $8, $9 / 1000, $10, over ? "over" : "ok"
        exit over }' || status=1
}

printf '%-24s %8s %8s %-6s %7s %7s %7s %6s %8s %6s\n' workload 'mecha s' 'floor s' by ratio least most limit 'anon MB' limit
$table
exit $status
