#!/bin/sh
# Process 1 of the rig's host: what a Debian boot would have set up, and nothing else. It ends as busybox init,
# which collects orphans. The line "rig: ready" on the console is what the outside waits for.

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs /run
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs /tmp
mkdir -p /dev/pts /dev/shm /run/lock /run/sshd
mount -t devpts -o gid=5,mode=620 devpts /dev/pts
mount -t tmpfs -o nosuid,nodev tmpfs /dev/shm
# Without /dev/fd Xen's block hotplug script loops for 10 s and then fails.
ln -sfn /proc/self/fd /dev/fd
ln -sfn fd/0 /dev/stdin
ln -sfn fd/1 /dev/stdout
ln -sfn fd/2 /dev/stderr

host=rig
for word in $(cat /proc/cmdline); do
  case "$word" in host=*) host=${word#host=} ;; esac
done
hostname "$host"
printf '127.0.0.1 localhost %s\n' "$host" > /run/hosts

/lib/systemd/systemd-udevd --daemon
modprobe -a virtio_net dm_mod dm_crypt drbd loop
udevadm trigger --type=subsystems --action=add
udevadm trigger --type=devices --action=add
udevadm settle --timeout=60
# udev's LVM rule activates a volume group when its last PV appears; this catches what it missed.
vgchange -aay --sysinit --quiet >/dev/null

ip link set lo up
ip link set eth0 up
ip address add 10.0.2.15/24 dev eth0

if [ "$(cat /sys/hypervisor/type 2>/dev/null)" = xen ]; then
  mount -t xenfs xenfs /proc/xen
  modprobe -a xen-evtchn xen-gntdev xen-gntalloc xen-blkback xen-netback
  mkdir -p /var/log/xen/console
  # It would start an emulator for dom0 too, which no test needs and which slows the machine.
  chmod -x /usr/libexec/xen-qemu-system-i386
  /etc/init.d/xen start
  chmod +x /usr/libexec/xen-qemu-system-i386
fi

/usr/sbin/sshd
echo "rig: ready"
exec /usr/local/sbin/init
