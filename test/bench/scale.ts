import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lvm, vm } from '../../src/index.ts';
import { withBofh } from '../../src/bofh.ts';
import { type Bofh } from '../../src/connect.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../src/simulator/index.ts';
import { decode, encode, type IntentLine, type Line } from '../../src/atomic/journal/lines.ts';
import { openJournals, plan } from '../../src/atomic/recovery/recover.ts';
import { fold } from '../../src/atomic/journal/state.ts';
import { furnish, realEngine } from '../support/crash/real/engine.ts';
import { begin, intent } from '../support/crash/lines.ts';
import type { Pair } from './pairs.ts';

const many = 10_000;
const few = 100;
const openOnes = 1000;

/** What `journal list` may take for 1,000 open journals. */
const second = 1000;

/**
 * How the cost grows: one journal of many steps against as many steps in short ones, which is what it would be if no step cost more
 * for those beside it. A ratio of 1 is flat.
 */
export function scalePairs(directory: string): readonly Pair[] {
  const one = (name: string, stepsOf: (count: number) => readonly IntentLine[]): readonly Pair[] => {
    const [long, short] = [many, few].map((count) => [begin, ...stepsOf(count), rollback]);
    if (long === undefined || short === undefined) return [];
    const times = Array.from({ length: many / few });
    const [longState, shortState] = [fold(long), fold(short)];
    const bare = `as many steps, ${String(few)} in each`;
    const pair = (what: string, work: (of: 'long' | 'short') => void): Pair => ({
      name: `${what} ${String(many)} steps, ${name}`,
      bare,
      ours: () => {
        work('long');
        return Promise.resolve();
      },
      theirs: () => {
        for (const _ of times) work('short');
        return Promise.resolve();
      },
    });
    const bytes = { long: encode(long, 0).bytes, short: encode(short, 0).bytes };
    return [
      pair('reading', (of) => {
        fold(decode(bytes[of], 'bench').lines);
      }),
      pair('the plan of', (of) => {
        plan(of === 'long' ? longState : shortState, boots);
      }),
    ];
  };
  return [
    ...one('each by itself', (count) => numbers(count).map((n) => step(n))),
    ...one('all in one', (count) =>
      numbers(count).map((n) => step(n, n === 1 ? { contains: 'container' } : { within: 'container' })),
    ),
    plainMap,
    listOf(directory),
    ...hostPairs(),
  ];
}

/** The list of a large simulated host, against ten lists of one with a tenth of its objects. */
function hostPairs(): readonly Pair[] {
  const tenth = (count: number): string => `ten lists of ${String(count / 10)}`;
  const pair = (
    name: string,
    count: number,
    make: (host: SimulatedHost, n: number) => void,
    list: () => Promise<unknown>,
  ): Pair => {
    const of = (objects: number): Bofh => {
      const host = simulatedHost();
      for (const n of numbers(objects)) make(host, n);
      return simulatedBofh({ host });
    };
    const [large, small] = [of(count), of(count / 10)];
    return {
      name,
      bare: tenth(count),
      ours: async () => {
        await withBofh(large, list);
      },
      theirs: async () => {
        for (const _ of Array.from({ length: 10 })) await withBofh(small, list);
      },
    };
  };
  const volume = (host: SimulatedHost, n: number): void =>
    void host.admin.lvcreate({ vg: 'vg0', name: `v${String(n)}`, extents: 1 });
  const guest = (host: SimulatedHost, n: number): void => {
    const name = `g${String(n)}`;
    host.admin.writeFile(
      `/etc/xen/${name}.cfg`,
      `name = '${name}'\nmemory = 128\nkernel = '/boot/vmlinuz'\n`,
    );
    host.admin.startDomain({ name });
  };
  return [
    pair('lvm.lvs() of 10,000 volumes', many, volume, () => lvm.lvs()),
    pair('vm.list() of 2,000 running guests', 2000, guest, () => vm.list()),
  ];
}

/**
 * What the memory of the machine costs: as many keys as the steps above have, in one plain Map or in many small ones. The other
 * ratios are read against this one.
 */
const plainMap: Pair = {
  name: `a plain Map of ${String(many)} keys`,
  bare: `as many keys, ${String(few)} in each`,
  ours: () => {
    fillMaps(1, many);
    return Promise.resolve();
  },
  theirs: () => {
    fillMaps(many / few, few);
    return Promise.resolve();
  },
};

/** Ten times over: once is too short to be measured. */
function fillMaps(maps: number, keys: number): void {
  for (let turn = 0; turn < 10 * maps; turn += 1) {
    const map = new Map<string, { readonly n: number }>();
    for (let n = 0; n < keys; n += 1) map.set(`key:${String(n)}`, { n });
    for (let n = 0; n < keys; n += 1)
      if (map.get(`key:${String(n)}`)?.n !== n) throw new Error('a key is missing');
  }
}

const rollback: Line = { t: 'rollback', because: 'bench' };
const boots = { '': 'b' };

function numbers(count: number): readonly number[] {
  return Array.from({ length: count }, (_, at) => at + 1);
}

function step(n: number, more: Partial<IntentLine> = {}): IntentLine {
  return intent(n, { claims: { makes: [`key:${String(n)}`], needs: ['group'] }, ...more });
}

/** Open journals of dead processes, against the mere reading of their files; and the time that it may take at most. */
function listOf(directory: string): Pair {
  const home = join(directory, 'many');
  mkdirSync(home);
  furnish(home);
  const engine = realEngine(home);
  const journals = join(home, 'journal');
  mkdirSync(journals, { mode: 0o700 });
  for (const n of numbers(openOnes))
    writeFileSync(
      join(journals, `${n.toString(16).padStart(12, '0')}.journal`),
      encode([{ ...begin, id: String(n) }, step(1)], 0).bytes,
      { mode: 0o600 },
    );
  return {
    name: `listing ${String(openOnes)} open journals (bound: ${String(second)} ms)`,
    bare: 'their files read and decoded',
    ours: async () => {
      await openJournals(engine);
    },
    theirs: () => {
      for (const name of readdirSync(journals).filter((each) => each.endsWith('.journal')))
        decode(readFileSync(join(journals, name)), name);
      return Promise.resolve();
    },
  };
}
