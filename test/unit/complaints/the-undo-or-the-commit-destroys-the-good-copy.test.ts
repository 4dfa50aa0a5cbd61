import { describe, expect, it } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RolledBackError, StuckError } from '../../../src/core/errors.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { hostWithSource, recoverAll, site } from '../simulator/support.ts';

const good = '0c0ffee0-0000-4000-8000-0000000000aa';

/** The volume that must not be lost, and a file that must not be. */
function hostWithData(): SimulatedHost {
  const host = hostWithSource();
  host.admin.lvcreate({ vg: 'vg0', name: 'data', extents: 4 });
  host.admin.format('/dev/vg0/data', { type: 'ext4', usage: 'filesystem', uuid: good, version: '1.0' });
  host.admin.writeFile('/etc/good.conf', 'the good one\n');
  return host;
}

/** A new volume and a new file take the place of the old ones. */
async function replace(host: SimulatedHost): Promise<void> {
  await withBofh(simulatedBofh({ host, site }), () =>
    atomic('replace', async (tx) => {
      await tx.lvm.removeLv({ vg: 'vg0', name: 'data' });
      const { path } = await tx.lvm.createLv({ vg: 'vg0', name: 'data', size: '16m' });
      await tx.filesystem.create({ device: path, type: 'ext4' });
      await tx.file.remove({ path: '/etc/good.conf' });
      await tx.file.create({ path: '/etc/good.conf', content: 'the new one\n', mode: 0o644 });
    }),
  );
}

/** Is a whole copy on the host, by any name: the old one, or the new one? */
function copies(host: SimulatedHost): { readonly old: boolean; readonly fresh: boolean } {
  const lines = host.snapshot().split('\n');
  const formatted = lines.filter(
    (line) => / holds ext4 /.test(line) && !line.includes('web1') && !line.includes('vda'),
  );
  return {
    old: formatted.some((line) => line.startsWith('now ') && line.includes(good)),
    fresh: formatted.some((line) => line.startsWith('now ') && !line.includes(good)),
  };
}

async function pointsOf(): Promise<number> {
  const host = hostWithData();
  const begun = host.points.length;
  await replace(host);
  return host.points.slice(begun).filter(({ tool }) => tool !== 'store').length;
}

describe('the undo or the commit destroys the good copy', () => {
  it('not the undo: after any failed change, the old volume and file are intact, or the new ones complete', async () => {
    const points = await pointsOf();
    const ends = { undone: 0, committed: 0 };
    for (const mode of ['fails before', 'acts then fails'] as const)
      for (let nth = 1; nth <= points; nth += 1) {
        const words = `change ${String(nth)} ${mode}`;
        const host = hostWithData();
        const before = host.snapshot();
        host.fault({ nth, mode });

        const error = await replace(host).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        host.clearFaults();

        if (error instanceof RolledBackError) {
          ends.undone += 1;
          expect(host.snapshot(), words).toBe(before);
          continue;
        }
        // Only what was committed may be without the old ones.
        ends.committed += 1;
        if (error !== undefined) {
          expect(error, words).toBeInstanceOf(StuckError);
          expect(error, words).toHaveProperty('committed', true);
          await recoverAll(host.restart());
        }
        expect(copies(host), words).toEqual({ old: false, fresh: true });
        expect(host.admin.readFile('/etc/good.conf'), words).toBe('the new one\n');
      }
    expect(ends.undone).toBeGreaterThan(10);
    expect(ends.committed).toBeGreaterThan(0);
  });

  it('not the commit: after a kill at any change one complete copy exists, and recovery keeps the last one', async () => {
    const points = await pointsOf();
    const ends = new Set<string>();
    for (let nth = 1; nth <= points; nth += 1)
      for (const keep of ['all', 'none'] as const) {
        const host = hostWithData();
        host.fault({ nth, mode: 'acts then crash' });
        await replace(host).catch(() => undefined);
        host.clearFaults();

        const again = host.powerCut({ keep });
        const { old, fresh } = copies(again);
        expect(old || fresh, `killed at change ${String(nth)}, ${keep}`).toBe(true);
        await recoverAll(again);

        const after = copies(again);
        expect(after.old !== after.fresh, `recovered from change ${String(nth)}, ${keep}`).toBe(true);
        expect(again.admin.readFile('/etc/good.conf')).toBe(after.old ? 'the good one\n' : 'the new one\n');
        ends.add(after.old ? 'old' : 'new');
      }
    expect([...ends].toSorted()).toEqual(['new', 'old']);
  });
});
