import { beforeEach, describe, expect, it } from 'vitest';
import { atomic, type Tx } from '../../../src/api/atomic.ts';
import { recover } from '../../../src/api/recover.ts';
import { withBofh } from '../../../src/bofh.ts';
import { BofhError, type StuckError } from '../../../src/core/errors.ts';
import { explain } from '../../../src/index.ts';
import { fork } from '../../../src/simulator/fork.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { differences, stateOf } from '../../../src/simulator/matrix/judge.ts';
import { sampled } from '../../support/sampled.ts';
import { neighbourhood } from '../../support/undo/stage.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { lineOf, madeLines, plannedLines, typed } from '../plan/support.ts';

// A boot closes loop devices and LUKS devices. Recovery opens them again, because only their content
// shows whether others wrote there.

const key = { from: 'file', path: '/etc/key' } as const;
const file = '/srv/own.img';

function ready(): SimulatedHost {
  const made = neighbourhood();
  made.admin.writeFile('/etc/key', 'a passphrase', 0o600);
  made.admin.mkdir('/srv/vault');
  return made;
}

let host: SimulatedHost;
beforeEach(() => {
  host = ready();
});

const look = (on: SimulatedHost): string => stateOf(on, new Set());
const run = <T>(body: () => Promise<T>, on = host): Promise<T> =>
  withBofh({ ...simulatedBofh({ host: on }), signals: {} }, body);

const bodies = {
  'a mounted filesystem in an encrypted volume': async (tx: Tx): Promise<void> => {
    const lv = await tx.lvm.createLv({ vg: 'vg0', name: 'vault', size: '64m' });
    await tx.crypt.format({ device: lv.path, key });
    const { path } = await tx.crypt.open({ device: lv.path, key, name: 'vault' });
    await tx.filesystem.create({ device: path, type: 'ext4' });
    await tx.mount.mount({ device: path, path: '/srv/vault', mode: 'rw' });
  },
  'a filesystem in an image file': async (tx: Tx): Promise<void> => {
    await tx.block.createImage({ file, size: '64m' });
    const { device } = await tx.block.attachLoop({ file });
    await tx.filesystem.create({ device, type: 'ext4' });
  },
  'a filesystem in an encrypted image file': async (tx: Tx): Promise<void> => {
    await tx.block.createImage({ file, size: '64m' });
    const { device } = await tx.block.attachLoop({ file });
    await tx.crypt.format({ device, key });
    const { path } = await tx.crypt.open({ device, key, name: 'vault' });
    await tx.filesystem.create({ device: path, type: 'ext4' });
  },
};

/** What happens between the end of the program and the recovery. */
const endings = {
  'a restart': (on: SimulatedHost) => on.restart(),
  'a reboot': (on: SimulatedHost) => on.reboot(),
  'a power cut': (on: SimulatedHost) => on.powerCut(),
  'a power cut that loses nothing': (on: SimulatedHost) => on.powerCut({ keep: 'all' }),
};

/** One half of the points is killed before, the other after the act. */
const modeOf = (nth: number) => (nth % 2 === 0 ? ('crash here' as const) : ('acts then crash' as const));

async function killed(body: (tx: Tx) => Promise<void>, on = host): Promise<void> {
  await expect(
    run(() => atomic('killed', async (tx) => body(tx).then(() => on.kill())), on),
  ).rejects.toThrow();
}

describe.each(Object.entries(bodies))('recovery undoes %s', (what, body) => {
  it.each(Object.entries(endings))(
    'after %s, after a kill of its program at any point',
    async (ending, begin) => {
      const whole = ready();
      await run(() => atomic('whole', body), whole);
      const wanted = look(begin(ready()));
      expect(whole.points.length).toBeGreaterThan(10);
      const wrong: string[] = [];
      for (const nth of sampled([...whole.points.keys()], `${what} ${ending}`).map((key) => key + 1)) {
        const on = ready();
        on.fault({ nth, mode: modeOf(nth) });
        await run(() => atomic('killed', body), on).catch(() => undefined);
        const next = begin(on);
        next.clearFaults();
        const found = await run(() => recover(), next).then(
          (ended) => ended.map(({ end }) => end).join(),
          (error: unknown) => (error instanceof Error ? error.message : ''),
        );
        const left = differences(wanted, look(next));
        if (found.includes('could not') || (left.length > 0 && found !== 'committed' && found !== ''))
          wrong.push(`${String(nth)}: ${found} ${left.join(' ')}`);
      }
      expect(wrong).toEqual([]);
    },
    300_000,
  );

  it('after a kill of the recovery after a reboot at any point', async () => {
    const on = ready();
    await killed(body, on);
    const prepared = on.reboot();
    const wanted = look(ready().reboot());
    const whole = fork(prepared);
    const from = whole.points.length;
    await run(() => recover(), whole);
    const points = whole.points.length - from;
    expect(points).toBeGreaterThan(8);
    for (const nth of sampled(
      Array.from({ length: points }, (_, index) => index + 1),
      what,
    )) {
      const on = fork(prepared);
      on.fault({ nth, mode: modeOf(nth) });
      await run(() => recover(), on).catch(() => undefined);
      const next = on.restart();
      next.clearFaults();
      const failed = await run(() => recover(), next).then(
        () => undefined,
        (error: unknown) => String(error),
      );
      expect([nth, failed, differences(wanted, look(next))]).toEqual([nth, undefined, []]);
    }
  }, 300_000);

  it('and a dry run shows it, except behind an encrypted device', async () => {
    await killed(body);
    host = host.reboot();
    const before = look(host);

    const planned = await plannedLines(host, ['recover']);

    expect(look(host)).toBe(before);
    const made = await madeLines(host, ['recover']);
    const opened = planned.some((line) => line.startsWith('cryptsetup open'));
    expect(planned).toEqual(opened ? made.slice(0, planned.length) : made);
    expect(planned.length).toBeGreaterThan(1);
  });
});

