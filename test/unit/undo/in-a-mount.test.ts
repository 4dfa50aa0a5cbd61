import { beforeEach, describe, expect, it } from 'vitest';
import { atomic, type Tx } from '../../../src/api/atomic.ts';
import { recover } from '../../../src/api/recover.ts';
import { closedJournals } from '../../../src/atomic/journal/scan.ts';
import { withBofh } from '../../../src/bofh.ts';
import {
  ConnectionError,
  type RefusedError,
  RolledBackError,
  type StuckError,
} from '../../../src/core/errors.ts';
import { fork } from '../../../src/simulator/fork.ts';
import { deviceOf } from '../../../src/simulator/administrator/act.ts';
import { inodeOf } from '../../../src/simulator/world/tree.ts';
import { simulatedBofh, simulatedPair, type SimulatedHost } from '../../../src/simulator/index.ts';
import { differences, stateOf } from '../../../src/simulator/matrix/judge.ts';
import { sampled } from '../../support/sampled.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { filledVolume, neighbourhood } from '../../support/undo/stage.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';

// A file in a mount of the sequence: without the mount its undo would find nothing, and call that undone.

const key = { from: 'file', path: '/etc/key' } as const;
const run = <T>(on: SimulatedHost, body: () => Promise<T>): Promise<T> =>
  withBofh({ ...simulatedBofh({ host: on }), signals: {} }, body);
const look = (on: SimulatedHost): string => stateOf(on, new Set());

/** Filesystems that were there before, in a volume and in an encrypted image file. */
async function ready(): Promise<SimulatedHost> {
  const made = neighbourhood();
  made.admin.writeFile('/etc/key', 'a passphrase', 0o600);
  for (const path of ['/srv/photos', '/srv/vault']) made.admin.mkdir(path);
  filledVolume(made, 'photos', '5e1f0000-0000-4000-8000-000000000010');
  await run(made, () =>
    atomic('vault', async (tx) => {
      const { file } = await tx.block.createImage({ file: '/srv/vault.img', size: '64m' });
      const loop = await tx.block.attachLoop({ file });
      await tx.crypt.format({ device: loop.device, key });
      const { path } = await tx.crypt.open({ device: loop.device, key, name: 'vault' });
      await tx.filesystem.create({ device: path, type: 'ext4' });
    }),
  );
  await run(made, () =>
    atomic('close', async (tx) => {
      await tx.crypt.close({ name: 'vault', key });
      await tx.block.detachLoop({ device: '/dev/loop0' });
    }),
  );
  return fork(made);
}

const bodies: Readonly<Record<string, (tx: Tx) => Promise<unknown>>> = {
  'a volume': async (tx) => {
    await tx.mount.mount({ device: '/dev/vg0/photos', path: '/srv/photos', mode: 'rw' });
    await tx.file.create({ path: '/srv/photos/new', content: 'new\n' });
    await tx.file.remove({ path: '/srv/photos/kept' });
  },
  'a private place': async (tx) => {
    const { path } = await tx.mount.mount({ device: '/dev/vg0/photos', mode: 'rw' });
    await tx.file.create({ path: `${path}/new`, content: 'new\n' });
  },
  'an encrypted image file': async (tx) => {
    const { device } = await tx.block.attachLoop({ file: '/srv/vault.img' });
    const { path } = await tx.crypt.open({ device, key, name: 'vault' });
    await tx.mount.mount({ device: path, path: '/srv/vault', mode: 'rw' });
    await tx.file.create({ path: '/srv/vault/new', content: 'new\n' });
  },
  'a volume of the sequence': async (tx) => {
    const { path: device } = await tx.lvm.createLv({ vg: 'vg0', name: 'album', size: '64m' });
    await tx.filesystem.create({ device, type: 'ext4' });
    await tx.mount.mount({ device, path: '/srv/photos', mode: 'rw' });
    await tx.file.createDirectory({ path: '/srv/photos/2026' });
    await tx.file.create({ path: '/srv/photos/2026/new', content: 'new\n' });
  },
  'a volume of the sequence that it unmounts': async (tx) => {
    const { path: device } = await tx.lvm.createLv({ vg: 'vg0', name: 'album', size: '64m' });
    await tx.filesystem.create({ device, type: 'ext4' });
    await tx.mount.mount({ device, path: '/srv/photos', mode: 'rw' });
    await tx.file.create({ path: '/srv/photos/new', content: 'new\n' });
    await tx.mount.unmount({ path: '/srv/photos' });
  },
  'an encrypted image file of the sequence': async (tx) => {
    const { file } = await tx.block.createImage({ file: '/srv/album.img', size: '64m' });
    const loop = await tx.block.attachLoop({ file });
    await tx.crypt.format({ device: loop.device, key });
    const { path: device } = await tx.crypt.open({ device: loop.device, key, name: 'album' });
    await tx.filesystem.create({ device, type: 'ext4' });
    const { path } = await tx.mount.mount({ device, mode: 'rw' });
    await tx.file.create({ path: `${path}/new`, content: 'new\n' });
  },
};

