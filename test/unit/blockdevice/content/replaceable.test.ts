import { outOfGroup } from '../../../../src/blockdevice/content/member.ts';
import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../../src/bofh.ts';
import type { Answer } from '../../../../src/command/index.ts';
import { RefusedError } from '../../../../src/core/errors.ts';
import type { Tx } from '../../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../../src/simulator/index.ts';
import { rejectionOf } from '../../../support/rejection.ts';
import { pool } from '../../../support/undo/specimens/btrfs.ts';
import { partitionedDisk } from '../../../support/undo/specimens/block.ts';
import { bofhOn } from '../../simulator/support.ts';
import { withUnreadable } from '../unreadable.ts';

const device = '/dev/vdx';
const uuid = '5e1f0000-0000-4000-8000-0000000000ab';
const pv = 'web100-0000-0000-0000-0000-0000-vdx000';
const ext4 = { type: 'ext4', usage: 'filesystem', uuid, version: '1.0' } as const;
const member = { type: 'LVM2_member', usage: 'raid', uuid: pv, version: 'LVM2 001' } as const;

interface Overwrite {
  readonly uuid?: string;
  readonly type?: string;
}

const key = { from: 'file', path: '/etc/key' } as const;
const path = '/srv/pool';
const source = '/srv/pool/snapshots/home.foreign';
type Act = (tx: Tx, more: { readonly overwrite?: Overwrite }) => Promise<unknown>;

/** Whatever makes something of a whole device, and overwrites what was named. */
const takers: readonly (readonly [string, Act])[] = [
  ['filesystem.create', (tx, more) => tx.filesystem.create({ device, type: 'ext4', ...more })],
  ['crypt.format', (tx, more) => tx.crypt.format({ device, key, ...more })],
  [
    'crypt.formatDetached',
    (tx, more) => tx.crypt.formatDetached({ device, key, header: '/srv/x.header', ...more }),
  ],
  ['lvm.createPv', (tx, more) => tx.lvm.createPv({ device, ...more })],
  ['btrfs.addDevice', (tx, more) => tx.btrfs.addDevice({ path, device, ...more })],
  [
    'btrfs.replaceDevice',
    (tx, more) => tx.btrfs.replaceDevice({ path, device: '/dev/vg0/pool', by: device, ...more }),
  ],
  ['btrfs.sendToDevice', (tx, more) => tx.btrfs.sendToDevice({ source, device, ...more })],
];

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost({ disks: [{ name: 'vdx', size: 512 * 1024 ** 2 }] });
  pool(host);
  host.admin.writeFile('/etc/key', 'geheim', 0o600);
});

/** What a command would answer where the model knows no such case. */
function withAnswer(tool: string, answer: Partial<Answer>): SimulatedHost {
  const run: SimulatedHost['run'] = async (command) =>
    command.tool === tool
      ? command.parse({ exitCode: 0, stdout: '', stderr: '', ...answer })
      : host.run(command);
  return { ...host, run };
}

/** The refusal, in words, with its remedy; nothing has changed. */
async function refused(act: Act, overwrite?: Overwrite, on = host): Promise<string> {
  const before = host.snapshot();
  const more = overwrite === undefined ? {} : { overwrite };
  const error = await rejectionOf(withBofh(bofhOn(on), () => atomic('takes it', (tx) => act(tx, more))));
  expect(host.snapshot()).toBe(before);
  expect(error).toBeInstanceOf(RefusedError);
  const { message, remedy } = error as RefusedError;
  expect(remedy).toBeDefined();
  return `${message} -> ${remedy ?? ''}`;
}

test('refuses to create a partition table over a btrfs stream too', async () => {
  await withBofh(bofhOn(host), () => atomic('backup', (tx) => tx.btrfs.sendToDevice({ source, device })));
  expect(await refused((tx) => tx.block.createPartitionTable({ device }))).toContain(
    'holds a stream of btrfs send; nothing was written',
  );
});

