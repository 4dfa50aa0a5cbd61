import { describe, expect, it } from 'vitest';
import { undo } from '../../../src/api/undo.ts';
import { closedJournals } from '../../../src/atomic/journal/scan.ts';
import { openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import { manualRecoveryOf } from '../../../src/atomic/undo/report.ts';
import { withBofh } from '../../../src/bofh.ts';
import { connect } from '../../../src/drbd/operations/connect.ts';
import { states } from '../../../src/drbd/index.ts';
import { drbdGenerations } from '../../../src/drbd/volume-commands.ts';
import { StuckError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { withoutWaiting } from '../../../src/simulator/matrix/clock.ts';
import { type SimulatedHost, simulatedBofh } from '../../../src/simulator/index.ts';
import { ground, resourceOf, two } from '../replica/support.ts';
import { on } from './support.ts';

const name = 'web1';
const discard = (tx: Tx) => tx.drbd.connect({ name, discardMyData: true });

const answer = (stdout: string) => ({ stdout, stderr: '', exitCode: 0 });
const parse = (stdout: string) => drbdGenerations({ name, volume: 0 }).parse(answer(stdout));

describe('drbdadm get-gi', () => {
  it('shows the current and the bitmap UUID of module 8.4, and of each peer of module 9', () => {
    expect(
      parse(
        'A5A7C8D1BC0F3D4E:0000000000000000:11E2:\n'.replace(
          '11E2:',
          '11E2F0B0C0D0E0F0:0000000000000000:1:1:1:0:0:0:0',
        ),
      ),
    ).toEqual(['A5A7C8D1BC0F3D4E:0000000000000000']);
    const nine =
      'A5A7C8D1BC0F3D4E:5B1F00000000000A:11E2F0B0C0D0E0F0:0000000000000000:1:1:1:0:1:0:0:1:0:0:0:0\n';
    expect(parse(nine + nine)).toEqual(Array(2).fill('A5A7C8D1BC0F3D4E:5B1F00000000000A'));
  });

  it.each(['', 'Device is unconfigured\n', 'A5A7C8D1BC0F3D4E\n', '1:2:3:4:1:1:1:0:0:0:0\n'])(
    'refuses unknown output: %j',
    (text) => {
      expect(() => parse(text)).toThrow();
    },
  );
});

/** Two hosts that were written to apart, and have refused each other: both are StandAlone. */
function parted(): ReturnType<typeof two> {
  const hosts = two();
  const both = [hosts.alpha, hosts.there.host()];
  for (const { admin } of both) {
    admin.lvcreate({ vg: 'vg0', name, extents: 17 });
    admin.drbdMetadata('/dev/vg0/web1', '5e1f000000000001', 'UpToDate');
    admin.writeFile('/etc/drbd.d/web1.res', resourceOf(name, 0));
    admin.drbdadm('up', name);
  }
  part(both);
  return hosts;
}

/** Each is written to without the other. */
function part(both: readonly SimulatedHost[]): void {
  for (const { admin } of both) admin.drbdadm('disconnect', name);
  for (const { admin } of both) {
    admin.drbdadm('primary', name);
    admin.drbdWrite(name);
    admin.drbdadm('secondary', name);
  }
}

const generation = ({ world }: SimulatedHost): string | undefined =>
  [...world.live.values()].find(({ superblock }) => superblock?.type === 'drbd')?.generation;

/** The order is given, committed, and killed before it is carried out. */
async function ordered(host: SimulatedHost, order: (tx: Tx) => Promise<unknown>): Promise<SimulatedHost> {
  host.fault({ tool: 'drbdadm', access: 'change', mode: 'crash here' });
  await on(host, order).catch(() => undefined);
  expect(host.process.alive).toBe(false);
  host.clearFaults();
  return host.restart();
}

async function recovered(host: SimulatedHost): Promise<unknown> {
  const { engine } = simulatedBofh({ host });
  const [journal] = await openJournals(engine);
  if (journal === undefined) throw new TypeError('there is no journal');
  return recover(journal.id, { engine, yes: false }).then(
    ({ end }) => end,
    (error: unknown) => error,
  );
}

async function discardsNothing(host: SimulatedHost, ...words: readonly RegExp[]): Promise<void> {
  const [before, begun] = [generation(host), host.changes.length];
  const error = await recovered(host);
  expect(error).toBeInstanceOf(StuckError);
  const [step] = (error as StuckError).blocked;
  for (const each of [...words, /Nothing was discarded$/]) expect(step?.why).toMatch(each);
  expect(step?.remedy).toMatch(
    /^to keep the data: bofh recover --abandon [0-9a-f]+ --because .*close the journal with that command, then: /,
  );
  expect(host.changes.slice(begun).filter(({ what }) => what === 'command')).toEqual([]);
  expect(generation(host)).toBe(before);
}

describe('local data to discard', () => {
  it('is discarded after a crash if it is unchanged', async () => {
    const { alpha, there } = parted();
    const kept = generation(there.host());
    const again = await ordered(alpha, discard);
    expect(await recovered(again)).toBe('committed');
    there.host().admin.drbdadm('connect', name);
    await states(again);
    expect([generation(again), generation(there.host())]).toEqual([kept, kept]);
  });

  it('stays when the split brain was resolved the other way, and a new one exists', async () => {
    const { alpha, there } = parted();
    const first = generation(alpha);
    const again = await ordered(alpha, discard);
    const beta = there.host();
    again.admin.drbdadm('connect', name);
    beta.admin.drbdadm('connect', '--discard-my-data', name);
    await states(again);
    expect(generation(beta)).toBe(first);
    part([again, beta]);
    const second = generation(again);
    expect(second).not.toBe(first);

    await discardsNothing(
      again,
      new RegExp(`recorded: volume 0: ${String(first)}`, 'i'),
      new RegExp(`now: volume 0: ${String(second)}`, 'i'),
    );
  });

  it('stays when it was written since, without a new generation', async () => {
    const { alpha } = parted();
    const again = await ordered(alpha, discard);
    again.admin.drbdadm('primary', name);
    again.admin.drbdWrite(name);
    again.admin.drbdadm('secondary', name);
    await discardsNothing(
      again,
      /volume 0 was written to \(4096 bytes\)/,
      /recorded: volume 0: .*now: volume 0: /,
    );
  });

  it('stays after a boot, because writes before it are unknown', async () => {
    const { alpha } = parted();
    const again = (await ordered(alpha, discard)).reboot();
    again.admin.drbdadm('up', name);
    again.admin.drbdadm('disconnect', name);
    await discardsNothing(again, /the host was booted/);
  });

  it('stays when the journal has no generation', async () => {
    const { alpha } = parted();
    const undo = { name, minors: [0], to: 'connected', mine: 'discarded', note: '/run/bofh/notes/bofh.1a.1' };
    const begun = alpha.changes.length;
    const host = alpha.during({ outputs: '/nowhere', lock: -1 });
    await expect(connect.afterCommit({ undo, host })).rejects.toThrow(
      /the journal does not record which data/,
    );
    expect(alpha.changes.length).toBe(begun);
  });

  it.each<readonly [string, (tx: Tx) => Promise<unknown>]>([
    ['invalidate', (tx) => tx.drbd.invalidate({ name })],
    ['invalidate-remote', (tx) => tx.drbd.invalidateRemote({ name })],
  ])('stays when the two disconnected and connected again: %s', async (_, order) => {
    const { alpha, there } = parted();
    const beta = there.host();
    const meet = async (host: SimulatedHost): Promise<void> => {
      host.admin.drbdadm('connect', name);
      beta.admin.drbdadm('connect', '--discard-my-data', name);
      await states(host);
    };
    await meet(alpha);
    const again = await ordered(alpha, order);
    part([again, beta]);
    await meet(again);
    await discardsNothing(again, /the generation of volume 0 was [0-9A-F:]+ and is/);
  });

  it.each<readonly [string, (tx: Tx) => Promise<unknown>]>([
    ['invalidate', (tx) => tx.drbd.invalidate({ name })],
    ['invalidate-remote', (tx) => tx.drbd.invalidateRemote({ name })],
  ])('stays after a boot: %s', async (_, order) => {
    const host = connected();
    const again = (await ordered(host, order)).reboot();
    again.admin.drbdadm('up', name);
    again.admin.setDrbd(name, { connection: 'Connected', peer: { role: 'Secondary', disk: 'UpToDate' } });
    await discardsNothing(again, /the host was booted/);
  });

  it('stays when this host was promoted since: invalidate-remote', async () => {
    const again = await ordered(connected(), (tx) => tx.drbd.invalidateRemote({ name }));
    again.admin.drbdadm('primary', name);
    await discardsNothing(again, /its role was Secondary and is Primary/);
  });

  it('is named by journal show and by an error, with its generation', async () => {
    const { alpha } = parted();
    const [step] = await openSteps(await ordered(alpha, discard));
    expect(step?.what).toMatch(
      /data that was written on this host since the disconnect will be lost \(recorded: volume 0: [0-9A-F]{16}:[0-9A-F]{16}\)$/,
    );
    const [other] = await openSteps(await ordered(connected(), (tx) => tx.drbd.invalidate({ name })));
    expect(other?.what).toMatch(/the data of this host will be lost \(recorded: volume 0: /);
  });
});

function connected(): SimulatedHost {
  const host = ground('alpha', '10.0.0.1');
  host.admin.lvcreate({ vg: 'vg0', name, extents: 17 });
  host.admin.drbdMetadata('/dev/vg0/web1', '5e1f000000000001', 'UpToDate');
  host.admin.writeFile('/etc/drbd.d/web1.res', resourceOf(name, 0));
  host.admin.drbdadm('up', name);
  host.admin.setDrbd(name, { connection: 'Connected', peer: { role: 'Secondary', disk: 'UpToDate' } });
  return host;
}

async function openSteps(host: SimulatedHost) {
  const { engine } = simulatedBofh({ host });
  const [journal] = await openJournals(engine);
  if (journal === undefined) throw new TypeError('there is no journal');
  return Promise.all(journal.state.steps.map((step) => manualRecoveryOf(engine, journal.state, step)));
}

it('the undo of a disconnect says that both hosts were written to meanwhile', async () => {
  const { alpha, there } = parted();
  const beta = there.host();
  alpha.admin.drbdadm('connect', name);
  beta.admin.drbdadm('connect', '--discard-my-data', name);
  expect((await states(alpha))[0]?.connections[0]?.state).toBe('Connected');
  await on(alpha, (tx) => tx.drbd.disconnect({ name }));
  for (const { admin } of [alpha, beta]) {
    admin.drbdadm('primary', name);
    admin.drbdWrite(name);
    admin.drbdadm('secondary', name);
  }
  const simulated = simulatedBofh({ host: alpha });
  const [journal] = closedJournals(simulated.engine);
  const error = await withoutWaiting(() =>
    withBofh({ ...simulated, signals: {} }, () => undo(journal?.id ?? '')),
  ).catch((each: unknown) => each);
  expect(String(error)).toContain('split brain');
  expect((error as StuckError).blocked[0]?.remedy).toMatch(/--abandon .*--discard-my-data/);
});
