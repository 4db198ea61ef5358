# Results that are folders: shards with an index, and pipelines of parts.
# shellcheck disable=SC2154

# Whether a folder holds something that loaders take for a model.
seems_a_model() { # FOLDER
    local name
    for name in "$1"/model_index.json "$1"/*.safetensors.index.json "$1"/{model,diffusion_pytorch_model}.safetensors; do
        [ ! -e "$name" ] || return 0
    done
    return 1
}

# What a folder holds: none, nothing that a loader would find, or all of the old or the new model, with what stands beside
# its weights. Parts of a pipeline without model_index.json are folders of their own.
folder_state() { # FOLDER, UNDER: what of the models it is to be compared with
    local which part
    for which in old-model new-model; do
        [ -e $which ] && diff -r -x '.*.tmp' -x '*.partial*' "$1" "$which$2" > /dev/null 2>&1 && echo ${which%-model} && return
    done
    if [ ! -e "$1" ]; then
        echo none
    elif seems_a_model "$1"; then
        echo mixed
    else
        for part in "$1"/*/; do
            [ ! -e "$part" ] || [ "$(folder_state "${part%/}" "/$(basename "$part")")" != mixed ] || { echo mixed && return; }
        done
        echo nothing
    fi
}

hidden() { find out* -name '.*' 2> /dev/null; }

judge_folder() { # NAME ALLOWED…
    local name=$1 found
    shift
    found=$status:$(folder_state out '')
    if [[ " $* " != *" $found "* ]]; then
        fail "$name: $found, expected $*: $(ls -A out)"
    elif [ "$status" != 137 ] && [ -n "$(hidden)" ]; then
        fail "$name: leaves $(hidden)"
    elif [ "$status" != 0 ] && [ "$status" -lt 128 ] && ! grep -q 'error: ' err; then
        fail "$name: says nothing"
    else
        pass
    fi
}

# The same run again makes it whole, and leaves nothing of the one before.
next_run() { # NAME
    run "${folder_merge[@]}"
    if [ $status = 0 ] && diff -r out new-model > err; then pass; else fail "$1, then another run: status $status"; fi
}

fresh_folder() {
    rm -rf out
    [ ! -e old-model ] || cp -r old-model out
}

# At the N-th call of a kind.
folder_faults() { # NAME CALL FAULT ALLOWED
    local n=1 name
    while fresh_folder; do
        run strace -f -o log -e trace="$2" -e inject="$2:$3:when=$n" "${folder_merge[@]}"
        injected || break
        name="$1, $2 number $n: $3"
        # shellcheck disable=SC2086
        judge_folder "$name" $4
        next_run "$name"
        n=$(following "$n")
    done
    [ "$n" -gt 1 ] || fail "$1: no $2 was called"
}

# Interrupted or failing at each call: before the first name is given the old model stands, then there is none for a moment.
all_faults() { # NAME [thoroughly]: others than SIGKILL are left out of the sample
    local before=none
    [ ! -e old-model ] || before=old
    folder_faults "$1" fsync signal=KILL "137:$before 137:nothing 137:new"
    folder_faults "$1" rename signal=KILL "137:nothing 137:new"
    [ ! -e old-model ] || folder_faults "$1" unlink signal=KILL "137:old 137:nothing 137:new"
    [ "$every" = 1 ] || [ "${2:-}" = thoroughly ] || return 0
    folder_faults "$1" pwrite64 signal=INT "130:$before"
    folder_faults "$1" pwrite64 signal=KILL "137:$before 137:nothing"
    folder_faults "$1" pwrite64 error=ENOSPC "1:$before"
    folder_faults "$1" fsync signal=INT "130:$before 130:new"
    folder_faults "$1" fsync error=EIO "1:$before 1:new"
    folder_faults "$1" rename signal=INT "130:new"
    folder_faults "$1" rename error=EIO "1:$before 1:nothing"
    [ ! -e old-model ] || folder_faults "$1" unlink error=EACCES "1:old 1:nothing 0:new"
}

