import { expect, test } from 'vitest';
import { openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import { single, withBofh } from '../../../src/bofh.ts';
import type { Tx } from '../../../src/operations.ts';
import { StuckError } from '../../../src/core/errors.ts';
import {
  type Fault,
  simulatedBofh,
  simulatedHost,
  type SimulatedHost,
} from '../../../src/simulator/index.ts';
import { copyContent } from '../../../src/simulator/world/world.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { next, type Then } from '../../../src/simulator/matrix/trial.ts';

const uuid = '5e1f0000-0000-4000-8000-00000000000a';
const size = 64 * 1024 ** 2;

/** Two disks of one size, the second a clone of the first; killed when the first was about to be zeroed, after the commit. */
async function killed(how: 'zero' | 'discard', serial: string): Promise<SimulatedHost> {
  const host = simulatedHost({ disks: ['vdx', 'vdy'].map((name) => ({ name, size })) });
  for (const disk of host.world.disks)
    Object.assign(disk, { serial: serial === '' ? '' : serial + disk.name });
  host.admin.format('/dev/vdx', { type: 'ext4', usage: 'filesystem', uuid, version: '1.0' });
  clone(host);
  host.fault({ tool: 'blkdiscard', mode: 'crash here' });
  const work = withBofh(simulatedBofh({ host }), () =>
    single('own', (tx) => tx.block[how]({ device: '/dev/vdx', overwrite: [uuid] })),
  );
  await expect(work).rejects.toThrow();
  host.clearFaults();
  return host;
}

function clone({ world }: SimulatedHost): void {
  for (const contents of [world.live, world.durable]) {
    const content = contents.get('disk:vdx');
    if (content !== undefined) contents.set('disk:vdy', copyContent(content));
  }
}

const signatures = ({ world }: SimulatedHost): readonly (string | undefined)[] =>
  ['disk:vdx', 'disk:vdy'].map((disk) => world.live.get(disk)?.superblock?.uuid);

test.each(['zero', 'discard'] as const)(
  '%s: destroys neither of two equal disks without a serial number after a reboot',
  async (how) => {
    const host = next(await killed(how, ''), 'reboot');
    const { engine } = simulatedBofh({ host });
    const [{ id } = { id: '' }] = await openJournals(engine);

    const error = await rejectionOf(recover(id, { engine, yes: true }));

    expect(error).toBeInstanceOf(StuckError);
    expect(JSON.stringify(error)).toContain('/dev/vdx and /dev/vdy hold the same data');
    expect(signatures(host)).toEqual([uuid, uuid]);
  },
);

test.each<[string, Then, string, (host: SimulatedHost) => void]>([
  ['in the same boot', 'restart', '', () => undefined],
  ['with serial numbers', 'reboot', 'serial-', () => undefined],
  [
    'when the other one holds something else',
    'reboot',
    '',
    ({ admin }) => admin.writeBytes('/dev/vdy', 16 * 1024, Buffer.from('else')),
  ],
])('%s the right one is destroyed', async (_, then, serial, change) => {
  const host = next(await killed('zero', serial), then);
  change(host);
  const { engine } = simulatedBofh({ host });
  const [{ id } = { id: '' }] = await openJournals(engine);

  await recover(id, { engine, yes: true });

  expect(signatures(host)).toEqual([undefined, uuid]);
});

test('the keys of neither of two clones are erased after a reboot', async () => {
  const host = simulatedHost({ disks: ['vdx', 'vdy'].map((name) => ({ name, size })) });
  for (const disk of host.world.disks) Object.assign(disk, { serial: '' });
  host.admin.luksFormat({ device: '/dev/vdx', uuid, key: 'secret' });
  clone(host);
  host.fault({ tool: 'cryptsetup', argvIncludes: 'luksErase', mode: 'crash here' });
  const work = withBofh(simulatedBofh({ host }), () =>
    single('own', (tx) => tx.crypt.erase({ device: '/dev/vdx', uuid })),
  );
  await expect(work).rejects.toThrow();
  host.clearFaults();
  const later = next(host, 'reboot');
  const { engine } = simulatedBofh({ host: later });
  const [{ id } = { id: '' }] = await openJournals(engine);

  const error = await rejectionOf(recover(id, { engine, yes: true }));

  expect(error).toBeInstanceOf(StuckError);
  expect(JSON.stringify(error)).toContain(`/dev/vdx and /dev/vdy are both the LUKS device ${uuid}`);
  const slots = ['disk:vdx', 'disk:vdy'].map((disk) => later.world.live.get(disk)?.luks?.slots.length);
  expect(slots).toEqual([1, 1]);
});

test.each<[string, (tx: Tx) => Promise<unknown>, Fault]>([
  [
    'filesystem',
    (tx) => tx.filesystem.create({ device: '/dev/vdx', type: 'ext4', uuid }),
    { tool: 'mkfs.ext4', mode: 'acts then crash' },
  ],
  [
    'LUKS device',
    (tx) => tx.crypt.format({ device: '/dev/vdx', uuid, key: { from: 'file', path: '/root/key' } }),
    { tool: 'cryptsetup', argvIncludes: 'luksFormat', mode: 'acts then crash' },
  ],
])(
  'a new %s whose disk has another name after a reboot is not reported as undone',
  async (_, make, fault) => {
    const disks = ['vdx', 'vdy'].map((name) => ({ name, size }));
    const host = simulatedHost({ disks: [...disks, { name: 'sr0', size: 0 }] });
    for (const disk of host.world.disks) Object.assign(disk, { serial: '' });
    host.admin.writeFile('/root/key', 'secret', 0o600);
    host.fault(fault);
    const work = withBofh(simulatedBofh({ host }), () => single('own', make));
    await expect(work).rejects.toThrow();
    host.clearFaults();
    const later = next(host, 'reboot');
    swap(later);
    const { engine } = simulatedBofh({ host: later });
    const [{ id } = { id: '' }] = await openJournals(engine);

    const error = await rejectionOf(recover(id, { engine, yes: true }));

    expect(error).toBeInstanceOf(StuckError);
    expect(JSON.stringify(error)).toContain(`${uuid} is not on /dev/vdx but on /dev/vdy`);
    swap(later);
    await recover(id, { engine, yes: true });
    expect(signatures(later)).toEqual([undefined, undefined]);
  },
);

/** The disks have each other's names. */
function swap({ world }: SimulatedHost): void {
  for (const contents of [world.live, world.durable]) {
    const [x, y] = [contents.get('disk:vdx'), contents.get('disk:vdy')];
    for (const [at, content] of [
      ['disk:vdx', y],
      ['disk:vdy', x],
    ] as const)
      if (content === undefined) contents.delete(at);
      else contents.set(at, content);
  }
}
