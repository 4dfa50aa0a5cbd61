#!/bin/bash
# Turns a fresh Debian tree into the rig's host and writes the boot files beside it.
# usage: finish-image.sh ROOT OUT ASSETS NODE BUSYBOX
set -euo pipefail
root=$1 out=$2 assets=$3 node=$4 busybox=$5

kernel=$(basename "$(ls -d "$root"/lib/modules/*)")
modules=(virtio_pci virtio_blk xen-blkfront xen-netfront ext4)

host_files() {
  install -m 0755 "$assets/rig-init.sh" "$root/rig-init"
  install -m 0755 "$node" "$root/usr/local/bin/node"
  install -m 0755 "$busybox" "$root/usr/local/bin/busybox"
  local applet
  for applet in init poweroff reboot halt; do ln -sf ../bin/busybox "$root/usr/local/sbin/$applet"; done
  # Without an inittab busybox init would start shells on terminals that are not there.
  printf '::ctrlaltdel:/usr/local/sbin/reboot\n::shutdown:/bin/umount -a -r\n' > "$root/etc/inittab"
  printf '# nothing but the root, which the initramfs mounts\n' > "$root/etc/fstab"
  rm -f "$root/etc/hosts" && ln -s /run/hosts "$root/etc/hosts"
  ln -sfn /proc/self/mounts "$root/etc/mtab"
  rm -f "$root/etc/resolv.conf" "$root/etc/hostname"
  printf 'XENCONSOLED_ARGS="--log=guest"\n' >> "$root/etc/default/xen"
  mkdir -p "$root/var/log/xen/console" "$root/mnt" "$root/srv"
}

ssh_files() {
  ssh-keygen -q -t ed25519 -N '' -C bofh-rig -f "$out/id_ed25519"
  install -d -m 0700 "$root/root/.ssh"
  install -m 0600 "$out/id_ed25519.pub" "$root/root/.ssh/authorized_keys"
  rm -f "$root"/etc/ssh/ssh_host_*
  ssh-keygen -q -t ed25519 -N '' -C rig -f "$root/etc/ssh/ssh_host_ed25519_key"
  # PAM, DNS and motd cost seconds under emulation.
  cat > "$root/etc/ssh/sshd_config" <<'END'
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
PrintLastLog no
MaxSessions 100
MaxStartups 100
SetEnv PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
Subsystem sftp internal-sftp
END
}

# The plain ELF kernel inside a bzImage. Xen takes it too, and `xl create` is 4 s faster with it under emulation.
unpack_kernel() {
  local at
  for format in xz:'\xFD7zXZ\x00' zstd:'\x28\xB5\x2F\xFD' gzip:'\x1F\x8B\x08'; do
    for at in $(LC_ALL=C grep -aboP "${format#*:}" "$1" | cut -d: -f1); do
      # Whatever follows the kernel makes the unpacker complain: an ELF header says that it went well.
      tail -c "+$((at + 1))" "$1" | chroot "$root" "${format%%:*}" -dcq > "$out/elf" 2>/dev/null || true
      if [ "$(head -c 4 "$out/elf")" = $'\x7fELF' ]; then
        cat "$out/elf"
        rm "$out/elf"
        return
      fi
    done
  done
  echo "no kernel found in $1" >&2
  return 1
}

boot_files() {
  local initramfs=$out/initramfs path
  mkdir -p "$initramfs/bin" "$initramfs/modules"
  install -m 0755 "$busybox" "$initramfs/bin/busybox"
  install -m 0755 "$assets/boot-init.sh" "$initramfs/init"
  for module in "${modules[@]}"; do
    chroot "$root" modprobe --set-version "$kernel" --show-depends "$module"
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' > "$out/module-paths"
  [ -s "$out/module-paths" ]
  while read -r path; do
    cp "$root$path" "$initramfs/modules/"
    basename "$path" >> "$initramfs/modules/list"
  done < "$out/module-paths"
  # .ko.xz: busybox insmod takes only what the kernel can unpack itself.
  find "$initramfs/modules" -name '*.xz' -exec xz -d {} +
  sed -i 's/\.xz$//' "$initramfs/modules/list"
  # Not compressed: under emulation unpacking costs more than reading.
  (cd "$initramfs" && find . -print0 | LC_ALL=C sort -z | cpio --quiet --null -o -H newc -R 0:0) > "$out/small.img"
  cp "$root/boot/vmlinuz-$kernel" "$out/vmlinuz"
  zcat "$root"/boot/xen-*-amd64.gz > "$out/xen"
  rm -rf "$initramfs" "$out/module-paths" "$root"/boot/initrd.img-* "$root"/boot/System.map-*
  unpack_kernel "$root/boot/vmlinuz-$kernel" > "$out/vmlinux"
  cp "$out/vmlinux" "$root/boot/guest-vmlinuz"
  cp "$out/small.img" "$root/boot/guest-initrd"
}

guest_tar() {
  local guest=$out/guest n applet
  mkdir -p "$guest"/{bin,sbin,etc,proc,sys,dev,tmp,root,usr/share/guest}
  install -m 0755 "$busybox" "$guest/bin/busybox"
  for applet in sh ls cat echo mount umount ps ip ping sleep hostname dd sync df; do ln -s busybox "$guest/bin/$applet"; done
  install -m 0755 "$assets/guest-init.sh" "$guest/sbin/init"
  install -m 0755 "$assets/guest-poweroff.sh" "$guest/sbin/poweroff"
  echo guest > "$guest/etc/hostname"
  printf 'root:x:0:0:root:/root:/bin/sh\n' > "$guest/etc/passwd"
  printf '/dev/xvda / ext4 defaults 0 1\n' > "$guest/etc/fstab"
  # A copy that loses files should be noticed: give it some to lose.
  for n in $(seq -w 1 200); do printf 'file %s of the rig guest\n' "$n" > "$guest/usr/share/guest/$n"; done
  tar -C "$guest" --owner=0 --group=0 --numeric-owner -cf "$root/srv/guest.tar" .
  rm -rf "$guest"
}

host_files
ssh_files
boot_files
guest_tar
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/*.log
