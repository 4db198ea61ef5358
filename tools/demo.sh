#!/bin/sh
# Two small models with the structure of real ones, a recipe, and what came out.
#
#     demo.sh BUILD
set -eu
build=$1
folder=$build/demo

# Shows a command, and runs it.
show() {
    echo
    echo "\$ $*"
    "$@"
}

mkdir -p "$folder"
echo "Two fine-tunes of one model, with few channels:"
show "$build/make-models" --kind tiny --base 1 --seed 2 "$folder/painter.safetensors"
show "$build/make-models" --kind tiny --base 1 --seed 3 "$folder/photographer.safetensors"
show cat docs/examples/blend.mecha
show "$build/mecha" run docs/examples/blend.mecha --models-dir "$folder" -o "$folder/blend.safetensors"
show "$build/mecha" info "$folder/blend.safetensors"
