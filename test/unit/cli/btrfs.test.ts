import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { create, remove, setDefault, setMode, snapshot } from '../../../src/cli/verbs/btrfs/change.ts';
import {
  add as addDevice,
  list as listDevices,
  remove as removeDevice,
  replace as replaceDevice,
} from '../../../src/cli/verbs/btrfs/device.ts';
import { createBaseStructure } from '../../../src/cli/verbs/btrfs/structure.ts';
import { rotate } from '../../../src/cli/verbs/btrfs/rotate.ts';
import { balance, balanceStatus, scrub, scrubStatus } from '../../../src/cli/verbs/btrfs/maintenance.ts';
import { limit, setQuota, showQuota } from '../../../src/cli/verbs/btrfs/quota.ts';
import { receive, send } from '../../../src/cli/verbs/btrfs/send.ts';
import { list, show } from '../../../src/cli/verbs/btrfs/btrfs.ts';
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { afflict, largeVolume, plainPool, pool, secondPool } from '../../support/undo/specimens/btrfs.ts';
import { testRuntime } from './support/runtime.ts';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  pool(host);
});

type Said = Parameters<typeof testRuntime>[1];
const at = (said: Said = {}, answers: Parameters<typeof testRuntime>[2] = []) =>
  testRuntime(simulatedBofh({ host }), said, answers);

async function json(act: (runtime: ReturnType<typeof at>['runtime']) => Promise<number>): Promise<unknown> {
  const { runtime, stdout } = at({ json: true, yes: true });
  expect(await act(runtime)).toBe(0);
  return JSON.parse(stdout());
}

