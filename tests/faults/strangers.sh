# Files from strangers that want much: what they cost is in proportion to their size, or they are refused.
# shellcheck disable=SC2154

# The large sizes are for check-long.
if [ "$every" = 1 ]; then keys=1000000; else keys=120000; fi

# The eight bytes that tell a header's length.
header_length() { # BYTES
    local i
    for i in 0 8 16 24 32 40 48 56; do
        printf "\\$(printf %03o $(($1 >> i & 255)))"
    done
}

put_model() { # FILE HEADER DATA-SIZE
    {
        header_length "$(stat -c %s "$2")"
        cat "$2"
        head -c "$3" /dev/zero
    } > "$1"
}

# At most 25 bytes of memory for each of the file, and 256 MiB; and a minute.
bounded() { # NAME FILE STATUS TEXT ARGUMENTS…
    local name=$1 size expected=$3 text=$4
    size=$(stat -c %s "$2")
    shift 4
    run prlimit --as=$(((256 << 20) + 25 * size)) timeout 60 "$mecha" "$@"
    if [ $status = "$expected" ]; then pass; else fail "$name: status $status, expected $expected"; fi
    [ -z "$text" ] || says "$name" "$text"
}

many_keys() {
    awk -v n=$keys 'BEGIN {
        printf "{"
        for (i = 0; i < n; i++)
            printf "%s\"k%07d\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}", i ? "," : "", i, i, i + 1
        printf "}" }' > header
    put_model many.safetensors header $keys
    echo 'model("many.safetensors")' > many.mecha
    fresh empty
    bounded "$keys keys" many.safetensors 0 "" run -q many.mecha --metadata none -o out/o.safetensors
    expect "$keys keys arrive" "$mecha" diff many.safetensors out/o.safetensors
    bounded "a shard for each key" many.safetensors 1 "would have $keys shards; allow more bytes for each" \
        run -q many.mecha --shard-size 1 -o out/
    rm -f many.safetensors out/o.safetensors
}

# The longest header that is allowed: with one byte more than the input has, it cannot be written.
longest_header() {
    local frame='{"":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    {
        printf '{"'
        head -c $((100000000 - ${#frame})) /dev/zero | tr '\0' n
        printf '%s' "${frame#*\{\"}"
    } > header
    put_model long.safetensors header 1
    rm header
    echo 'model("long.safetensors")' > long.mecha
    fresh empty
    bounded "a name of 100 MB" long.safetensors 0 "" run -q long.mecha --metadata none -o out/o.safetensors
    expect "a name of 100 MB arrives" cmp long.safetensors out/o.safetensors
    fresh empty
    bounded "a longer header" long.safetensors 1 "its header would be 10[0-9]* bytes long; the format allows 100000000" \
        run -q long.mecha -o out/o.safetensors
    rm -f long.safetensors out/o.safetensors
    { header_length 100000001; head -c 100000001 /dev/zero | tr '\0' ' '; } > more.safetensors
    bounded "a header that is too long" more.safetensors 1 "its header would be 100000001 bytes; 100000000 are allowed" \
        info more.safetensors
    rm more.safetensors
}

# Brackets that never end, in a field that nobody reads.
endless_nesting() {
    { printf '{"x":{"other":'; head -c 20000000 /dev/zero | tr '\0' '['; } > header
    put_model nested.safetensors header 0
    bounded "20 million brackets" nested.safetensors 1 "nested more than 128 deep" info nested.safetensors
    rm header nested.safetensors
}

large_texts() {
    { head -c 67108865 /dev/zero | tr '\0' '#'; } > large.mecha
    bounded "a recipe of 64 MiB and a byte" large.mecha 1 "a text of 67108864 bytes is the largest that is read" \
        check large.mecha
    echo 'import "large.mecha" as m' > importing.mecha
    bounded "an import of 64 MiB and a byte" large.mecha 1 "a text of 67108864 bytes is the largest that is read" \
        check importing.mecha
    truncate -s -1 large.mecha
    bounded "a recipe of 64 MiB" large.mecha 1 "" check large.mecha
    rm large.mecha
    { printf '{"weight_map":{"x":"'; head -c 16777216 /dev/zero | tr '\0' y; printf '"}}'; } > large.safetensors.index.json
    bounded "an index of more than 16 MiB" large.safetensors.index.json 1 \
        "is too large: 16777216 bytes are allowed" info large.safetensors.index.json
    { head -c 16000000 /dev/zero | tr '\0' '['; } > large.safetensors.index.json
    bounded "an index of brackets" large.safetensors.index.json 1 \
        "is no well-formed index of shards: maximum parsing depth reached" info large.safetensors.index.json
    rm large.safetensors.index.json
}

many_keys
longest_header
endless_nesting
large_texts
