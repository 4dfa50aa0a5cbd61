import { beforeEach, describe, expect, it } from 'vitest';
import { explain } from '../../../src/cli/errors/explain.ts';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { failureOf } from '../concurrency/support.ts';
import { typed } from '../plan/support.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

const device = '/dev/vg0/web1';
const uuid = '5e1f0000-0000-4000-8000-000000000001';
const mebibyte = 1024 ** 2;

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 80 });
});

const at = (said: Parameters<typeof testRuntime>[1] = {}, typedAnswers: readonly string[] = []) =>
  testRuntime(simulatedBofh({ host }), said, typedAnswers);
const create = (options: string, ...said: Parameters<typeof at>): Promise<number> =>
  runVerb(at(...said).runtime, `filesystem create ${device} ${options}`);
const hold = (): void =>
  host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid, label: 'root', blocks: 40960 });

describe('bofh filesystem show', () => {
  it('prints JSON and words', async () => {
    hold();
    host.admin.mount(device, '/mnt');
    const [json, words] = [at({ json: true }), at()];

    await runVerb(json.runtime, `filesystem show ${device}`);
    await runVerb(words.runtime, `filesystem show ${device}`);

    const told = answers.filesystemShow.parse(JSON.parse(json.stdout()));
    expect(told).toMatchObject({ type: 'ext4', uuid, size: 160 * mebibyte, mountedOn: ['/mnt'] });
    expect(words.stdout()).toMatch(/^device {3}\/dev\/vg0\/web1 \(\/dev\/dm-\d\)$/m);
    expect(words.stdout()).toMatch(/^size {5}160 MiB \(167772160 bytes\)$/m);
    expect(words.stdout()).toMatch(/^mounted {2}\/mnt$/m);
  });
});

it('bofh filesystem create --ensure prints the label of the existing filesystem', async () => {
  hold();
  const { runtime, stdout } = at({ json: true });

  expect(await runVerb(runtime, `filesystem create ${device} --type ext4 --ensure`)).toBe(0);

  expect(JSON.parse(stdout())).toEqual({ device, type: 'ext4', uuid, label: 'root', changed: false });
});

describe('bofh filesystem resize', () => {
  it('prints the old and the new size', async () => {
    hold();
    const { runtime, stdout } = at({ json: true });

    expect(await runVerb(runtime, `filesystem resize ${device} 100m`)).toBe(0);

    expect(answers.filesystemResize.parse(JSON.parse(stdout()))).toEqual({
      ...{ device, type: 'ext4', uuid, was: 160 * mebibyte, size: 100 * mebibyte },
    });
  });

  it('says if it has that size already', async () => {
    hold();
    const { runtime, stdout } = at();
    await runVerb(runtime, `filesystem resize ${device} 160m`);
    expect(stdout()).toMatch(/has that size already/);
  });

  it('refuses "+5g"', async () => {
    const resize = runVerb(at().runtime, `filesystem resize ${device} +5g`);

    await expect(resize).rejects.toBeInstanceOf(UsageError);
  });

  it('shows in its plan the step that runs after the commit', async () => {
    hold();
    host.admin.mount(device, '/mnt');
    const { stdout } = await typed(host, ['--dry-run', 'filesystem', 'resize', device, 'max']);
    expect(stdout).toMatch(/after the commit, cannot be undone:[^]*resize2fs/);
  });
});

