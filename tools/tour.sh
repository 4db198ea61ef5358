#!/bin/sh
# Writes docs/tour.md to standard output: every command of it is run, and what it prints is what stands there.
#
#     tour.sh BUILD
set -eu
build=$(cd "$1" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
PATH=$build:$PATH
export NO_COLOR=1
cd "$folder"

# Of all the weights of Stable Diffusion 1.5 a few, in their real shapes.
few='model.diffusion_model.*.attn2.to_k.weight'
make-models --kind sd15 --only "$few" --base 1 --seed 2 painter.safetensors
make-models --kind sd15 --only "$few" --base 1 --seed 3 photographer.safetensors
make-models --kind sd15 --only "lora_unet_*attn2_to_k*" --base 1 --seed 4 --lora 4 style.safetensors

# Times and rates are other ones each time.
steady() { sed -E 's/ in [0-9.]+ s \([^)]*\)/ in … s/'; }

# Shows a command and what it prints.
show() {
    printf '\n```\n$ %s\n' "$*"
    sh -c "$*" 2>&1 | steady
    printf '```\n'
}

# A session: the lines of standard input, with what each prints below it.
typed=session.txt
: > "$typed"
session() {
    printf '\n```\n'
    while IFS= read -r line; do
        before=$(mecha repl < "$typed" 2>/dev/null | wc -l)
        echo "$line" >> "$typed"
        printf 'mecha> %s\n' "$line"
        mecha repl < "$typed" 2>message > all || true
        tail -n +$((before + 1)) all
        case $line in
        :run* | :save*) tail -n 1 message | steady ;;
        *bogus*) tail -n 3 message; sed -i '$d' "$typed" ;;
        esac
        case $line in :run* | :save*) sed -i '$d' "$typed" ;; esac
    done
    printf '```\n'
}

cat <<'END'
# A tour

From two models to a merge weighted by block with a LoRA in it: looked at tensor by tensor, saved as a recipe, and run as a
script. `tools/tour.sh` writes this page, by running what stands in it; the models have a few weights of real ones, in
their real shapes (`make-models --only`).

## What is there
END
show mecha info painter.safetensors
show mecha diff painter.safetensors photographer.safetensors 

cat <<'END'

A bar shows where two models differ most.

## A session

`mecha` alone opens a session. Statements are taken in, expressions are shown:
END
session <<'END'
a = model("painter.safetensors")
b = model("photographer.safetensors")
a
END
cat <<'END'

A map gives each block its own share; `*` is for all other keys. Nothing is computed yet:
END
session <<'END'
share = { IN00..IN03: 0.2, M00: 0.5, "*": 0.4 }
merged = weighted_sum(a, b, alpha = share)
:type merged
END
cat <<'END'

One tensor is computed when it is looked at, and nothing else is:
END
session <<'END'
merged["*.input_blocks.1.1.*.to_k.weight"]
a["*.input_blocks.1.1.*.to_k.weight"]
:keys merged *.output_blocks.3.*
END
cat <<'END'

A name may be bound again, and what was made from it follows:
END
session <<'END'
share = { IN00..IN03: 0.8, M00: 0.5, "*": 0.4 }
merged["*.input_blocks.1.1.*.to_k.weight"]
END
cat <<'END'

A LoRA is a difference once it is converted to the keys of the model, and can be added. A mistake changes nothing:
END
session <<'END'
style = model("style.safetensors") as "sd1-ldm"
:type style
styled = merged + bogus * 0.7
param strength: float = 0.7 in 0..1 "how much of the style"
styled = merged + style * strength
styled["*.input_blocks.1.1.*.to_k.weight"]
:run styled to styled.safetensors
END
cat <<'END'

With a line that says where the result goes, the session is a recipe:
END
session <<'END'
save styled to "styled.safetensors", dtype = "bf16"
:save styled.mecha
END

cat <<'END'

## A script

What was saved is an ordinary recipe, and its parameter an option:
END
{ echo "$(cat "$typed")"; echo ":save styled.mecha"; } | mecha repl > /dev/null 2>&1
show cat styled.mecha
show mecha styled.mecha --strength 0.3
{ echo '#!/usr/bin/env mecha'; cat styled.mecha; } > script && chmod +x script
cat <<'END'

With a first line `#!/usr/bin/env mecha`, and the right to be executed, it is a program:
END
show ./script --help
show ./script --strength 0.5 -o half.safetensors
show mecha info half.safetensors "| head -n 3"
