import { beforeEach, describe, expect, test } from 'vitest';
import { type BofhError, RefusedError, RolledBackError } from '../../../src/core/errors.ts';
import { present } from '../../../src/core/present.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import type { Domain } from '../../../src/simulator/world/parts.ts';
import { readBackup } from '../../../src/vm/manifest.ts';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { jsonOn, typedOn } from './support/run-verb.ts';

let host: SimulatedHost;
beforeEach(async () => {
  host = simulatedHost();
  host.addTar('/srv/root.tar', [{ path: 'etc', type: 'directory' }]);
  for (const path of ['/boot/vmlinuz', '/boot/initrd']) host.admin.writeFile(path, 'x');
  host.admin.mkdir('/srv/backup');
  await typed(
    'vm create web1 --source tar:/srv/root.tar --size 256m --swap 16m --memory 128m --vg vg0 --kernel /boot/vmlinuz --ramdisk /boot/initrd --bridge xenbr0 --start',
  );
  set({});
});

const typed = (line: string) => jsonOn(simulatedBofh({ host }), line, { yes: true });
const guest = () => host.world.domains.find(({ name }) => name === 'web1');
const set = (agent: Partial<Domain['agent']>) =>
  Object.assign(guest() ?? {}, {
    agent: { socket: '/run/xen/web1.sock', filesystems: 'thawed', answers: 'always', ...agent },
  });
const backup = async (words = '') =>
  answers.vmBackup.parse((await typed(`vm backup web1 /srv/backup ${words}`.trim())).data);
const volumes = () => host.world.lvm.flatMap(({ lvs }) => lvs.map(({ name }) => name)).toSorted();
const programs = (from: number) =>
  host.changes
    .slice(from)
    .flatMap((each) => (each.what === 'command' ? [each.command] : []))
    .filter(({ tool }) => ['perl', 'xl', 'lvcreate'].includes(tool))
    .map(({ tool, argv }) => `${tool} ${(tool === 'perl' ? argv[2] : argv[0]) ?? ''}`);