# What a folder held before.
before() { # COMMAND…; none: nothing
    rm -rf old-model
    [ $# = 0 ] || "$@" -o old-model/ 2> err || fail "an older model"
}

make_language_model() { # NAME SEED
    mkdir -p "$1"
    "$build/make-models" --kind tiny --seed "$2" --only '*.input_blocks.4.*' "$1/model.safetensors"
    echo "{\"of\": $2, \"torch_dtype\": \"float16\"}" > "$1/config.json"
    echo "{\"of\": $2}" > "$1/tokenizer.json"
}

make_pipeline() { # NAME SEED [ONLY]
    local part
    mkdir -p "$1/scheduler"
    for part in unet vae; do
        mkdir -p "$1/$part"
        "$build/make-models" --kind tiny --seed "$2" --only "${3:-*.input_blocks.4.*}" \
            "$1/$part/diffusion_pytorch_model.safetensors"
        echo "{\"of\": $2}" > "$1/$part/config.json"
    done
    echo "{\"of\": $2}" > "$1/scheduler/scheduler_config.json"
    echo "{\"of\": $2, \"scheduler\": [\"d\", \"S\"], \"unet\": [\"d\", \"U\"], \"vae\": [\"d\", \"V\"]}" > "$1/model_index.json"
}

sharded_folders() {
    local shards=(--metadata none -j 2 --shard-size 12K)
    make_language_model lm 1
    make_language_model lm-other 2
    echo '0.5 * model("lm") + 0.5 * model("b.safetensors")' > lm.mecha
    echo 'model("lm-other")' > lm-other.mecha
    folder_merge=("$mecha" run -q lm.mecha "${shards[@]}" -o out/)
    rm -rf new-model
    "$mecha" run -q lm.mecha "${shards[@]}" -o new-model/
    before
    all_faults "shards into a new folder"
    before "$mecha" run -q lm-other.mecha "${shards[@]}"
    all_faults "shards over as many" thoroughly
    before "$mecha" run -q lm-other.mecha --metadata none --shard-size 5K
    all_faults "shards over more"
    before "$mecha" run -q lm-other.mecha --metadata none
    all_faults "shards over one file"
    folder_merge=("$mecha" run -q lm.mecha --metadata none -j 2 -o out/)
    rm -rf new-model
    "$mecha" run -q lm.mecha --metadata none -o new-model/
    all_faults "one file over one"
    before "$mecha" run -q lm-other.mecha "${shards[@]}"
    all_faults "one file over shards"
}

pipelines() {
    make_pipeline pipeline 1
    make_pipeline pipeline-other 2
    echo 'model("pipeline")' > pipeline.mecha
    echo 'model("pipeline-other")' > pipeline-other.mecha
    folder_merge=("$mecha" run -q pipeline.mecha --metadata none -j 2 --shard-size 20K -o out/)
    rm -rf new-model
    "$mecha" run -q pipeline.mecha --metadata none --shard-size 20K -o new-model/
    before
    all_faults "a pipeline into a new folder"
    before "$mecha" run -q pipeline-other.mecha --metadata none
    all_faults "a pipeline of shards over one of files" thoroughly
    before "$mecha" run -q pipeline-other.mecha --metadata none --shard-size 5K
    all_faults "a pipeline over one of more shards"
}

# A part that the config does not know, in two shards.
make_carrying() { # NAME SEED
    make_pipeline "$1" "$2" '*.input_blocks.4.1.proj_in.*'
    "$build/make-models" --kind tiny --seed "$2" --only '*.4.1.norm.*' --shards 2 "$1/checker"
    sed -i 's/{/{"checker": ["t", "C"], /' "$1/model_index.json"
    printf 'config "two" { component all { "{unet,vae}.%s" } }\nmodel("%s")\n' \
        'model.diffusion_model.input_blocks.4.1.proj_in.{weight,bias}' "$1" > "$1.mecha"
}

carried_parts() {
    make_carrying carrying 1
    make_carrying carrying-other 2
    folder_merge=("$mecha" run -q carrying.mecha --metadata none -j 2 -o out/)
    rm -rf new-model
    "$mecha" run -q carrying.mecha --metadata none -o new-model/
    expect "a part is carried" ls new-model/checker/model-00002-of-00002.safetensors
    before
    all_faults "a part that is carried"
    folder_faults "a part that is carried" copy_file_range signal=KILL "137:none 137:nothing"
    folder_faults "a part that is carried" copy_file_range error=EXDEV "0:new"
    before "$mecha" run -q carrying-other.mecha --metadata none
    all_faults "a part that is carried over an older one"
}

# Other shards, and not those that the interrupted run began.
other_numbers() {
    rm -rf out
    run strace -f -o log -e trace=fsync -e inject=fsync:signal=KILL:when=2 \
        "$mecha" run -q lm.mecha --metadata none --shard-size 5K --resume -o out/
    expect "a run to go on from" ls out/model-00001-of-*.safetensors.partial
    rm -rf new-model
    "$mecha" run -q lm.mecha --metadata none -o new-model/
    folder_merge=("$mecha" run -q lm.mecha --metadata none -o out/)
    next_run "what an interrupted run began is not gone on from"
}

# The sample leaves out more than that of files: there is much to go through.
folders() {
    local every=$every
    [ "$every" = 1 ] || every=25
    sharded_folders
    pipelines
    carried_parts
    other_numbers
}

if can_trace; then
    folders
else
    skip "folders at each call" "strace cannot trace here"
fi