describe('bofh btrfs', () => {
  it('lists every subvolume with what it is a snapshot of, and which is the default', async () => {
    host.admin.btrfs('subvolume', 'set-default', '256', '/srv/pool');
    const rows = answers.btrfsList.parse(await json((runtime) => list(runtime, '/srv/pool/snapshots')));

    expect(rows.map(({ path }) => path)).toEqual([
      ...['home', 'web10', 'home/inner', 'one with spaces', 'snapshots/home.foreign'],
    ]);
    expect(rows.filter((row) => row.default).map(({ path }) => path)).toEqual(['home']);
    expect(rows.at(-1)?.parentUuid).toBe(rows[0]?.uuid);
  });

  it('shows one, and says of a plain directory that it is none', async () => {
    const shown = answers.btrfsShow.parse(await json((runtime) => show(runtime, '/srv/pool/home')));

    expect(shown).toMatchObject({ path: 'home', mode: 'rw', snapshots: ['snapshots/home.foreign'] });
    await expect(show(at().runtime, '/srv/pool/snapshots')).rejects.toThrow(RefusedError);
    await expect(show(at().runtime, '/etc')).rejects.toThrow(/not on btrfs but on ext4/);
  });

  it('makes, takes a snapshot, chooses the default and the mode, and says what it did', async () => {
    const made = answers.btrfsMade.parse(await json((runtime) => create(runtime, '/srv/pool/new')));
    expect(made.path).toBe('/srv/pool/new');
    const taken = answers.btrfsMade.parse(
      await json((runtime) =>
        snapshot(runtime, { source: '/srv/pool/new', path: '/srv/pool/snapshots/new', mode: 'ro' }),
      ),
    );
    expect(taken.uuid).not.toBe(made.uuid);
    expect(answers.btrfsSet.parse(await json((runtime) => setMode(runtime, '/srv/pool/new', 'ro')))).toEqual({
      ...{ path: '/srv/pool/new', now: 'ro', was: 'rw' },
    });
    expect(
      answers.btrfsSet.parse(await json((runtime) => setDefault(runtime, '/srv/pool/new'))),
    ).toMatchObject({ now: String(made.id), was: '5' });
    await expect(setMode(at().runtime, '/srv/pool/new', 'rx')).rejects.toThrow(UsageError);
  });

  it('asks before it deletes, and deletes what it has asked about', async () => {
    await expect(remove(at().runtime, '/srv/pool/web10')).rejects.toThrow(/asks before it destroys/);
    expect(await host.readDir('/srv/pool')).toContain('web10');

    const gone = answers.btrfsRemoved.parse(await json((runtime) => remove(runtime, '/srv/pool/web10')));
    expect(gone.path).toBe('/srv/pool/web10');
    expect(await host.readDir('/srv/pool')).not.toContain('web10');
  });

  it.each([
    ['/srv/pool/home', /home\/inner \(id \d+\) lies in it/],
    ['/srv/pool', /is the top level/],
    ['/srv/pool/snapshots', /is no subvolume/],
  ])('does not delete %s', async (path, why) => {
    const before = host.snapshot();
    await expect(remove(at({ yes: true }).runtime, path)).rejects.toThrow(why);
    expect(host.snapshot()).toBe(before);
  });

  it('rotates, and asks only when something would be deleted', async () => {
    const asked = { source: '/srv/pool/home', target: '/srv/pool/snapshots', label: 'daily' };
    const { runtime, stdout } = at();
    expect(await rotate(runtime, { ...asked, keep: '1' })).toBe(0);
    expect(stdout()).toMatch(/^\/srv\/pool\/snapshots\/daily\.\d{8}T\d{6}Z is made\n$/);

    await expect(rotate(at().runtime, { ...asked, keep: '1' })).rejects.toThrow(/asks before it destroys/);
    await expect(rotate(at().runtime, { ...asked, keep: 'many' })).rejects.toThrow(UsageError);
  });

  it('deletes by a rotation what it has asked about, and nothing that came later', async () => {
    const asked = { source: '/srv/pool/home', target: '/srv/pool/snapshots', label: 'daily', keep: '1' };
    const daily = async () =>
      (await host.readDir('/srv/pool/snapshots')).filter((name) => name.startsWith('daily.'));
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const later = () => vi.setSystemTime(Date.now() + 2_000);
    await rotate(at().runtime, asked);
    const [first = ''] = await daily();
    later();

    const { runtime, stdout, stderr } = at({}, ['y']);
    expect(await rotate(runtime, asked)).toBe(0);
    expect(stderr()).toContain(first);
    expect(stdout()).toContain(`/srv/pool/snapshots/${first} is deleted\n`);

    later();
    const [second = ''] = await daily();
    const meanwhile = (): string => {
      host.admin.rename(`/srv/pool/snapshots/${second}`, '/srv/pool/kept');
      host.admin.btrfs('subvolume', 'snapshot', '-r', '/srv/pool/home', `/srv/pool/snapshots/${second}`);
      return 'y';
    };
    await expect(rotate(at({}, [meanwhile]).runtime, asked)).rejects.toThrow(/would be deleted, too/);
    expect(await daily()).toEqual([second]);
  });

  it('moves the data of a top level into a subvolume, asks before, and says what fstab shows then', async () => {
    host = simulatedHost();
    plainPool(host);
    const asked = { path: '/srv/pool', name: 'data', default: 'kept' as const };
    await expect(createBaseStructure(at().runtime, asked)).rejects.toThrow(/asks before it destroys/);

    const made = answers.btrfsStructure.parse(await json((runtime) => createBaseStructure(runtime, asked)));
    expect(made).toMatchObject({
      subvolumes: '/srv/pool/subvolumes',
      snapshots: '/srv/pool/snapshots',
      made: { path: '/srv/pool/subvolumes/data' },
      defaultWas: null,
      fstab: [{ line: 2, target: '/srv/pool' }],
    });
    const { runtime } = at({ yes: true });
    await expect(createBaseStructure(runtime, { ...asked, default: 'set' })).rejects.toThrow(RefusedError);
  });

  it('says in words where the data are, and what is the default', async () => {
    host = simulatedHost();
    plainPool(host);
    const { runtime, stdout } = at({ yes: true });
    const asked = { path: '/srv/pool', name: 'data' };
    expect(await createBaseStructure(runtime, { ...asked, default: 'set' })).toBe(0);
    expect(stdout()).toMatch(/^\/srv\/pool\/subvolumes\/data has what lay in the top level: id 258/);
    expect(stdout()).toContain('it is the default now; that was the subvolume 5');
    expect(stdout()).not.toContain('fstab');
  });

  it('sends to another filesystem or into a file, and receives it', async () => {
    secondPool(host);
    const source = '/srv/pool/snapshots/home.foreign';
    const copied = answers.btrfsReceived.parse(
      await json((runtime) => send(runtime, { source, to: '/srv/second' })),
    );
    expect(copied.path).toBe('/srv/second/home.foreign');
    const sent = answers.btrfsSentToFile.parse(
      await json((runtime) => send(runtime, { source, toFile: '/srv/home.stream' })),
    );
    expect(sent).toMatchObject({ file: '/srv/home.stream', uuid: copied.receivedUuid });
    const received = answers.btrfsReceived.parse(
      await json((runtime) => receive(runtime, { file: sent.file, into: '/srv/second', name: 'new' })),
    );
    expect(received).toMatchObject({ path: '/srv/second/new', receivedUuid: copied.receivedUuid });
    const [toDevice, into] = [largeVolume(host, 'stream'), '/srv/second'];
    const onto = answers.btrfsSentToDevice.parse(
      await json((runtime) => send(runtime, { source, toDevice })),
    );
    expect(onto).toEqual({ device: toDevice, uuid: copied.receivedUuid });
    const read = await json((runtime) => receive(runtime, { file: toDevice, into, name: 'third' }));
    expect(answers.btrfsReceived.parse(read)).toMatchObject({ receivedUuid: copied.receivedUuid });
    await expect(send(at().runtime, { source, toDevice })).rejects.toThrow(/holds the stream of/);
    const over = { source, toDevice, overwrite: onto.uuid };
    expect(await json((runtime) => send(runtime, over))).toEqual(onto);
    await expect(send(at().runtime, { source, overwrite: onto.uuid })).rejects.toThrow(/--to-device/);
    await expect(send(at().runtime, { source })).rejects.toThrow(/--to DIR, or --to-file FILE/);
  });

  it('scrubs and balances, and says how far either is', async () => {
    const path = '/srv/pool';
    expect(answers.btrfsScrub.parse(await json((runtime) => scrubStatus(runtime, path))).state).toBe('never');
    expect(answers.btrfsScrubbed.parse(await json((runtime) => scrub(runtime, path))).dataBytes).toBe(
      3145728,
    );
    expect(
      answers.btrfsBalanced.parse(await json((runtime) => balance(runtime, { path, dataUsage: '50' }))),
    ).toMatchObject({ relocated: 1, chunks: 3 });
    await expect(balance(at().runtime, { path, dataUsage: '101' })).rejects.toThrow(UsageError);
    afflict(host, path, { errors: 1, balance: 'running' });
    expect(answers.btrfsBalance.parse(await json((runtime) => balanceStatus(runtime, path)))).toEqual({
      ...{ state: 'running', relocated: 3, expected: 4, leftPercent: 25 },
    });
    const { runtime, stdout } = at();
    await expect(scrub(at().runtime, path)).rejects.toThrow(/1 uncorrectable/);
    expect(await scrubStatus(runtime, path)).toBe(0);
    expect(stdout()).toContain('errors: 1 wrong checksums, 1 uncorrectable');
  });

  it('turns quotas on, limits a subvolume, shows it, and does not turn them off over a limit', async () => {
    const path = '/srv/pool';
    expect(answers.btrfsQuota.parse(await json((runtime) => showQuota(runtime, path)))).toEqual({
      ...{ mode: 'off', state: null, groups: [] },
    });
    const on = answers.btrfsQuotaSet.parse(await json((runtime) => setQuota(runtime, path, 'on')));
    expect(on.mode).toBe('on');
    const asked = { path: '/srv/pool/home', size: '10m', what: 'exclusive' } as const;
    expect(answers.btrfsLimited.parse(await json((runtime) => limit(runtime, asked)))).toEqual({
      ...{ path: '/srv/pool/home', what: 'exclusive', limit: 10485760, was: null },
    });
    const { groups } = answers.btrfsQuota.parse(await json((runtime) => showQuota(runtime, path)));
    expect(groups.find(({ id }) => id === '0/256')).toMatchObject({
      maxExclusive: 10485760,
      maxReferenced: null,
    });
    await expect(setQuota(at().runtime, path, 'off')).rejects.toThrow(/would be lost: 0\/256/);
    await json((runtime) => limit(runtime, { ...asked, size: 'none' }));
    expect(await setQuota(at().runtime, path, 'off')).toBe(0);
    await expect(limit(at().runtime, asked)).rejects.toThrow(/quotas are off/);
    await expect(limit(at().runtime, { ...asked, size: 'much' })).rejects.toThrow(UsageError);
  });

  it('puts a device into a filesystem, lists it, and takes it out again', async () => {
    const path = '/srv/pool';
    const device = largeVolume(host, 'more');
    host.admin.format(device, { type: 'ext4', usage: 'filesystem' });
    await expect(addDevice(at().runtime, { path, device })).rejects.toThrow(/holds ext4/);
    const added = answers.btrfsDevice.parse(
      await json((runtime) => addDevice(runtime, { path, device, overwrite: 'ext4' })),
    );
    expect(added).toMatchObject({ device, devid: 2 });
    const listed = answers.btrfsDevices.parse(await json((runtime) => listDevices(runtime, path)));
    expect(listed.map(({ devid, size }) => [devid, size])).toEqual([
      [1, 67108864],
      [2, 167772160],
    ]);
    const gone = answers.btrfsDevice.parse(await json((runtime) => removeDevice(runtime, { path, device })));
    expect(gone).toEqual(added);
    const by = { path, device: '1', by: device };
    expect(answers.btrfsReplaced.parse(await json((runtime) => replaceDevice(runtime, by)))).toEqual(by);
    await json((runtime) => replaceDevice(runtime, { path, device, by: largeVolume(host, 'third') }));
    const { runtime, stdout } = at();
    expect(await listDevices(runtime, path)).toBe(0);
    expect(stdout()).toMatch(/NUMBER +DEVICE +SIZE +ALLOCATED\n1 .*160 MiB/);
  });
});