describe('bofh filesystem create', () => {
  it('creates one and prints its UUID', async () => {
    const { runtime, stdout } = at({ json: true });

    const line = `filesystem create ${device} --type btrfs --label data --uuid ${uuid} --node-size 4096`;
    expect(await runVerb(runtime, line)).toBe(0);

    expect(answers.filesystemCreate.parse(JSON.parse(stdout()))).toEqual({
      device,
      type: 'btrfs',
      uuid,
      label: 'data',
    });
    expect(host.snapshot()).toContain(`holds btrfs ${uuid} data`);
  });

  it.each([
    ['UUID', uuid],
    ['type', 'ext4'],
  ])('asks before it overwrites content that is named by its %s', async (_, named) => {
    hold();
    const over = `--type xfs --overwrite ${named}`;

    await expect(create(over)).rejects.toBeInstanceOf(RefusedError);
    await expect(create(over, {}, ['n'])).rejects.toBeInstanceOf(RefusedError);
    expect(host.snapshot()).toContain('holds ext4');
    expect(await create(over, {}, ['y'])).toBe(0);

    expect(host.snapshot()).toContain('holds xfs');
  });

  it.each([
    ['wipefs', 'fails before', /^restored: everything was rolled back$/],
    [
      'mkfs.xfs',
      'fails before',
      new RegExp(
        `^everything was rolled back, but the former content of ${device} is lost, because it was overwritten: ext4 ${uuid}$`,
      ),
    ],
  ] as const)('says whether the overwritten content is lost: %s %s', async (tool, mode, state) => {
    hold();
    host.fault({ tool, mode });

    const failure = await failureOf(create(`--type xfs --overwrite ${uuid}`, { yes: true }));

    expect(explain(failure, { root: true }).host).toMatch(state);
  });

  it('overwrites content without a UUID by its type', async () => {
    host.admin.format(device, { type: 'dos', usage: 'other' });
    expect(await create('--type vfat --overwrite dos', { yes: true })).toBe(0);
  });

  it.each([
    ['--type ntfs', '--type ntfs: must be ext2, ext3, ext4, xfs, btrfs, vfat or swap'],
    ['--type ext4 --block-size 1k', '--block-size 1k: must be a whole number'],
    ['--type vfat --fat-bits 8', '--fat-bits 8: must be 12, 16 or 32'],
    ['--type btrfs --checksum md5', '--checksum md5: must be crc32c, xxhash, sha256 or blake2'],
    ['--type xfs --fat-bits 32', 'fatBits'],
    ['--type vfat --label small', 'label'],
  ])('refuses %s', async (options, words) => {
    const error = await failureOf(create(options));

    expect(error).toBeInstanceOf(UsageError);
    expect(String(error)).toContain(words);
  });

  it('accepts every form of a UUID', async () => {
    for (const form of [uuid, 'ABCD-1234', 'nKGSvh-18ra-JN9k-PiPu-cfJZ-rI3c-UTuKcR']) {
      host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid: form });
      expect(await create(`--type ext3 --overwrite ${form}`, { yes: true })).toBe(0);
    }
  });
});

describe('bofh filesystem label', () => {
  it('sets a label and removes it', async () => {
    hold();
    const [json, words] = [at({ json: true }), at()];

    await runVerb(json.runtime, `filesystem label ${device} new`);
    const between = host.snapshot();
    await runVerb(words.runtime, `filesystem label ${device}`);

    expect(answers.filesystemLabel.parse(JSON.parse(json.stdout()))).toEqual({ device, uuid, label: 'new' });
    expect(between).toContain(`holds ext4 ${uuid} new 40960x4096`);
    expect(words.stdout()).toBe(`${device} has no label now\n`);
    expect(host.snapshot()).toContain(`holds ext4 ${uuid} 40960x4096`);
  });
});

it.each([
  'filesystem create /dev/loop0 --type xfs --overwrite ext4',
  'filesystem label /dev/loop0 data',
  `filesystem uuid /dev/loop0 --uuid ${uuid}`,
  'block wipe /dev/loop0 --overwrite ext4',
  'crypt format /dev/loop0 --key file:/srv/key --overwrite ext4',
  'lvm pv create /dev/loop0 --overwrite ext4',
])('refuses a write-protected device before anything changes: %s', async (line) => {
  host.admin.mkdir('/srv');
  host.admin.writeFile('/srv/key', 'key');
  await runVerb(at().runtime, 'block image create /srv/a.img 64m --type ext4');
  await runVerb(at().runtime, 'block loop attach /srv/a.img --read-only');
  const before = host.changes.length;

  const failure = await failureOf(runVerb(at({ yes: true }).runtime, line));

  expect(failure).toMatchObject({ name: 'RefusedError', message: '/dev/loop0 is write-protected' });
  expect(host.changes.length).toBe(before);
});
