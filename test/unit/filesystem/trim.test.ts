import { beforeEach, describe, expect, test } from 'vitest';
import { openJournals } from '../../../src/atomic/recovery/recover.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { RefusedError, RolledBackError } from '../../../src/core/errors.ts';
import { fstrim } from '../../../src/filesystem/commands/trim.ts';
import { lvrename } from '../../../src/lvm/lv-commands.ts';
import { trim as operation } from '../../../src/filesystem/operations.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { everyVersion, recorded } from '../blockdevice/fixtures.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';

const device = '/dev/vg0/web1';
const path = '/mnt/a';
const step = { outputs: '/nowhere', lock: -1 };
const uuid = '5e1f0000-0000-4000-8000-000000000001';

describe('the command', () => {
  test('prints the number of bytes', () => {
    expect(fstrim(path)).toMatchObject({ tool: 'fstrim', argv: ['--verbose', path], access: 'change' });
  });

  test.each(
    everyVersion([
      ['fstrim/trimmed', 57_367_552],
      ['fstrim/nothing', 0],
    ] as const),
  )('%s is parsed, and unknown output refused', (name, bytes) => {
    const answer = recorded(name);
    const { stdout } = answer;
    const { parse } = fstrim('/srv/trim');
    expect(parse(answer)).toBe(bytes);
    for (const wrong of [
      '',
      `\u0001${stdout}`,
      `${stdout}more\n`,
      stdout.slice(0, -1),
      stdout.replace(' bytes', ''),
    ])
      expect(() => parse({ ...answer, stdout: wrong })).toThrow(/no number of trimmed bytes in/);
    expect(() => fstrim('/srv/other').parse(answer)).toThrow(/no number of trimmed bytes in/);
  });

  test.each(
    everyVersion([
      ['fstrim/not-root', 'denied'],
      ['fstrim/missing', 'not-found'],
      ['fstrim/unsupported', 'unknown'],
    ] as const),
  )('%s: %s', (name, reason) => {
    expect(fstrim(path).classify?.(recorded(name))).toBe(reason);
  });
});

