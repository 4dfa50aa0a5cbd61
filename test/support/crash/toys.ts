import * as z from 'zod/mini';
import type { AnyOperation, Look } from '../../../src/atomic/operation.ts';
import type { ChangeHost } from '../../../src/command/index.ts';
import type { EngineModule } from './engine.ts';
import type { Process } from './process.ts';
import { flush, put, type Thing, type World } from './world.ts';

/** Bugs that a driver could have; the matrix must see each. */
export interface ToyBugs {
  readonly noMarkCheck?: boolean;
  readonly identityAsMark?: boolean;
}

export type Toys = ReturnType<typeof toys>;

const gone: Look = { state: 'gone' };
const ours: Look = { state: 'ours' };
const foreign = (found: string): Look => ({ state: 'not-ours', found });

/** Made once: a schema costs more than a step. */
const schemas = {
  name: z.object({ name: z.string() }),
  made: z.object({ key: z.string(), mark: z.string() }),
  uid: z.object({ uid: z.number() }),
  formatted: z.object({ vol: z.string(), over: z.number(), key: z.string(), mark: z.string() }),
  none: z.null(),
  opened: z.object({ key: z.string(), vol: z.string(), over: z.number(), mark: z.string() }),
  file: z.object({ fs: z.string(), name: z.string() }),
  filled: z.object({ fs: z.string(), names: z.array(z.string()), mark: z.string() }),
  names: z.object({ from: z.string(), to: z.string() }),
  renamed: z.object({ uid: z.number(), from: z.string(), to: z.string() }),
  newValue: z.object({ name: z.string(), value: z.string() }),
  values: z.object({ key: z.string(), old: z.string(), now: z.string() }),
  key: z.object({ key: z.string() }),
  content: z.object({ path: z.string(), text: z.string() }),
  written: z.object({ key: z.string(), own: z.string(), text: z.string(), mark: z.string() }),
};

