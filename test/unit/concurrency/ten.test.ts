import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { JournalError, RefusedError, RolledBackError } from '../../../src/core/errors.ts';
import { type SimulatedHost, simulatedHost } from '../../../src/simulator/index.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';
import { failureOf, linesOnlyIn } from './support.ts';

/** What each of the ten makes: a, b and c are wanted by two or three of them. */
const wanted = ['a', 'b', 'c', 'a', 'd', 'e', 'b', 'f', 'a', 'c'];

/** A volume with a filesystem, and a file: the keys are locked one step after the other. */
async function make(host: SimulatedHost, name: string): Promise<void> {
  await withBofh(bofhOn(host), () =>
    atomic(`make ${name}`, async (tx) => {
      const { path } = await tx.lvm.createLv({ vg: 'vg0', name, size: '16m' });
      await tx.filesystem.create({ device: path, type: 'ext4' });
      await tx.file.create({
        path: `/srv/${name}`,
        content: `of process ${String(host.process.pid)}\n`,
        mode: 0o644,
      });
    }),
  );
}

const seeds = Array.from({ length: 12 }, (_, index) => index + 1);

/** Numbers that look random, the same ones for a seed. */
function random(seed: number): () => number {
  let state = seed * 2_654_435_761;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
}

/** The same process, which lets others go first now and then before it looks at anything or changes it. */
function paced(host: SimulatedHost, next: () => number): SimulatedHost {
  const later = async <R>(act: () => Promise<R>): Promise<R> => {
    for (let left = Math.floor(next() * 3); left > 0; left -= 1) await turn();
    return await act();
  };
  return {
    ...host,
    run: (command) => later(() => host.run(command)),
    readFile: (path) => later(() => host.readFile(path)),
    readDir: (path) => later(() => host.readDir(path)),
    stat: (path) => later(() => host.stat(path)),
    during: (step) => {
      const changing = host.during(step);
      return {
        ...changing,
        run: (command) => later(() => changing.run(command)),
        stat: (path) => later(() => changing.stat(path)),
        writeNew: (path, content, options) => later(() => changing.writeNew(path, content, options)),
        link: (existing, path) => later(() => changing.link(existing, path)),
        removeFile: (path) => later(() => changing.removeFile(path)),
      };
    },
  };
}

/** All ten side by side, in another order for each seed; what each was rejected with. */
async function together(
  first: SimulatedHost,
  seed: number,
  act: (host: SimulatedHost, index: number) => Promise<void>,
): Promise<readonly unknown[]> {
  const next = random(seed);
  return await Promise.all(
    wanted.map(async (_, index) => await failureOf(act(paced(first.restart(), next), index))),
  );
}

/** The host as it was, and exactly what these have made. */
function expectExactly(host: SimulatedHost, before: string, made: readonly string[]): void {
  const after = host.snapshot();
  expect(linesOnlyIn(before, after)).toEqual([]);
  const volumes = linesOnlyIn(after, before).flatMap(
    (line) => /^lv vg0\/(?<name>\w+) /.exec(line)?.groups?.name ?? [],
  );
  const files = linesOnlyIn(after, before).flatMap(
    (line) => /^now vda "\/srv\/(?<name>[^"]+)"/.exec(line)?.groups?.name ?? [],
  );
  expect([volumes.sort(), files.sort()]).toEqual([[...made].sort(), [...made].sort()]);
}

describe('ten bofh at once', () => {
  test.each(seeds)(
    'each completes or is refused with the holder named, and the host has the objects of the winners (seed %i)',
    async (seed) => {
      const host = simulatedHost();
      const before = host.snapshot();

      const ends = await together(host, seed, (own, index) => make(own, wanted[index] ?? ''));

      for (const [index, error] of ends.entries()) {
        if (error === undefined) continue;
        const reason = error instanceof RolledBackError ? error.cause : error;
        expect(reason instanceof JournalError || reason instanceof RefusedError).toBe(true);
        const name = wanted[index] ?? '';
        expect(String(reason)).toMatch(
          new RegExp(
            `logical volume vg0/${name} is in use by (?:sequence [0-9a-f]+ "make ${name}" \\(pid \\d+: bofh\\)|another bofh that has just started)|vg0/${name} exists already`,
          ),
        );
      }
      const winners = wanted.filter((_, index) => ends[index] === undefined);
      expect(new Set(winners).size).toBe(winners.length);
      expect([...winners].sort()).toEqual([...new Set(wanted)].sort());
      expectExactly(host.restart(), before, winners);
    },
  );

  test.each(seeds)('a killed one does not affect the others, and is recovered (seed %i)', async (seed) => {
    const host = simulatedHost();
    const before = host.snapshot();
    const victim = seed % wanted.length;

    const ends = await together(host, seed, async (own, index) => {
      const killing = index === victim ? killAfter(own, 20 * seed) : undefined;
      await Promise.all([make(own, wanted[index] ?? ''), killing]);
    });
    const again = host.restart();
    await recoverAll(again);

    for (const [index, error] of ends.entries())
      if (index !== victim && wanted[index] !== wanted[victim] && !isWanted(index))
        expect(error).toBeUndefined();
    // The objects of the victim may be gone; its committed ones stay.
    const others = wanted.filter((name, index) => ends[index] === undefined && name !== wanted[victim]);
    const survived = [...new Set(wanted)].filter((name) => again.snapshot().includes(`lv vg0/${name} `));
    expect(survived.filter((name) => name !== wanted[victim])).toEqual([...new Set(others)].sort());
    expectExactly(again, before, survived);
  });
});

/** Wanted by more than one of them. */
function isWanted(index: number): boolean {
  return wanted.filter((name) => name === wanted[index]).length > 1;
}

/** Kills a process after so many turns of the event loop: between two of its accesses, wherever that is. */
async function killAfter(host: SimulatedHost, turns: number): Promise<void> {
  for (let left = turns; left > 0; left -= 1) await turn();
  host.kill();
}
