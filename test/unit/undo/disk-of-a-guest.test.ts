import { expect, it } from 'vitest';
import { decode } from '../../../src/atomic/journal/lines.ts';
import { withoutWaiting } from '../../../src/simulator/matrix/clock.ts';
import { run } from '../../../src/simulator/matrix/trial.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { deviceAt } from '../../../src/simulator/tools/blockdevice/device-at.ts';
import { rows } from '../../support/undo/matrix.ts';

// Xen opens the disks of guests without claiming them, so the kernel lets the host write below a guest.

/** Operations that may act on the disk of a running guest, with the reason. */
const inGroup = 'its volume group is in use on the host already';
const isMounted = 'its filesystem is mounted on the host already';
const isOpen = 'it is open on the host already';
const header = 'it writes the header, which the guest reads only when it opens the device';
const allowed: Readonly<Record<string, string>> = {
  'lvm.pv.resize': inGroup,
  'lvm.pv.move': inGroup,
  'lvm.thinpool.resize': inGroup,
  'lvm.lv.convert': 'it copies the extents beneath the device, which stays the same',
  'lvm.lv.tag': 'it writes the metadata of the group alone',
  'lvm.lv.resize': 'the guest keeps all it has',
  'mount.crypttab.add': 'it writes a file of the host',
  'copy.unpack': isMounted,
  'copy.files': isMounted,
  'btrfs.device.replace': isMounted,
  'btrfs.device.remove': isMounted,
  'crypt.open': isOpen,
  'crypt.resize': isOpen,
  'crypt.header.backup': 'it only reads',
  'crypt.key.add': header,
  'crypt.key.change': header,
  'crypt.key.remove': header,
};

/** Of some of these kinds not every specimen may act. */
function isNever(kind: string, title: string): boolean {
  return (
    (kind === 'lvm.lv.resize' && title.includes('smaller')) ||
    (kind === 'crypt.open' && !title.includes('open already'))
  );
}

/** The device that the only step of the only journal was asked to act on. */
function targetOf(host: SimulatedHost): string | undefined {
  const { store } = simulatedBofh({ host }).engine;
  const [name = ''] = store.names('history');
  const file = store.open(`history/${name}`);
  const lines = file === undefined ? [] : decode(file.read(), name).lines;
  file?.close();
  const intent = lines.find((line) => line.t === 'intent');
  const args = Object(intent?.args) as Readonly<Record<string, unknown>>;
  const { device, vg, name: lv } = args;
  if (typeof device === 'string') return device;
  return typeof vg === 'string' && typeof lv === 'string' ? `/dev/${vg}/${lv}` : undefined;
}

it('is refused by every operation that would write below the guest', async () => {
  const acted: string[] = [];
  let refused = 0;
  for (const { kind, subjects } of await rows())
    for (const subject of subjects) {
      const alone = subject.start();
      await withoutWaiting(() => run(alone, { ends: 'well' }));
      const path = targetOf(alone.host);
      const staged = subject.start();
      const device = path === undefined ? undefined : deviceAt(staged.host.world, path);
      if (path === undefined || device === undefined) continue;
      const { number } = device;
      if (staged.host.world.domains.some(({ disks }) => disks.some((disk) => disk.number === number)))
        continue;
      staged.host.admin.startDomain({ name: 'other', disks: [{ vdev: 'xvda', path, number }] });
      const before = staged.host.snapshot();
      const ending = await withoutWaiting(() => run(staged, { ends: 'well' }));
      if (ending.how === 'thrown' && staged.host.snapshot() === before) refused += 1;
      else if (!(kind in allowed) || isNever(kind, subject.specimen.title ?? ''))
        acted.push(`${kind} ${subject.specimen.title ?? ''}: ${ending.how}`);
    }
  expect(acted).toEqual([]);
  expect(refused).toBeGreaterThan(60);
}, 600_000);
