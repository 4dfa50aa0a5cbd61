# Prints the state of the host, in a form in which equal states are equal texts: sorted, and without what changes by itself
# (sequence numbers, times, domain ids, device minors, fill levels). Read by `bash -s` in the machine.
# A question that gets no answer ends it: "could not tell" is not "nothing there".
set -euo pipefail
export LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

section() { printf '== %s\n' "$1"; }

report() {
  local kind=$1 fields=$2
  shift 2
  "$kind" --reportformat basic --noheadings --nosuffix --units b --separator '|' --quiet -o "$fields" "$@" 9>&- | sed 's/^ *//; s/ *$//' | sort
}

# What there is below some paths, then the hashes of the files; the first argument is the path, the rest goes to find.
# Two programs for all files: a program costs 20 ms and more under emulation.
files() {
  # A folder that bofh has not made yet is the same as one with nothing in it.
  [ -e "$1" ] || return 0
  find "$@" -printf '%p %y %m %U:%G %l\n' | sort
  find "$@" -type f -print0 | sort -z | xargs -0r sha256sum
}

# Its connection may end while the daemon is busy (seen once, on a loaded machine).
udevadm settle --timeout=30 || { sleep 1; udevadm settle --timeout=30; }

section 'physical volumes'
report pvs pv_name,pv_uuid,vg_name,pv_size,pv_free,pv_attr,pv_tags -a
section 'volume groups'
report vgs vg_name,vg_uuid,vg_attr,vg_extent_size,vg_extent_count,vg_free_count,pv_count,lv_count,snap_count,vg_tags
section 'logical volumes'
report lvs vg_name,lv_name,lv_uuid,lv_size,lv_active,lv_permissions,lv_layout,lv_role,origin,pool_lv,lv_skip_activation,lv_tags -a
section 'segments'
report lvs vg_name,lv_name,seg_start,seg_size,segtype,devices -a --segments

section 'device mapper'
dmsetup info -c --noheadings --separator '|' -o name,uuid,suspended,readonly,tables_loaded | sed '/No devices found/d' | sort
section '/dev/mapper'
find /dev/mapper -mindepth 1 -printf '%P %y\n' | sort
section 'links into device mapper'
# The links in /dev/block are named by the minor number, which a device that comes back may have another of.
find /dev -type l -lname '*/dm-[0-9]*' -not -path '/dev/disk/*' -not -path '/dev/mapper/*' -not -path '/dev/block/*' -printf '%p\n' | sort

section 'content of block devices'
# Status 2 is "nothing known on any device".
blkid -c /dev/null -s TYPE -s UUID -s LABEL | sort || [ "$?" = 2 ]

section 'mounts'
# In the order in which they were made. Mounts of the rig's faults are not the host's.
awk '$4 !~ "^/rig-fault/" { for (i = 7; $i != "-"; i++); print $5, $4, $6, $(i+1), $(i+2), $(i+3) }' /proc/self/mountinfo
section 'swaps'
awk 'NR > 1 { print $1, $2, $3, $5 }' /proc/swaps | sort
section 'loop devices'
losetup --list --noheadings --raw --output NAME,BACK-FILE,OFFSET,SIZELIMIT,AUTOCLEAR,RO | sort

section 'files'
files /etc/xen
files /etc/fstab
files /etc/crypttab
# Images, streams, backups of headers: names and sizes; what their content is each trial knows itself.
section '/srv'
find /srv -xdev -type f -printf '%p %y %m %s\n' -o -printf '%p %y %m\n' | sort
section 'saved headers'
files /var/lib/bofh/headers -mindepth 1
section '/run/bofh'
# The folders of the private mounts and of what other hosts do here are made with the first of them, and stay; what is in them counts.
# A way to another host is left by a bofh that was killed, until the next boot.
files /run/bofh -mindepth 1 -not -path '/run/bofh/locks' -not -path '/run/bofh/locks/*' -not -path '/run/bofh/mnt' -not -path '/run/bofh/notes' \
  -not -path '/run/bofh/away' -not -path '/run/bofh/reservations.lock' -not -path '/run/bofh/bofh-ssh-*'
section 'open journals'
files /var/lib/bofh/journal -mindepth 1 -maxdepth 1 '(' -name '*.journal' -o -name '*.new' -o -name '*.d' ')'
section 'reservations'
files /var/lib/bofh/reservations -mindepth 1

if grep -qs control_d /proc/xen/capabilities; then
  section 'domains'
  # Running and blocked are both "alive". The name is first, the uuid is the first word of that shape.
  xl list -v | awk 'NR > 1 {
    for (i = 7; $i !~ /^[0-9a-f]+(-[0-9a-f]+)+$/; i++) if (i > NF) { print "not understood: " $0; exit 1 }
    state = $5; gsub(/-/, "", state); sub(/^[rb]+$/, "", state)
    print $1, $i, "memory=" $3, "vcpus=" $4, (state == "" ? "alive" : state)
  }' | sort
  section 'block devices of guests'
  # No guest had a disk since the boot: then there is no such key.
  if xenstore-exists /local/domain/0/backend; then
    xenstore-ls -f /local/domain/0/backend | awk -F ' = ' '
      $1 ~ /\/vbd\/[0-9]+\/[0-9]+\/(dev|params|mode)$/ {
        n = split($1, part, "/"); device = part[n-2] "/" part[n-1]
        value[device, part[n]] = $2; seen[device] = 1
      }
      END { for (d in seen) print value[d, "dev"], value[d, "params"], value[d, "mode"] }' | sort
  fi
fi

if [ -e /proc/drbd ]; then
  section 'drbd'
  drbdsetup show
fi
echo '== end'