const endings: Readonly<Record<string, (on: SimulatedHost) => SimulatedHost>> = {
  'a restart': (on) => on.restart(),
  'a reboot': (on) => on.reboot(),
  'a power cut': (on) => on.powerCut(),
  'a power cut that loses nothing': (on) => on.powerCut({ keep: 'all' }),
};

const uuidOf = ({ world }: SimulatedHost): string =>
  world.lvm[0]?.lvs.find(({ name }) => name === 'photos')?.uuid ?? '';

/** Kills the process before or after the change of this number, also of its journal. */
function killAt(on: SimulatedHost, index: number): void {
  let seen = 0;
  on.faults.decide(({ access }) => {
    if (access === 'read' || seen++ !== index) return undefined;
    return { mode: index % 2 === 0 ? 'crash here' : 'acts then crash' };
  });
}

let start: SimulatedHost;
beforeEach(async () => {
  start = await ready();
});

describe.each(Object.entries(bodies))('changes in a mount of %s', (what, body) => {
  it.each(Object.entries(endings))(
    'are undone after %s, after a kill of its program at any point',
    async (ending, begin) => {
      const whole = fork(start);
      await run(whole, () => atomic('whole', body));
      const wanted = look(begin(fork(start)));
      expect(whole.points.length).toBeGreaterThan(10);
      const wrong: string[] = [];
      for (const index of sampled([...whole.points.keys()], `${what} ${ending}`)) {
        const on = fork(start);
        killAt(on, index);
        await run(on, () => atomic('killed', body)).catch(() => undefined);
        const next = begin(on);
        next.clearFaults();
        const found = await run(next, () => recover()).then(
          (ended) => ended.map(({ end }) => end).join(),
          (error: unknown) => String(error),
        );
        const left = differences(wanted, look(next));
        if (left.length > 0 && !['committed', 'nothing-to-do', ''].includes(found))
          wrong.push(`${String(index + 1)}: ${found} ${left.join(' ')}`);
      }
      expect(wrong).toEqual([]);
    },
    300_000,
  );
});

const { 'a volume': onVolume } = bodies;
const wantedAfter = (begin: (on: SimulatedHost) => SimulatedHost): string => look(begin(fork(start)));

async function killedIn(body = onVolume): Promise<SimulatedHost> {
  const on = fork(start);
  await run(on, () => atomic('killed', async (tx) => body?.(tx).then(() => on.kill()))).catch(
    () => undefined,
  );
  expect(on.process.alive).toBe(false);
  return on;
}

