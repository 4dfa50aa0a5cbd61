import { describe, expect, it } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { withoutWaiting } from '../../../src/simulator/matrix/clock.ts';
import type { Command, ReadCommand } from '../../../src/command/index.ts';
import { openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import { connect } from '../../../src/drbd/operations/connect.ts';
import { findings, type ResourceState, states, towards, waitUntil } from '../../../src/drbd/index.ts';
import { RefusedError, RolledBackError, StuckError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { commonFile, on, refused, replicated, resourceText, undone, up } from './support.ts';

const name = 'web1';
const boom = new Error('boom');
type Verb = keyof Tx['drbd'];

const state = async (host: SimulatedHost) => (await states(host)).find((each) => each.name === name);

/** Up, and connected to a peer. */
function connected(
  role: 'Primary' | 'Secondary' = 'Secondary',
  peer: { readonly role?: 'Primary' | 'Secondary'; readonly disk?: 'UpToDate' | 'Inconsistent' } = {},
  replica: 'Inconsistent' | 'UpToDate' = 'UpToDate',
): SimulatedHost {
  const host = up(replica);
  host.admin.setDrbd(name, {
    ...{ role, connection: 'Connected' },
    peer: { role: peer.role ?? 'Secondary', disk: peer.disk ?? 'UpToDate' },
  });
  return host;
}

/** What drbdadm was told since. */
function verbsSince(host: SimulatedHost, begun: number): readonly string[] {
  return host.changes
    .slice(begun)
    .flatMap((each) =>
      each.what === 'command' && each.command.tool === 'drbdadm' ? [each.command.argv.join(' ')] : [],
    );
}

async function discardsNothingBeforeTheCommit(host: SimulatedHost): Promise<void> {
  const before = host.snapshot();
  const failed = on(host, async (tx) => {
    await tx.drbd.connect({ name, discardMyData: true });
    expect(host.snapshot()).toBe(before);
    throw boom;
  });
  await expect(failed).rejects.toBeInstanceOf(RolledBackError);
}

function after(...words: readonly string[]): SimulatedHost {
  const host = up();
  host.admin.drbdadm(...words);
  return host;
}

describe('the pairs of verbs', () => {
  it.each([
    ['detach', 'attach', () => up(), () => after('detach', name)],
    ['disconnect', 'connect', () => up(), () => after('disconnect', name)],
    ['pauseSync', 'resumeSync', () => up(), () => after('pause-sync', name)],
  ] as const)(
    '%s and %s are each the inverse of the other, and refuse the current state',
    async (there, back, bare, done) => {
      const verb = (which: Verb) => (tx: Tx) =>
        (tx.drbd[which] as (args: { name: string }) => Promise<unknown>)({ name });
      await undone(bare(), verb(there));
      await undone(done(), verb(back));
      expect((await refused(done(), verb(there))).message).toMatch(/already/);
      expect((await refused(bare(), verb(back))).message).toMatch(/already/);
      const host = bare();
      await on(host, verb(there));
      expect(host.snapshot()).toBe(done().snapshot());
      await on(host, verb(back));
      expect(host.snapshot()).toBe(bare().snapshot());
    },
  );

  it('refuse a resource that is down', async () => {
    expect(await refused(replicated(), (tx) => tx.drbd.detach({ name }))).toMatchObject({
      message: 'web1 is not up',
    });
  });

  it('detach keeps the disk of a primary, unless a connected peer has all data', async () => {
    const alone = after('primary', name);
    expect((await refused(alone, (tx) => tx.drbd.detach({ name }))).message).toContain(
      'without its disk there is no data',
    );
    expect(
      (await refused(connected('Primary', { disk: 'Inconsistent' }), (tx) => tx.drbd.detach({ name })))
        .message,
    ).toContain('no peer has volume 0');
    const host = connected('Primary');
    await on(host, (tx) => tx.drbd.detach({ name }));
    expect((await state(host))?.volumes[0]?.disk).toBe('Diskless');
  });

  it('attach refuses a disk without metadata', async () => {
    const host = after('detach', name);
    host.admin.format('/dev/vg0/web1-root', undefined);
    expect((await refused(host, (tx) => tx.drbd.attach({ name }))).message).toContain(
      'has no metadata of DRBD',
    );
  });

  it('disconnect keeps the data reachable for a primary', async () => {
    const theirs = connected('Secondary', { role: 'Primary', disk: 'Inconsistent' });
    expect((await refused(theirs, (tx) => tx.drbd.disconnect({ name }))).message).toContain(
      'it uses the data of this host',
    );
    const ours = connected('Primary', {}, 'Inconsistent');
    expect((await refused(ours, (tx) => tx.drbd.disconnect({ name }))).message).toContain(
      'it works with the data of its peer',
    );
  });

  it('the undo of disconnect is refused while the kernel has other addresses than the file', async () => {
    const host = up();
    const file = '/etc/drbd.d/web1.res';
    const write = (port: number): void => {
      host.admin.removeFile(file);
      host.admin.writeFile(file, resourceText(name, { port }));
    };
    const failed = on(host, async (tx) => {
      await tx.drbd.disconnect({ name });
      write(7799);
      host.admin.drbdadm('connect', name);
      write(7788);
      throw boom;
    });
    const error: unknown = await failed.catch((each: unknown) => each);
    expect(error).toBeInstanceOf(StuckError);
    expect((error as StuckError).blocked[0]).toMatchObject({
      why: expect.stringMatching(/^web1 is up with other addresses .*disconnect .*:7799/) as unknown,
      remedy: expect.stringContaining('drbdadm adjust web1') as unknown,
    });
    host.admin.drbdadm('adjust', name);
    expect(await recovered(host.restart())).toBe('rolled-back');
  });

  it('connect --discard-my-data runs after the commit, when the data is unused', async () => {
    const host = after('disconnect', name);
    await discardsNothingBeforeTheCommit(host);
    await on(host, (tx) => tx.drbd.connect({ name, discardMyData: true }));
    expect(host.changes.at(-1)).toMatchObject({
      what: 'command',
      command: { argv: ['connect', '--discard-my-data', name] },
    });

    const primary = after('primary', name);
    primary.admin.drbdadm('disconnect', name);
    expect(
      (await refused(primary, (tx) => tx.drbd.connect({ name, discardMyData: true }))).message,
    ).toContain('its data is not discarded');
  });

  it('connect discards local data also while it still looks for a peer that refused it', async () => {
    // 8.4 after a split brain: one side is StandAlone, and the other may have been too slow to see it.
    const host = up();
    await discardsNothingBeforeTheCommit(host);
    const begun = host.changes.length;
    await on(host, (tx) => tx.drbd.connect({ name, discardMyData: true }));
    expect(verbsSince(host, begun)).toEqual(['disconnect web1', 'connect --discard-my-data web1']);

    const { message, remedy } = await refused(up(), (tx) => tx.drbd.connect({ name }));
    expect(message).toContain('tries to connect to its peers already');
    expect(remedy).toMatch(/run on the peer: bofh drbd connect web1.*--discard-my-data/);
    expect(
      (await refused(connected(), (tx) => tx.drbd.connect({ name, discardMyData: true }))).message,
    ).toContain('is connected to peer');
  });

  it.each(['disconnect', '--discard-my-data'])('is continued after a kill before its %s', async (at) => {
    const host = up();
    host.fault({ tool: 'drbdadm', argvIncludes: at, mode: 'crash here' });
    await on(host, (tx) => tx.drbd.connect({ name, discardMyData: true })).catch(() => undefined);
    expect(host.process.alive).toBe(false);
    host.clearFaults();
    const again = host.restart();
    const begun = again.changes.length;
    expect(await recovered(again)).toBe('committed');
    expect(verbsSince(again, begun).at(-1)).toBe('connect --discard-my-data web1');
  });

  it('connect names the way to one of several peers', async () => {
    const host = up();
    const [found] = await states(host);
    const [peer] = found?.connections ?? [];
    if (found === undefined || peer === undefined) throw new TypeError('no peer');
    const ofNine = [
      { ...peer, nodeId: 1, peer: 'bob', state: 'Connected' },
      { ...peer, nodeId: 2, peer: 'carol', state: 'StandAlone' },
    ] as const;
    const run = (command: ReadCommand<unknown>) =>
      command.argv[0] === 'events2' ? [{ ...found, connections: ofNine }] : host.run(command);
    const three = Object.assign(Object.create(host) as SimulatedHost, { run });
    const error = await rejectionOf(connect.prepare({ args: { name }, mark: 'bofh.a.1', host: three }));
    expect((error as RefusedError).remedy).toContain('drbdadm connect web1:carol');
  });

  it('names no command of bofh for a resource that only the kernel has', async () => {
    const host = up();
    host.admin.removeFile('/etc/drbd.d/web1.res');
    const { message, remedy } = await refused(host, (tx) => tx.drbd.down({ name }));
    expect(message).toBe('web1 is up, but no file of the configuration has it');
    expect(remedy).toContain('drbdsetup down web1');
  });

  it('connect explains a split brain, with both choices', async () => {
    const host = after('disconnect', name);
    host.fault({ tool: 'drbdadm', access: 'change', mode: 'no effect, exit 0' });
    const error: unknown = await on(host, (tx) => tx.drbd.connect({ name })).catch((each: unknown) => each);
    expect((error as Error).message).toContain('split brain');
    expect(((error as Error).cause as RefusedError).remedy).toMatch(
      /discard-my-data web1.*That of the other host/,
    );
  });
});

/** Committed, killed before what comes after that, and booted. */
async function bootedBefore(host: SimulatedHost, act: (tx: Tx) => Promise<unknown>): Promise<SimulatedHost> {
  host.fault({ tool: 'drbdadm', access: 'change', mode: 'crash here' });
  await on(host, act).catch(() => undefined);
  expect(host.process.alive).toBe(false);
  host.clearFaults();
  return host.reboot();
}

/** How recovery ended. */
async function recovered(host: SimulatedHost): Promise<unknown> {
  const { engine } = simulatedBofh({ host });
  const [journal, ...more] = await openJournals(engine);
  expect(more).toEqual([]);
  return recover(journal?.id ?? '', { engine, yes: true }).then(
    ({ end, leftUntouched }) => [end, ...leftUntouched.map((each) => each.replace(/^.*: /, ''))].join(', '),
    (error: unknown) => error,
  );
}

/** Its data are known to be older than those of its peer, which is away. */
function outdated(): SimulatedHost {
  const host = up();
  for (const volume of host.world.drbd.resources[0]?.volumes ?? []) volume.disk = 'Outdated';
  return host;
}

describe('operations without an inverse', () => {
  const later = async (host: SimulatedHost, act: (tx: Tx) => Promise<unknown>): Promise<void> => {
    const before = host.snapshot();
    const failed = on(host, async (tx) => {
      await act(tx);
      expect(host.snapshot()).toBe(before);
      throw boom;
    });
    await expect(failed).rejects.toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);
    await on(host, act);
  };

  it('newCurrentUuid makes new data up to date on both hosts', async () => {
    const host = connected('Secondary', { disk: 'Inconsistent' }, 'Inconsistent');
    await later(host, (tx) => tx.drbd.newCurrentUuid({ name }));
    expect((await state(host))?.volumes[0]?.disk).toBe('UpToDate');
    expect((await refused(connected(), (tx) => tx.drbd.newCurrentUuid({ name }))).message).toContain(
      'is not new on both hosts',
    );
    expect((await refused(up('Inconsistent'), (tx) => tx.drbd.newCurrentUuid({ name }))).message).toContain(
      'is not connected to peer (Connecting)',
    );
  });

  it('invalidate and invalidateRemote refuse the last up-to-date copy, and one in use', async () => {
    const host = connected();
    await later(host, (tx) => tx.drbd.invalidate({ name }));
    expect((await state(host))?.connections[0]?.volumes[0]?.replication).toBe('SyncTarget');
    const other = connected();
    await later(other, (tx) => tx.drbd.invalidateRemote({ name }));
    expect((await state(other))?.connections[0]?.volumes[0]?.replication).toBe('SyncSource');

    const mine = (tx: Tx) => tx.drbd.invalidate({ name });
    for (const [host, is] of [
      [up(), 'UpToDate on this host, which may be the last good copy, and the peer is not connected'],
      [
        connected('Secondary', { disk: 'Inconsistent' }),
        'may be the last good copy, and Inconsistent on the peer',
      ],
      [outdated(), 'Outdated on this host, and the peer is not connected, so the state there is unknown'],
    ] as const)
      expect((await refused(host, mine)).message).toContain(is);
    expect((await refused(connected('Primary'), mine)).message).toContain('is primary on this host');
    const theirs = (tx: Tx) => tx.drbd.invalidateRemote({ name });
    expect((await refused(connected('Secondary', {}, 'Inconsistent'), theirs)).message).toBe(
      'volume 0 of web1 is Inconsistent on this host: there is no up-to-date data to send',
    );
    expect((await refused(connected('Secondary', { role: 'Primary' }), theirs)).message).toContain(
      'peer is primary of web1',
    );
    expect((await refused(up(), theirs)).message).toContain('not connected to a peer');
  });

  it('adjust does what drbdadm reports as needed, and keeps the data of a user reachable', async () => {
    const host = after('disconnect', name);
    await later(host, (tx) => tx.drbd.adjust({ name }));
    expect((await state(host))?.connections[0]?.state).toBe('Connecting');
    expect((await refused(up(), (tx) => tx.drbd.adjust({ name }))).message).toBe(
      'web1 already follows its configuration',
    );
  });

  it('adjust adds the volume that the file has now, and does not report another resource', async () => {
    const host = up();
    host.admin.lvcreate({ vg: 'vg0', name: 'web1-data', extents: 16 });
    const second = `    volume 1 {\n      device minor 1;\n      disk /dev/vg0/web1-data;\n      meta-disk internal;\n    }\n`;
    const text = resourceText(name).replaceAll('    address', `${second}    address`);
    host.admin.writeFile('/etc/drbd.d/web1.res', text);
    const act = (tx: Tx) => tx.drbd.adjust({ name });
    expect((await refused(host, act)).message).toContain('has no metadata of DRBD at its end');
    host.admin.drbdMetadata('/dev/vg0/web1-data', '3bde6cc090b8231f', 'UpToDate');
    const left: unknown[] = [];
    await withoutWaiting(() =>
      withBofh({ ...simulatedBofh({ host }), signals: {} }, () =>
        atomic('test', act, { onEvent: (event) => left.push(event) }),
      ),
    );
    expect((await state(host))?.volumes.map(({ minor }) => minor)).toEqual([0, 1]);
    expect(JSON.stringify(left)).not.toContain('other devices');
  });

  it('adjust does no more after a crash than was requested before it', async () => {
    const host = after('disconnect', name);
    host.fault({ tool: 'drbdadm', access: 'change', mode: 'crash here' });
    await on(host, (tx) => tx.drbd.adjust({ name })).catch(() => undefined);
    host.clearFaults();
    const again = host.restart();
    again.admin.drbdadm('detach', name);
    const begun = again.changes.length;
    expect(await recovered(again)).toMatchObject({
      blocked: [
        {
          why: expect.stringMatching(/has changed since the request: .*attach.*nothing was done/) as unknown,
        },
      ],
    });
    expect(verbsSince(again, begun)).toEqual([]);
    again.admin.drbdadm('adjust', name);
    expect(await recovered(again)).toBe('committed');
  });

  it('resize grows to the disk if all hosts are connected and one is primary', async () => {
    const small = (host: SimulatedHost): SimulatedHost => {
      for (const volume of host.world.drbd.resources[0]?.volumes ?? []) volume.size -= 4 * 1024 ** 2;
      return host;
    };
    const act = (tx: Tx) => tx.drbd.resize({ name });
    const host = small(connected('Primary'));
    await later(host, act);
    expect((await state(host))?.volumes[0]?.size).toBe(67_067_904);
    expect((await refused(connected('Primary'), act)).message).toContain(
      '/dev/vg0/web1-root has no space for more',
    );
    expect((await refused(small(up()), act)).message).toContain('is not connected to every peer');
    expect((await refused(small(connected()), act)).message).toContain('not primary on any host');
    expect((await refused(small(connected('Primary', { disk: 'Inconsistent' })), act)).message).toContain(
      'not up to date on every host',
    );
  });

  const small = (): SimulatedHost => {
    const host = connected('Primary');
    for (const volume of host.world.drbd.resources[0]?.volumes ?? []) volume.size -= 4 * 1024 ** 2;
    return host;
  };
  it.each([
    [
      'is smaller there',
      { connection: 'Connected' },
      'has not grown: the disk of its peer, whose size is unknown here',
    ],
    ['has gone away', { connection: 'Connecting', peer: undefined }, 'is not connected to every peer'],
  ] as const)(
    'resize that did nothing because the peer %s reports only what was seen',
    async (_, to, words) => {
      const host = small();
      const during: SimulatedHost['during'] = (step) => {
        const change = host.during(step);
        const run = async <T>(command: Command<T>): Promise<T> => {
          if (command.argv[0] !== 'resize') return change.run(command);
          host.admin.setDrbd(name, to);
          return command.parse({ exitCode: 0, stdout: '', stderr: '' });
        };
        return { ...change, run };
      };
      const failed = on({ ...host, during }, (tx) => tx.drbd.resize({ name }));
      await expect(failed).rejects.toThrow(words);
    },
  );

  const waiting = [
    {
      what: 'resize',
      stage: small,
      act: (tx: Tx) => tx.drbd.resize({ name }),
      again: { role: 'Primary', disk: 'UpToDate' },
      // Its disk was as large as that when it came up.
      done: [],
    },
    {
      what: 'newCurrentUuid',
      stage: () => connected('Secondary', { disk: 'Inconsistent' }, 'Inconsistent'),
      act: (tx: Tx) => tx.drbd.newCurrentUuid({ name }),
      again: { role: 'Secondary', disk: 'Inconsistent' },
      done: ['new-current-uuid'],
    },
    {
      what: 'connect with its own data discarded',
      stage: () => after('disconnect', name),
      act: (tx: Tx) => tx.drbd.connect({ name, discardMyData: true }),
      again: { role: 'Secondary', disk: 'UpToDate' },
      // They have met, so there was nothing to discard.
      done: [],
    },
  ] as const;

  it.each(waiting)(
    '$what before a boot is continued once the resource is up',
    async ({ stage, act, again, done }) => {
      const host = await bootedBefore(stage(), act);
      const begun = host.changes.length;
      const stuck: unknown = await recovered(host);
      expect(stuck).toBeInstanceOf(StuckError);
      expect((stuck as StuckError).blocked[0]).toMatchObject({
        why: expect.stringContaining('web1 is down now') as unknown,
        remedy: 'bring it up, on every host: drbdadm up web1; then: bofh recover',
      });
      host.admin.drbdadm('up', name);
      const peer = { role: 'Secondary', disk: again.disk } as const;
      host.admin.setDrbd(name, { role: again.role, connection: 'Connected', peer });
      expect(await recovered(host)).toBe('committed');
      const verbs = host.changes
        .slice(begun)
        .flatMap((each) =>
          each.what === 'command' && each.command.tool === 'drbdadm' ? [each.command.argv[0]] : [],
        );
      expect(verbs).toEqual(done);
    },
  );

  it('a resource that was removed since the boot has nothing left to do, and the journal says so', async () => {
    const host = await bootedBefore(connected(), (tx) => tx.drbd.invalidate({ name }));
    host.admin.removeFile('/etc/drbd.d/web1.res');
    expect(await recovered(host)).toBe('committed, web1 is not up, and no longer configured here');
  });

  it('an invalidated volume may still wait for the UUID of the peer', async () => {
    const host = connected();
    host.faults.watch(() => {
      for (const volume of host.world.drbd.resources[0]?.volumes ?? [])
        if (volume.replication === 'SyncTarget') volume.replication = 'WFSyncUUID';
    });
    await on(host, (tx) => tx.drbd.invalidate({ name }));
  });

  it('verify needs a peer at rest, and something to compare by', async () => {
    const act = (tx: Tx) => tx.drbd.verify({ name });
    expect((await refused(connected(), act)).remedy).toContain('verify-alg crc32c');
    const inCommon = connected();
    inCommon.admin.writeFile(commonFile, 'common { net { verify-alg md5; } }\n');
    expect(await on(inCommon, act)).toEqual({ name, volumes: [0] });
    const withAlgorithm = (host: SimulatedHost): SimulatedHost => {
      host.admin.writeFile(
        '/etc/drbd.d/web1.res',
        resourceText(name).replace('protocol C;', 'protocol C; verify-alg crc32c;'),
      );
      return host;
    };
    const host = withAlgorithm(connected());
    expect(await on(host, act)).toEqual({ name, volumes: [0] });
    expect(host.changes.at(-1)).toMatchObject({ what: 'command', command: { argv: ['verify', 'web1/0'] } });
    // It takes longer than both looks of the refusal.
    host.faults.watch(() => {
      for (const volume of host.world.drbd.resources[0]?.volumes ?? []) volume.replication = 'VerifyS';
    });
    expect(await on(host, act).catch((error: unknown) => error)).toMatchObject({
      message: expect.stringContaining('is in the state VerifyS with peer') as unknown,
    });
    expect((await refused(withAlgorithm(up()), act)).message).toContain(
      'is in the state Connecting with peer',
    );
  });
});

describe('waiting', () => {
  it('ends in that state, at its time limit, and at once when the state is impossible', async () => {
    const looks: string[] = [];
    const onLook = ({ role }: { readonly role: string }): void => void looks.push(role);
    await waitUntil(connected(), { name, what: 'sync', limitMs: 0, onLook });
    expect(looks).toEqual(['Secondary']);
    await expect(waitUntil(up(), { name, what: 'connection', limitMs: 0 })).rejects.toThrow(
      'web1 has not reached that state after 0 s: volume 0 to peer: Connecting, UpToDate here, DUnknown there',
    );
    await expect(
      waitUntil(after('disconnect', name), { name, what: 'sync', limitMs: 60_000 }),
    ).rejects.toThrow('StandAlone');
    await expect(
      waitUntil(after('pause-sync', name), { name, what: 'sync', limitMs: 60_000 }),
    ).rejects.toThrow('the resync is paused on this host');
    await expect(waitUntil(replicated(), { name, what: 'sync', limitMs: 60_000 })).rejects.toThrow(
      'web1 is not up',
    );
    const ended = new AbortController();
    const waits = waitUntil(up(), { name, what: 'sync', limitMs: 60_000, signal: ended.signal });
    ended.abort(new Error('ended'));
    await expect(waits).rejects.toThrow('ended');
  });

  it('a verification that lost its connection has no result', async () => {
    const waits = (host: SimulatedHost) => waitUntil(host, { name, what: 'verify', limitMs: 60_000 });
    await expect(waits(connected())).resolves.toMatchObject({ name });
    const begun = connected();
    begun.faults.watch(() => {
      for (const volume of begun.world.drbd.resources[0]?.volumes ?? []) volume.replication = 'VerifyS';
    });
    const lost = waitUntil(begun, {
      ...{ name, what: 'verify', limitMs: 60_000 },
      onLook: () => begun.admin.setDrbd(name, { connection: 'StandAlone', peer: undefined }),
    });
    await expect(lost).rejects.toMatchObject({
      message: expect.stringContaining('the verification of web1 was interrupted') as unknown,
      remedy:
        'connect them, and wait: bofh drbd connect web1; bofh drbd wait-sync web1; then verify it again: bofh drbd verify web1',
    });
    const resyncing = connected('Secondary', { disk: 'Inconsistent' });
    for (const volume of resyncing.world.drbd.resources[0]?.volumes ?? []) volume.replication = 'SyncSource';
    await expect(waits(resyncing)).rejects.toMatchObject({
      remedy: 'wait for the resync: bofh drbd wait-sync web1; then verify it again: bofh drbd verify web1',
    });
  });

  it('a verification has no known progress: out-of-sync is what it has found', () => {
    const of = (replication: 'VerifyS' | 'SyncSource') =>
      towards({
        ...{ name, role: 'Secondary', suspended: [] },
        volumes: [{ volume: 0, minor: 0, disk: 'UpToDate', size: 4096 }],
        connections: [
          {
            ...{ peer: 'peer', nodeId: 0, state: 'Connected', role: 'Secondary', paths: [] },
            volumes: [{ volume: 0, replication, disk: 'UpToDate', paused: [], outOfSync: 0 }],
          },
        ],
      }).map(({ done }) => done);
    expect([of('VerifyS'), of('SyncSource')]).toEqual([[undefined], [1]]);
  });

  const seen = (
    to: Partial<ResourceState['connections'][number]>,
    disk: 'Outdated' | 'UpToDate',
    paused: string[] = [],
  ) =>
    findings({
      name,
      state: {
        ...{ name, role: 'Secondary', suspended: [] },
        volumes: [{ volume: 0, minor: 0, disk }],
        connections: [
          {
            ...{ peer: 'peer', nodeId: 0, state: 'Connected', role: 'Secondary', paths: [] },
            volumes: [{ volume: 0, replication: 'Established', disk: 'UpToDate', paused }],
            ...to,
          },
        ],
      },
    });

  it.each([
    ['StandAlone', 'connect them, and wait: bofh drbd connect web1; bofh drbd wait-sync web1'],
    [
      'Connecting',
      'connect the other host (there: bofh drbd connect web1), and wait here: bofh drbd wait-sync web1',
    ],
    ['Connected', 'wait for the resync: bofh drbd wait-sync web1'],
  ] as const)('an outdated volume that is %s has a remedy that is not refused', (state, remedy) => {
    expect(seen({ state }, 'Outdated')).toContainEqual(expect.objectContaining({ remedy }));
  });

  it.each([
    [['user'], 'continue it: bofh drbd resume-sync web1'],
    [['peer'], 'continue it on peer: bofh drbd resume-sync web1'],
    [['dependency'], 'wait until the resync before it ends: bofh drbd status'],
  ])('a resync that is paused by %j is continued where it was paused', (paused, remedy) => {
    expect(seen({}, 'UpToDate', paused)).toContainEqual(expect.objectContaining({ remedy }));
  });
});
