import { beforeEach, describe, expect, it } from 'vitest';
import { abandon, openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { journalShow } from '../../../src/cli/output/answers/index.ts';
import { explain } from '../../../src/cli/errors/explain.ts';
import { asText } from '../../../src/cli/errors/explanation.ts';
import { JournalError, RefusedError, StuckError, UsageError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';

// What people complain of in other tools, one test a complaint.

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
});

const engineOn = (at: SimulatedHost) => simulatedBofh({ host: at }).engine;

/** Creates a volume with a filesystem; another process mounts it; then a later step fails. */
async function stuck(): Promise<StuckError> {
  const failure: unknown = await withBofh(simulatedBofh({ host }), () =>
    atomic('make web1', async (tx) => {
      const lv = await tx.lvm.createLv({ vg: 'vg0', name: 'web1', size: '64m' });
      await tx.filesystem.create({ device: lv.path, type: 'ext4' });
      await tx.file.create({ path: '/etc/xen/web1.cfg', content: 'x', mode: 0o644 });
      host.admin.mkdir('/mnt/data');
      host.admin.mount(lv.path, '/mnt/data');
      throw new RefusedError('later');
    }),
  ).catch((error: unknown) => error);
  if (failure instanceof StuckError) return failure;
  throw new Error('it is not stuck', { cause: failure });
}

/** The same work, killed with all of it done. */
async function killed(): Promise<SimulatedHost> {
  const work = withBofh(simulatedBofh({ host }), () =>
    atomic('make web1', async (tx) => {
      await tx.lvm.createLv({ vg: 'vg0', name: 'web1', size: '64m' });
      host.kill();
    }),
  );
  await expect(work).rejects.toThrow();
  return host.restart();
}

async function makeAgain(at: SimulatedHost): Promise<void> {
  await withBofh(simulatedBofh({ host: at }), () =>
    atomic('again', (tx) => tx.lvm.createLv({ vg: 'vg0', name: 'web1', size: '64m' })),
  );
}

