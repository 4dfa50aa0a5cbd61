import { beforeEach, describe, expect, it } from 'vitest';
import { abandon } from '../../../src/atomic/recovery/recover.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { doctor as answer } from '../../../src/cli/output/answers/index.ts';
import { CommandError } from '../../../src/core/errors.ts';
import {
  ProcessKilled,
  simulatedBofh,
  simulatedHost,
  type SimulatedHost,
} from '../../../src/simulator/index.ts';
import { pool } from '../../support/undo/specimens/btrfs.ts';
import { containing } from '../cli/support/containing.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { resourceText, up } from '../drbd/support.ts';
import { type Ailing, bofhOf } from './support.ts';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
});

it.each([
  [94, undefined],
  [96, 'is full (data 96 %), and becomes invalid at 100 %'],
  [100, 'is invalid, because it was full: it can only be removed'],
])('a classic snapshot that is %i %% full', async (data, says) => {
  host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 16 });
  host.admin.snapshot({ vg: 'vg0', name: 'monday', origin: 'web1', extents: 4 });
  host.admin.fill('vg0', 'monday', { data });
  const { of, exitCode } = await examined(host);
  expect(of('lvm').map((found) => [found.level, found.says, found.run])).toEqual(
    says === undefined
      ? []
      : [
          [
            ...['problem', `the snapshot vg0/monday of vg0/web1 ${says}`],
            [`bofh lvm ${data < 100 ? 'resize vg0/monday +SIZE' : 'remove vg0/monday'}`],
          ],
        ],
  );
  expect(exitCode).toBe(says === undefined ? 0 : 6);
});

it('a classic snapshot with space for all of its origin never becomes full', async () => {
  host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 16 });
  host.admin.snapshot({ vg: 'vg0', name: 'monday', origin: 'web1', extents: 17 });
  host.admin.fill('vg0', 'monday', { data: 96 });
  expect((await examined(host)).of('lvm')).toEqual([]);
  const { runtime } = testRuntime(bofhOf(host), {});
  expect(await runVerb(runtime, ['filesystem', 'create', '/dev/vg0/web1', '--type', 'ext4'])).toBe(0);
});

it.each([
  ['data', { data: 96 }, '--size +SIZE'],
  ['metadata', { data: 10, metadata: 96 }, '--metadata-size +128m'],
  ['both', { data: 96, metadata: 96 }, '--size +SIZE --metadata-size +128m'],
])('a thin pool that is full of %s has a valid remedy', async (_, filled, words) => {
  host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 16 });
  host.admin.fill('vg0', 'pool', filled);

  const [found] = (await examined(host)).of('lvm');
  const remedy = found?.run[0] ?? '';

  expect(found).toMatchObject({ level: 'problem', says: containing('the thin pool vg0/pool is full') });
  expect(remedy).toBe(`bofh lvm pool resize vg0/pool ${words}`);
  const { runtime } = testRuntime(bofhOf(host), {});
  expect(await runVerb(runtime, remedy.replace('SIZE', '64m').split(' ').slice(1))).toBe(0);
});

/** What `bofh doctor --json` says, and how it ends. */
async function examined(at: SimulatedHost, ailing: Ailing = {}, root = true) {
  const { runtime, stdout } = testRuntime(bofhOf(at, ailing), { json: true });
  const exitCode = await runVerb({ ...runtime, root }, 'doctor');
  const found = answer.parse(JSON.parse(stdout()));
  return {
    exitCode,
    found,
    wrong: found.filter(({ level }) => level !== 'ok'),
    of: (check: string) => found.filter((each) => each.check === check),
  };
}

/** A sequence that is killed after its volume and its file are made. */
async function killedHalfWay(): Promise<{ readonly host: SimulatedHost; readonly id: string }> {
  const bofh = simulatedBofh({ host });
  host.fault({ tool: 'mkswap', mode: 'crash here' });
  const work = withBofh(bofh, () =>
    atomic('half a guest', async (tx) => {
      const lv = await tx.lvm.createLv({ vg: 'vg0', name: 'web1', size: '64m' });
      await tx.file.create({ path: '/etc/xen/web1.cfg', content: 'x', mode: 0o644 });
      await tx.filesystem.create({ device: lv.path, type: 'swap' });
    }),
  );
  await expect(work).rejects.toThrow();
  host.clearFaults();
  const after = host.restart();
  const id = /^(?<id>.+)\.journal$/.exec(
    simulatedBofh({ host: after })
      .engine.store.names('.')
      .find((name) => name.endsWith('.journal')) ?? '',
  )?.groups?.id;
  return { host: after, id: id ?? '' };
}

