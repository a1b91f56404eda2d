#!/bin/sh
# A Debian image with systemd, a stock kernel and SQLite: debian.sh OUTPUT.qcow2. As root; needs mmdebstrap.
# The root file system is ext4 on the whole disk, found by its UUID, as an installer would have it.
set -eu
output=$1
suite=${2:-bookworm}
place=$(mktemp -d "$(dirname "$output")/image.XXXXXX")
trap 'rm -rf "$place"' EXIT
site=$(apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk -v suite="$suite" '($2 == suite || $2 == "stable") && $3 == "main" { print $1; exit }')
mmdebstrap --quiet --variant=minbase \
    --include=systemd-sysv,udev,dbus,linux-image-amd64,initramfs-tools,zstd,sqlite3 \
    --customize-hook='echo iotrace-guest >"$1/etc/hostname"' \
    --customize-hook='echo "UUID=696f7472-6163-4500-8000-000000000002 / ext4 defaults 0 1" >"$1/etc/fstab"' \
    --customize-hook='rm -rf "$1/var/cache/apt/archives" "$1/var/lib/apt/lists"/*' \
    "$suite" "$place/root" "$site"
truncate -s 2G "$place/disk"
PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q -F -U 696f7472-6163-4500-8000-000000000002 -d "$place/root" "$place/disk"
qemu-img convert -O qcow2 "$place/disk" "$output"
