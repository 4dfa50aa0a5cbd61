import { beforeEach, describe, expect, it } from 'vitest';
import { atomic, type Tx } from '../../../src/api/atomic.ts';
import { recover } from '../../../src/api/recover.ts';
import { undo } from '../../../src/api/undo.ts';
import { withBofh } from '../../../src/bofh.ts';
import { closedJournals } from '../../../src/atomic/journal/scan.ts';
import { BofhError, StuckError } from '../../../src/core/errors.ts';
import { fork } from '../../../src/simulator/fork.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { differences, stateOf } from '../../../src/simulator/matrix/judge.ts';
import { sampled } from '../../support/sampled.ts';
import { neighbourhood } from '../../support/undo/stage.ts';
import { containing } from '../cli/support/containing.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { madeLines, plannedLines } from '../plan/support.ts';

const key = { from: 'file', path: '/etc/key' } as const;

let host: SimulatedHost;
let before: string;
beforeEach(() => {
  host = ready();
  before = look();
});

function ready(): SimulatedHost {
  const made = neighbourhood();
  made.admin.writeFile('/etc/key', 'a passphrase', 0o600);
  made.admin.mkdir('/srv/vault');
  return made;
}

const look = (on = host): string => stateOf(on, new Set());
const run = <T>(body: () => Promise<T>, on = host): Promise<T> =>
  withBofh({ ...simulatedBofh({ host: on }), signals: {} }, body);

/** An encrypted volume with a filesystem, mounted at every boot. */
async function vault(tx: Tx): Promise<void> {
  const lv = await tx.lvm.createLv({ vg: 'vg0', name: 'vault', size: '64m' });
  const luks = await tx.crypt.format({ device: lv.path, key });
  const { path } = await tx.crypt.open({ device: lv.path, key, name: 'vault' });
  const { uuid } = await tx.filesystem.create({ device: path, type: 'ext4' });
  await tx.mount.addCrypttab({
    name: 'vault',
    device: `UUID=${luks.uuid}`,
    key: key.path,
    options: ['luks'],
  });
  await tx.mount.addFstab({ source: `UUID=${uuid}`, target: '/srv/vault', type: 'ext4', options: [] });
  await tx.mount.mount({ device: path, path: '/srv/vault', mode: 'rw' });
}

/** The id of the newest sequence of that name. */
function idOf(name: string, on = host): string {
  const found = closedJournals(simulatedBofh({ host: on }).engine).findLast(
    ({ state }) => state.begin.name === name,
  );
  return found?.id ?? 'none';
}

async function made(body: (tx: Tx) => Promise<unknown> = vault, name = 'vault'): Promise<string> {
  await run(() => atomic(name, body));
  return idOf(name);
}