describe('bofh doctor', () => {
  it('reports a btrfs whose subvolumes it cannot list', async () => {
    pool(host);
    for (const mount of host.world.mounts)
      if (mount.path === '/srv/pool') Object.assign(mount, { root: '/snapshots' });

    expect((await examined(host)).of('leftover')).toContainEqual(
      expect.objectContaining({ level: 'warning', says: containing('its subvolumes are unknown') }),
    );
  });

  it('names an incompletely received subvolume', async () => {
    pool(host);
    host.admin.mkdir('/srv/pool/.bofh-in-bofh.5e1f5e1f5e1f.2');
    host.admin.btrfs('subvolume', 'create', '/srv/pool/.bofh-in-bofh.5e1f5e1f5e1f.2/home');

    expect((await examined(host)).wrong).toMatchObject([
      { says: containing('the btrfs subvolume .bofh-in-bofh.5e1f5e1f5e1f.2/home of /srv/pool') },
    ]);
  });

  it('names btrfs subvolumes with the tag of an unknown sequence, each by its ID', async () => {
    pool(host);
    host.admin.btrfs('subvolume', 'create', '/srv/pool/snapshots/.bofh-gone-bofh.5e1f5e1f5e1f.2');
    host.admin.btrfs('subvolume', 'create', '/srv/pool/.bofh-of-somebody');

    const { wrong } = await examined(host);

    expect(wrong.map(({ says }) => says)).toEqual([
      containing(
        'the btrfs subvolume snapshots/.bofh-gone-bofh.5e1f5e1f5e1f.2 of /srv/pool, which waits to be deleted',
      ),
    ]);
    expect(wrong[0]?.run).toContain('btrfs subvolume show --rootid 261 /srv/pool');
  });

  it('finds nothing on a clean host, exits 0, and changes nothing', async () => {
    const before = host.snapshot();

    const { exitCode, wrong, found } = await examined(host);

    expect(wrong).toEqual([]);
    expect(exitCode).toBe(0);
    expect(found.map(({ check }) => check)).toEqual(
      expect.arrayContaining([
        'journal',
        'leftover',
        'state directory',
        'programs',
        'kernel',
        'udev',
        'xen',
        'boot',
      ]),
    );
    expect(host.snapshot()).toBe(before);
    expect(host.changes).toEqual([]);
  });

  it('finds a DRBD resource whose state in the kernel differs from its file, and no correct one', async () => {
    const replica = up();
    replica.admin.setDrbd('web1', { connection: 'Connected', peer: { role: 'Secondary', disk: 'UpToDate' } });
    expect((await examined(replica)).of('drbd')).toEqual([]);
    replica.admin.removeFile('/etc/drbd.d/web1.res');
    replica.admin.writeFile('/etc/drbd.d/web1.res', resourceText('web1', { port: 7799 }));
    const { of, exitCode } = await examined(replica);
    expect(of('drbd')).toMatchObject([
      {
        level: 'problem',
        says: containing('web1 runs with other settings than /etc/drbd.d/web1.res has'),
        run: ['bofh drbd show web1', 'bofh drbd adjust web1'],
      },
    ]);
    expect(exitCode).toBe(6);
  });

  it.each<[what: string, act: (host: SimulatedHost) => unknown, level: string, says: string]>([
    [
      'its own address is gone',
      ({ admin }) => admin.setAddresses(),
      'problem',
      'its address 10.0.0.1 is on no',
    ],
    [
      'it is StandAlone, as after a split brain',
      ({ admin }) => admin.setDrbd('web1', { connection: 'StandAlone' }),
      'problem',
      'web1: it is StandAlone',
    ],
    ['it waits for its peer', () => undefined, 'warning', 'web1: it has no connection to peer (Connecting)'],
    ['it is down', ({ admin }) => admin.drbdadm('down', 'web1'), 'warning', 'web1: it is not up'],
    [
      'its disk is lost',
      ({ admin }) => admin.drbdadm('detach', 'web1'),
      'problem',
      'web1: volume 0 has no disk here',
    ],
  ])('finds a DRBD resource of which %s, with the next command', async (_, act, level, says) => {
    const replica = up();
    act(replica);
    const { of } = await examined(replica);
    expect(of('drbd')).toContainEqual({
      ...{ check: 'drbd', level, says: containing(says), run: ['bofh drbd status web1'] },
    });
  });

  it('prints each problem, and below it the command to run', async () => {
    const { runtime, stdout } = testRuntime(bofhOf(host, { missing: ['tar'] }));

    expect(await runVerb(runtime, 'doctor')).toBe(6);

    expect(stdout()).toContain(
      'problem  programs: not installed: tar (of the package tar)\n         run: apt-get install tar\n',
    );
    expect(stdout()).toMatch(/\n1 problem; 0 warnings, \d+ ok\n$/);
  });

  it('counts one warning in the singular', async () => {
    const replica = up();
    replica.admin.drbdadm('down', 'web1');
    const { runtime, stdout } = testRuntime(bofhOf(replica));

    await runVerb(runtime, 'doctor');

    expect(stdout()).toMatch(/; 1 warning, \d+ ok\n$/);
  });

  it('names an interrupted sequence and its leftovers, with the command that finishes it', async () => {
    const { host: after, id } = await killedHalfWay();

    const { exitCode, of } = await examined(after);

    expect(exitCode).toBe(6);
    expect(of('journal')).toMatchObject([
      { level: 'problem', run: [`bofh journal show ${id}`, `bofh recover ${id}`] },
    ]);
    expect(of('leftover').map(({ level, says }) => [level, says.split(':')[0]])).toEqual([
      ['problem', `the logical volume in vg0 with the tag bofh.${id}.1`],
      ['problem', expect.stringContaining('the file /etc/xen/web1.cfg (sha256')],
    ]);
  });

  it('lists the leftovers of an abandoned sequence, with its reason and the commands to clear them, as no problem', async () => {
    const { host: after, id } = await killedHalfWay();
    await abandon(simulatedBofh({ host: after }).engine, id, 'I need the volume');

    const { exitCode, of } = await examined(after);

    expect(exitCode).toBe(0);
    const [lv, file] = of('leftover');
    expect(lv).toMatchObject({
      level: 'warning',
      says: expect.stringContaining('which was abandoned: I need the volume') as unknown,
      run: expect.arrayContaining([
        `lvremove --select 'lv_tags={bofh.${id}.1} && !(lv_role={thickorigin} || lv_role={extorigin})' vg0`,
      ]) as unknown,
    });
    expect(file?.run).toContain(`find /etc/xen -maxdepth 1 -samefile /etc/xen/.bofh-bofh.${id}.2 -delete`);
  });

  it('finds by their tags a volume group, and one that waits for its removal, of unknown sequences', async () => {
    host.world.lvm = host.world.lvm.flatMap((vg) => [
      vg,
      {
        ...vg,
        name: 'made',
        uuid: 'aaaaaa-0000-0000-0000-0000-0000-000001',
        tags: ['bofh.0123456789ab.1'],
        pvs: [],
        lvs: [],
      },
      {
        ...vg,
        name: 'bofh_gone_0123456789ab_2',
        uuid: 'aaaaaa-0000-0000-0000-0000-0000-000002',
        pvs: [],
        lvs: [],
      },
    ]);

    const { of } = await examined(host);

    expect(of('unknown tag').map(({ level, says }) => [level, says])).toEqual([
      [
        'warning',
        expect.stringMatching(/^the volume group bofh_gone_0123456789ab_2, which waits to be removed/),
      ],
      ['ok', expect.stringContaining('the volume group made (tag bofh.0123456789ab.1)')],
    ]);
    expect(of('unknown tag')[0]?.run.join()).toContain('vg_uuid=aaaaaa-0000-0000-0000-0000-0000-000002');
  });

  it('recognises the tags of a committed sequence', async () => {
    await withBofh(simulatedBofh({ host }), () =>
      atomic('a disk', (tx) => tx.lvm.createLv({ vg: 'vg0', name: 'web1', size: '64m' })),
    );

    expect((await examined(host)).wrong).toEqual([]);
  });

  it('finds objects with the tag of an undone sequence', async () => {
    const failing = withBofh(simulatedBofh({ host }), () =>
      atomic('a disk', async (tx) => {
        await tx.lvm.createLv({ vg: 'vg0', name: 'web1', size: '64m' });
        throw new Error('later');
      }),
    );
    await expect(failing).rejects.toThrow('later');
    const id = simulatedBofh({ host }).engine.store.names('history')[0]?.replace('.journal', '') ?? '';
    host.admin.lvcreate({ vg: 'vg0', name: 'restored', extents: 1, tags: [`bofh.${id}.1`] });

    const { exitCode, of } = await examined(host);

    expect(exitCode).toBe(6);
    expect(of('leftover')).toMatchObject([
      {
        level: 'problem',
        says: `the logical volume vg0/restored (tag bofh.${id}.1): left by the sequence ${id} "a disk", although the sequence is rolled back`,
        // By the uuid: whatever else has the name by then stays.
        run: [
          expect.stringMatching(/^lvs .* --select lv_uuid=\S+$/),
          expect.stringMatching(/^lvchange --activate n --select lv_uuid=\S+ vg0$/),
          expect.stringMatching(/^lvremove --select 'lv_uuid=\S+ && !\(lv_role=/),
        ],
      },
    ]);
  });

  it('lists tags of unknown sequences: permanent ones as information, tombstones as a warning', async () => {
    host.admin.lvcreate({ vg: 'vg0', name: 'old', extents: 1, tags: ['bofh.00ff00ff00ff.1', 'bofh.site'] });
    host.admin.lvcreate({ vg: 'vg0', name: 'other', extents: 1, tags: ['not.bofh.00ff00ff00ff.2'] });
    host.admin.lvcreate({ vg: 'vg0', name: 'bofh_gone_00ff00ff00ff_3', extents: 1 });
    host.admin.writeFile('/etc/xen/.bofh-gone-bofh.00ff00ff00ff.4', 'x');
    host.admin.writeFile('/run/bofh/undo-bofh.00ff00ff00ff.5/x', 'x');

    const { exitCode, of } = await examined(host);

    expect(exitCode).toBe(0);
    expect(of('unknown tag').map(({ level, says }) => [level, says])).toEqual([
      ['warning', expect.stringContaining('vg0/bofh_gone_00ff00ff00ff_3, which waits to be removed')],
      [
        'ok',
        expect.stringMatching(/: the logical volume vg0\/old \(tag bofh\.00ff00ff00ff\.1\) of 00ff00ff00ff$/),
      ],
      ['warning', expect.stringContaining('/etc/xen/.bofh-gone-bofh.00ff00ff00ff.4')],
      ['warning', expect.stringContaining('/run/bofh/undo-bofh.00ff00ff00ff.5')],
    ]);
  });

  it('leaves objects of a running sequence alone', async () => {
    const seen: unknown[] = [];
    await withBofh(simulatedBofh({ host }), () =>
      atomic('at work', async (tx) => {
        await tx.lvm.createLv({ vg: 'vg0', name: 'web1', size: '64m' });
        const { found, exitCode } = await examined(host.restart());
        seen.push(exitCode, ...found.filter(({ check }) => check === 'journal' || check === 'leftover'));
      }),
    );

    expect(seen).toMatchObject([
      0,
      { check: 'journal', level: 'ok', says: expect.stringContaining('"at work" is running') as unknown },
      { check: 'leftover', level: 'ok' },
    ]);
  });

  it('reports files that a crash left in the state directory', async () => {
    for (const name of ['aa11.new', 'bb22.d/1-1.out', 'cc33.ballast'])
      host.admin.writeFile(`/var/lib/bofh/journal/${name}`, 'x', 0o600);

    const { of } = await examined(host);

    expect(of('journal')[0]).toMatchObject({
      level: 'warning',
      says: expect.stringContaining('aa11.new, bb22.d, cc33.ballast') as unknown,
      run: ['bofh recover'],
    });
  });

  it('reports an unreadable journal as a problem', async () => {
    host.admin.writeFile('/var/lib/bofh/journal/aa11.journal', '00000000 {}\n', 0o600);

    const { exitCode, of } = await examined(host);

    expect(exitCode).toBe(6);
    expect(of('journal')[0]).toMatchObject({
      level: 'problem',
      says: expect.stringMatching(/aa11 cannot be read.*line 1/) as unknown,
    });
  });

  it('never reports "unknown" as "absent"', async () => {
    const broken = { ...host, run: failing('unknown') };

    const { exitCode, of } = await examined(broken);

    expect(exitCode).toBe(6);
    expect(of('leftover')).toContainEqual(
      expect.objectContaining({
        level: 'problem',
        says: expect.stringContaining('logical volumes could not be examined') as unknown,
      }),
    );
  });

  it('says what needs root, and does not report that as a problem', async () => {
    const denied = { ...host, run: failing('denied') };

    const { exitCode, wrong } = await examined(denied, {}, false);

    expect(exitCode).toBe(0);
    expect(wrong.map(({ says }) => says)).toEqual([
      'needs root for logical volumes',
      'needs root for xl',
      'needs root for snapshots and thin pools',
    ]);
  });

  it('reports a forgotten running guest: the domain of an interrupted sequence', async () => {
    host.admin.writeFile('/boot/vmlinuz', 'x');
    const config = "name = 'web1'\nmemory = 128\nkernel = '/boot/vmlinuz'\n";
    host.admin.writeFile('/etc/xen/web1.cfg', config);
    const work = withBofh(simulatedBofh({ host }), () =>
      atomic('start it', async (tx) => {
        await tx.xen.create({ config: '/etc/xen/web1.cfg', name: 'web1' });
        host.kill();
        throw new ProcessKilled();
      }),
    );
    await expect(work).rejects.toThrow();

    const { of } = await examined(host.restart());

    expect(of('leftover')).toMatchObject([
      { says: expect.stringContaining('the guest web1 (uuid ') as unknown },
    ]);
  });
});

function failing(reason: 'denied' | 'unknown'): SimulatedHost['run'] {
  return ({ tool, argv }) => Promise.reject(new CommandError({ tool, argv, reason }));
}
