import { beforeEach, expect, test } from 'vitest';
import type { KeyRef } from '../../../src/command/index.ts';
import type { Tx } from '../../../src/operations.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { filledVolume, neighbourhood, ownUuid } from '../../support/undo/stage.ts';
import { stateOf } from '../../../src/simulator/matrix/judge.ts';
import { on } from '../crypt/support.ts';

const key: KeyRef = { from: 'file', path: '/etc/key' };
const own = { vg: 'vg0', name: 'own' } as const;
const guest = '0c0ffee0-0000-4000-8000-0000000000e1';

let host: SimulatedHost;
beforeEach(() => {
  host = neighbourhood();
  host.admin.writeFile('/etc/key', 'a passphrase');
});

type Stage = (to: SimulatedHost) => void;
const nothing: Stage = () => undefined;
const pairs: readonly (readonly [what: string, act: (tx: Tx) => Promise<unknown>, stage: Stage])[] = [
  [
    'a loop device, attached and detached',
    async (tx) => {
      await tx.block.createImage({ file: '/srv/own.img', size: '64m' });
      const { device } = await tx.block.attachLoop({ file: '/srv/own.img' });
      await tx.block.detachLoop({ device });
    },
    nothing,
  ],
  [
    'a mount, made and ended',
    async (tx) => {
      const { path } = await tx.mount.mount({ device: '/dev/vg0/filled', mode: 'rw' });
      await tx.mount.unmount({ path });
    },
    (to) => void filledVolume(to, 'filled', ownUuid),
  ],
  [
    'a LUKS device, opened and closed',
    async (tx) => {
      await tx.lvm.createLv({ ...own, size: '64m' });
      await tx.crypt.format({ device: '/dev/vg0/own', key });
      const { name } = await tx.crypt.open({ device: '/dev/vg0/own', key });
      await tx.crypt.close({ name, key });
    },
    nothing,
  ],
  [
    'a volume, created and removed',
    async (tx) => {
      await tx.lvm.createLv({ ...own, size: '64m' });
      await tx.lvm.removeLv(own);
    },
    nothing,
  ],
  [
    'a volume, created, deactivated and activated',
    async (tx) => {
      await tx.lvm.createLv({ ...own, size: '64m' });
      await tx.lvm.deactivateLv(own);
      await tx.lvm.activateLv(own);
    },
    nothing,
  ],
  [
    'a file, created and removed',
    async (tx) => {
      await tx.file.create({ path: '/srv/own.txt', content: 'x', mode: 0o644 });
      await tx.file.remove({ path: '/srv/own.txt' });
    },
    nothing,
  ],
  [
    'a guest, started and shut down',
    async (tx) => {
      await tx.xen.create({ config: '/etc/xen/own.cfg', name: 'own' });
      await tx.xen.shutdown({ name: 'own', uuid: guest, config: '/etc/xen/own.cfg', how: 'shutdown' });
    },
    (to) => {
      to.admin.writeFile('/vmlinuz', 'x');
      to.admin.writeFile(
        '/etc/xen/own.cfg',
        `name = 'own'\nuuid = '${guest}'\nmemory = 64\nkernel = '/vmlinuz'\n`,
      );
    },
  ],
];

test.each(pairs)('%s in a sequence that fails, is undone as a whole', async (_what, act, stage) => {
  stage(host);
  const before = stateOf(host, new Set());

  await expect(
    on(host, async (tx) => {
      await act(tx);
      throw new Error('a later step fails');
    }),
  ).rejects.toThrow(/failed and was rolled back: a later step fails/);

  expect(stateOf(host, new Set())).toBe(before);
});