describe('the undo of a committed sequence', () => {
  it('leaves the host as it was before', async () => {
    const id = await made();

    const done = await run(() => undo(id));

    expect(done).toMatchObject({
      end: 'rolled-back',
      leftUntouched: [],
      name: containing(`undo of ${id} vault`),
    });
    expect(differences(before, look())).toEqual([]);
  });

  it('after a reboot, too', async () => {
    const id = await made(async (tx) => {
      const lv = await tx.lvm.createLv({ vg: 'vg0', name: 'vault', size: '64m' });
      await tx.filesystem.create({ device: lv.path, type: 'ext4' });
      await tx.mount.mount({ device: lv.path, path: '/srv/vault', mode: 'rw' });
    });
    host = host.reboot();

    await run(() => undo(id));

    expect(look()).not.toContain('vg0/vault');
  });

  it('after a reboot that closed a device is refused until it is open', async () => {
    const id = await made();
    host = host.reboot();
    const then = look();

    await expect(run(() => undo(id))).rejects.toThrow('/dev/mapper/vault is missing');

    expect(look()).toBe(then);
    expect(await run(() => recover())).toEqual([]);
  });

  it('stops at a process in the mount, and recovery finishes it', async () => {
    const id = await made();
    host.admin.hold('/srv/vault');

    await expect(run(() => undo(id))).rejects.toThrow(StuckError);
    host.admin.letGo('/srv/vault');
    await run(() => recover());

    expect(differences(before, look())).toEqual([]);
  });

  it('is refused a second time', async () => {
    const id = await made();
    await run(() => undo(id));
    const after = look();

    await expect(run(() => undo(id))).rejects.toThrow(/cannot be undone: [0-9a-f]{12} has undone it already/);

    expect(look()).toBe(after);
  });

  it('can be followed by the same again, and by the undo of that', async () => {
    await run(async () => undo(await made()));
    const again = await made(vault, 'again');

    await run(() => undo(again));

    expect(differences(before, look())).toEqual([]);
  });

  const other = async (tx: Tx): Promise<void> => {
    await tx.lvm.tagLv({ vg: 'vg0', name: 'vault', add: ['mine'] });
  };
  it.each<[what: string, between: () => unknown, says: RegExp | string, remedy?: RegExp]>([
    [
      'a newer sequence that worked there',
      () => made(other, 'a tag'),
      /sequence [0-9a-f]{12} "a tag" worked on logical volume vg0\/vault later/,
      /undo that one first: bofh undo [0-9a-f]{12}$/,
    ],
    [
      'files of others in the filesystem',
      () => host.admin.writeFile('/srv/vault/theirs.txt', 'theirs'),
      'theirs.txt',
      /^save what you need, then: bofh undo [0-9a-f]{12} --discard fs:/,
    ],
  ])('is refused because of %s', async (_what, between, says, remedy = /./) => {
    const id = await made();
    await between();
    const then = look();

    const refused = run(() => undo(id));

    await expect(refused).rejects.toThrow(says);
    expect(idOf(`undo of ${id} vault`)).toBe('none');
    await expect(refused).rejects.toMatchObject({ remedy: expect.stringMatching(remedy) as string });
    expect(look()).toBe(then);
    expect(await run(() => recover())).toEqual([]);
  });

  it('is refused for what its commit discarded, and not for a newer sequence', async () => {
    for (const name of ['later', 'spare'])
      await run(() => atomic(name, (tx) => tx.lvm.createLv({ vg: 'vg0', name, size: '8m' })));
    const id = await made(async (tx) => {
      await tx.lvm.renameLv({ vg: 'vg0', name: 'later', to: 'newer' });
      await tx.lvm.removeLv({ vg: 'vg0', name: 'spare' });
    }, 'both');
    await run(() => atomic('tag', (tx) => tx.lvm.tagLv({ vg: 'vg0', name: 'newer', add: ['mine'] })));

    await expect(run(() => undo(id))).rejects.toThrow('its commit discarded what the undo of');
  });

  it.each<[what: string, body: (tx: Tx) => Promise<unknown>, says: RegExp]>([
    [
      'an act after the commit',
      (tx) => tx.lvm.removeLv({ vg: 'vg0', name: 'spare' }),
      /its commit discarded what the undo of lvm\.removeLv \(.*logical volume vg0\/spare.*\) needs/,
    ],
    [
      'a pair of functions',
      (tx) =>
        tx.effect(
          'ours',
          () => Promise.resolve(),
          () => Promise.resolve(),
        ),
      /it has steps that only its program could undo/,
    ],
    ['nothing left of it', () => Promise.resolve(), /there is no ended sequence none/],
  ])('is refused because of %s', async (_what, body, says) => {
    await run(() => atomic('spare', (tx) => tx.lvm.createLv({ vg: 'vg0', name: 'spare', size: '8m' })));
    const id = await made(body, 'odd');
    const then = look();

    await expect(run(() => undo(id))).rejects.toThrow(says);

    expect(look()).toBe(then);
  });

  it('of a sequence that failed is refused', async () => {
    await expect(
      run(() => atomic('failed', (tx) => vault(tx).then(() => Promise.reject(new Error('later'))))),
    ).rejects.toThrow(BofhError);

    await expect(run(() => undo(idOf('failed')))).rejects.toThrow(/cannot be undone: it was rolled back/);
  });
});

describe('a fault in the undo of a committed sequence', () => {
  const modes = ['crash here', 'acts then crash', 'fails before', 'acts then fails'] as const;
  it.each(modes.flatMap((mode) => (['program', 'store'] as const).map((tool) => [mode, tool] as const)))(
    '%s, at each %s: recovery finishes it',
    async (mode, kind) => {
      const id = await made();
      const committed = look();
      const whole = fork(host);
      const from = whole.points.length;
      await run(() => undo(id), whole);
      const points = whole.points.slice(from).filter(({ tool }) => (tool === 'store') === (kind === 'store'));
      expect(points.length).toBeGreaterThan(8);
      for (const nth of sampled([...points.keys()], `${mode} ${kind}`)) {
        const on = fork(host);
        on.fault({
          ...(kind === 'store' ? { tool: 'store' as const } : {}),
          ...{ nth: nth + 1, mode },
        });
        const failure: unknown = await run(() => undo(id), on).then(
          () => undefined,
          (error: unknown) => error,
        );
        const next = mode.includes('crash') ? on.restart() : on;
        next.clearFaults();
        await run(() => recover(), next);
        const now = look(next);
        const wasUndone = differences(before, now).length === 0;
        expect([nth, mode, wasUndone || now === committed, wasUndone || failure !== undefined]).toEqual([
          ...[nth, mode, true, true],
        ]);
      }
    },
    120_000,
  );
});

describe('bofh undo', () => {
  it.each([
    ['as text', {}, 'undone'],
    ['as JSON', { json: true }, '"end": "rolled-back"'],
  ])('asks, with the steps, and undoes them: %s', async (_, options, end) => {
    const id = await made();
    const { runtime } = testRuntime(simulatedBofh({ host }));

    await expect(runVerb(runtime, `undo ${id.slice(0, 6)}`)).rejects.toThrow('needs confirmation');
    const sure = testRuntime(simulatedBofh({ host }), { ...options, yes: true });
    expect(await runVerb(sure.runtime, `undo ${id.slice(0, 6)}`)).toBe(0);

    expect(sure.stdout()).toContain(end);
    expect(differences(before, look())).toEqual([]);
  });

  it('shows its changes in a dry run', async () => {
    const id = await made();
    const then = look();

    const planned = await plannedLines(host, ['undo', id]);

    expect(look()).toBe(then);
    // The plan also compares the content of the filesystem, which the run had compared at the unmount.
    const changes = planned.filter((line) => !line.startsWith('unshare '));
    expect(changes).toEqual(await madeLines(host, ['undo', id]));
    expect(planned.length).toBeGreaterThan(5);
  });
});
