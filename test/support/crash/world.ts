import { type Draw, drawOf } from '../../../src/simulator/faults/draw.ts';
import { memoryFiles, type MemoryFiles } from './files.ts';

/** An object of the toy host. `uid` is what the kernel would give it: never the same twice. */
export interface Thing {
  readonly uid: number;
  readonly mark?: string;
  readonly value?: string;
  /** The uid of the object that contains it. */
  readonly over?: number;
  readonly files?: Readonly<Record<string, string>>;
}

interface Unwritten {
  readonly key: string;
  readonly thing: Thing | undefined;
}

/** How much of what was not synced a power cut keeps; `bytes` counts in the journal's torn tail; `seed`: any part, drawn by it. */
export type Keep = 'none' | 'half' | 'whole' | { readonly bytes: number } | { readonly seed: number };

/** A toy host: everything on it, as its programs see it and as its disk has it. */
export interface World {
  /** What programs see. */
  disk: Map<string, Thing>;
  /** What a power cut leaves. */
  durable: Map<string, Thing>;
  /** Written, in this order, and not synced yet. */
  unwritten: readonly Unwritten[];
  /** Emptied by a reboot. */
  boot: Map<string, Thing>;
  bootId: number;
  uids: number;
  pids: number;
  files: MemoryFiles;
}

export function newWorld(): World {
  return {
    disk: new Map(),
    durable: new Map(),
    unwritten: [],
    boot: new Map(),
    bootId: 1,
    uids: 0,
    pids: 100,
    files: memoryFiles(),
  };
}

/** Another world just like it, with no process in it. */
export function copyWorld(world: World): World {
  return {
    ...world,
    disk: new Map(world.disk),
    durable: new Map(world.durable),
    boot: new Map(world.boot),
    files: world.files.copy(),
  };
}

/** Changes the disk; `cached` may be lost in a power cut until the key is synced. */
export function put(world: World, key: string, thing: Thing | undefined, how: 'durable' | 'cached'): void {
  set(world.disk, key, thing);
  if (how === 'cached') {
    world.unwritten = [...world.unwritten, { key, thing }];
    return;
  }
  world.unwritten = world.unwritten.filter((other) => other.key !== key);
  set(world.durable, key, thing);
}

function set<V>(map: Map<string, V>, key: string, value: V | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

/** Makes a key durable. */
export function flush(world: World, key: string): void {
  put(world, key, world.disk.get(key), 'durable');
}

/** The power fails: boot-lived things go, and of what was not synced so much stays as said. */
export function cutPower(world: World, keep: Keep): void {
  const some = someOf(keep);
  for (const { key, thing } of kept(world.unwritten, keep, some)) set(world.durable, key, thing);
  world.files.cutPower(keep, some);
  restart(world);
}

/** A clean reboot: everything is written first. */
export function reboot(world: World): void {
  for (const { key } of world.unwritten) flush(world, key);
  world.files.cutPower('whole', () => true);
  restart(world);
}

function restart(world: World): void {
  world.disk = new Map(world.durable);
  world.unwritten = [];
  world.boot = new Map();
  world.bootId += 1;
}

/** Whether one of many is kept: with few of them, half or most, as the seed has it. */
export type Some = () => boolean;

function someOf(keep: Keep): Some {
  const draw: Draw = typeof keep === 'object' && 'seed' in keep ? drawOf(keep.seed) : () => 0;
  const share = [0.15, 0.5, 0.85][Math.floor(draw() * 3)] ?? 0.5;
  return () => draw() < share;
}

/** Those of these changes that a power cut keeps, in their order. */
export function kept<T>(changes: readonly T[], keep: Keep, some: Some): readonly T[] {
  if (typeof keep === 'object' && 'seed' in keep) return changes.filter(some);
  return changes.slice(0, portion(keep, changes.length));
}

export function portion(keep: Keep, length: number): number {
  if (keep === 'none' || typeof keep === 'object') return 0;
  return keep === 'whole' ? length : Math.ceil(length / 2);
}

/** Every object in words, key by key; marks and uids, which differ from run to run, are left out for our own. */
export function fingerprint(world: World, foreign: ReadonlySet<number>): ReadonlyMap<string, string> {
  const nameOf = new Map([...world.disk].map(([key, { uid }]) => [uid, key]));
  const all = [...world.disk, ...world.boot].map(([key, thing]): [string, string] => {
    const { uid, over, ...rest } = thing;
    const where = over === undefined ? {} : { over: nameOf.get(over) ?? 'nothing' };
    const identity = foreign.has(uid) ? { uid } : {};
    return [unmarked(key), unmarked(JSON.stringify({ ...rest, ...where, ...identity }))];
  });
  // Without their marks two of ours may have one name.
  const values = new Map<string, string[]>();
  for (const [key, value] of all) values.set(key, [...(values.get(key) ?? []), value]);
  const sorted = [...values].map(([key, of]): [string, string] => [key, of.sort().join(', ')]);
  return new Map(sorted.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Marks hold the random id of a sequence. */
export function unmarked(text: string): string {
  return text.replaceAll(/bofh\.[0-9a-f]{12}\.\d+/g, 'MARK');
}

/** The keys in which two fingerprints differ. */
export function differences(
  a: ReadonlyMap<string, string>,
  b: ReadonlyMap<string, string>,
): readonly string[] {
  return [...new Set([...a.keys(), ...b.keys()])].filter((key) => a.get(key) !== b.get(key));
}
