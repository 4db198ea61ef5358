#!/bin/sh
# The output of every method, each by a run of its own: together, all of a key would be computed as its most precise one is.
#
#     merges.sh MECHA RECIPE MODELS FOLDER OPTION…
#
# OpenBLAS has kernels of its own, which differ; here they are those of every CPU.
set -eu
export OPENBLAS_CORETYPE=Prescott
mecha=$1 recipe=$2 models=$3 folder=$4
shift 4
mkdir -p "$folder"
cd "$folder"
grep '^save ' "$recipe" > saves
while read -r save; do
    { grep -v '^save ' "$recipe"; echo "$save"; } > one.mecha
    "$mecha" run -q one.mecha --models-dir "$models" --metadata none "$@" < /dev/null || echo "no $save"
done < saves
rm saves one.mecha
