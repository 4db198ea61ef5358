#!/bin/sh
# Copies golden cases, with the models that they read, into tests/golden/.
#
#     adopt-golden.sh FOLDER NAME...      FOLDER holds cases/ and models/
set -eu
from=$1
to=tests/golden
shift

mkdir -p "$to/cases" "$to/models"
cp "$from/decided.json" "$to/"
for name in "$@"; do
    mkdir -p "$to/cases/$name"
    cp "$from/cases/$name"/* "$to/cases/$name/"
    # "models": [ "a.safetensors", ... ], a name a line
    sed -n '/"models": \[/,/\]/s/^ *"\(.*\.safetensors\)",\{0,1\}$/\1/p' "$from/cases/$name/case.json" |
        while read -r model; do
            mkdir -p "$to/models/$(dirname "$model")"
            [ -e "$to/models/$model" ] || cp "$from/models/$model" "$to/models/$model"
        done
done
chmod -R u+w "$to"
