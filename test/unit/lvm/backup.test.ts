import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { ParseError, RefusedError, UsageError } from '../../../src/core/errors.ts';
import { metadataBackup } from '../../../src/lvm/index.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { lvmVgBackup } from '../../../src/cli/output/answers/index.ts';
import { typed } from '../plan/support.ts';

const recorded = readFileSync(new URL('../../fixtures/lvm/etc-backup@2.03.16.txt', import.meta.url), 'utf8');
const path = '/etc/lvm/backup/vg1';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.world.lvm = host.world.lvm.map((vg) => ({
    ...{ ...vg, name: 'vg1', seqno: 2 },
    uuid: 'nmyIqu-gJw4-lEbX-EIx8-HhM1-oiux-84yyl5',
  }));
  host.admin.writeFile(path, recorded);
});

test('returns the file that lvm itself wrote after its last change', async () => {
  expect(await metadataBackup(host, 'vg1')).toEqual({
    ...{ uuid: 'nmyIqu-gJw4-lEbX-EIx8-HhM1-oiux-84yyl5', seqno: 2 },
    text: recorded,
  });
});

describe('is refused', () => {
  test.each([
    ['of an older state', () => changed(), /seqno 2; .*seqno 3/],
    [
      'of another group',
      () => host.admin.writeFile(path, recorded.replace('nmyIqu', 'aaaaaa')),
      /is out of date/,
    ],
    ['where there is none', () => host.admin.removeFile(path), /has no backup of "vg1"/],
  ])('%s, with the command that writes it again', async (_, change, words) => {
    change();
    const error = await metadataBackup(host, 'vg1').catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toMatch(words);
    expect((error as RefusedError).remedy).toContain('vgcfgbackup vg1');
  });

  test('of a missing group, and of a name that leaves the directory', async () => {
    await expect(metadataBackup(host, 'nope')).rejects.toBeInstanceOf(RefusedError);
    await expect(metadataBackup(host, '../passwd')).rejects.toBeInstanceOf(UsageError);
  });
});

test.each([
  ['its end cut off', (text: string) => text.slice(0, -3)],
  ['no count of changes', (text: string) => text.replace(/\tseqno = 2\n/, '')],
  ['another version', (text: string) => text.replace('version = 1\n', 'version = 2\n')],
  ['the name of another group', (text: string) => text.replace('vg1 {', 'vg2 {')],
  ['nothing in it', () => ''],
])('refuses a backup with %s', async (_, spoil) => {
  host.admin.writeFile(path, spoil(recorded));
  await expect(metadataBackup(host, 'vg1')).rejects.toBeInstanceOf(ParseError);
});

test('bofh lvm vg backup writes a new file that only root can read, and never replaces one', async () => {
  const { stdout } = await typed(host, ['--json', 'lvm', 'vg', 'backup', 'vg1', '/root/vg1']);

  expect(lvmVgBackup.parse(JSON.parse(stdout))).toMatchObject({ group: 'vg1', seqno: 2, file: '/root/vg1' });
  expect(host.admin.readFile('/root/vg1')).toBe(recorded);
  expect((await host.stat('/root/vg1'))?.mode).toBe(0o600);
  await expect(typed(host, ['lvm', 'vg', 'backup', 'vg1', '/root/vg1'])).rejects.toBeInstanceOf(RefusedError);
});

/** lvm has changed the group and not written its backup: backup/backup = 0, or a full disk. */
function changed(): void {
  host.world.lvm = host.world.lvm.map((vg) => ({ ...vg, seqno: 3 }));
}