describe('the mount that contains a file of the sequence', () => {
  it('stays while the undo of that file is stuck', async () => {
    const before = look(start);
    const failing = run(start, () =>
      atomic('photos', async (tx) => {
        await onVolume?.(tx);
        start.fault({
          tool: 'file',
          argvIncludes: '/srv/photos/new',
          access: 'change',
          mode: 'fails before',
          times: 9,
        });
        throw new Error('on purpose');
      }),
    );
    await expect(failing).rejects.toMatchObject({
      code: 'stuck',
      blocked: [{ kind: 'mount.mount', why: 'step 2 stands in the way' }, { kind: 'file.create' }],
    });
    start.clearFaults();

    await run(start, () => recover());
    expect(differences(before, look(start))).toEqual([]);
  });

  it.each(['/srv/photos', 'a private place'])(
    'is mounted again if others unmounted it: %s',
    async (where) => {
      const host = (await killedIn(bodies[where] ?? onVolume)).restart();
      const at = host.world.mounts.find(({ path }) => path === where || path.includes('/bofh/mnt/'));
      host.admin.umount(at?.path ?? '');

      await run(host, () => recover());
      expect(
        differences(
          wantedAfter((on) => on.restart()),
          look(host),
        ),
      ).toEqual([]);
    },
  );

  it('is not mounted again if the boot mounted the same filesystem there', async () => {
    const begin = (on: SimulatedHost): SimulatedHost => {
      const next = on.reboot();
      next.admin.mount('/dev/vg0/photos', '/srv/photos');
      return next;
    };
    const host = begin(await killedIn());

    const [{ leftUntouched } = { leftUntouched: [] }] = await run(host, () => recover());
    expect(leftUntouched.join()).toContain('/srv/photos');
    expect(differences(wantedAfter(begin), look(host))).toEqual([]);
  });

  it('is not mounted again while a guest has its device', async () => {
    const host = (await killedIn()).reboot();
    const node = host.world.active.get(uuidOf(host));
    const disks = [{ vdev: 'xvda', path: '/dev/vg0/photos', number: `${host.world.dmMajor}:${node ?? 0}` }];
    host.admin.startDomain({ name: 'photos', uuid: '5e1f0000-0000-4000-8000-000000000012', disks });
    const before = look(host);

    await expect(run(host, () => recover())).rejects.toThrow(/could not be done again: .*is in use: .*guest/);
    expect(look(host)).toBe(before);
  });

  it.each(['a volume of before', 'a volume of the sequence'])(
    'is stuck, and named, while another mount is there, and finishes afterwards: %s',
    async (where) => {
      const host = (await killedIn(bodies[where] ?? onVolume)).reboot();
      filledVolume(host, 'other', '5e1f0000-0000-4000-8000-000000000011');
      host.admin.mount('/dev/vg0/other', '/srv/photos');

      await expect(run(host, () => recover())).rejects.toThrow(
        /mount\.mount .*could not be done again: .*\/srv\/photos is in use/,
      );
      host.admin.umount('/srv/photos');
      await run(host, () => recover());
      const files = host.snapshot().match(/^now vg0\/photos ".*" file/gm);
      expect(files).toEqual(['now vg0/photos "/kept" file']);
      expect(host.snapshot()).not.toContain('album');
    },
  );

  it('that shows another directory is stuck, with the commands that mount it again', async () => {
    const host = (
      await killedIn(async (tx) => {
        await tx.mount.bind({ source: '/srv/photos', path: '/srv/vault', mode: 'rw' });
        await tx.file.create({ path: '/srv/vault/new', content: 'new\n' });
      })
    ).reboot();

    const stuck = await rejectionOf(run(host, () => recover()));
    const file = (stuck as StuckError).blocked.find(({ kind }) => kind === 'file.create');
    expect(file?.remedy).toContain('mount --bind /srv/photos /srv/vault; then: bofh recover');
  });

  it.each(['a volume of the sequence', 'an encrypted image file of the sequence'])(
    'that a power cut has destroyed leaves nothing to undo in it: %s',
    async (where) => {
      const host = (await killedIn(bodies[where])).powerCut();

      expect(await run(host, () => recover())).toMatchObject([{ end: 'rolled-back', leftUntouched: [] }]);
      expect(
        differences(
          wantedAfter((on) => on.powerCut()),
          look(host),
        ),
      ).toEqual([]);
    },
  );

  it('is mounted again for a file whose path leads through a symbolic link', async () => {
    start.admin.symlink('/srv/link', '/srv/photos');
    start.admin.mount('/dev/vg0/photos', '/srv/photos');
    start.admin.mkdir('/srv/photos/2026');
    start.admin.umount('/srv/photos');
    start = start.powerCut({ keep: 'all' });
    const host = (
      await killedIn(async (tx) => {
        await tx.mount.mount({ device: '/dev/vg0/photos', path: '/srv/link', mode: 'rw' });
        await tx.file.create({ path: '/srv/link/2026/new', content: 'new\n' });
      })
    ).powerCut({ keep: 'all' });

    expect(await run(host, () => recover())).toMatchObject([{ end: 'rolled-back', leftUntouched: [] }]);
    expect(
      differences(
        wantedAfter((on) => on.powerCut({ keep: 'all' })),
        look(host),
      ),
    ).toEqual([]);
  });

  it('is given up by --discard', async () => {
    const host = (await killedIn(bodies['a private place'])).reboot();
    host.world.active.delete(uuidOf(host));
    const stuck = await rejectionOf(run(host, () => recover()));
    const file = (stuck as StuckError).blocked.find(({ kind }) => kind === 'file.create');
    expect(file?.remedy).toContain('activate it: lvchange -ay /dev/vg0/photos;');
    const [command = ''] = /(?<=or, to give up the content: bofh ).*/.exec(file?.remedy ?? '') ?? [];

    const { runtime, stdout } = testRuntime(simulatedBofh({ host }), { yes: true });
    expect(await runVerb(runtime, command)).toBe(0);
    expect(stdout()).toMatch(/undone +killed/);
  });
});

