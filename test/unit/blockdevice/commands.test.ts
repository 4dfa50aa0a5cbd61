import { describe, expect, test } from 'vitest';
import {
  blkidLabel,
  blkidProbe,
  loopBacking,
  readsAsBlank,
  wipeSignatures,
} from '../../../src/blockdevice/commands.ts';
import { classifyDevice, recognise } from '../../../src/blockdevice/index.ts';
import { simulatedHost } from '../../../src/simulator/index.ts';
import { versionsOf } from '../../support/record/recordings.ts';
import { everyVersion, recorded } from './fixtures.ts';

describe('argv', () => {
  test('probes the device itself, not a cache', () => {
    expect(blkidProbe('/dev/x').argv).toEqual(['-p', '-o', 'export', '/dev/x']);
  });

  test('wipes without forcing', () => {
    expect(wipeSignatures('/dev/x')).toMatchObject({ argv: ['--all', '/dev/x'], access: 'destroy' });
  });
});

describe.each(['2.38.1', '2.41.5'])('blkidProbe of %s', (version) => {
  // Not of every version: what needs device-mapper.
  const blkid = (name: string) => {
    const of = versionsOf(`blkid/${name}`).includes(version) ? version : '2.38.1';
    return blkidProbe('/dev/x').parse(recorded(`blkid/${name}@${of}`));
  };

  test.each([
    ['ext4', { type: 'ext4', usage: 'filesystem', uuid: '11111111-2222-3333-4444-555555555555' }],
    ['swap', { type: 'swap', usage: 'other', uuid: '22222222-2222-3333-4444-555555555555', label: 'sw' }],
    ['gpt', { type: 'gpt', usage: 'partition-table' }],
    ['dos', { type: 'dos', usage: 'partition-table' }],
    ['pv', { type: 'LVM2_member', usage: 'raid' }],
    ['ext4-label-escaped', { label: 'a b"c$\\' }],
  ])('recognises %s', (name, signature) => {
    expect(blkid(name)).toMatchObject(signature);
  });

  test.each(['blank', 'blank-partition', 'missing', 'io-error'])('finds nothing on %s', (name) => {
    expect(blkid(name)).toBeUndefined();
  });

  test('does not take "Permission denied" for a blank device', () => {
    expect(() => blkid('not-root')).toThrow(/Permission denied/);
  });

  test('reports an ambivalent result', () => {
    expect(blkidProbe('/dev/x').parse({ exitCode: 8, stdout: '', stderr: 'ambivalent result' })).toEqual({
      type: 'ambivalent',
      usage: 'ambivalent',
    });
  });

  test.each([
    ['a line of odd shape', 'DEVNAME=/dev/x\nTYPE\n'],
    ['a key that comes twice', 'DEVNAME=/dev/x\nTYPE=ext4\nTYPE=xfs\nUSAGE=filesystem\n'],
    ['something without a type', 'DEVNAME=/dev/x\nUUID=1\n'],
    ['a type without its use', 'DEVNAME=/dev/x\nTYPE=ext4\n'],
    ['a use that is not known', 'DEVNAME=/dev/x\nTYPE=ext4\nUSAGE=new\n'],
    ['nothing at all', ''],
  ])('refuses %s', (_, stdout) => {
    expect(() => blkidProbe('/dev/x').parse({ exitCode: 0, stdout, stderr: '' })).toThrow();
  });
});

describe('blkidLabel', () => {
  const { argv, encoding, parse } = blkidLabel('/dev/x');
  const label = (bytes: readonly number[] | string) =>
    parse({ exitCode: 0, stdout: `${Buffer.from(bytes).toString('latin1')}\n`, stderr: '' });

  test('asks for the bytes of the label alone', () => {
    expect([argv, encoding]).toEqual([['-p', '-o', 'value', '-s', 'LABEL', '/dev/x'], 'latin1']);
  });

  test.each([
    ['Bücher', 'Bücher'],
    ['M-^C', 'M-^C'],
    ['日本', '日本'],
    [[0x42, 0xc3], 'B\\303'],
    [[0x61, 0x0a, 0x62], 'a^Jb'],
  ] as const)('reads %j as %s', (bytes, shown) => {
    expect(label(bytes)).toBe(shown);
  });

  test('finds none, and refuses a truncated answer or a failed command', () => {
    expect(parse({ exitCode: 2, stdout: '', stderr: '' })).toBeUndefined();
    expect(() => parse({ exitCode: 0, stdout: 'a', stderr: '' })).toThrow('/dev/x');
    expect(() => parse({ exitCode: 2, stdout: '', stderr: 'Permission denied\n' })).toThrow(
      'Permission denied',
    );
  });
});

test.each(['Bücher', 'M-C', '日本 ^_^', 'a b'])('recognises a device by its label "%s"', async (label) => {
  const host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 4 });
  const uuid = '5e1f0000-0000-4000-8000-000000000001';
  host.admin.format('/dev/vg0/a', { type: 'ext4', usage: 'filesystem', uuid, version: '1.0', label });
  expect(await recognise(host, '/dev/vg0/a')).toMatchObject({ label, uuid });
});

describe('readsAsBlank', () => {
  test('distinguishes a blank device from an unreadable one', () => {
    const { parse } = readsAsBlank('/dev/x');
    expect(() => parse(recorded('debugfs/blank@1.47.0'))).not.toThrow();
    expect(() => parse(recorded('debugfs/io-error@1.47.0'))).toThrow(/Input\/output error/);
    expect(() => parse({ exitCode: 0, stdout: '', stderr: '' })).toThrow();
  });
});

describe('loopBacking', () => {
  const answer = recorded('losetup/attached@2.38.1');
  const row = (JSON.parse(answer.stdout) as { loopdevices: [Record<string, unknown>] }).loopdevices[0];
  const parse = (rows: readonly unknown[]) =>
    loopBacking(String(row.name)).parse({ ...answer, stdout: JSON.stringify({ loopdevices: rows }) });

  test('reads the inode behind a loop device', () => {
    expect(parse([row])).toMatch(/^\d+:\d+:\d+$/);
  });

  test.each(Object.keys(row))('refuses an answer without %s, or with another', (key) => {
    const { [key]: _, ...without } = row;
    expect(() => parse([without])).toThrow();
    for (const bad of [null, '', -1, 'x']) expect(() => parse([{ ...row, [key]: bad }])).toThrow();
  });

  test('knows no inode of a device that is detached', () => {
    expect(loopBacking('/dev/loop3').parse(recorded('losetup/detached@2.38.1'))).toBeUndefined();
  });

  test('refuses another device, and two rows', () => {
    expect(() => loopBacking('/dev/loop7').parse(recorded('losetup/detached@2.38.1'))).toThrow();
    expect(() => parse([row, row])).toThrow();
  });
});

describe('classifyDevice', () => {
  test.each(
    everyVersion<[string]>([
      ['mkfs.ext4/mounted', 'busy'],
      ['mkswap/mounted', 'busy'],
      ['wipefs/mounted', 'busy'],
      ['mkfs.ext4/missing', 'not-found'],
      ['blkid/not-root', 'denied'],
      ['mount/missing-device', 'not-found'],
    ]),
  )('%s is %s', (name, reason) => {
    expect(classifyDevice(recorded(name))).toBe(reason);
  });
});
