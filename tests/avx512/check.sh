#!/bin/sh
# The AVX-512 build of the kernels, run by Bochs, which emulates a CPU that has what it needs: the suites that hold the builds
# against one another, and merges by every method, whose bytes must be those of the plain C build.
#
#     check.sh BUILD [SUITE[/CASE]…]
#
# A Linux kernel of Debian's boots from a CD that is made here; what stands in its memory is guest.sh, what that needs, and the
# merges that this machine made. The guest speaks through its serial port. Prints what it said, and `N passed, 0 failed`.
#
# LIMIT= seconds that the guest may take. KERNEL= another Linux kernel to boot.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
shift
suites=${*:-kernel kernel_convert kernel_functions/values kernel_product native random_programs exec/exec whole_draws}
limit=${LIMIT:-3600}
make=$build/make-models
work=$(mktemp -d "${TMPDIR:-/tmp}/mecha-avx512-XXXXXX")
root=$work/root
emulator=
passed=0 failed=0

clean_up() {
    if [ -n "$emulator" ]; then
        kill "$emulator" 2> /dev/null || true
        wait "$emulator" || true
    fi
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# ---- the merges, as this machine makes them ----

# A part of a model in three dtypes, two of them fine-tunes, and two LoRAs for it.
make_models() { # FOLDER KIND KEYS LORA_KEYS
    mkdir -p "$1"
    "$make" --kind "$2" --only "$3" --seed 1 --base 1 --strength 0 --dtype f16 "$1/1.safetensors"
    "$make" --kind "$2" --only "$3" --seed 2 --base 1 --dtype bf16 "$1/2.safetensors"
    "$make" --kind "$2" --only "$3" --seed 3 --base 1 --dtype f32 "$1/3.safetensors"
    "$make" --kind "$2" --only "$4" --seed 1 --lora 4 "$1/lora.safetensors"
    "$make" --kind "$2" --only "$4" --seed 2 --lora 3 "$1/lora-2.safetensors"
}

merge_here() { # NAME RECIPE MODELS OPTION…
    name=$1 recipe=$here/$2.mecha models=$root/mecha/models/$3
    shift 3
    for kernels in base best; do
        MECHA_KERNELS=$kernels sh "$here/merges.sh" "$build/mecha" "$recipe" "$models" "$work/$kernels/$name" "$@"
    done
    expect "merges on this machine: $name" diff -r "$work/base/$name" "$work/best/$name"
    cp -r "$work/base/$name" "$root/mecha/expected/"
}

# ---- verdicts ----

expect() { # NAME COMMAND…: it succeeds
    what=$1
    shift
    if "$@" > /dev/null; then
        passed=$((passed + 1))
    else
        echo "FAILED $what"
        failed=$((failed + 1))
    fi
}

said() { # PATTERN: a whole line of the guest's
    tr -d '\r' < "$work/serial" | grep -Eqx "$1"
}

# ---- the guest ----

# A kernel of Debian's that needs no modules here; it stays with the build.
fetch_kernel() {
    [ -z "${KERNEL:-}" ] || { cp "$KERNEL" "$1"; return; }
    if [ ! -s "$build/avx512-vmlinuz" ]; then
        mkdir "$work/package"
        package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image-/ { print $2; exit }')
        (cd "$work/package" && apt-get -qq -o APT::Sandbox::User=root download "$package" && dpkg-deb -x ./*.deb .) || {
            echo "check: no Linux kernel can be fetched; KERNEL=FILE names one" >&2
            return 1
        }
        mv "$work/package"/boot/vmlinuz-* "$build/avx512-vmlinuz"
        rm -r "$work/package"
    fi
    cp "$build/avx512-vmlinuz" "$1"
}

# What programs are linked with, and what they load later, in one folder.
copy_libraries() { # FILE…
    blas=$("${CC:-gcc}" -print-file-name=libopenblas.so.0)
    cp -L "$blas" "$root/lib/libopenblas.so.0"
    ldd "$@" "$blas" | awk '$2 == "=>" { print $3 }' | sort -u | xargs cp -L -t "$root/lib"
    ldd "$1" | awk '$1 ~ /ld-linux/ { print $1 }' | xargs cp -L -t "$root/lib64"
}

make_root() {
    cp "$(command -v busybox)" "$root/bin/busybox"
    cp "$here/guest.sh" "$root/init"
    chmod +x "$root/init"
    for program in mecha tests kernels; do
        strip -o "$root/mecha/build/$program" "$build/$program"
    done
    copy_libraries "$build/mecha" "$build/tests"
    (cd "$here/../.." && tar cf - --exclude='*.c' --exclude=fuzz --exclude=faults tests docs) | tar xf - -C "$root/mecha"
    echo "$suites" > "$root/mecha/suites"
}

# Bochs says that saved registers take more bytes than they do where it packs them, and Linux would do without AVX then.
# Where Linux gives up, it restarts; Bochs ends then.
make_disk() {
    mkdir -p "$work/disk/isolinux"
    fetch_kernel "$work/disk/vmlinuz"
    cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$work/disk/isolinux"
    cat > "$work/disk/isolinux/isolinux.cfg" << EOF
default mecha
prompt 0
label mecha
  kernel /vmlinuz
  initrd /initrd
  append console=ttyS0 quiet panic=-1 reboot=triple nokaslr mitigations=off clearcpuid=xsaves,xsavec
EOF
    (cd "$root" && find . | cpio -o -H newc --quiet) > "$work/disk/initrd"
    xorriso -as mkisofs -quiet -o "$work/disk.iso" -b isolinux/isolinux.bin -c isolinux/boot.cat \
        -no-emul-boot -boot-load-size 4 -boot-info-table "$work/disk" 2> /dev/null
}

make_machine() {
    cat > "$work/machine" << EOF
cpu: model=corei7_skylake_x, count=1, ips=200000000, reset_on_triple_fault=0
megs: 1024
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
ata0-master: type=cdrom, path=$work/disk.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$work/serial
display_library: term
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
speaker: enabled=0
clock: sync=none
log: $work/log
panic: action=fatal
EOF
    echo c > "$work/commands" # Debian's Bochs waits for the commands of its debugger
}

# Shows what the guest says while it runs. Turning itself off ends Bochs as an error does: what was said tells.
boot() {
    : > "$work/serial"
    TERM=vt100 timeout -k 1 "$limit" bochs-bin -q -f "$work/machine" -rc "$work/commands" \
        > "$work/screen" 2>&1 < /dev/null &
    emulator=$!
    tail -s 1 -n +1 -f --pid="$emulator" "$work/serial" | sed -u -e 's/\r$//' -e '/^ISOLINUX/d; /^\[ /d; /^$/d'
    wait "$emulator" || true
    emulator=
}

# ---- all of it ----

methods=$("$build/mecha" methods | cut -d ' ' -f 1 | sort -u)
for method in $methods; do
    expect "$method is in a merge" grep -q "^save .*\b$method(" "$here/streamed.mecha" "$here/whole.mecha"
done

for folder in bin dev lib lib64 proc tmp mecha/build mecha/expected; do
    mkdir -p "$root/$folder"
done
make_models "$root/mecha/models/small" tiny 'model.diffusion_model.output_blocks.7.*' 'lora_unet_up_blocks_2_attentions_1_*'
make_models "$root/mecha/models/large" sd15 'model.diffusion_model.output_blocks.9.1.transformer_blocks.0.attn1.to_out*' \
    'lora_unet_up_blocks_3_attentions_0_transformer_blocks_0_attn1_to_out_0*'
runs=$(grep -v '^#' "$here/merges.txt")
while read -r run; do
    merge_here $run
done << EOF
$runs
EOF
make_root
make_disk
make_machine
boot

expect "the kernels that are chosen" said 'kernels base avx2 avx512: avx512'
for suite in $suites; do
    expect "suite $suite" said "suite $suite: 100%: Checks: [1-9][0-9]*, Failures: 0, Errors: 0"
done
while read -r name recipe options; do
    expect "merges $name" said "merges $name: $(grep -c '^save ' "$here/$recipe.mecha") same, 0 different"
done << EOF
$runs
EOF
expect "the end" said 'guest: done'
[ "$failed" = 0 ] || { echo "the guest's last words:"; tail -n 5 "$work/serial"; grep PANIC "$work/log" || true; }
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
