import { beforeEach, describe, expect, it } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { create } from '../../../src/cli/verbs/filesystem/create.ts';
import { show, label, resize } from '../../../src/cli/verbs/filesystem/filesystem.ts';
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { typed } from '../plan/support.ts';
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
const hold = (): void =>
  host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid, label: 'root', blocks: 40960 });

describe('bofh filesystem show', () => {
  it('tells all as data, and in words', async () => {
    hold();
    host.admin.mount(device, '/mnt');
    const [json, words] = [at({ json: true }), at()];

    await show(json.runtime, device);
    await show(words.runtime, device);

    const told = answers.filesystemShow.parse(JSON.parse(json.stdout()));
    expect(told).toMatchObject({ type: 'ext4', uuid, size: 160 * mebibyte, mountedOn: ['/mnt'] });
    expect(words.stdout()).toMatch(/^size {5}160 MiB \(167772160 bytes\)$/m);
    expect(words.stdout()).toMatch(/^mounted {2}\/mnt$/m);
  });
});

describe('bofh filesystem resize', () => {
  it('says what it was and what it is', async () => {
    hold();
    const { runtime, stdout } = at({ json: true });

    expect(await resize(runtime, device, '100m')).toBe(0);

    expect(answers.filesystemResize.parse(JSON.parse(stdout()))).toEqual({
      ...{ device, type: 'ext4', uuid, was: 160 * mebibyte, size: 100 * mebibyte },
    });
  });

  it('says so where there is nothing to do', async () => {
    hold();
    const { runtime, stdout } = at();
    await resize(runtime, device, '160m');
    expect(stdout()).toMatch(/has that size already/);
  });

  it('takes no "+5g" for a size', async () => {
    await expect(resize(at().runtime, device, '+5g')).rejects.toBeInstanceOf(UsageError);
  });

  it('shows in its plan what is done after the commit', async () => {
    hold();
    host.admin.mount(device, '/mnt');
    const { stdout } = await typed(host, ['--dry-run', 'filesystem', 'resize', device, 'max']);
    expect(stdout).toMatch(/after the commit, and not undoable:[^]*resize2fs/);
  });
});

describe('bofh filesystem create', () => {
  it('makes one, and tells its uuid', async () => {
    const { runtime, stdout } = at({ json: true });

    expect(await create(runtime, device, { type: 'btrfs', label: 'data', uuid, nodeSize: '4096' })).toBe(0);

    expect(answers.filesystemCreate.parse(JSON.parse(stdout()))).toEqual({
      device,
      type: 'btrfs',
      uuid,
      label: 'data',
    });
    expect(host.snapshot()).toContain(`holds btrfs ${uuid} data`);
  });

  it('asks before it overwrites what is named', async () => {
    hold();
    const over = { type: 'xfs', overwrite: uuid };

    await expect(create(at().runtime, device, over)).rejects.toBeInstanceOf(RefusedError);
    await expect(create(at({}, ['n']).runtime, device, over)).rejects.toBeInstanceOf(RefusedError);
    expect(host.snapshot()).toContain('holds ext4');
    expect(await create(at({}, ['y']).runtime, device, over)).toBe(0);

    expect(host.snapshot()).toContain('holds xfs');
  });

  it('overwrites what has no uuid by its type', async () => {
    host.admin.format(device, { type: 'dos', usage: 'other' });
    expect(await create(at({ yes: true }).runtime, device, { type: 'vfat', overwrite: 'dos' })).toBe(0);
  });

  it.each([
    { type: 'ntfs' },
    { type: 'ext4', blockSize: '1k' },
    { type: 'vfat', fatBits: '8' },
    { type: 'btrfs', checksum: 'md5' },
    { type: 'xfs', fatBits: '32' },
    { type: 'vfat', label: 'small' },
  ])('takes no %j', async (options) => {
    await expect(create(at().runtime, device, options)).rejects.toBeInstanceOf(UsageError);
  });

  it('takes every form of a uuid', async () => {
    for (const form of [uuid, 'ABCD-1234', 'nKGSvh-18ra-JN9k-PiPu-cfJZ-rI3c-UTuKcR']) {
      host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid: form });
      expect(await create(at({ yes: true }).runtime, device, { type: 'ext3', overwrite: form })).toBe(0);
    }
  });
});

describe('bofh filesystem label', () => {
  it('gives one, and takes it away', async () => {
    hold();
    const [json, words] = [at({ json: true }), at()];

    await label(json.runtime, device, 'new');
    const between = host.snapshot();
    await label(words.runtime, device, undefined);

    expect(answers.filesystemLabel.parse(JSON.parse(json.stdout()))).toEqual({ device, uuid, label: 'new' });
    expect(between).toContain(`holds ext4 ${uuid} new 40960x4096`);
    expect(words.stdout()).toBe(`${device} has no label now\n`);
    expect(host.snapshot()).toContain(`holds ext4 ${uuid} 40960x4096`);
  });
});