/** Toy operations, one or more for each feature of the contract, on one process's view of the world. */
export function toys(modules: EngineModule, process: Process, bugs: ToyBugs = {}) {
  const { operation, deferred } = modules.operation;
  const { IdentityTaken } = modules.errors;
  const { world } = process;
  const { see } = process;
  const effect = (label: string, act: () => void): void => {
    process.event('effect', label, act);
  };
  /** Toys change the world, not their host, by which the engine sees that `run` begins to act. */
  const begin = (host: ChangeHost): void => void host.sync('world');
  const syncs = async (label: string, ...keys: readonly string[]): Promise<void> => {
    process.event('sync', `sync ${label}`, () => keys.forEach((key) => flush(world, key)));
  };
  const absent = (key: string): void => {
    if (see(key) !== undefined) throw new Error(`${key} exists`);
  };
  const named = (key: string): Thing => {
    const thing = see(key);
    if (thing === undefined) throw new Error(`${key} does not exist`);
    return thing;
  };
  const keyOf = (uid: number): string | undefined => {
    see('');
    return [...world.disk].find(([, thing]) => thing.uid === uid)?.[0];
  };
  /** Removes it with all that it contains. */
  const destroy = (key: string): void => {
    const thing = world.disk.get(key);
    if (thing === undefined) throw new Error(`${key} does not exist`);
    if (usersOf(world, thing.uid).length > 0) throw new Error(`${key} is in use`);
    const inside = insideOf(world, thing.uid);
    if (inside.some((inner) => inner.startsWith('vol:'))) throw new Error(`${key} has snapshots`);
    // Also what is wiped already, but not yet on the disk, or not even written there.
    const under = ([, other]: readonly [string, Thing | undefined]): boolean => other?.over === thing.uid;
    const unwritten = world.unwritten.map(({ key: name, thing: other }) => [name, other] as const);
    const onDisk = [...world.durable, ...unwritten].filter(under).map(([name]) => name);
    for (const inner of [...inside, ...onDisk]) put(world, inner, undefined, 'durable');
    put(world, key, undefined, 'durable');
  };
  const move = (from: string, to: string): void => {
    const thing = world.disk.get(from);
    if (thing === undefined) throw new Error(`${from} does not exist`);
    if (world.disk.has(to)) throw new Error(`${to} is taken, ${from} keeps its name`);
    put(world, from, undefined, 'durable');
    put(world, to, thing, 'durable');
  };

  return lazily({
    /** Planted mark, durable at once, as an LV with its tag. */
    make: () =>
      operation({
        kind: 'vol.make',
        version: 1,
        args: schemas.name,
        undo: schemas.made,
        result: schemas.uid,
        lives: 'disk',
        restores: 'state',
        prepare: async ({ args, mark }) => {
          absent(`vol:${args.name}`);
          return { key: `vol:${args.name}`, mark };
        },
        claims: ({ undo }) => ({ makes: [undo.key] }),
        contains: ({ undo }) => undo.key,
        run: async ({ undo: { key, mark }, host }) => {
          begin(host);
          effect(`make ${key}`, () => {
            if (world.disk.has(key)) throw new Error(`${key} exists`);
            put(world, key, { uid: (world.uids += 1), mark }, 'durable');
          });
          return { uid: see(key)?.uid ?? 0 };
        },
        value: ({ undo, result }) => ({ key: undo.key, uid: result.uid }),
        look: async ({ undo, result }) => {
          const thing = see(undo.key);
          if (thing === undefined) return gone;
          const same = thing.mark === undo.mark && (result === undefined || result.uid === thing.uid);
          if (!same && bugs.noMarkCheck !== true) return foreign(`${undo.key} of somebody else`);
          return { ...ours, holders: usersOf(world, thing.uid).map((words) => ({ kind: 'unknown', words })) };
        },
        revert: async ({ undo }) => effect(`unmake ${undo.key}`, () => destroy(undo.key)),
      }),

    /** In a container, a container itself; in two parts; only cached. */
    format: () =>
      operation({
        kind: 'vol.format',
        version: 1,
        args: schemas.name,
        undo: schemas.formatted,
        result: schemas.none,
        lives: 'disk',
        restores: 'state',
        prepare: async ({ args, mark }) => {
          const vol = `vol:${args.name}`;
          const { uid } = named(vol);
          if (insideOf(world, uid).length > 0) throw new Error(`${vol} holds something`);
          return { vol, over: uid, key: `fs:${mark}`, mark };
        },
        claims: ({ undo }) => ({ makes: [undo.key], changes: [undo.vol] }),
        contains: ({ undo }) => undo.key,
        within: ({ undo }) => undo.vol,
        run: async ({ undo: { key, over, mark }, host }) => {
          begin(host);
          const uid = (world.uids += 1);
          effect(`format ${key}: header`, () =>
            put(world, key, { uid, over, mark, value: 'half' }, 'cached'),
          );
          effect(`format ${key}: tables`, () =>
            put(world, key, { uid, over, mark, value: 'whole', files: {} }, 'cached'),
          );
          if (see(key)?.value !== 'whole') throw new Error(`${key} was not made`);
          return null;
        },
        value: ({ undo }) => ({ key: undo.key }),
        look: async ({ undo }) => {
          const thing = see(undo.key);
          if (thing === undefined) return gone;
          return thing.over === undo.over && thing.mark === undo.mark
            ? ours
            : foreign(`a foreign ${undo.key}`);
        },
        revert: async ({ undo: { key } }) =>
          effect(`wipe ${key}`, () => put(world, key, undefined, 'cached')),
        sync: ({ undo }) => syncs(undo.key, undo.key),
      }),

    /** Boot-lived; its number is used again, and is chosen by us. */
    open: () =>
      operation({
        kind: 'map.open',
        version: 1,
        args: schemas.name,
        undo: schemas.opened,
        result: schemas.none,
        lives: 'boot',
        restores: 'state',
        prepare: async ({ args, mark, chosen }) => {
          if (chosen !== undefined) return chosen;
          const { uid } = named(`vol:${args.name}`);
          let number = 0;
          while (see(`map:${number}`) !== undefined) number += 1;
          return { key: `map:${number}`, vol: `vol:${args.name}`, over: uid, mark };
        },
        claims: ({ undo }) => ({ makes: [undo.key], needs: [undo.vol] }),
        run: async ({ undo: { key, over, mark }, host }) => {
          begin(host);
          effect(`open ${key}`, () => {
            if (world.boot.has(key)) throw new IdentityTaken(`${key} is taken`);
            world.boot.set(key, { uid: (world.uids += 1), over, mark });
          });
          return null;
        },
        value: ({ undo }) => ({ key: undo.key }),
        look: async ({ undo }) => {
          const thing = see(undo.key);
          if (thing === undefined) return gone;
          const same = thing.over === undo.over && thing.mark === undo.mark;
          if (!same && bugs.identityAsMark !== true) return foreign(`${undo.key} is somebody else's`);
          return { ...ours, holders: usersOf(world, thing.uid).map((words) => ({ kind: 'unknown', words })) };
        },
        revert: async ({ undo }) =>
          effect(`close ${undo.key}`, () => {
            const uid = world.boot.get(undo.key)?.uid ?? 0;
            if (usersOf(world, uid).length > 0) throw new Error(`${undo.key} is in use`);
            world.boot.delete(undo.key);
          }),
      }),

    /** Boot-lived, over what was opened; it claims that alone, so that blocking must be transitive. */
    use: () =>
      operation({
        kind: 'use.start',
        version: 1,
        args: schemas.name,
        undo: schemas.opened,
        result: schemas.none,
        lives: 'boot',
        restores: 'state',
        prepare: async ({ args, mark }) => ({
          key: `use:${mark}`,
          vol: args.name,
          over: named(args.name).uid,
          mark,
        }),
        claims: ({ undo }) => ({ makes: [undo.key], needs: [undo.vol] }),
        run: async ({ undo: { key, over, mark }, host }) => {
          begin(host);
          effect(`start ${key}`, () => world.boot.set(key, { uid: (world.uids += 1), over, mark }));
          return null;
        },
        value: ({ undo }) => ({ key: undo.key }),
        look: async ({ undo }) => (see(undo.key) === undefined ? gone : ours),
        revert: async ({ undo }) => effect(`stop ${undo.key}`, () => world.boot.delete(undo.key)),
      }),

    /** Files in a filesystem, addressed by its identity; two parts; only cached. */
    fill: () =>
      operation({
        kind: 'fs.fill',
        version: 1,
        args: schemas.file,
        undo: schemas.filled,
        result: schemas.none,
        lives: 'disk',
        restores: 'state',
        prepare: async ({ args: { fs, name }, mark }) => {
          named(fs);
          return { fs, names: [`${name}1`, `${name}2`], mark };
        },
        claims: ({ args, undo }) => ({ makes: [`${undo.fs}/${args.name}`], needs: [undo.fs] }),
        within: ({ undo }) => undo.fs,
        run: async ({ undo: { fs, names, mark }, host }) => {
          begin(host);
          for (const name of names) effect(`write ${fs}/${name}`, () => setFile(world, fs, name, mark));
          if (names.some((name) => see(fs)?.files?.[name] !== mark)) throw new Error(`${fs} is not filled`);
          return null;
        },
        value: () => undefined,
        look: async ({ undo: { fs, names, mark } }) => {
          const files = see(fs)?.files ?? {};
          const there = names.filter((name) => files[name] !== undefined);
          if (there.length === 0) return gone;
          return there.some((name) => files[name] === mark) ? ours : foreign(`${fs} holds files of others`);
        },
        revert: async ({ undo: { fs, names, mark } }) => {
          for (const name of names.filter((each) => see(fs)?.files?.[each] === mark))
            effect(`delete ${fs}/${name}`, () => setFile(world, fs, name, undefined));
        },
        sync: ({ undo }) => syncs(undo.fs, undo.fs),
      }),

    /** State mark: the name of an object known by its uid. */
    rename: () =>
      operation({
        kind: 'vol.rename',
        version: 1,
        args: schemas.names,
        undo: schemas.renamed,
        result: schemas.none,
        lives: 'disk',
        restores: 'state',
        prepare: async ({ args }) => {
          absent(`vol:${args.to}`);
          return { uid: named(`vol:${args.from}`).uid, from: `vol:${args.from}`, to: `vol:${args.to}` };
        },
        claims: ({ undo }) => ({ makes: [undo.to], changes: [undo.from] }),
        run: async ({ undo, host }) => {
          begin(host);
          effect(`rename ${undo.from} ${undo.to}`, () => move(undo.from, undo.to));
          return null;
        },
        value: () => undefined,
        look: async ({ undo }) => lookAtName(keyOf(undo.uid), undo.to, undo.from),
        revert: async ({ undo }) => effect(`rename ${undo.to} ${undo.from}`, () => move(undo.to, undo.from)),
      }),

    /** State mark: old and new value are recorded; only cached. */
    setValue: () =>
      operation({
        kind: 'prop.set',
        version: 1,
        args: schemas.newValue,
        undo: schemas.values,
        result: schemas.none,
        lives: 'disk',
        restores: 'state',
        prepare: async ({ args }) => {
          const old = named(`prop:${args.name}`).value ?? '';
          if (old === args.value) throw new Error(`prop:${args.name} is ${old} already`);
          return { key: `prop:${args.name}`, old, now: args.value };
        },
        claims: ({ undo }) => ({ changes: [undo.key] }),
        run: async ({ undo: { key, old, now }, host }) => {
          const found = see(key)?.value ?? '';
          if (found !== old) throw new Error(`${key} is ${found} by now`);
          begin(host);
          effect(`set ${key} ${now}`, () => setValue(world, key, now));
          return null;
        },
        value: () => undefined,
        look: async ({ undo: { key, old, now } }) => lookAtName(see(key)?.value, now, old),
        revert: async ({ undo: { key, old } }) =>
          effect(`set ${key} ${old}`, () => setValue(world, key, old)),
        sync: ({ undo }) => syncs(undo.key, undo.key),
      }),

    /** Tombstone: out of sight now, gone after the commit. */
    remove: () =>
      operation({
        kind: 'vol.remove',
        version: 1,
        args: schemas.name,
        undo: schemas.renamed,
        result: schemas.none,
        lives: 'disk',
        restores: 'state',
        prepare: async ({ args, mark }) => {
          const { uid } = named(`vol:${args.name}`);
          if (usersOf(world, uid).length > 0) throw new Error(`vol:${args.name} is in use`);
          return { uid, from: `vol:${args.name}`, to: `vol:gone_${mark}` };
        },
        claims: ({ undo }) => ({ changes: [undo.from] }),
        run: async ({ undo, host }) => {
          begin(host);
          effect(`hide ${undo.from}`, () => move(undo.from, undo.to));
          return null;
        },
        value: () => undefined,
        look: async ({ undo }) => lookAtName(keyOf(undo.uid), undo.to, undo.from),
        revert: async ({ undo }) => effect(`bring back ${undo.from}`, () => move(undo.to, undo.from)),
        afterCommit: async ({ undo }) => effect(`remove ${undo.to}`, () => destroy(undo.to)),
      }),

    /** No inverse: done after the commit; only cached. */
    wipe: () =>
      deferred({
        kind: 'prop.wipe',
        version: 1,
        args: schemas.name,
        undo: schemas.key,
        prepare: async ({ args }) => {
          named(`prop:${args.name}`);
          return { key: `prop:${args.name}` };
        },
        claims: ({ undo }) => ({ changes: [undo.key] }),
        look: async ({ undo }) => (see(undo.key)?.value === 'wiped' ? gone : ours),
        afterCommit: async ({ undo }) => effect(`wipe ${undo.key}`, () => setValue(world, undo.key, 'wiped')),
        sync: ({ undo }) => syncs(undo.key, undo.key),
      }),

    /** link(2) from a private name, which goes after the commit; only cached. */
    writeFile: () =>
      operation({
        kind: 'file.write',
        version: 1,
        args: schemas.content,
        undo: schemas.written,
        result: schemas.none,
        lives: 'disk',
        restores: 'state',
        prepare: async ({ args: { path, text }, mark }) => {
          absent(`file:${path}`);
          return { key: `file:${path}`, own: `file:.${mark}`, text, mark };
        },
        claims: ({ undo }) => ({ makes: [undo.key] }),
        run: async ({ undo: { key, own, text }, host }) => {
          begin(host);
          const uid = (world.uids += 1);
          effect(`write ${own}`, () => put(world, own, { uid, value: text }, 'cached'));
          // As `file.create`: of two names the disk may have the later one alone.
          await syncs(own, own);
          effect(`link ${key}`, () => {
            if (world.disk.has(key)) throw new Error(`${key} exists`);
            put(world, key, world.disk.get(own), 'cached');
          });
          if (see(key)?.uid !== see(own)?.uid) throw new Error(`${key} was not made`);
          return null;
        },
        value: () => undefined,
        look: async ({ undo }) => {
          if (see(undo.own) !== undefined) return ours;
          return see(undo.key) === undefined ? gone : foreign(`${undo.key} of somebody else`);
        },
        revert: async ({ undo: { key, own, text } }) => {
          const linked = see(key)?.uid === see(own)?.uid && see(key)?.value === text;
          if (linked) effect(`unlink ${key}`, () => put(world, key, undefined, 'cached'));
          // The evidence goes last, and only when what it is evidence of is gone.
          if (linked && see(key) !== undefined) throw new Error(`${key} is still there`);
          if (linked) await syncs(key, key);
          effect(`unlink ${own}`, () => put(world, own, undefined, 'cached'));
        },
        afterCommit: async ({ undo: { own } }) =>
          effect(`unlink ${own}`, () => put(world, own, undefined, 'cached')),
        sync: ({ undo }) => syncs(undo.key, undo.key, undo.own),
      }),
  });
}