describe('a mount that the sequence ends before its commit', () => {
  const ofSequence = 'a volume of the sequence that it unmounts';
  const whole = bodies[ofSequence];
  const ending: Readonly<Record<string, (tx: Tx) => Promise<unknown>>> = {
    ...(whole === undefined ? {} : { [ofSequence]: whole }),
    'a volume': async (tx) => {
      await onVolume?.(tx);
      await tx.mount.unmount({ path: '/srv/photos' });
    },
    'a private place': async (tx) => {
      const { path } = await tx.mount.mount({ device: '/dev/vg0/photos', mode: 'rw' });
      await tx.file.create({ path: `${path}/new`, content: 'new\n' });
      await tx.file.remove({ path: `${path}/kept` });
      await tx.mount.unmount({ path });
    },
    'an encrypted image file': async (tx) => {
      const { device } = await tx.block.attachLoop({ file: '/srv/vault.img' });
      const { path } = await tx.crypt.open({ device, key, name: 'vault' });
      await tx.mount.mount({ device: path, path: '/srv/vault', mode: 'rw' });
      await tx.file.create({ path: '/srv/vault/new', content: 'new\n' });
      await tx.file.createDirectory({ path: '/srv/vault/2026' });
      await tx.mount.unmount({ path: '/srv/vault' });
      await tx.crypt.close({ name: 'vault', key });
      await tx.block.detachLoop({ device });
    },
  };
  const left = (on: SimulatedHost): string[] =>
    on
      .snapshot()
      .split('\n')
      .filter((line) => line.includes('.bofh-'));

  describe.each(Object.entries(ending))('%s', (what, body) => {
    it('is mounted again to remove the private names of its files, and nothing is left', async () => {
      const before = { left: left(start), mounts: start.world.mounts.map(({ path }) => path) };
      const found: string[] = [];
      const { engine, ...bofh } = simulatedBofh({ host: start });
      const own = {
        ...bofh,
        engine: { ...engine, onLeftUntouched: (each: string) => void found.push(each) },
      };
      await withBofh({ ...own, signals: {} }, () => atomic('whole', body));

      expect(found).toEqual([]);
      expect(left(start)).toEqual(before.left);
      expect(start.world.mounts.map(({ path }) => path)).toEqual(before.mounts);
      expect(start.snapshot()).toContain('/new');
    });

    it.each(Object.entries(endings))(
      'also after %s, after a kill of its program at any point after the commit',
      async (ending, begin) => {
        const whole = fork(start);
        await run(whole, () => atomic('whole', body));
        const wanted = look(begin(fork(whole)));
        const wrong: string[] = [];
        let committed = 0;
        for (const index of sampled([...whole.points.keys()].slice(-20), `${what} ${ending}`, 4)) {
          const on = fork(start);
          killAt(on, index);
          await run(on, () => atomic('killed', body)).catch(() => undefined);
          const next = begin(on);
          next.clearFaults();
          const end = await run(next, () => recover()).then(
            (ended) => ended.map((each) => each.end).join(),
            (error: unknown) => String(error),
          );
          if (end !== 'committed') continue;
          committed += 1;
          const differs = differences(wanted, look(next));
          if (differs.length > 0) wrong.push(`${String(index + 1)}: ${differs.join(' ')}`);
        }
        expect(wrong).toEqual([]);
        expect(committed).toBeGreaterThan(0);
      },
      300_000,
    );
  });

  it.each(['a volume', ofSequence])('is mounted again by bofh undo too: %s', async (what) => {
    const before = look(start);
    await run(start, () => atomic('whole', async (tx) => ending[what]?.(tx)));
    const closed = closedJournals(simulatedBofh({ host: start }).engine);
    const id = closed.find(({ state }) => state.begin.name === 'whole')?.id ?? '';

    const { runtime } = testRuntime(simulatedBofh({ host: start }), { yes: true });
    expect(await runVerb(runtime, `undo ${id}`)).toBe(0);
    expect(differences(before, look(start))).toEqual([]);
  });

  it('is mounted again by bofh undo for a file whose path leads through a symbolic link', async () => {
    start.admin.symlink('/srv/link', '/srv/photos');
    start.admin.mount('/dev/vg0/photos', '/srv/photos');
    start.admin.mkdir('/srv/photos/2026');
    start.admin.umount('/srv/photos');
    const before = look(start);
    await run(start, () =>
      atomic('whole', async (tx) => {
        await tx.mount.mount({ device: '/dev/vg0/photos', path: '/srv/photos', mode: 'rw' });
        await tx.file.create({ path: '/srv/link/2026/new', content: 'new\n' });
        await tx.mount.unmount({ path: '/srv/photos' });
      }),
    );
    const closed = closedJournals(simulatedBofh({ host: start }).engine);
    const id = closed.find(({ state }) => state.begin.name === 'whole')?.id ?? '';

    const { runtime } = testRuntime(simulatedBofh({ host: start }), { yes: true });
    expect(await runVerb(runtime, `undo ${id}`)).toBe(0);
    expect(differences(before, look(start))).toEqual([]);
  });

  it('whose device others took before the commit: the commands that remove what stays are shown', async () => {
    const found: string[] = [];
    const { engine, ...bofh } = simulatedBofh({ host: start });
    const own = { ...bofh, engine: { ...engine, onLeftUntouched: (each: string) => void found.push(each) } };
    await withBofh(own, () =>
      atomic('photos', async (tx) => {
        await ending['a volume']?.(tx);
        start.world.active.delete(uuidOf(start));
      }),
    );

    expect(found.map((each) => each.replaceAll(/[0-9a-f]{12}/g, 'ID'))).toEqual([
      'file.create (/srv/photos/new): /srv/photos is not mounted any more, and what the step had to remove may still exist in it; when it is mounted again: rm /srv/photos/.bofh-bofh.ID.2',
      expect.stringContaining('rm /srv/photos/.bofh-gone-bofh.ID.3'),
    ]);
  });

  const photos = { device: '/dev/vg0/photos', mode: 'rw' } as const;
  const foundBy = async (body: (tx: Tx) => Promise<unknown>): Promise<readonly string[]> => {
    const found: string[] = [];
    const { engine, ...bofh } = simulatedBofh({ host: start });
    const own = { ...bofh, engine: { ...engine, onLeftUntouched: (each: string) => void found.push(each) } };
    await withBofh({ ...own, signals: {} }, () => atomic('photos', body));
    return found;
  };

  it('and that cannot be mounted any more is tried once, closed, and reported for each file', async () => {
    let mounts = 0;
    const found = await foundBy(async (tx) => {
      await ending['a volume']?.(tx);
      // As mount(8) does if the device is write-protected: it mounts it read-only.
      start.faults.decide(({ access, tool }) => {
        if (access === 'read' || tool !== 'mount') return undefined;
        mounts += 1;
        return { mode: 'acts then fails' };
      });
    });

    expect(found).toEqual([
      expect.stringContaining('when it is mounted again: rm /srv/photos/.bofh-bofh.'),
      expect.stringContaining('when it is mounted again: rm /srv/photos/.bofh-gone-bofh.'),
    ]);
    expect(mounts).toBe(1);
    expect(start.world.mounts.map(({ path }) => path)).not.toContain('/srv/photos');
  });

  it.each(['in the sequence', 'by recovery'])(
    'is undone %s, although others have the number of its loop device',
    async (where) => {
      start.admin.writeFile('/srv/other.img', 'x'.repeat(4096));
      const before = look(start);
      const failing = run(start, () =>
        atomic('photos', async (tx) => {
          await ending['an encrypted image file']?.(tx);
          expect(start.admin.losetup('/srv/other.img')).toBe('/dev/loop0');
          if (where === 'by recovery') start.kill();
          throw new Error('failed');
        }),
      );
      const error = await rejectionOf(failing);
      if (where === 'in the sequence') expect(error).toBeInstanceOf(RolledBackError);
      const now = start.process.alive ? start : start.restart();
      if (now !== start)
        expect(await run(now, () => recover())).toMatchObject([{ end: 'rolled-back', leftUntouched: [] }]);

      expect([...now.world.loops.values()].map(({ path }) => path)).toEqual(['/srv/other.img']);
      now.admin.detachLoop('/dev/loop0');
      expect(differences(before, look(now))).toEqual([]);
    },
  );

  it('is not taken for open again because its loop device is: another mount is in its place', async () => {
    start.admin.mkdir('/srv/theirs');
    const failing = run(start, () =>
      atomic('photos', async (tx) => {
        const { file } = await tx.block.createImage({ file: '/srv/album.img', size: '64m' });
        const { device } = await tx.block.attachLoop({ file });
        await tx.filesystem.create({ device, type: 'ext4' });
        await tx.mount.mount({ device, path: '/srv/photos', mode: 'rw' });
        await tx.mount.unmount({ path: '/srv/photos' });
        start.admin.mount('/dev/vg0/photos', '/srv/photos');
        throw new Error('failed');
      }),
    );
    const { leftUntouched } = (await rejectionOf(failing)) as RolledBackError;
    expect(leftUntouched[0]).toMatch(/^mount.unmount .*: .* is mounted there now$/);
  });

  it('is mounted again with another loop device, if another process takes the number meanwhile', async () => {
    const before = left(start);
    await run(start, () =>
      atomic('photos', async (tx) => {
        await ending['an encrypted image file']?.(tx);
        let taken = false;
        start.faults.decide(({ access, tool }) => {
          if (taken || access === 'read' || tool !== 'losetup') return undefined;
          taken = true;
          start.admin.losetup('/srv/other.img');
          return undefined;
        });
        start.admin.writeFile('/srv/other.img', 'x'.repeat(4096));
      }),
    );

    expect(left(start)).toEqual(before);
    expect([...start.world.loops.values()].map(({ path }) => path)).toEqual(['/srv/other.img']);
  });

  it('and that the commit could not close again is named when the journal is abandoned', async () => {
    const failing = run(start, () =>
      atomic('photos', async (tx) => {
        await ending['an encrypted image file']?.(tx);
        start.faults.decide(({ access, tool }) =>
          access === 'change' && tool === 'umount' ? { mode: 'fails before' } : undefined,
        );
      }),
    );
    const { id } = (await rejectionOf(failing)) as StuckError;
    start.clearFaults();

    const { runtime, stderr } = testRuntime(simulatedBofh({ host: start }), { yes: true });
    expect(await runVerb(runtime, `recover --abandon ${id} --because broken`)).toBe(0);
    const closing = ['umount /srv/vault', 'cryptsetup close vault', 'losetup --detach /dev/loop0'];
    expect([...stderr().matchAll(/stays open; to close it: (.*)/g)].map(([, how]) => how)).toEqual(closing);
    for (const words of [`journal show ${id}`, 'doctor']) {
      const later = testRuntime(simulatedBofh({ host: start }));
      await runVerb(later.runtime, words);
      for (const line of closing) expect(later.stdout()).toContain(line);
    }
    start.admin.umount('/srv/vault');
    const end = testRuntime(simulatedBofh({ host: start }));
    await runVerb(end.runtime, `journal show ${id}`);
    expect(end.stdout()).not.toContain('clear: umount');
    expect(end.stdout()).toContain('clear: cryptsetup close vault');
  });

  it('is mounted again to undo its files after a kill right after the unmount', async () => {
    const host = (await killedIn(whole)).restart();

    expect(await run(host, () => recover())).toMatchObject([{ end: 'rolled-back', leftUntouched: [] }]);
    expect(
      differences(
        wantedAfter((on) => on.restart()),
        look(host),
      ),
    ).toEqual([]);
  });

  it('is mounted again while its device is mounted elsewhere too', async () => {
    const before = left(start);
    const found = await foundBy(async (tx) => {
      await tx.mount.mount({ ...photos, path: '/srv/photos' });
      await tx.mount.mount({ ...photos, path: '/srv/vault' });
      await tx.file.create({ path: '/srv/photos/one', content: '1' });
      await tx.file.create({ path: '/srv/vault/two', content: '2' });
      await tx.file.create({ path: '/srv/photos/three', content: '3' });
      for (const path of ['/srv/photos', '/srv/vault']) await tx.mount.unmount({ path });
    });

    expect(found).toEqual([]);
    expect(left(start)).toEqual(before);
  });

  it('stays mounted while a file in it cannot be cleaned up, until a recovery has done that', async () => {
    const before = { left: left(start), mounts: start.world.mounts.map(({ path }) => path) };
    await expect(
      run(start, () =>
        atomic('photos', async (tx) => {
          await ending['a volume']?.(tx);
          start.fault({
            tool: 'file',
            argvIncludes: '/srv/photos/.bofh-bofh.',
            mode: 'fails before',
            times: 9,
          });
        }),
      ),
    ).rejects.toMatchObject({ code: 'stuck', committed: true, blocked: [{ kind: 'file.create' }] });
    expect(start.world.mounts.map(({ path }) => path)).toContain('/srv/photos');
    start.clearFaults();

    expect(await run(start, () => recover())).toMatchObject([{ end: 'committed' }]);
    expect({ left: left(start), mounts: start.world.mounts.map(({ path }) => path) }).toEqual(before);
  });

  it('is mounted by a recovery if the connection to its host was lost meanwhile', async () => {
    const { here, there } = simulatedPair();
    let isCommit = false;
    const found: string[] = [];
    const engine: typeof here.engine = {
      ...here.engine,
      onLeftUntouched: (each) => void found.push(each),
      place: (name, reach) => {
        const place = here.engine.place?.(name, reach);
        if (place === undefined) return undefined;
        const { host } = place;
        const during: typeof host.during = (asked) => {
          const own = host.during(asked);
          const run: typeof own.run = async (command) => {
            if (!isCommit || command.tool !== 'mount') return await own.run(command);
            isCommit = false;
            throw new ConnectionError('there cannot be reached', { host: 'there', connection: 'none' });
          };
          return { ...own, run };
        };
        return { ...place, host: { ...host, during } };
      },
    };
    const bofh = { ...here, engine, signals: {} };

    const ended = withBofh(bofh, () =>
      atomic('photos', async (tx) => {
        const own = tx.on('there');
        const { path: device } = await own.lvm.createLv({ vg: 'vg0', name: 'album', size: '16m' });
        await own.filesystem.create({ device, type: 'ext4' });
        const { path } = await own.mount.mount({ device, mode: 'rw' });
        await own.file.create({ path: `${path}/new`, content: 'new\n' });
        await own.mount.unmount({ path });
        isCommit = true;
      }),
    );
    await expect(ended).rejects.toMatchObject({ code: 'stuck', committed: true });
    expect(await withBofh(bofh, () => recover())).toMatchObject([{ end: 'committed' }]);
    expect({ found, left: left(there.host()) }).toEqual({ found: [], left: [] });
  });
});

