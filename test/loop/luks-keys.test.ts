import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AnyOperation } from '../../src/atomic/index.ts';
import type { KeyRef } from '../../src/command/index.ts';
import * as crypt from '../../src/crypt/operations.ts';
import { headerOf, keyOpens } from '../../src/crypt/reads.ts';
import { localHost } from '../../src/host/local.ts';
import { rejectionOf } from '../support/rejection.ts';
import { sequence, sh, storage, testEngine } from './sequence.ts';

let disk: ReturnType<typeof storage>;
let device = '';
const description = `bofh-test-${String(process.pid)}`;

beforeAll(() => {
  disk = storage();
  device = disk.ext4('image', { mebibytes: 32 }).device;
  sh('wipefs', '--all', device);
  for (const name of ['first', 'second', 'third']) writeFileSync(disk.path(name), name, { mode: 0o600 });
  const fast = ['--batch-mode', '--pbkdf', 'pbkdf2', '--iter-time', '10', '--key-file', disk.path('first')];
  sh('cryptsetup', 'luksFormat', ...fast, device);
  sh('cryptsetup', 'luksAddKey', ...fast, device, disk.path('second'));
  sh('cryptsetup', 'token', 'add', '--key-description', description, '--key-slot', '1', device);
  keyring('add_key');
});

afterAll(() => {
  keyring('unlink');
  disk.clean();
});

/** Adds the second key to the keyring of the user, or removes it: no other program here can. */
function keyring(act: 'add_key' | 'unlink'): void {
  const script =
    act === 'add_key'
      ? `my ($t, $d, $k) = ('user', '${description}', 'second');
         exit(syscall(248, $t, $d, $k, length $k, -4) < 0)`
      : `my ($t, $d, $k) = ('user', '${description}', '');
         exit(syscall(250, 9, syscall(249, $t, $d, 0, 0), -4) < 0)`;
  execFileSync('perl', ['-e', script]);
}

const file = (name: string): KeyRef => ({ from: 'file', path: disk.path(name) });
const operations = Object.values(crypt) as readonly unknown[] as readonly AnyOperation[];
let runs = 0;

function engine() {
  runs += 1;
  return {
    ...testEngine(disk.makeDir(`state-${String(runs)}`)),
    find: async (kind: string) => operations.find((one) => one.kind === kind),
  };
}

function change(): Promise<unknown> {
  const args = {
    device,
    key: file('first'),
    newKey: file('third'),
    pbkdf: 'pbkdf2',
    pbkdfTimeMs: 10,
  } as const;
  return sequence(engine(), (tx) => tx.step(crypt.changeKey, args));
}

test('a token that opens a slot does not make any key fit', async () => {
  const fits = (name: string, slot?: number) =>
    keyOpens(localHost(), {
      ...{ device, key: { key: file(name), use: 'present', of: device } },
      ...(slot === undefined ? {} : { slot }),
    });
  // The token works.
  sh('cryptsetup', 'open', '--test-passphrase', '--token-only', device);

  expect(await fits('third')).toBe(false);
  expect([await fits('first', 0), await fits('first', 1)]).toEqual([true, false]);
  expect([await fits('second', 0), await fits('second', 1)]).toEqual([false, true]);
});

test('only the slot of the old key is replaced', async () => {
  await change();

  expect((await headerOf(localHost(), device)).keySlots.map(({ slot }) => slot)).toEqual([1, 2]);
  expect(String(await rejectionOf(change()))).toContain('the old key does not open any slot');
});

test.each(['attached', 'detached'] as const)(
  'the memory of the first key is that of its slot, with a header that is %s',
  async (where) => {
    const { device: blank } = disk.ext4(`blank-${where}`, { mebibytes: 32 });
    sh('wipefs', '--all', blank);
    const header = where === 'attached' ? blank : disk.path('header');
    const args = { device: blank, key: file('first'), pbkdfMemory: '128m', pbkdfTimeMs: 10 } as const;

    const made = await sequence(engine(), (tx) =>
      where === 'attached' ? tx.step(crypt.format, args) : tx.step(crypt.formatDetached, { ...args, header }),
    );

    const [slot] = (await headerOf(localHost(), header)).keySlots;
    // cryptsetup never takes less than 64 MiB if it may take more (lib/utils_pbkdf.c).
    expect(slot?.memory).toBe(64 * 1024 ** 2);
    expect(made.pbkdfMemory).toBe(slot?.memory);
  },
);

test('the undo of a restored header keeps a token that others added since', async () => {
  const { device: other } = disk.ext4('restored', { mebibytes: 32 });
  sh('wipefs', '--all', other);
  sh(
    'cryptsetup',
    'luksFormat',
    '-q',
    '--pbkdf',
    'pbkdf2',
    '--iter-time',
    '10',
    '--key-file',
    disk.path('first'),
    other,
  );
  const backup = disk.path('backup');
  sh('cryptsetup', 'luksHeaderBackup', other, '--header-backup-file', backup);
  sh('chmod', '600', backup);

  const error = await rejectionOf(
    sequence(engine(), async (tx) => {
      await tx.step(crypt.restoreHeader, { device: other, file: backup });
      sh('cryptsetup', 'token', 'add', '--key-description', 'of-others', other);
      throw new Error('a later step fails');
    }),
  );

  expect(String(error)).toContain(`${other} has another header now, written by another process`);
  expect((await headerOf(localHost(), other)).tokens).toEqual([{ type: 'luks2-keyring', slots: [0] }]);
  const saved = /saved in (?<path>\/var\/lib\/bofh\/headers\/\S+)/.exec(String(error))?.groups?.path;
  sh('rm', saved ?? 'no saved header');
});