describe.each(takers)('%s', (_, act) => {
  test('accepts exactly the named content', async () => {
    host.admin.format(device, ext4);

    expect(await refused(act)).toContain(
      `${device} holds ext4, uuid ${uuid}; nothing was written -> to overwrite it, name it: overwrite: { uuid: '${uuid}' }`,
    );
    for (const other of [
      { uuid: 'other' },
      { type: 'xfs' },
      { uuid, type: 'xfs' },
      { uuid: 'other', type: 'ext4' },
    ])
      expect(await refused(act, other)).toContain('because `overwrite` names something else');
    await withBofh(bofhOn(host), () => atomic('takes it', (tx) => act(tx, { overwrite: { uuid } })));
  });

  test('accepts a type as the name', async () => {
    host.admin.format(device, ext4);
    await withBofh(bofhOn(host), () => atomic('takes it', (tx) => act(tx, { overwrite: { type: 'ext4' } })));
  });

  test('does not treat content that a newer blkid would know as blank', async () => {
    host.admin.writeBytes(device, 4120, Buffer.from('c68573f666ce90a9d96a60cf803df7ef', 'hex'));
    for (const overwrite of [undefined, { type: 'bcachefs' }])
      expect(await refused(act, overwrite)).toBe(
        `${device} contains bcachefs, which blkid on this host does not recognise; nothing was written -> if its content is not needed: bofh block zero ${device} --overwrite bcachefs`,
      );
    await withBofh(bofhOn(host), () =>
      atomic('zero', (tx) => tx.block.zero({ device, overwrite: ['bcachefs'] })),
    );
    await withBofh(bofhOn(host), () => atomic('takes it', (tx) => act(tx, {})));
  });

  test('refuses a blank device when content is named', async () => {
    expect(await refused(act, { uuid })).toContain('is blank: it does not contain what `overwrite` names');
  });

  test('refuses a physical volume of a group, whatever is named, because the group would lose its data', async () => {
    host.admin.format(device, member);
    host.admin.vgcreate('vg9', [device]);

    expect(await refused(act, { uuid: pv })).toBe(
      `${device} is a physical volume of the volume group vg9 (uuid ${pv}); nothing was written -> remove its group first: bofh lvm vg remove vg9`,
    );
  });

  test('refuses a physical volume unknown to lvm, because a group may need it', async () => {
    host.admin.format(device, member);
    const run: SimulatedHost['run'] = async (command) => {
      const answer = await host.run(command);
      if (command.tool !== 'pvs') return answer;
      return command.parse({ exitCode: 0, stdout: '{"report":[{"pv":[]}]}', stderr: '' });
    };

    expect(await refused(act, { uuid: pv }, { ...host, run })).toContain(
      `${device} has the label of the physical volume ${pv}, which lvm does not see: bofh cannot tell whether it is in a group`,
    );
  });

  test('does not treat a btrfs stream, which blkid does not see, as blank', async () => {
    await withBofh(bofhOn(host), () => atomic('backup', (tx) => tx.btrfs.sendToDevice({ source, device })));

    expect(await refused(act)).toMatch(
      /^\/dev\/vdx holds (?:a stream of btrfs send|the stream of the subvolume [-0-9a-f]{36}); nothing was written -> /,
    );
  });

  test('refuses a disk with partitions, also when its table is named', async () => {
    partitionedDisk(host, 'gpt');

    expect(await refused(act, { type: 'gpt' })).toMatch(/has a partition table \(gpt, with the partition /);
  });

  test('refuses ambivalent content, without asking for its name', async () => {
    expect(await refused(act, { type: 'ambivalent' }, withAnswer('blkid', { exitCode: 8 }))).toBe(
      `${device} holds several signatures, and blkid cannot tell which one counts; nothing was written -> see it: wipefs ${device}; if none of it is needed: wipefs --all ${device}`,
    );
  });

  test('refuses a device in use, whatever is named, and says how to end the use', async () => {
    host.admin.format(device, ext4);
    host.admin.mkdir('/mnt/x');
    host.admin.mount(device, '/mnt/x');

    expect(await refused(act, { uuid })).toMatch(
      /is in use: mounted on \/mnt\/x .*end that use first: umount/,
    );
  });

  test('does not treat a device with I/O errors everywhere as blank', async () => {
    const before = host.snapshot();
    const error = await rejectionOf(
      withBofh(bofhOn(withUnreadable(host, device)), () => atomic('takes it', (tx) => act(tx, {}))),
    );

    expect(String(error)).toMatch(/blkid finds nothing on \/dev\/vdx, but/);
    expect(host.snapshot()).toBe(before);
  });
});

test.each([
  [['vg9', 'vg0'], 'remove its group first: bofh lvm vg remove vg9'],
  [['vg9', 'vg9'], 'remove it from the group first: bofh lvm vg reduce vg9 /dev/vdx'],
])(
  'the remedy frees a physical volume with what is possible where the groups of all are %j',
  (groups, remedy) => {
    const all = new Map(groups.map((group, index) => [`pv${String(index)}`, group]));

    expect(outOfGroup(all, { group: 'vg9', device: '/dev/vdx' })).toBe(remedy);
  },
);