it('a mount that the undo of a scope mounted again stays mounted after the commit', async () => {
  await run(start, () =>
    atomic('photos', async (tx) => {
      await tx.mount.mount({ device: '/dev/vg0/photos', path: '/srv/photos', mode: 'rw' });
      const failed = tx.scope('one', async (own) => {
        await own.file.create({ path: '/srv/photos/one', content: '' });
        start.admin.umount('/srv/photos');
        throw new Error('on purpose');
      });
      await expect(failed).rejects.toThrow('on purpose');
      await tx.file.create({ path: '/srv/photos/two', content: '' });
    }),
  );

  expect(start.world.mounts.map(({ path }) => path)).toContain('/srv/photos');
  expect(start.snapshot().match(/^now vg0\/photos "[^"]*" file/gm)).toEqual([
    'now vg0/photos "/kept" file',
    'now vg0/photos "/two" file',
  ]);
});

describe('a mount that was there before the sequence', () => {
  const body = async (tx: Tx): Promise<void> => {
    await tx.file.create({ path: '/srv/photos/new', content: 'new\n' });
    await tx.file.remove({ path: '/srv/photos/kept' });
    await tx.block.createImage({ file: '/srv/photos/disk.img', size: '1m' });
  };
  const files = ['/srv/photos/new', '/srv/photos/kept', '/srv/photos/disk.img'];
  const mounted = (on: SimulatedHost): SimulatedHost => {
    on.admin.mount('/dev/vg0/photos', '/srv/photos');
    return on;
  };
  const modeOf = async (on: SimulatedHost): Promise<number | undefined> =>
    (await simulatedBofh({ host: on }).host.stat('/srv/photos'))?.mode;
  const stuckIn = async (work: () => Promise<unknown>): Promise<StuckError> => {
    const stuck = (await rejectionOf(work())) as StuckError;
    expect(stuck).toMatchObject({ code: 'stuck' });
    return stuck;
  };

  it.each<readonly [string, (on: SimulatedHost) => void]>([
    ['nothing', () => undefined],
    [
      'another filesystem',
      (on) => {
        filledVolume(on, 'other', '5e1f0000-0000-4000-8000-000000000011');
        const { tree } = on.world.live.get(deviceOf(on.world, '/dev/vg0/other').storage) ?? {};
        tree?.inodes.set(tree.root, { ...inodeOf(tree, tree.root), birth: 99 });
        on.admin.mount('/dev/vg0/other', '/srv/photos');
      },
    ],
  ])('is unmounted at the undo, and %s is there: stuck until it is mounted again', async (_, then) => {
    mounted(start);
    const before = look(start);

    const { blocked } = await stuckIn(() =>
      run(start, () =>
        atomic('photos', async (tx) => {
          await body(tx);
          start.admin.umount('/srv/photos');
          then(start);
          throw new Error('on purpose');
        }),
      ),
    );

    expect(
      blocked.map(({ why = '' }) => /\((?<file>.*)\) cannot be checked/.exec(why)?.groups?.file),
    ).toEqual(files);
    expect(blocked[0]?.why).toContain('the ext4 filesystem that was at /srv/photos is not mounted there');
    if (start.world.mounts.some(({ path }) => path === '/srv/photos')) start.admin.umount('/srv/photos');
    mounted(start);
    await run(start, () => recover());
    expect(
      look(start)
        .split('\n')
        .filter((line) => line.includes('photos')),
    ).toEqual(before.split('\n').filter((line) => line.includes('photos')));
  });

  it('is not mounted by the boot after a power cut: stuck until it is mounted', async () => {
    mounted(start);
    const wanted = look(mounted(fork(start).powerCut()));
    const host = (await killedIn(body)).powerCut({ keep: 'all' });

    await stuckIn(() => run(host, () => recover()));
    await run(mounted(host), () => recover());
    expect(differences(wanted, look(host))).toEqual([]);
  });

  it('is unmounted for good: the remedy gives up its files', async () => {
    mounted(start);
    const host = (await killedIn((tx) => tx.file.create({ path: '/srv/photos/new', content: '' }))).restart();
    host.admin.umount('/srv/photos');
    const { blocked } = await stuckIn(() => run(host, () => recover()));
    const [command = ''] =
      /(?<=or, if that filesystem no longer exists: bofh ).*/.exec(blocked[0]?.remedy ?? '') ?? [];

    const { runtime, stdout } = testRuntime(simulatedBofh({ host }), { yes: true });
    expect(await runVerb(runtime, command)).toBe(0);
    expect(stdout()).toMatch(/undone +killed/);
  });

  it.each<readonly [string, (tx: Tx) => Promise<unknown>]>([
    [
      'others',
      () => {
        start.admin.umount('/srv/photos');
        return Promise.resolve();
      },
    ],
    ['the sequence', (tx) => tx.mount.unmount({ path: '/srv/photos' })],
  ])(
    'is unmounted before the commit by %s: the commands that remove what stays are shown',
    async (_, unmount) => {
      mounted(start);
      const found: string[] = [];
      const { engine, ...bofh } = simulatedBofh({ host: start });
      const own = {
        ...bofh,
        engine: { ...engine, onLeftUntouched: (each: string) => void found.push(each) },
      };
      await withBofh(own, () =>
        atomic('photos', async (tx) => {
          await body(tx);
          await unmount(tx);
        }),
      );

      expect(
        found.map((each) =>
          /when it is mounted again: rm .*/.exec(each)?.[0].replaceAll(/[0-9a-f]{12}/g, 'ID'),
        ),
      ).toEqual(
        ['.bofh-bofh.ID.1', '.bofh-gone-bofh.ID.2', '.bofh-bofh.ID.3'].map(
          (name) => `when it is mounted again: rm /srv/photos/${name}`,
        ),
      );
    },
  );

  it('is unmounted at the undo: the mode of its root is not checked until it is mounted again', async () => {
    mounted(start);
    const before = (await modeOf(start)) ?? 0;

    await stuckIn(() =>
      run(start, () =>
        atomic('photos', async (tx) => {
          await tx.file.setAttributes({ path: '/srv/photos', mode: 0o700 });
          start.admin.umount('/srv/photos');
          throw new Error('on purpose');
        }),
      ),
    );
    mounted(start);
    expect(await modeOf(start)).toBe(0o700);
    await run(start, () => recover());
    expect(await modeOf(start)).toBe(before);
  });

  it('is hidden by a mount of others at the undo: the remedy unmounts that', async () => {
    mounted(start);
    start.admin.mkdir('/srv/photos/2026');
    start.admin.writeFile('/srv/photos/2026/kept', 'kept\n');
    filledVolume(start, 'other', '5e1f0000-0000-4000-8000-000000000011');
    const before = start.snapshot();

    const { blocked } = await stuckIn(() =>
      run(start, () =>
        atomic('photos', async (tx) => {
          await tx.file.create({ path: '/srv/photos/2026/new', content: 'new\n' });
          await tx.file.remove({ path: '/srv/photos/2026/kept' });
          start.admin.mount('/dev/vg0/other', '/srv/photos/2026');
          throw new Error('on purpose');
        }),
      ),
    );

    expect(blocked.map(({ why }) => why?.replace(/^\S+ /, ''))).toEqual(
      ['new', 'kept'].map(
        (name) =>
          `(/srv/photos/2026/${name}) cannot be checked: the ext4 filesystem at /srv/photos/2026 was mounted over it later`,
      ),
    );
    expect(blocked[0]?.remedy).toMatch(/^umount \/srv\/photos\/2026; then: bofh recover /);
    start.admin.umount('/srv/photos/2026');
    await run(start, () => recover());
    expect(differences(before, start.snapshot())).toEqual([]);
  });

  it('is hidden at the commit by a mount of the sequence: the commands that remove what stays are shown', async () => {
    mounted(start);
    start.admin.mkdir('/srv/photos/2026');
    filledVolume(start, 'other', '5e1f0000-0000-4000-8000-000000000011');
    const found: string[] = [];
    const { engine, ...bofh } = simulatedBofh({ host: start });
    const own = { ...bofh, engine: { ...engine, onLeftUntouched: (each: string) => void found.push(each) } };
    await withBofh(own, () =>
      atomic('photos', async (tx) => {
        await tx.file.create({ path: '/srv/photos/2026/new', content: 'new\n' });
        await tx.mount.mount({
          ...{ device: '/dev/vg0/other', path: '/srv/photos/2026' },
          ...{ mode: 'rw', hides: true },
        });
      }),
    );

    expect(found.map((each) => each.replaceAll(/[0-9a-f]{12}/g, 'ID'))).toEqual([
      'file.create (/srv/photos/2026/new): a filesystem is mounted over it at /srv/photos/2026, and what the step had to remove may still exist below; after umount /srv/photos/2026: rm /srv/photos/2026/.bofh-bofh.ID.1',
    ]);
  });

  it('is unmounted before bofh undo: refused until it is mounted', async () => {
    mounted(start);
    const before = look(start);
    await run(start, () => atomic('photos', (tx) => tx.file.remove({ path: '/srv/photos/kept' })));
    const closed = closedJournals(simulatedBofh({ host: start }).engine);
    const id = closed.find(({ state }) => state.begin.name === 'photos')?.id ?? '';
    start.admin.umount('/srv/photos');
    const undo = (): Promise<number> =>
      runVerb(testRuntime(simulatedBofh({ host: start }), { yes: true }).runtime, `undo ${id}`);

    const refused = (await rejectionOf(undo())) as RefusedError;
    expect(refused.message).toContain('is not mounted there');
    expect(refused.remedy).toMatch(/^mount it at \/srv\/photos; then: bofh undo /);
    mounted(start);
    expect(await undo()).toBe(0);
    expect(differences(before, look(start))).toEqual([]);
  });
});

