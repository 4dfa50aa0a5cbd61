import { describe, expect, it } from 'vitest';
import { atomic, block, BofhError, vm, withBofh } from '../../src/index.ts';
import { simulatedBofh, simulatedHost } from '../../src/simulator/index.ts';
import { rejectionOf } from '../support/rejection.ts';
import { typed } from './plan/support.ts';

const mib = 1024 ** 2;
const host = simulatedHost({ disks: [{ name: 'sdb', size: 512 * mib }] });
await withBofh(simulatedBofh({ host }), () =>
  atomic('content', async (tx) => {
    await tx.lvm.createLv({ vg: 'vg0', name: 'a', size: 64 * mib });
    await tx.filesystem.create({ device: '/dev/vg0/a', type: 'ext4' });
  }),
);

const guest = { name: 'web1', source: { type: 'tar', path: '/srv/a.tar' }, size: '2g', memory: 1 } as const;

/** What the console and a program read about the same fault. */
const faults: readonly (readonly [string, readonly string[], () => Promise<unknown>, string, RegExp])[] = [
  [
    'overwrite of a device',
    ['filesystem', 'create', '/dev/vg0/a', '--type', 'ext2'],
    () => atomic('x', (tx) => tx.filesystem.create({ device: '/dev/vg0/a', type: 'ext2' })),
    'name it: --overwrite ',
    /name it: overwrite: \{ uuid: '[-\w]+' \}/,
  ],
  [
    'overwrite of all signatures',
    ['--yes', 'block', 'wipe', '/dev/vg0/a', '--overwrite', 'xfs'],
    () => block.wipe({ device: '/dev/vg0/a', overwrite: ['xfs'] }),
    'name all of it: --overwrite ',
    /name all of it: overwrite: \['[-\w]+'\]/,
  ],
  [
    'memory of a guest',
    ['vm', 'create', 'web1', '--source', 'tar:/srv/a.tar', '--size', '2g', '--memory', '1k', '--vg', 'vg0'],
    () => vm.create(guest),
    '--memory 1 KiB: a guest needs',
    /memory 1 B: a guest needs/,
  ],
  [
    'an item of a list',
    ['mount', 'add', '/dev/vg0/a', '/mnt', '-o', 'a b'],
    () =>
      atomic('x', (tx) =>
        tx.mount.mount({ device: '/dev/vg0/a', path: '/mnt', options: ['a b'], mode: 'rw' }),
      ),
    'options: ',
    /options\.0: /,
  ],
  [
    'a name of two words',
    [
      '--yes',
      'filesystem',
      'create',
      '/dev/vg0/a',
      '--type',
      'ext4',
      '--block-size',
      '5000',
      '--overwrite',
      'ext4',
    ],
    () =>
      atomic('x', (tx) =>
        tx.filesystem.create({ device: '/dev/vg0/a', type: 'ext4', options: { blockSize: 5000 } }),
      ),
    'block size: ',
    /blockSize: /,
  ],
];

async function textOf(call: Promise<unknown>): Promise<string> {
  const error = await rejectionOf(call);
  expect(error).toBeInstanceOf(BofhError);
  const { message, remedy = '' } = error as BofhError;
  return `${message}; ${remedy}`;
}

describe('option names in messages', () => {
  it.each(faults)('are those of the command line at the console: %s', async (_, words, _call, atConsole) => {
    expect(await textOf(typed(host, words))).toContain(atConsole);
  });

  it.each(faults)(
    'are those of the library in a program: %s',
    async (_, _words, call, _atConsole, inProgram) => {
      const text = await textOf(withBofh(simulatedBofh({ host }), call));
      expect(text).toMatch(inProgram);
      expect(text).not.toContain('--');
    },
  );
});
