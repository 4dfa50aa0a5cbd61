#!/bin/busybox sh
# The init of the rig's small initramfs: one file for the plain kernel, for dom0 and for PV guests.
# It loads the listed modules, waits for the device named by root=, and hands over to init=.

b=/bin/busybox
$b mkdir -p /proc /sys /dev /newroot
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs devtmpfs /dev

root='' init=/sbin/init mode=ro hold=
for word in $($b cat /proc/cmdline); do
  case "$word" in
    root=*) root=${word#root=} ;;
    init=*) init=${word#init=} ;;
    rw) mode=rw ;;
    ro) mode=ro ;;
    rig-hold) hold=1 ;;
    rig-probe)
      # Asked only whether this processor runs a kernel to its first program at all.
      echo "rig: probe ok"
      $b reboot -f
      ;;
  esac
done

# Modules are listed with what they need before them. Those for other machines fail to load: expected.
while read -r module; do $b insmod "/modules/$module" 2>/dev/null; done < /modules/list

# There is no udev here to wait for: poll, 20 s at most.
tries=0
until [ -b "$root" ]; do
  tries=$((tries + 1))
  if [ "$tries" -gt 400 ]; then
    echo "rig: no root device '$root'"
    $b reboot -f
  fi
  $b usleep 50000
done

# The memory is written to a file here, and a machine that starts from it has other disks. The first KiB of an ext4 is unused.
if [ -n "$hold" ]; then
  echo "rig: hold"
  until $b head -c 10 "$root" | $b grep -q '^rig: go on'; do $b usleep 50000; done
fi

if ! $b mount -o "$mode" "$root" /newroot; then
  echo "rig: cannot mount '$root'"
  $b reboot -f
fi
$b umount /sys
$b umount /proc
$b mount -o move /dev /newroot/dev
exec $b switch_root /newroot "$init"
