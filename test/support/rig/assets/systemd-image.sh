#!/bin/bash
# Makes a finished rig tree boot with systemd, as a real Debian host does: Debian's own units for Xen, LVM, DRBD and sshd,
# and two of ours for what only the rig needs. "rig: ready" on the console is what the outside waits for.
# usage: systemd-image.sh ROOT
set -euo pipefail
root=$1
units=$root/etc/systemd/system

# What waits for hardware or a person that is not there, or does work of its own in the middle of a test.
masked=(
  getty@.service serial-getty@.service console-getty.service systemd-logind.service
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
  e2scrub_reap.service mdmonitor-oneshot.timer mdcheck_start.timer mdcheck_continue.timer
  systemd-tmpfiles-clean.timer systemd-firstboot.service
)

mkdir -p "$units/multi-user.target.wants" "$root/etc/systemd/system.conf.d" "$root/etc/systemd/journald.conf.d"
for unit in "${masked[@]}"; do ln -sfn /dev/null "$units/$unit"; done
ln -sfn /lib/systemd/system/multi-user.target "$units/default.target"
echo 0123456789abcdef0123456789abcdef > "$root/etc/machine-id"
# Under emulation everything takes its time.
printf '[Manager]\nDefaultTimeoutStartSec=5min\n' > "$root/etc/systemd/system.conf.d/rig.conf"
printf '[Journal]\nStorage=volatile\n' > "$root/etc/systemd/journald.conf.d/rig.conf"
printf 'loop\ndm_mod\n' > "$root/etc/modules-load.d/rig.conf"

cat > "$units/rig-network.service" <<'END'
[Unit]
Description=The network of the rig
After=systemd-udev-trigger.service
Before=network.target network-online.target ssh.service
Wants=network.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'until ip link set eth0 up 2>/dev/null; do sleep 0.1; done; ip address replace 10.0.2.15/24 dev eth0'
ExecStart=/bin/sh -c 'host=$$(sed -n "s/.*host=\\([a-z0-9-]*\\).*/\\1/p" /proc/cmdline); hostname "$$host"; echo "127.0.0.1 localhost $$host" > /run/hosts; mkdir -p /var/log/xen/console'

[Install]
WantedBy=multi-user.target
END

cat > "$units/rig-ready.service" <<'END'
[Unit]
Description=Says that the rig can be reached
After=ssh.service rig-network.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'echo "rig: ready" > /dev/console'

[Install]
WantedBy=multi-user.target
END

for unit in rig-network rig-ready; do
  ln -sfn "/etc/systemd/system/$unit.service" "$units/multi-user.target.wants/$unit.service"
done
ln -sfn /lib/systemd/system/ssh.service "$units/multi-user.target.wants/ssh.service"