describe('filesystem.trim', () => {
  let host: SimulatedHost;
  beforeEach(() => {
    host = simulatedHost({ disks: [{ name: 'vdz', size: '64m', discards: false }] });
    host.admin.mkdir(path);
    host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 16 });
  });

  const make = (type: 'ext4' | 'xfs' | 'btrfs' | 'swap', on = device): void =>
    host.admin.format(on, { type, usage: type === 'swap' ? 'other' : 'filesystem', uuid });
  const does = <T>(body: (tx: Tx) => Promise<T>): Promise<T> =>
    withBofh(bofhOn(host), () => atomic('trims', body));
  const trim = (named: string) => does((tx) => tx.filesystem.trim({ path: named }));
  const runs = (): readonly string[] =>
    host.changes.flatMap((each) =>
      each.what === 'command' && each.command.tool === 'fstrim' ? [each.command.argv.join(' ')] : [],
    );

  test.each([
    ['ext4', device],
    ['xfs', path],
    ['btrfs', `${path}/dir`],
    ['ext4', `UUID=${uuid}`],
    ['ext4', '/mnt/link'],
  ] as const)('of %s, named by %s, tells the bytes, and leaves no trace', async (type, named) => {
    make(type);
    host.admin.mount(device, path);
    host.admin.mkdir(`${path}/dir`);
    host.admin.symlink('/mnt/link', `${path}/dir`);

    const { trimmed, ...at } = await trim(named);

    expect(at.mounted).toBe(path);
    expect(at.device).toMatch(named === `UUID=${uuid}` ? /^\/dev\/dm-\d$/ : /^\/dev\/vg0\/web1$/);
    expect(trimmed).toBeGreaterThan(0);
    expect(trimmed).toBeLessThan(64 * 1024 ** 2);
    expect(runs()).toEqual([`--verbose ${path}`]);
  });

  test.each([
    [
      'is not mounted',
      () => make('ext4'),
      device,
      /^\/dev\/vg0\/web1 is not mounted, and only a mounted filesystem/,
    ],
    ['is a swap area', (): void => make('swap'), device, /is a swap area, not a filesystem/],
    [
      'is mounted read-only',
      async () => {
        make('ext4');
        await runVerb(
          testRuntime(simulatedBofh({ host })).runtime,
          `mount add ${device} ${path} --read-only`,
        );
      },
      path,
      /is mounted read-only on \/mnt\/a$/,
    ],
    [
      'is hidden by another mount',
      () => {
        make('ext4');
        host.admin.mount(device, path);
        host.admin.format('/dev/vdz', { type: 'ext4', usage: 'filesystem', uuid: uuid.replace('1', '2') });
        host.admin.mount('/dev/vdz', path);
      },
      device,
      /is mounted only where another mount hides it \(\/mnt\/a\)$/,
    ],
    [
      'is on a disk that cannot discard',
      () => {
        make('ext4', '/dev/vdz');
        host.admin.mount('/dev/vdz', path);
      },
      path,
      /^\/dev\/vdz, or a device below it, cannot discard blocks$/,
    ],
    [
      'is on an open LUKS device, which does not pass discards on',
      () => {
        host.admin.luksFormat({ device, uuid, key: 'geheim' });
        host.admin.luksOpen(device, 'open');
        make('ext4', '/dev/mapper/open');
        host.admin.mount('/dev/mapper/open', path);
      },
      path,
      /, or a device below it, cannot discard blocks$/,
    ],
    ['has no device', (): void => undefined, '/run', /^\/run is on tmpfs, which has no block device/],
  ] as const)('is refused if the filesystem %s', async (_, stage, named, message) => {
    await stage();
    const before = host.snapshot();

    const error = await rejectionOf(trim(named));

    expect(error).toBeInstanceOf(RefusedError);
    expect((error as RefusedError).message).toMatch(message);
    expect(host.snapshot()).toBe(before);
    expect(runs()).toEqual([]);
  });

  test('names a path that does not exist', async () => {
    expect(String(await rejectionOf(trim('/none')))).toMatch(/there is no such device or directory/);
    expect(String(await rejectionOf(trim('srv')))).toMatch(/"srv" is not an absolute path/);
  });

  test.each(['fails before', 'acts then fails', 'no effect, exit 0', 'garbage answer'] as const)(
    'fstrim %s: nothing is left',
    async (mode) => {
      make('ext4');
      host.admin.mount(device, path);
      const before = host.snapshot();
      host.fault({ tool: 'fstrim', mode });

      await rejectionOf(trim(path));

      expect(host.snapshot()).toBe(before);
      expect(await openJournals(bofhOn(host).engine)).toEqual([]);
    },
  );

  test.each(['crash here', 'acts then crash'] as const)('%s: recovery removes the note', async (mode) => {
    make('ext4');
    host.admin.mount(device, path);
    const before = host.snapshot();
    host.fault({ tool: 'fstrim', mode });
    await rejectionOf(trim(path));

    const next = host.restart();
    await recoverAll(next);

    expect(next.snapshot()).toBe(before);
    expect(await openJournals(bofhOn(next).engine)).toEqual([]);
  });

  test.each([
    ['it was unmounted', async () => host.admin.umount(path), /is not mounted/],
    [
      'another volume has its name',
      async () => {
        await host.during(step).run(lvrename({ vg: 'vg0', name: 'web1', to: 'other', udev: 'running' }));
        host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 16 });
      },
      undefined,
    ],
  ] as const)('after the checks %s', async (_, meanwhile, message) => {
    make('ext4');
    host.admin.mount(device, path);
    const args = { path: device };
    const change = host.during(step);
    const undo = await operation.prepare({ args, mark: 'bofh.x.1', host });
    await meanwhile();

    const run = operation.run({ args, undo, host: change });

    if (message === undefined) expect(await run).toEqual({ trimmed: 60 * 1024 ** 2 });
    else expect(String(await rejectionOf(run))).toMatch(message);
    expect(runs()).toEqual(message === undefined ? [`--verbose ${path}`] : []);
  });

  test('in a sequence that made the filesystem: all of it is rolled back', async () => {
    const before = host.snapshot();
    const error = await rejectionOf(
      does(async (tx) => {
        const { path: volume } = await tx.lvm.createLv({ vg: 'vg0', name: 'new', size: '64m' });
        await tx.filesystem.create({ device: volume, type: 'ext4' });
        const { path: at } = await tx.mount.mount({ device: volume, mode: 'rw' });
        await tx.filesystem.trim({ path: at });
        throw new Error('a later step fails');
      }),
    );
    expect(error).toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);
  });

  test('of two sequences at once, one is refused', async () => {
    make('ext4');
    host.admin.mount(device, path);
    let [begun, end] = [(): void => undefined, (): void => undefined];
    const hasBegun = new Promise<void>((done) => (begun = done));
    const mayEnd = new Promise<void>((done) => (end = done));
    const first = does(async (tx) => {
      await tx.filesystem.trim({ path });
      begun();
      await mayEnd;
    });
    await hasBegun;

    const other = withBofh(bofhOn(host.restart()), () =>
      atomic('another', (tx) => tx.filesystem.trim({ path })),
    );
    await expect(other).rejects.toMatchObject({
      code: 'busy',
      message: expect.stringContaining('trim of logical volume vg0/web1 is in use') as string,
    });
    end();
    await first;
    expect(runs()).toHaveLength(1);
  });

  test('bofh filesystem trim prints JSON and words', async () => {
    make('ext4');
    host.admin.mount(device, path);
    const at = (said: Parameters<typeof testRuntime>[1] = {}) => testRuntime(simulatedBofh({ host }), said);
    const [json, words] = [at({ json: true }), at()];

    expect(await runVerb(json.runtime, `filesystem trim ${path}`)).toBe(0);
    expect(await runVerb(words.runtime, `filesystem trim ${device}`)).toBe(0);

    expect(answers.filesystemTrim.parse(JSON.parse(json.stdout()))).toMatchObject({ mounted: path });
    expect(words.stdout()).toBe(`trimmed 60 MiB (62914560 bytes) of ${device}, mounted on ${path}\n`);
  });
});