type Lazy<M extends Record<string, () => unknown>> = { readonly [K in keyof M]: ReturnType<M[K]> };

/** Each is made at its first use: a trial has many processes, and each of them uses a few. */
function lazily<M extends Record<string, () => unknown>>(makers: M): Lazy<M> {
  const made = new Map<string, unknown>();
  const get = (_: object, name: string): unknown => {
    if (!made.has(name)) made.set(name, makers[name]?.());
    return made.get(name);
  };
  return new Proxy({}, { get }) as Lazy<M>;
}

const toyOfKind: Readonly<Record<string, keyof Toys>> = {
  'vol.make': 'make',
  'vol.format': 'format',
  'map.open': 'open',
  'use.start': 'use',
  'fs.fill': 'fill',
  'vol.rename': 'rename',
  'prop.set': 'setValue',
  'vol.remove': 'remove',
  'prop.wipe': 'wipe',
  'file.write': 'writeFile',
};

/** The code of a journalled toy step. */
export function findToy(all: Toys, kind: string): AnyOperation | undefined {
  const name = toyOfKind[kind];
  return name === undefined ? undefined : all[name];
}

function lookAtName(now: string | undefined, after: string, before: string): Look {
  if (now === undefined || now === before) return gone;
  return now === after ? ours : foreign(`it is ${now} now`);
}

function insideOf(world: World, uid: number): readonly string[] {
  return [...world.disk].flatMap(([key, { over }]) => (over === uid ? [key] : []));
}

/** Who has it open, in words. */
function usersOf(world: World, uid: number): readonly string[] {
  return [...world.boot].flatMap(([key, { over }]) => (over === uid ? [`open as ${key}`] : []));
}

function setFile(world: World, fs: string, name: string, text: string | undefined): void {
  const thing = world.disk.get(fs);
  if (thing === undefined) throw new Error(`${fs} does not exist`);
  const { [name]: _, ...others } = thing.files ?? {};
  put(world, fs, { ...thing, files: text === undefined ? others : { ...others, [name]: text } }, 'cached');
}

function setValue(world: World, key: string, value: string): void {
  const thing = world.disk.get(key);
  if (thing === undefined) throw new Error(`${key} does not exist`);
  put(world, key, { ...thing, value }, 'cached');
}
