import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { afflict, largeVolume, plainPool, pool, secondPool } from '../../support/undo/specimens/btrfs.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  pool(host);
});

type Said = Parameters<typeof testRuntime>[1];
const at = (said: Said = {}, answers: Parameters<typeof testRuntime>[2] = []) =>
  testRuntime(simulatedBofh({ host }), said, answers);

async function json(words: string): Promise<unknown> {
  const { runtime, stdout } = at({ json: true, yes: true });
  expect(await runVerb(runtime, `btrfs ${words}`)).toBe(0);
  return JSON.parse(stdout());
}

const refused = (words: string, said: Said = {}): Promise<number> =>
  runVerb(at(said).runtime, `btrfs ${words}`);

describe('bofh btrfs', () => {
  it('lists every subvolume with its origin, and marks the default', async () => {
    host.admin.btrfs('subvolume', 'set-default', '256', '/srv/pool');
    const rows = answers.btrfsList.parse(await json('list /srv/pool/snapshots'));

    expect(rows.map(({ path }) => path)).toEqual([
      ...['home', 'web10', 'home/inner', 'one with spaces', 'snapshots/home.foreign'],
    ]);
    expect(rows.filter((row) => row.default).map(({ path }) => path)).toEqual(['home']);
    expect(rows.at(-1)?.parentUuid).toBe(rows[0]?.uuid);
  });

  it('shows a subvolume, and refuses a plain directory', async () => {
    const shown = answers.btrfsShow.parse(await json('show /srv/pool/home'));

    expect(shown).toMatchObject({ path: 'home', mode: 'rw', snapshots: ['snapshots/home.foreign'] });
    await expect(refused('show /srv/pool/snapshots')).rejects.toThrow(RefusedError);
    await expect(refused('show /etc')).rejects.toThrow(/not on btrfs but on ext4/);
  });

  it.each(['remove /srv/pool/no', 'snapshot create /srv/pool/no /srv/pool/copy', 'set-default /srv/pool/no'])(
    '%s: does not suggest to create a directory in place of a missing subvolume',
    async (words) => {
      await expect(refused(words, { yes: true })).rejects.toMatchObject({
        message: '/srv/pool/no: there is no such directory',
        remedy: expect.stringMatching(/^name one that exists; see them: bofh btrfs list PATH/) as string,
      });
    },
  );

  it('shows the usage by kind and by device', async () => {
    const { size, spaces } = answers.btrfsUsage.parse(await json('usage /srv/pool'));

    expect(size).toBeGreaterThan(0);
    expect(spaces.map(({ kind }) => kind)).toEqual(['Data', 'Metadata', 'System']);
  });

  it('creates a subvolume and a snapshot, sets the default and the mode, and reports it', async () => {
    const made = answers.btrfsMade.parse(await json('create /srv/pool/new'));
    expect(made.path).toBe('/srv/pool/new');
    const taken = answers.btrfsMade.parse(
      await json('snapshot create /srv/pool/new /srv/pool/snapshots/new'),
    );
    expect(taken.uuid).not.toBe(made.uuid);
    expect(answers.btrfsSet.parse(await json('set-mode /srv/pool/new ro'))).toEqual({
      ...{ path: '/srv/pool/new', now: 'ro', was: 'rw' },
    });
    expect(answers.btrfsSet.parse(await json('set-default /srv/pool/new'))).toMatchObject({
      now: String(made.id),
      was: '5',
    });
    await expect(refused('set-mode /srv/pool/new rx')).rejects.toThrow(UsageError);
  });

  it('asks before it deletes a subvolume', async () => {
    await expect(refused('remove /srv/pool/web10')).rejects.toThrow(/needs confirmation/);
    expect(await host.readDir('/srv/pool')).toContain('web10');

    const gone = answers.btrfsRemoved.parse(await json('remove /srv/pool/web10'));
    expect(gone.path).toBe('/srv/pool/web10');
    expect(await host.readDir('/srv/pool')).not.toContain('web10');
  });

  it.each([
    ['/srv/pool/home', /home\/inner \(id \d+\) is in it/],
    ['/srv/pool', /is the top level/],
    ['/srv/pool/snapshots', /is not a subvolume/],
  ])('does not delete %s', async (path, why) => {
    const before = host.snapshot();
    await expect(refused(`remove ${path}`, { yes: true })).rejects.toThrow(why);
    expect(host.snapshot()).toBe(before);
  });

  it('rotates, and asks only if a snapshot would be deleted', async () => {
    const rotate = 'snapshot rotate /srv/pool/home /srv/pool/snapshots --label daily';
    const { runtime, stdout } = at();
    expect(await runVerb(runtime, `btrfs ${rotate} --keep 1`)).toBe(0);
    expect(stdout()).toMatch(
      /^\/srv\/pool\/snapshots\/daily\.\d{8}T\d{6}Z is created\nnot in the snapshot, .*home\/inner\n$/,
    );

    await expect(refused(`${rotate} --keep 1`)).rejects.toThrow(/needs confirmation/);
    await expect(refused(`${rotate} --keep many`)).rejects.toThrow(
      new UsageError('--keep many: must be a whole number'),
    );
  });

  it.each([
    ['create', 'snapshot create /srv/pool/home /srv/pool/snapshots/one'],
    ['rotate', 'snapshot rotate /srv/pool/home /srv/pool/snapshots --label daily --keep 2'],
  ])('snapshot %s names the nested subvolumes that are not in the snapshot', async (_, words) => {
    const { runtime, stdout } = at();

    expect(await runVerb(runtime, `btrfs ${words}`)).toBe(0);

    expect(stdout()).toMatch(
      /not in the snapshot, because they are subvolumes of their own: \S*home\/inner\n/,
    );
  });

  it.each([
    ['rotate', 'snapshot rotate /srv/pool/home /srv/pool/snapshots --label daily --keep 1'],
    ['prune', 'snapshot prune /srv/pool/snapshots --source /srv/pool/home --label daily --keep 1'],
  ])('snapshot %s names a snapshot that it keeps because of its time', async (_, words) => {
    const path = '/srv/pool/snapshots/daily.20200101T000000Z';
    host.admin.btrfs('subvolume', 'snapshot', '-r', '/srv/pool/home', path);
    const { runtime, stdout } = at();

    expect(await runVerb(runtime, `btrfs ${words}`)).toBe(0);

    expect(stdout()).toContain(`${path} stays: it was created at another time than its name says\n`);
  });

  it('rotation deletes only the snapshots that were confirmed, not newer ones', async () => {
    const rotate = 'btrfs snapshot rotate /srv/pool/home /srv/pool/snapshots --label daily --keep 1';
    const daily = async () =>
      (await host.readDir('/srv/pool/snapshots')).filter((name) => name.startsWith('daily.'));
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const later = () => vi.setSystemTime(Date.now() + 2_000);
    await runVerb(at().runtime, rotate);
    const [first = ''] = await daily();
    later();

    const { runtime, stdout, stderr } = at({}, ['y']);
    expect(await runVerb(runtime, rotate)).toBe(0);
    expect(stderr()).toContain(first);
    expect(stdout()).toContain(`/srv/pool/snapshots/${first} is deleted\n`);

    later();
    const [second = ''] = await daily();
    const meanwhile = (): string => {
      host.admin.rename(`/srv/pool/snapshots/${second}`, '/srv/pool/kept');
      host.admin.btrfs('subvolume', 'snapshot', '-r', '/srv/pool/home', `/srv/pool/snapshots/${second}`);
      return 'y';
    };
    await expect(runVerb(at({}, [meanwhile]).runtime, rotate)).rejects.toThrow(/would be deleted too/);
    expect(await daily()).toEqual([second]);
  });

  it('moves the data of a top level into a subvolume after a question, and reports affected lines of fstab', async () => {
    host = simulatedHost();
    plainPool(host);
    const create = 'create-base-structure /srv/pool data';
    await expect(refused(create)).rejects.toThrow(/needs confirmation/);

    const made = answers.btrfsStructure.parse(await json(create));
    expect(made).toMatchObject({
      subvolumes: '/srv/pool/subvolumes',
      snapshots: '/srv/pool/snapshots',
      made: { path: '/srv/pool/subvolumes/data' },
      defaultWas: null,
      fstab: [{ line: 2, target: '/srv/pool' }],
    });
    await expect(refused(`${create} --set-default`, { yes: true })).rejects.toThrow(RefusedError);
  });

  it('reports in words where the data is, and the default subvolume', async () => {
    host = simulatedHost();
    plainPool(host);
    const { runtime, stdout } = at({ yes: true });
    const create = 'btrfs create-base-structure /srv/pool data --set-default';
    expect(await runVerb(runtime, create)).toBe(0);
    expect(stdout()).toMatch(/^\/srv\/pool\/subvolumes\/data contains the data of the top level: id 258/);
    expect(stdout()).toContain('it is the default subvolume; the previous default was subvolume 5');
    expect(stdout()).not.toContain('fstab');
  });

  it('sends to another filesystem, a file or a device, and receives it', async () => {
    secondPool(host);
    const source = '/srv/pool/snapshots/home.foreign';
    const copied = answers.btrfsReceived.parse(await json(`send ${source} --to /srv/second`));
    expect(copied.path).toBe('/srv/second/home.foreign');
    const sent = answers.btrfsSentToFile.parse(await json(`send ${source} --to-file /srv/home.stream`));
    expect(sent).toMatchObject({ file: '/srv/home.stream', uuid: copied.receivedUuid });
    const received = answers.btrfsReceived.parse(
      await json(`receive ${sent.file} --into /srv/second --name new`),
    );
    expect(received).toMatchObject({ path: '/srv/second/new', receivedUuid: copied.receivedUuid });
    const device = largeVolume(host, 'stream');
    const toDevice = `send ${source} --to-device ${device}`;
    const onto = answers.btrfsSentToDevice.parse(await json(toDevice));
    expect(onto).toEqual({ device, uuid: copied.receivedUuid });
    const read = await json(`receive ${device} --into /srv/second --name third`);
    expect(answers.btrfsReceived.parse(read)).toMatchObject({ receivedUuid: copied.receivedUuid });
    await expect(refused(toDevice)).rejects.toThrow(/holds the stream of/);
    expect(await json(`${toDevice} --overwrite ${onto.uuid}`)).toEqual(onto);
    await expect(refused(`send ${source} --overwrite ${onto.uuid}`)).rejects.toThrow(/--to-device/);
    await expect(refused(`send ${source}`)).rejects.toThrow(/--to DIR, --to-file FILE or --to-device/);
  });

  it('scrubs and balances, and reports the progress of both', async () => {
    const path = '/srv/pool';
    expect(answers.btrfsScrub.parse(await json(`scrub status ${path}`)).state).toBe('never');
    expect(answers.btrfsScrubbed.parse(await json(`scrub start ${path}`)).dataBytes).toBe(3145728);
    expect(answers.btrfsBalanced.parse(await json(`balance start ${path} --data-usage 50`))).toMatchObject({
      relocated: 1,
      chunks: 3,
    });
    await expect(refused(`balance start ${path} --data-usage 101`)).rejects.toThrow(
      new UsageError('--data-usage 101: must be a percentage from 0 to 100'),
    );
    afflict(host, path, { errors: 1, balance: 'running' });
    expect(answers.btrfsBalance.parse(await json(`balance status ${path}`))).toEqual({
      ...{ state: 'running', relocated: 3, expected: 4, leftPercent: 25 },
    });
    const { runtime, stdout } = at();
    await expect(refused(`scrub start ${path}`)).rejects.toThrow(/1 uncorrectable/);
    expect(await runVerb(runtime, `btrfs scrub status ${path}`)).toBe(0);
    expect(stdout()).toContain('errors: 1 wrong checksums, 1 uncorrectable');
  });

  it('enables quotas, sets and shows a limit, and refuses to disable quotas while a limit is set', async () => {
    const path = '/srv/pool';
    expect(answers.btrfsQuota.parse(await json(`quota show ${path}`))).toEqual({
      ...{ mode: 'off', state: null, groups: [] },
    });
    const on = answers.btrfsQuotaSet.parse(await json(`quota enable ${path}`));
    expect(on.mode).toBe('on');
    const limit = 'quota limit /srv/pool/home --exclusive';
    expect(answers.btrfsLimited.parse(await json(`${limit} 10m`))).toEqual({
      ...{ path: '/srv/pool/home', what: 'exclusive', limit: 10485760, was: null },
    });
    const { groups } = answers.btrfsQuota.parse(await json(`quota show ${path}`));
    expect(groups.find(({ id }) => id === '0/256')).toMatchObject({
      maxExclusive: 10485760,
      maxReferenced: null,
    });
    await expect(refused(`quota disable ${path}`)).rejects.toMatchObject({
      message: expect.stringMatching(/would be lost: 0\/256/) as unknown,
      remedy: expect.stringMatching(
        /then remove them: \S+ btrfs quota limit SUBVOLUME none --exclusive$/,
      ) as unknown,
    });
    const { runtime, stdout } = at();
    await runVerb(runtime, `btrfs ${limit} none`);
    expect(stdout()).toBe('the limit of the exclusive data of /srv/pool/home is none; it was 10 MiB\n');
    expect(await runVerb(at().runtime, `btrfs quota disable ${path}`)).toBe(0);
    await expect(refused(`${limit} 10m`)).rejects.toThrow(/quota accounting is disabled/);
    await expect(refused(`${limit} much`)).rejects.toThrow(UsageError);
  });

  it('adds, lists, removes and replaces a device', async () => {
    const path = '/srv/pool';
    const device = largeVolume(host, 'more');
    host.admin.format(device, { type: 'ext4', usage: 'filesystem' });
    await expect(refused(`device add ${path} ${device}`)).rejects.toThrow(/holds ext4/);
    const added = answers.btrfsDevice.parse(await json(`device add ${path} ${device} --overwrite ext4`));
    expect(added).toMatchObject({ device, devid: 2 });
    const listed = answers.btrfsDevices.parse(await json(`device list ${path}`));
    expect(listed.map(({ devid, size }) => [devid, size])).toEqual([
      [1, 67108864],
      [2, 167772160],
    ]);
    const gone = answers.btrfsDevice.parse(await json(`device remove ${path} ${device}`));
    expect(gone).toEqual(added);
    const by = { path, device: '1', by: device };
    expect(answers.btrfsReplaced.parse(await json(`device replace ${path} 1 ${device}`))).toEqual(by);
    await json(`device replace ${path} ${device} ${largeVolume(host, 'third')}`);
    const { runtime, stdout } = at();
    expect(await runVerb(runtime, `btrfs device list ${path}`)).toBe(0);
    expect(stdout()).toMatch(/NUMBER +DEVICE +SIZE +ALLOCATED\n1 .*160 MiB/);
  });
});
