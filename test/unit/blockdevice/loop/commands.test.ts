import { describe, expect, test } from 'vitest';
import { attach, attachedLoops, detach } from '../../../../src/blockdevice/loop/commands.ts';
import type { Attachment } from '../../../../src/blockdevice/loop/schema.ts';
import { recorded } from '../fixtures.ts';

const plain: Attachment = {
  ...{ number: 3, file: '/srv/web1.img', inode: '17', filesystem: '254:0', offset: 0, limit: 0 },
  ...{ mode: 'rw', partitions: 'ignored', sectorSize: 512, direct: false },
};
const listed = (stdout: string) => attachedLoops().parse({ exitCode: 0, stdout, stderr: '' });

describe('argv', () => {
  test('a file at the chosen number, without further options', () => {
    expect(attach(plain)).toMatchObject({
      argv: ['/dev/loop3', '/srv/web1.img'],
      access: 'change',
    });
  });

  test('a part of a file, with all options', () => {
    const part = { offset: 4096, limit: 8192, mode: 'ro', partitions: 'scanned' } as const;

    expect(attach({ ...plain, ...part, sectorSize: 4096, direct: true }).argv).toEqual([
      ...['--read-only', '--partscan', '--offset', '4096', '--sizelimit', '8192'],
      ...['--sector-size', '4096', '--direct-io=on', '/dev/loop3', '/srv/web1.img'],
    ]);
  });

  test('one device is detached, never all', () => {
    expect(detach('/dev/loop3').argv).toEqual(['--detach', '/dev/loop3']);
  });

  test('lists all devices, also rows of a detached one', () => {
    expect(attachedLoops().argv.join(' ')).not.toContain('/dev/');
  });
});

describe('attachedLoops', () => {
  test('reports the file and the options of each device', () => {
    const found = listed(recorded('losetup/list-many@2.38.1').stdout);

    expect(found.find(({ number }) => number === 62)).toEqual({
      ...{ device: '/dev/loop62', number: 62, file: '/srv/blk/web 2.img', filesystem: '254:0' },
      ...{ inode: expect.stringMatching(/^\d+$/) as unknown, offset: 1048576, limit: 4194304 },
      ...{ mode: 'ro', partitions: 'scanned', sectorSize: 4096, direct: false, autoclear: false },
    });
    expect(found.find(({ number }) => number === 63)).toMatchObject({
      file: '/srv/blk/gone.img (deleted)',
      autoclear: true,
    });
    expect(found).toHaveLength(3);
  });

  test('also devices whose node in /dev is missing, as in a container', () => {
    const { stdout } = recorded('losetup/list-many@2.38.1');

    expect(listed(stdout.replaceAll(/"\/dev\/loop\d+/g, '$& (lost)'))).toEqual(listed(stdout));
  });

  test('a plan leaves out devices of the host around a container, and a step reports them', () => {
    // As losetup 2.41.5 says it there.
    const unknown = { 'back-ino': null, 'back-maj:min': null };
    const lost = loopdevices.map((row) => ({ ...row, ...unknown, name: `${String(row['name'])} (lost)` }));
    const stdout = JSON.stringify({ loopdevices: lost });

    expect(attachedLoops('left out').parse({ exitCode: 0, stdout, stderr: '' })).toEqual([]);
    expect(() => listed(stdout)).toThrow(/is unknown/);
    const known = stdout.replaceAll(' (lost)', '');
    expect(() => attachedLoops('left out').parse({ exitCode: 0, stdout: known, stderr: '' })).toThrow(
      /is unknown/,
    );
  });

  test('finds none where there are none, or where the only one was detached meanwhile', () => {
    expect(listed(recorded('losetup/list-none@2.38.1').stdout)).toEqual([]);
    expect(listed(recorded('losetup/list-detached@2.38.1').stdout)).toEqual([]);
  });

  test('does not mistake an answer without root for an empty one', () => {
    expect(() => listed(recorded('losetup/list-not-root@2.38.1').stdout)).toThrow(/is unknown/);
  });

  test('refuses an answer without the list, and nothing at all', () => {
    expect(() => listed('{}')).toThrow();
    expect(() => listed('')).toThrow();
  });

  const { loopdevices } = JSON.parse(recorded('losetup/list-many@2.38.1').stdout) as {
    readonly loopdevices: readonly Record<string, unknown>[];
  };
  const [row = {}] = loopdevices;
  test.each(Object.keys(row))('refuses a row whose "%s" is missing or of another type', (key) => {
    const { [key]: _, ...rest } = row;

    expect(() => listed(JSON.stringify({ loopdevices: [rest] }))).toThrow();
    expect(() => listed(JSON.stringify({ loopdevices: [{ ...row, [key]: [] }] }))).toThrow();
  });
});

describe('why it failed', () => {
  test.each([
    ['attach-busy', 'busy'],
    ['attach-missing-file', 'not-found'],
    ['detach-detached', 'not-found'],
    ['detach-missing', 'not-found'],
  ] as const)('%s: %s', (name, reason) => {
    const answer = recorded(`losetup/${name}@2.38.1`);

    expect(answer.exitCode).toBe(1);
    expect(attach(plain).classify?.(answer)).toBe(reason);
  });

  test('of an open device losetup exits 0 without a message', () => {
    expect(recorded('losetup/detach-open@2.38.1')).toMatchObject({ exitCode: 0, stdout: '', stderr: '' });
  });
});
