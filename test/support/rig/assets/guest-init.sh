#!/bin/busybox sh
# Process 1 of a rig guest: says that it is up, then waits to be shut down.
# `xl shutdown` makes the guest's kernel run /sbin/poweroff.

b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -o remount,rw / 2>/dev/null
$b hostname -F /etc/hostname
echo "guest $($b hostname) up"
while :; do $b sleep 3600; done