describe('complaints', () => {
  it('"a failed create left a volume behind, and now its name is unusable": it is undone, and the name is free', async () => {
    const before = host.snapshot();
    host.fault({ tool: 'mkfs.ext4', mode: 'acts then fails' });
    const failed = withBofh(simulatedBofh({ host }), () =>
      atomic('make web1', async (tx) => {
        const lv = await tx.lvm.createLv({ vg: 'vg0', name: 'web1', size: '64m' });
        await tx.filesystem.create({ device: lv.path, type: 'ext4' });
      }),
    );
    await expect(failed).rejects.toThrow('was rolled back');

    expect(host.snapshot()).toBe(before);
    await makeAgain(host);
  });

  it('"the client died, and with it the knowledge of what to undo": another process undoes it', async () => {
    const before = host.snapshot();
    const after = await killed();
    const engine = engineOn(after);

    await expect(makeAgain(after)).rejects.toThrow(/web1/);
    for (const { id } of await openJournals(engine)) await recover(id, { engine, yes: false });

    expect(after.snapshot()).toBe(before);
    await makeAgain(after);
  });

  it('"it is stuck half-deleted": each remaining step is named with its identity, its holder, and the commands to see and clear it', async () => {
    const error = await stuck();

    const text = asText(explain(error, { root: true }));

    const uuid = host.world.lvm[0]?.lvs.find(({ name }) => name === 'web1')?.uuid ?? 'none';
    expect(error.undone.map(({ kind }) => kind)).toEqual(['file.create']);
    expect(error.blocked.map(({ kind }) => kind)).toEqual(['lvm.lv.create', 'filesystem.create']);
    expect(text).toContain('undone: step 3 file.create (/etc/xen/web1.cfg)');
    expect(text).toMatch(/blocked: step 1 lvm\.lv\.create .*: .*\/mnt\/data/);
    expect(text).toMatch(/held: {2}mounted on \/mnt\/data/);
    expect(text).toContain('free:  umount /mnt/data');
    expect(text).toMatch(/it is: the ext4 of UUID [0-9a-f-]{36} on \/dev\/vg0\/web1/);
    expect(text).toContain('clear: wipefs --all /dev/vg0/web1');
    expect(text).toContain('logical volume vg0/web1): step 1 stands in the way');
    expect(text).toContain(`created as vg0/web1 (uuid ${uuid})`);
    expect(text).toContain(`look:  lvs --all`);
    // In the order of the manual recovery.
    expect(text.indexOf('wipefs')).toBeLessThan(text.indexOf('lvremove'));
    expect(text).toContain(`next: bofh journal show ${error.id ?? ''}; bofh recover`);
  });

  it('"it is stuck half-deleted": the journal says the same afterwards, in words and as data', async () => {
    const error = await stuck();
    const after = host.restart();
    const [words, data] = [{}, { json: true }].map((options) =>
      testRuntime(simulatedBofh({ host: after }), options),
    );

    // Its process has come to its end and so holds nothing any more.
    host.kill();
    for (const each of [words, data])
      await runVerb(each?.runtime ?? testRuntime(simulatedBofh()).runtime, `journal show ${error.id ?? ''}`);

    const { steps, state } = journalShow.parse(JSON.parse(data?.stdout() ?? ''));
    expect(state).toBe('interrupted');
    expect(steps).toMatchObject([
      {
        state: 'blocked',
        heldBy: [{ who: expect.stringContaining('/mnt/data') as unknown, free: 'umount /mnt/data' }],
        manualRecovery: {
          clear: [/^lvchange /, /^lvremove /].map((word) => expect.stringMatching(word) as unknown),
        },
      },
      {
        state: 'blocked',
        manualRecovery: { clear: ['wipefs --all /dev/vg0/web1'] },
      },
      { state: 'undone' },
    ]);
    expect(steps[2]?.manualRecovery).toBeUndefined();
    expect(words?.stdout()).toContain('clear: wipefs --all /dev/vg0/web1');
    expect(words?.stdout()).toContain(`next: bofh recover ${error.id ?? ''}`);
    expect(words?.stdout()).toContain(`bofh recover --abandon ${error.id ?? ''} --because`);
  });

  it('"it is stuck half-deleted": after the commit it says what is done, and how to finish the rest', async () => {
    await makeAgain(host);
    host.fault({ tool: 'lvremove', mode: 'fails before', times: 9 });

    const error: unknown = await withBofh(simulatedBofh({ host }), () =>
      atomic('remove web1', async (tx) => {
        await tx.lvm.removeLv({ vg: 'vg0', name: 'web1' });
        await tx.file.create({ path: '/etc/xen/note', content: 'x', mode: 0o644 });
        return 'removed';
      }),
    ).catch((thrown: unknown) => thrown);

    const text = asText(explain(error, { root: true }));
    expect(error).toMatchObject({ committed: true, value: 'removed' });
    expect(text).toContain('done: step 2 file.create (/etc/xen/note)');
    expect(text).toMatch(/blocked: step 1 lvm\.lv\.remove/);
    expect(text).toMatch(/clear: lvremove --select 'lv_uuid=\S+ && /);
    expect(text).not.toContain('clear: lvrename');
  });

  it('"it told me to remove what was still being made": no command clears objects of a running sequence', async () => {
    const told: unknown[] = [];
    await withBofh(simulatedBofh({ host }), () =>
      atomic('at work', async (tx) => {
        await tx.lvm.createLv({ vg: 'vg0', name: 'web1', size: '64m' });
        const { runtime, stdout } = testRuntime(simulatedBofh({ host: host.restart() }), { json: true });
        const [open] = await openJournals(engineOn(host.restart()));
        await runVerb(runtime, `journal show ${open?.id ?? ''}`);
        told.push(journalShow.parse(JSON.parse(stdout())));
      }),
    );

    expect(told).toMatchObject([{ state: 'running', steps: [{ n: 1 }] }]);
    expect(JSON.stringify(told)).not.toContain('manualRecovery');
  });

  it('"it stays stuck after I repaired it": the next recovery looks again, and finishes it', async () => {
    const before = host.snapshot();
    const { id = '' } = await stuck();
    const engine = engineOn(host);
    await expect(recover(id, { engine, yes: true })).rejects.toBeInstanceOf(StuckError);

    host.admin.umount('/mnt/data');

    expect(await recover(id, { engine, yes: false })).toMatchObject({ end: 'rolled-back' });
    expect(host.snapshot().replace(/.*\/mnt.*\n/g, '')).toBe(before.replace(/.*\/mnt.*\n/g, ''));
  });

  it('"the lock is stale since the crash, and unlocking by force broke it": a dead process holds no lock, and a living one cannot be unlocked', async () => {
    const refusals: unknown[] = [];
    await withBofh(simulatedBofh({ host }), () =>
      atomic('at work', async (tx) => {
        await tx.lvm.createLv({ vg: 'vg0', name: 'web1', size: '64m' });
        const other = engineOn(host.restart());
        const [open] = await openJournals(other);
        const id = open?.id ?? '';
        refusals.push(await abandon(other, id, 'I want it').catch((error: unknown) => error));
        refusals.push(await recover(id, { engine: other, yes: true }));
      }),
    );
    expect(refusals).toMatchObject([
      { message: expect.stringMatching(/is in use/) as unknown },
      { end: 'running' },
    ]);
    expect(refusals[0]).toBeInstanceOf(JournalError);

    host = simulatedHost();
    const after = await killed();
    const engine = engineOn(after);
    for (const { id } of await openJournals(engine)) await abandon(engine, id, 'it is wanted');
    after.admin.lvremove('vg0', 'web1');
    await makeAgain(after);
  });

  it('"unlocking by force broke it": while a program of the dead process still runs, its journal cannot be abandoned', async () => {
    host.fault({ tool: 'lvcreate', mode: 'hangs' });
    const work = withBofh(simulatedBofh({ host }), () =>
      atomic('make web1', (tx) => tx.lvm.createLv({ vg: 'vg0', name: 'web1', size: '64m' })),
    ).catch(() => undefined);
    while (host.world.orphans.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    host.kill();
    await work;
    const after = host.restart();
    const [open] = await openJournals(engineOn(after));

    expect(open?.owner).toBe('orphan');
    await expect(abandon(engineOn(after), open?.id ?? '', 'now')).rejects.toThrow(/still running/);
  });

  it('"it is refused, and no reason is given": the refusal says what, why, the holder, and what to run', async () => {
    const { id = '' } = await stuck();
    host.kill();
    const after = host.restart();

    const refused: unknown = await makeAgain(after).catch((error: unknown) => error);

    expect(explain(refused, { root: true })).toMatchObject({
      failed: expect.stringContaining(
        `logical volume vg0/web1 belongs to the unfinished sequence ${id} "make web1"`,
      ) as unknown,
      next: `bofh recover; to look first: bofh journal show ${id}`,
      exitCode: 4,
    });
    after.admin.umount('/mnt/data');
    const claimed: unknown = await withBofh(simulatedBofh({ host: after }), () =>
      atomic('remove it', (tx) => tx.lvm.removeLv({ vg: 'vg0', name: 'web1' })),
    ).catch((error: unknown) => error);
    expect(explain(claimed, { root: true })).toMatchObject({
      failed: expect.stringContaining(
        `logical volume vg0/web1 belongs to the unfinished sequence ${id} "make web1"`,
      ) as unknown,
      next: `bofh recover; to look first: bofh journal show ${id}`,
      exitCode: 4,
    });
  });
});

describe('bofh recover --abandon', () => {
  it.each([undefined, '', '  \t'])('refuses the reason %j', async (because) => {
    const after = await killed();
    const { runtime } = testRuntime(simulatedBofh({ host: after }));
    const [open] = await openJournals(engineOn(after));

    const reason = because === undefined ? [] : ['--because', because];
    const refused = runVerb(runtime, ['recover', '--abandon', open?.id ?? '', ...reason]);

    await expect(refused).rejects.toBeInstanceOf(UsageError);
    expect((await openJournals(engineOn(after)))[0]?.state.closed).toBeUndefined();
  });

  it('keeps leftovers listed, with the reason, and leaves the host as it is', async () => {
    const after = await killed();
    const before = after.snapshot();
    const [open] = await openJournals(engineOn(after));
    const id = open?.id ?? '';
    const at = () => testRuntime(simulatedBofh({ host: after }), { json: true });

    const abandon = ['recover', '--abandon', id, '--because', 'it is wanted'];
    expect(await runVerb(at().runtime, abandon)).toBe(0);

    const shown = at();
    await runVerb(shown.runtime, `journal show ${id}`);
    expect(journalShow.parse(JSON.parse(shown.stdout()))).toMatchObject({
      state: 'abandoned',
      because: 'it is wanted',
      steps: [
        { state: 'done', manualRecovery: { what: expect.stringContaining(`bofh.${id}.1`) as unknown } },
      ],
      recovery: [],
    });
    expect(after.snapshot()).toBe(before);
  });
});
