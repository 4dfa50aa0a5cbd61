import { describe, expect, it } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { BofhError, RolledBackError } from '../../../src/core/errors.ts';
import { fork } from '../../../src/simulator/fork.ts';
import { simulate, simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { unknownIn } from '../../../src/simulator/real-host/unknown.ts';
import { isWhole } from '../../support/sampled.ts';
import { key, make, randomScript, type Script } from '../../support/plan/random-script.ts';
import { bofhOn } from '../simulator/support.ts';
import { lineOf, unnamed } from './support.ts';

const mib = 1024 ** 2;

/** A host with content of every kind, so that a plan has to ask it. */
async function filled(): Promise<SimulatedHost> {
  const host = simulatedHost({
    volumeGroups: [{ name: 'vg0', size: 2 * 1024 * mib }],
    disks: ['sdb', 'sdc', 'sdd'].map((name) => ({ name, size: 512 * mib })),
  });
  const { admin } = host;
  admin.writeFile(key.path, 'geheim', 0o600);
  for (const path of ['/srv', '/mnt/a', '/mnt/b', '/mnt/old', '/mnt/loop']) admin.mkdir(path);
  for (const name of ['old', 'blank', 'asleep', 'locked', 'held'])
    admin.lvcreate({ vg: 'vg0', name, extents: 80 });
  await withBofh(bofhOn(host), async () => {
    await atomic('content', async (tx) => {
      await tx.filesystem.create({ device: '/dev/vg0/old', type: 'ext4', label: 'old' });
      await tx.filesystem.create({ device: '/dev/vg0/asleep', type: 'ext4' });
      await tx.mount.mount({ device: '/dev/vg0/old', path: '/mnt/old', mode: 'rw' });
      await tx.lvm.createPv({ device: '/dev/sdd' });
      for (const device of ['/dev/vg0/locked', '/dev/vg0/held'])
        await tx.crypt.format({ device, key, pbkdf: 'pbkdf2' });
      await tx.crypt.open({ device: '/dev/vg0/held', key, name: 'unlocked' });
      await tx.filesystem.create({ device: '/dev/mapper/unlocked', type: 'ext4' });
      for (const file of ['/srv/loop0.img', '/srv/whole.img']) {
        await tx.block.createImage({ file, size: 400 * mib });
        const { device } = await tx.block.attachLoop({ file });
        await tx.filesystem.create({ device, type: 'ext4' });
      }
    });
    await atomic('rest', async (tx) => {
      await tx.block.detachLoop({ device: '/dev/loop1' });
      await tx.lvm.deactivateLv({ vg: 'vg0', name: 'asleep' });
    });
  });
  return host;
}

let made: Promise<SimulatedHost> | undefined;

async function filledHost(): Promise<SimulatedHost> {
  made ??= filled();
  return fork(await made);
}

/** What came of each sequence: the values of its steps, or why it failed. */
async function outcomes(host: SimulatedHost, script: Script, planning: boolean) {
  const ends: string[] = [];
  let unknown = false;
  await withBofh(simulatedBofh({ host, planning }), async () => {
    for (const calls of script) {
      if (unknown) return;
      const from = host.changes.length;
      let end: string;
      try {
        const values = await atomic('script', async (tx) => {
          const values: unknown[] = [];
          for (const call of calls) values.push(await make(tx, call));
          return values;
        });
        end = JSON.stringify(values);
      } catch (error) {
        const why = error instanceof RolledBackError ? error.cause : error;
        if (!(why instanceof BofhError)) throw error;
        unknown = unknownIn(error) !== undefined;
        end = unknown ? 'unknown' : `${why.code}: ${why.message}`;
      }
      const lines = host.changes.slice(from).map((change) => unnamed(lineOf(change)));
      ends.push(
        [JSON.stringify(calls), ...lines, end]
          .join('\n')
          .replaceAll(/.*/g, unnamed)
          .replaceAll(/-i [0-9a-f]{8}\b|\b[0-9A-F]{4}-[0-9A-F]{4}\b/g, 'VOLUME-ID'),
      );
    }
  });
  return { ends, unknown };
}

describe('the plan of a random script', () => {
  let unknown = 0;
  const seeds = Array.from(
    { length: Number(process.env.BOFH_PLANS ?? (isWhole ? 200 : 60)) },
    (_, n) => n + 1,
  );

  it.each(seeds)('of seed %i has the verdicts, commands and values of the run', async (seed) => {
    const real = await filledHost();
    const script = randomScript(seed);

    const before = real.snapshot();
    const plan = await outcomes(await simulate(real), script, true);
    expect(real.snapshot()).toBe(before);
    const run = await outcomes(real, script, false);

    // Where a plan cannot know it says so, and the rest is not compared.
    const known = plan.unknown ? plan.ends.slice(0, -1) : plan.ends;
    expect(known).toEqual(run.ends.slice(0, known.length));
    if (plan.unknown) unknown += 1;
    else expect(known.length).toBe(run.ends.length);
  });

  it('is seldom unknown', () => {
    expect(unknown).toBeLessThan(seeds.length / 10);
  });
});
