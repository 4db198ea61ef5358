#!/bin/sh
# Installs the Debian packages that building and testing need, or prints the line to type where it may not.
# With --long also those of make check-long and make fuzz, with --emulator those of make check-avx512.
set -eu
packages="re2c lemon libxxhash-dev libjansson-dev libedit-dev libopenblas-dev liblapacke-dev libkissfft-dev check pkg-config strace e2fsprogs"
case ${1:-} in
--long) packages="$packages clang libclang-rt-dev clang-tidy cppcheck" ;;
--emulator) packages="$packages bochs bochs-term bochsbios vgabios isolinux syslinux-common xorriso busybox-static cpio" ;;
esac
missing=""
for package in $packages; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ]; then
    become=""
elif sudo -n true 2>/dev/null; then
    become="sudo"
else
    echo "Some packages are missing. Please type:"
    echo "    sudo apt-get install$missing"
    exit 1
fi
install() { $become env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >/dev/null; }
echo "installing$missing"
install 2>/dev/null || { $become apt-get update >/dev/null && install; }