describe('the filesystems of a guest with a guest agent', () => {
  test('are frozen for the snapshots of a backup, around the pause', async () => {
    const from = host.changes.length;

    const { frozen, path } = await backup();

    expect(programs(from)).toEqual([
      ...['perl freeze', 'xl pause', 'lvcreate --snapshot', 'lvcreate --snapshot', 'xl unpause', 'perl thaw'],
    ]);
    expect([frozen, (await readBackup(host, path)).frozen]).toEqual([true, true]);
    expect(guest()).toMatchObject({ state: 'blocked', agent: { filesystems: 'thawed' } });
  });

  test('are frozen for a snapshot, which says so', async () => {
    const { stdout } = await typedOn(simulatedBofh({ host }), 'vm snapshot create web1 one', { yes: true });

    expect(stdout).toContain('its filesystems were frozen for the snapshots\n');
    const { data } = await typed('vm snapshot list');
    expect(answers.vmSnapshotList.parse(data).snapshots).toMatchObject([{ label: 'one', frozen: true }]);
    expect(guest()?.agent?.filesystems).toBe('thawed');
  });

  test.each([
    ['with --no-freeze', '--no-freeze', () => set({ answers: 'never' })],
    ['without a channel', '', () => delete guest()?.agent],
    ['while the guest is paused', '', () => Object.assign(guest() ?? {}, { state: 'paused', pauses: 1 })],
  ])('are not frozen %s', async (_, words, given) => {
    given();
    const from = host.changes.length;

    const { frozen, path } = await backup(words);

    expect(programs(from).filter((each) => each.startsWith('perl'))).toEqual([]);
    expect([frozen, (await readBackup(host, path)).frozen]).toEqual([false, false]);
  });

  test.each([
    [
      'its agent does not answer',
      () => set({ answers: 'never' }),
      'timeout',
      /systemctl start qemu-guest-agent; or .*--no-freeze$/,
    ],
    [
      'another program froze them',
      () => set({ filesystems: 'frozen' }),
      'busy',
      /thaw them; or .*--no-freeze$/,
    ],
    [
      'another guest has the same channel',
      () => {
        set({});
        host.admin.startDomain({ name: 'web2', ...present({ agent: guest()?.agent }) });
      },
      'refused',
      /its own path in channel .*--no-freeze$/,
    ],
  ])('are left as they are if %s: refused before anything changes', async (_, given, code, remedy) => {
    given();
    const before = host.snapshot();
    for (const line of ['vm backup web1 /srv/backup', 'vm snapshot create web1 one']) {
      const error = (await rejectionOf(typedOn(simulatedBofh({ host }), line))) as BofhError;

      expect(error).toBeInstanceOf(RefusedError);
      expect(error.code).toBe(code);
      expect(error.remedy).toMatch(remedy);
    }
    expect(host.snapshot()).toBe(before);
  });

  test.each([
    ['the agent cannot freeze them', () => set({ answers: 'but freezes nothing' })],
    ['the pause fails', () => host.fault({ tool: 'xl', argvIncludes: 'pause', mode: 'fails before' })],
    ['a snapshot fails', () => host.fault({ tool: 'lvcreate', nth: 2, mode: 'fails before' })],
    [
      'the guest itself thaws them too early',
      () => host.faults.watch(({ argv }) => argv[0] === 'unpause' && set({})),
    ],
  ])('are thawed if %s', async (_, given) => {
    given();

    expect(await rejectionOf(backup())).toBeInstanceOf(RolledBackError);

    expect(guest()).toMatchObject({ state: 'blocked', agent: { filesystems: 'thawed' } });
    expect(volumes()).toEqual(['web1-root', 'web1-swap']);
    expect(await host.readDir('/srv/backup')).toEqual([]);
  });

  /** Kills bofh after a program of a backup has acted. */
  const kill = async (tool: 'perl' | 'xl' | 'lvcreate', nth: number): Promise<void> => {
    host.fault({ tool, nth, mode: 'acts then crash' });
    await rejectionOf(backup());
    host.clearFaults();
    host = host.restart();
    expect(guest()?.agent?.filesystems).toBe('frozen');
  };

  test.each([
    ['perl', 1],
    ['xl', 1],
    ['lvcreate', 2],
    ['xl', 2],
  ] as const)('are thawed by bofh recover, if bofh was killed after %s, number %s', async (tool, nth) => {
    await kill(tool, nth);

    expect(await typed('recover')).toMatchObject({ code: 0 });
    expect(guest()).toMatchObject({ state: 'blocked', agent: { filesystems: 'thawed' } });
    expect(volumes()).toEqual(['web1-root', 'web1-swap']);
  });

  test.each([
    ['ended', () => undefined],
    [
      'was started again',
      (old: Domain) => {
        host.admin.startDomain({ name: 'web1', uuid: old.uuid, ...present({ agent: old.agent }) });
      },
    ],
  ])('need no thaw if the guest %s while they were frozen', async (_, then) => {
    await kill('lvcreate', 2);
    const old = guest();
    host.admin.destroyDomain('web1');
    if (old !== undefined) then(old);
    const from = host.changes.length;

    expect(await typed('recover')).toMatchObject({ code: 0 });
    expect(programs(from)).toEqual([]);
    expect(volumes()).toEqual(['web1-root', 'web1-swap']);
  });

  test('stay frozen while the agent does not answer: recovery says what to type, and continues later', async () => {
    await kill('perl', 1);
    set({ answers: 'never', filesystems: 'frozen' });

    const { code, stdout, stderr } = await typedOn(simulatedBofh({ host }), 'recover', { yes: true });

    expect(code).toBe(3);
    expect(stdout + stderr).toContain('the filesystems of web1 may still be frozen');
    expect(stdout + stderr).toContain('xl destroy web1; then: bofh recover');
    set({ filesystems: 'frozen' });
    expect(await typed('recover')).toMatchObject({ code: 0 });
    expect(guest()?.agent?.filesystems).toBe('thawed');
  });

  test('stay frozen while the guest is paused', async () => {
    await kill('perl', 1);
    Object.assign(guest() ?? {}, { state: 'paused', pauses: 1 });

    const { code, stdout, stderr } = await typedOn(simulatedBofh({ host }), 'recover', { yes: true });

    expect(code).toBe(3);
    expect(stdout + stderr).toContain('xl unpause web1; then: bofh recover');
    // bofh itself refuses, because the unfinished sequence has the guest.
    await expect(typed('vm resume web1')).rejects.toThrow('belongs to the unfinished sequence');
    Object.assign(guest() ?? {}, { state: 'blocked', pauses: 0 });
    expect(await typed('recover')).toMatchObject({ code: 0 });
    expect(guest()?.agent?.filesystems).toBe('thawed');
  });
});
