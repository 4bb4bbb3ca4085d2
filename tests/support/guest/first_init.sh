#!/bin/busybox sh
# The first program of a guest: mounts the disks and hands over to the user land's systemd, whose root is then a mounted
# file system like any other (mount sandboxing does not work on the kernel's built-in one).
# Disks: vda the user land, vdb the project, vdc the kernel's modules. All are thrown away afterwards.
B=/bin/busybox
$B mkdir -p /proc /sys /dev /new
$B mount -t proc proc /proc
$B mount -t sysfs sys /sys
$B mount -t devtmpfs dev /dev
while read -r module; do $B insmod "/modules/$module" || echo "first_init: cannot load $module"; done </modules/order
tries=0
while [ ! -b /dev/vdc ] && [ $tries -lt 100 ]; do $B sleep 0.1; tries=$((tries + 1)); done
$B mount -t ext4 /dev/vda /new &&
  $B mount -t ext4 /dev/vdb /new/aa &&
  $B mkdir -p "/new/usr/lib/modules" &&
  $B mount -t ext4 /dev/vdc /new/usr/lib/modules || exec $B poweroff -f
$B cp /new/aa/src/tests/support/guest/*.service /new/etc/systemd/system/
$B umount /proc /sys
exec $B switch_root /new /sbin/init