describe('a mount of the sequence over a file that it created before', () => {
  const file = { path: '/srv/photos/new', content: 'new\n' };
  const hide = (tx: Tx): Promise<unknown> =>
    tx.mount.mount({ device: '/dev/vg0/photos', path: '/srv/photos', mode: 'rw', hides: true });

  it('is unmounted first by bofh undo', async () => {
    const before = look(start);
    await run(start, () =>
      atomic('photos', async (tx) => {
        await tx.file.create(file);
        await hide(tx);
      }),
    );
    const closed = closedJournals(simulatedBofh({ host: start }).engine);
    const id = closed.find(({ state }) => state.begin.name === 'photos')?.id ?? '';

    const { runtime } = testRuntime(simulatedBofh({ host: start }), { yes: true });
    expect(await runVerb(runtime, `undo ${id}`)).toBe(0);
    const left = differences(before, look(start));
    // The commit could not remove this second name below the mount, and said so.
    expect(left.filter((line) => !line.includes('/srv/photos/.bofh-bofh.'))).toEqual([]);
  });

  it('stays while a scope with that file is undone, which is stuck until the mount is undone too', async () => {
    const before = look(start);
    const ended = await rejectionOf(
      run(start, () =>
        atomic('photos', async (tx) => {
          await tx.scope('file', async (own) => {
            await own.file.create(file);
            await hide(tx);
            throw new Error('on purpose');
          });
        }),
      ),
    );

    expect(ended).toMatchObject({ code: 'rolled-back' });
    expect(differences(before, look(start))).toEqual([]);
  });
});