const image = bodies['a filesystem in an image file'];
const encrypted = bodies['a mounted filesystem in an encrypted volume'];

describe('recovery after a reboot', () => {
  it('keeps data that others wrote to the image meanwhile', async () => {
    await killed(image);
    host = host.reboot();
    const device = host.admin.losetup(file);
    host.admin.mount(device, '/srv/vault');
    host.admin.writeFile('/srv/vault/letter', 'mine');
    host.admin.umount('/srv/vault');
    host.admin.detachLoop(device);
    const before = look(host);
    expect(before).toContain('letter');

    await expect(run(() => recover())).rejects.toThrow(/others wrote/);
    expect(look(host)).toContain('letter');
  });

  it('prints no command against a device whose number belongs to another file now', async () => {
    await killed(image);
    host = host.reboot();
    host.admin.writeFile('/srv/other.img', 'x'.repeat(4096));
    expect(host.admin.losetup('/srv/other.img')).toBe('/dev/loop0');
    const device = host.admin.losetup(file);
    host.admin.mount(device, '/srv/vault');
    host.admin.writeFile('/srv/vault/letter', 'mine');
    host.admin.umount('/srv/vault');
    host.admin.detachLoop(device);

    const error = await rejectionOf(run(() => recover()));
    const { id = 'none' } = error as StuckError;
    const { stdout } = await typed(host, ['journal', 'show', id]);
    expect(stdout).toMatch(/look: +losetup/);
    for (const text of [JSON.stringify(error), stdout]) {
      expect(text).toContain('/dev/loop1');
      expect(text).not.toContain('/dev/loop0');
    }
    host.admin.detachLoop('/dev/loop1');
    host.admin.writeFile('/srv/third.img', 'x'.repeat(4096));
    expect(host.admin.losetup('/srv/third.img')).toBe('/dev/loop1');
    expect((await typed(host, ['journal', 'show', id])).stdout).not.toMatch(/clear:.*loop/);
  });

  it('names what prevents it, and finishes once that is gone', async () => {
    await killed(encrypted);
    host = host.reboot();
    host.admin.writeFile('/etc/key', 'another passphrase', 0o600);

    const error = await rejectionOf(run(() => recover()));
    expect(explain(error)).toContain('crypt.open (mapping vault) could not be done again');
    expect(explain(error)).toContain('No key available');
    host.admin.writeFile('/etc/key', 'a passphrase', 0o600);

    expect(await run(() => recover())).toMatchObject([{ end: 'rolled-back', leftUntouched: [] }]);
    expect(differences(look(ready().reboot()), look(host))).toEqual([]);
  });

  it('discards the object that the administrator names, without a comparison', async () => {
    await killed(encrypted);
    host = host.reboot();
    host.admin.writeFile('/etc/key', 'another passphrase', 0o600);
    const error = await rejectionOf(run(() => recover()));
    const { remedy = '' } = error instanceof BofhError && error.cause instanceof BofhError ? error.cause : {};
    const object = /--discard '?(?<object>[^' ]+)/.exec(remedy)?.groups?.object ?? 'none';

    const id = /recover (?<id>\w{12})/.exec(remedy)?.groups?.id ?? 'none';
    expect(await typed(host, ['--yes', 'recover', id, '--discard', object])).toMatchObject({ exitCode: 0 });
    host.admin.writeFile('/etc/key', 'a passphrase', 0o600);
    expect(differences(look(ready().reboot()), look(host))).toEqual([]);
  });

  it('takes another number for a loop device if others have it', async () => {
    await killed(image);
    host = host.reboot();
    host.admin.writeFile('/srv/other.img', 'x'.repeat(4096));
    host.admin.losetup('/srv/other.img');
    const from = host.changes.length;

    expect(await run(() => recover())).toMatchObject([{ end: 'rolled-back', leftUntouched: [] }]);
    const lines = host.changes.slice(from).map(lineOf);
    expect(lines).toContain('losetup /dev/loop1 /srv/own.img');
    expect(lines).toContain('losetup --detach /dev/loop1');
  });
});

it('recovery attaches a loop device again that others detached', async () => {
  await killed(image);
  host = host.restart();
  host.admin.detachLoop('/dev/loop0');

  expect(await run(() => recover())).toMatchObject([{ end: 'rolled-back', leftUntouched: [] }]);
  expect(differences(look(ready()), look(host))).toEqual([]);
});
