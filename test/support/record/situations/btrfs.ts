import {
  balanceStart,
  balanceStatus,
  scrubStart,
  scrubStatus,
} from '../../../../src/btrfs/maintenance-commands.ts';
import { mkfs } from '../../../../src/filesystem/commands.ts';
import {
  btrfsAt,
  btrfsMinimum,
  btrfsResize,
  btrfsSuperblock,
} from '../../../../src/filesystem/commands/btrfs.ts';
import { checkOf } from '../../../../src/filesystem/commands/check.ts';
import { labelOf, relabel } from '../../../../src/filesystem/commands/label.ts';
import type { Group } from '../situation.ts';

const device = '/dev/loop4';
const blank = '/dev/loop6';
const missing = '/dev/nonexistent';
const path = '/srv/mb';
const uuid = '41111111-2222-4333-8444-555555555555';
const otherUuid = '51111111-2222-4333-8444-555555555555';
const offline = { type: 'btrfs', device, path: undefined } as const;
const online = { ...offline, path } as const;
const at = { path, devid: 1 };
const parts = { path, data: 80, metadata: 80 } as const;

/** A btrfs of 280 MiB as a filesystem: made, read, checked, resized and labelled, scrubbed and balanced. */
export const btrfs: Group = {
  name: 'btrfs',
  situations: [
    {
      name: 'mkfs.btrfs/made',
      given: `
        mkdir -p ${path} /srv/scrub; cd /var/tmp; truncate --size 280M a c; losetup ${device} a
        truncate --size 64M b; losetup ${blank} b; losetup /dev/loop7 c`,
      command: mkfs.btrfs({ device, uuid, label: 'data' }),
      answers: 'parsed',
    },
    { name: 'mkfs.btrfs/exists', command: mkfs.btrfs({ device, uuid: otherUuid }), answers: 'exists' },
    {
      name: 'mkfs.btrfs/missing',
      command: mkfs.btrfs({ device: missing, uuid: otherUuid }),
      answers: 'unknown',
    },
    { name: 'mkfs.btrfs/small', command: mkfs.btrfs({ device: blank, uuid: otherUuid }), answers: 'unknown' },
    {
      name: 'mkfs.btrfs/non-unique',
      command: mkfs.btrfs({ device: '/dev/loop7', uuid }),
      // 6.14 makes a second one.
      answers: (version) => (version === '6.2' ? 'exists' : 'parsed'),
    },
    { name: 'btrfs/dump-super', command: btrfsSuperblock(device), answers: 'parsed' },
    { name: 'btrfs/dump-super-none', command: btrfsSuperblock(blank), answers: 'unknown' },
    { name: 'btrfs/dump-super-missing', command: btrfsSuperblock(missing), answers: 'not-found' },
    {
      name: 'btrfs/label',
      given: `btrfs filesystem label ${device} 'a b'`,
      command: labelOf(offline),
      answers: 'parsed',
    },
    { name: 'btrfs/label-set', command: relabel(offline, 'c d'), answers: 'parsed' },
    { name: 'btrfs/label-missing', command: labelOf({ ...offline, device: missing }), answers: 'not-found' },
    { name: 'btrfs/check', command: checkOf('btrfs', device), answers: 'parsed' },
    {
      name: 'btrfs/show',
      given: `btrfs filesystem label ${device} ''; mount ${device} ${path}`,
      command: btrfsAt(path),
      answers: 'parsed',
    },
    { name: 'mkfs.btrfs/mounted', command: mkfs.btrfs({ device, uuid: otherUuid }), answers: 'exists' },
    { name: 'btrfs/check-mounted', command: checkOf('btrfs', device), answers: 'parsed' },
    { name: 'btrfs/label-none', command: labelOf(online), answers: 'parsed' },
    { name: 'btrfs/label-mounted-device', command: relabel(offline, 'X'), answers: 'busy' },
    { name: 'btrfs/show-not-btrfs', command: btrfsAt('/srv'), answers: 'unknown' },
    { name: 'btrfs/min-dev-size', command: btrfsMinimum(at), answers: 'parsed' },
    { name: 'btrfs/resize-large', command: btrfsResize({ ...at, size: 400_000_000 }), answers: 'no-space' },
    { name: 'btrfs/resize-small', command: btrfsResize({ ...at, size: 200_000_000 }), answers: 'unknown' },
    {
      name: 'btrfs/resized',
      given: `truncate --size 320M /var/tmp/a; losetup --set-capacity ${device}`,
      command: btrfsResize({ ...at, size: 320 * 1024 ** 2 }),
      answers: 'parsed',
    },
    {
      name: 'btrfs/resize-not-mounted',
      command: btrfsResize({ ...at, path: device, size: 277_872_640 }),
      answers: 'unknown',
    },
    { name: 'btrfs/scrub-status-never', command: scrubStatus(path), answers: 'parsed' },
    {
      name: 'btrfs/scrub',
      given: `for n in 1 2 3 4 5; do head -c 10M /dev/urandom > ${path}/$n; done; sync; rm ${path}/[24]; sync`,
      command: scrubStart(path),
      answers: 'parsed',
    },
    { name: 'btrfs/scrub-status', command: scrubStatus(path), answers: 'parsed' },
    { name: 'btrfs/balance', command: balanceStart(parts), answers: 'parsed' },
    { name: 'btrfs/balance-status-none', command: balanceStatus(path), answers: 'parsed' },
    {
      name: 'btrfs/resize-full',
      given: `dd if=/dev/urandom of=${path}/full bs=1M status=none || true; sync`,
      command: btrfsResize({ ...at, size: 268_435_456 }),
      answers: 'no-space',
    },
    {
      // One block of a file of which there is only one copy.
      name: 'btrfs/scrub-errors',
      given: `
        wipefs --quiet --all /dev/loop7; mkfs.btrfs -q -d single -m single /dev/loop7; mount /dev/loop7 /srv/scrub; yes bofh-record | head -c 1M > /srv/scrub/x
        sync; umount /srv/scrub; at=$(grep -abo -m 1 bofh-record /dev/loop7 | head -n 1 | cut -d : -f 1)
        printf x | dd of=/dev/loop7 bs=1 seek=$at conv=notrunc status=none; sync; echo 3 > /proc/sys/vm/drop_caches
        mount /dev/loop7 /srv/scrub`,
      command: scrubStart('/srv/scrub'),
      answers: 'parsed',
    },
    {
      // A leaf of the files' tree, of which there are many, in both its copies.
      name: 'btrfs/check-errors',
      given: `
        rm ${path}/full; mkdir ${path}/many; for n in $(seq 1000); do : > ${path}/many/a-long-name-$n; done; umount ${path} /srv/scrub
        at=$(btrfs inspect-internal dump-tree -t fs ${device} | sed -n 's/^leaf \\([0-9]*\\) .*/\\1/p' | tail -n 1)
        for copy in $(btrfs-map-logical -l $at ${device} | sed -n 's/.*physical \\([0-9]*\\) .*/\\1/p')
        do printf xxxx | dd of=${device} bs=1 seek=$((copy + 200)) conv=notrunc status=none; done; sync`,
      command: checkOf('btrfs', device),
      answers: 'parsed',
    },
  ],
};
