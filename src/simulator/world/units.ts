import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import type { Unit } from '../../service/unit.ts';
import { resolve } from './resolve.ts';
import { type Inode, walk } from './tree.ts';
import type { World } from './world.ts';

/** A unit that systemd has loaded. Immutable: a change replaces it. */
export interface UnitState {
  readonly active: 'active' | 'inactive' | 'failed';
  /** Invocation of its current or last run. */
  readonly invocation: string;
  /** Increases with each change of its state, and with each reload. */
  readonly changed: number;
  /** The unit file as systemd has read it. */
  readonly text: string;
  /** The configuration that the service has read. */
  readonly read: string;
  /** Seconds until it ends. */
  readonly left?: number;
  /** Only for a unit of a real host: its values there before the plan. */
  readonly real?: Unit;
}

const own = '/etc/systemd/system';

/** Directories of unit files; the first one wins. */
export const unitPaths = [
  own,
  '/run/systemd/system',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
];

export interface UnitFile {
  readonly path: string;
  /** Name of the unit; another one for an alias. */
  readonly id: string;
  readonly text: string;
  readonly isMasked: boolean;
}

/** Returns the template of an instance: `backup@.service` for `backup@home.service`. */
export function templateOf(unit: string): string {
  return unit.replace(/@[^.]*(?=\.\w+$)/, '@');
}

/** Returns the file of a unit. */
export function unitFile(world: World, unit: string): UnitFile | undefined {
  for (const name of new Set([unit, templateOf(unit)]))
    for (const directory of unitPaths) {
      const path = posix.join(directory, name);
      const there = resolve(world, path, 'keep');
      if (!there.found) continue;
      const { target } = there.inode;
      if (target === '/dev/null') return { path, id: unit, text: '', isMasked: true };
      if (target !== undefined) return unitFile(world, posix.basename(target));
      return { path, id: unit, text: textOf(there.inode), isMasked: false };
    }
  return undefined;
}

/** Returns the words of all values of a key in a unit file. */
export function wordsIn(text: string, section: string, key: string): readonly string[] {
  let at = '';
  return text.split('\n').flatMap((line) => {
    at = /^\[(?<name>\w+)\]$/.exec(line)?.groups?.name ?? at;
    const { value } = new RegExp(`^${key}=(?<value>.*)$`).exec(line)?.groups ?? {};
    return at === section && value !== undefined ? value.split(' ').filter((word) => word !== '') : [];
  });
}

/** Returns the links that enable a unit, by name, with the directory of each. */
export function enabledBy(world: World, unit: string): readonly string[] {
  const there = resolve(world, own, 'follow');
  if (!there.found) return [];
  return [...walk(there.tree, there.ino, own)].flatMap(([path, ino]) => {
    const { target } = there.tree.inodes.get(ino) ?? {};
    if (target === undefined || target === '/dev/null') return [];
    const isOf = posix.basename(path) === unit || posix.basename(target) === unit;
    return isOf ? [path] : [];
  });
}

/** Returns how long a started service stays up, in seconds; 0: it fails at once. */
export function lifeOf(world: World, text: string): number {
  const [program = '', ...args] = wordsIn(text, 'Service', 'ExecStart');
  // A plan assumes that every unit that it starts stays up.
  if (world.overlay !== undefined) return Infinity;
  if (program.endsWith('/false')) return 0;
  const script = program.endsWith('/sh') ? textAt(world, args[0] ?? '') : [program, ...args].join(' ');
  const { seconds } = /sleep (?<seconds>\d+)/.exec(script)?.groups ?? {};
  if (/^exit 1$/m.test(script)) return 0;
  return seconds === undefined ? Infinity : Number(seconds);
}

/**
 * Returns what a service reads when it is started or reloaded: its unit file, and each file that
 * its command names.
 */
export function readBy(world: World, text: string): string {
  const files = wordsIn(text, 'Service', 'ExecStart').slice(1);
  const all = [text, ...files.filter((word) => word.startsWith('/')).map((path) => textAt(world, path))];
  return createHash('sha256').update(all.join('\0')).digest('hex').slice(0, 16);
}

/** Starts the units that start at boot. */
export function startUnits(world: World): void {
  world.units = new Map();
  const there = resolve(world, own, 'follow');
  if (!there.found) return;
  for (const [path] of walk(there.tree, there.ino, own))
    if (posix.dirname(path).endsWith('.wants')) startUnit(world, posix.basename(path));
}

/** Starts a unit that has a file. */
export function startUnit(world: World, unit: string): UnitState | undefined {
  const known = world.units.get(unit);
  const file = unitFile(world, unit);
  if (file === undefined || file.isMasked) return undefined;
  const text = known === undefined || known.active !== 'active' ? file.text : known.text;
  const life = lifeOf(world, text);
  const isOneshot = wordsIn(text, 'Service', 'Type').includes('oneshot');
  const stays = !isOneshot || wordsIn(text, 'Service', 'RemainAfterExit').includes('yes');
  const state: UnitState = {
    active: life === 0 ? 'failed' : stays ? 'active' : 'inactive',
    invocation: world.ids.uuid().replaceAll('-', ''),
    changed: (known?.changed ?? 0) + 1,
    text,
    read: readBy(world, text),
    ...(isOneshot || life === 0 || life === Infinity ? {} : { left: life }),
    ...(known?.real === undefined ? {} : { real: known.real }),
  };
  world.units.set(unit, state);
  return state;
}

/** Lets time pass: ends the units whose time is over. */
export function passTime(world: World, seconds: number): void {
  for (const [unit, state] of world.units) {
    if (state.active !== 'active' || state.left === undefined) continue;
    const { left, ...rest } = state;
    world.units.set(
      unit,
      left > seconds ? { ...rest, left: left - seconds } : { ...rest, active: 'inactive' },
    );
  }
}

/** Lets systemd read the unit files again. */
export function reloadManager(world: World): void {
  for (const [unit, state] of world.units)
    world.units.set(unit, { ...state, text: unitFile(world, unit)?.text ?? '' });
}

/** Returns the units that run or have failed, as text. */
export function describeUnits(world: World): readonly string[] {
  return [...world.units].flatMap(([unit, { active, text, read }]) => {
    if (active === 'inactive') return [];
    const isStale = text !== (unitFile(world, unit)?.text ?? '');
    return [`unit ${unit} ${active}${active === 'active' ? ` read=${read}` : ''}${isStale ? ' stale' : ''}`];
  });
}

function textAt(world: World, path: string): string {
  const there = resolve(world, path, 'follow');
  return there.found ? textOf(there.inode) : '';
}

function textOf({ content }: Inode): string {
  return new TextDecoder().decode(content);
}
