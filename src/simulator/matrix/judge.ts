import type { StuckError } from '../../core/errors.ts';
import type { SimulatedHost } from '../host.ts';

const uuid =
  /\b(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-zA-Z]{6}(?:-[0-9a-zA-Z]{4}){5}-[0-9a-zA-Z]{6})\b/g;

/** Returns every UUID in a text. */
export function uuidsIn(text: string): ReadonlySet<string> {
  return new Set(text.match(uuid) ?? []);
}

/**
 * Returns the state of a host without values that each run draws at random: tags, and unknown
 * UUIDs.
 */
export function stateOf(host: SimulatedHost, known: ReadonlySet<string>): string {
  const plain = (text: string): string => unnamed(withoutMinors(host, text), known);
  const rewrite = (content: Uint8Array): Uint8Array =>
    Buffer.from(plain(Buffer.from(content).toString('latin1')), 'latin1');
  return plain(host.snapshot(rewrite)).split('\n').sort().join('\n');
}

/** Removes the minor numbers of volumes, which may be any free ones. */
function withoutMinors({ world }: SimulatedHost, text: string): string {
  const lvs = world.lvm.flatMap((vg) => vg.lvs.map((lv) => ({ ...lv, path: `/dev/${vg.name}/${lv.name}` })));
  return text.replaceAll(/\/dev\/dm-(?<minor>\d+)/g, (dm, minor: string) => {
    const lv = lvs.find(({ uuid: id }) => world.active.get(id) === Number(minor));
    return lv === undefined ? dm : lv.path;
  });
}

/** Returns a text without random tags and UUIDs. */
export function unnamed(text: string, known: ReadonlySet<string>): string {
  return text
    .replaceAll(/(?<=\bbofh)(?<dot>\.|_gone_)(?!0{12})[0-9a-f]{12}(?<step>[._])\d+/g, '$<dot>ID$<step>N')
    .replaceAll(uuid, (each) => (known.has(each) ? each : 'UUID'));
}

/** Returns the lines that only one of two states has, `-` and `+`. */
export function differences(before: string, now: string): readonly string[] {
  const left = before.split('\n');
  const more: string[] = [];
  for (const line of now.split('\n')) {
    const at = left.indexOf(line);
    if (at < 0) more.push(`+ ${line}`);
    else left.splice(at, 1);
  }
  return [...left.map((line) => `- ${line}`), ...more];
}

/**
 * Returns the lines of the difference between two states that a stuck error does not name: neither
 * by an object of a blocked or remaining step, nor by the tag of such a step. The content of an
 * object counts as named with it.
 */
export function notNamed(
  states: { readonly base: string; readonly now: string },
  error: StuckError,
  known: ReadonlySet<string>,
): readonly string[] {
  const steps = [...error.blocked, ...error.remaining];
  const keys = steps.flatMap(({ objects }) => objects.map((key) => unnamed(key, known)));
  // A subvolume's key is the UUID of its filesystem and its path there.
  const names = keys.map((key) => key.replace(/^(?:subvol:[^/]*|[^:]*:)/, ''));
  const devices = names.flatMap((name) => holding(`${states.base}\n${states.now}`, name));
  const marks = steps.length === 0 ? [] : ['bofh.ID.N', 'bofh_gone_ID_N'];
  const patterns = [
    ...[...names, ...devices].map((name) => `(?<![\\w.-])${escaped(name)}(?![\\w.-])`),
    ...marks.map(escaped),
  ];
  // libmount has its own table of mounts.
  if (keys.some((key) => key.startsWith('mnt:'))) patterns.push(escaped('"/mount/utab"'));
  // The directories for the links of an enabled unit count as named, too.
  if (keys.some((key) => key.startsWith('unit:'))) patterns.push('\\.target\\.wants" directory');
  if (keys.some((key) => /^(?:user|group|member|password):/.test(key)))
    patterns.push('"/etc/(?:passwd|shadow|group|gshadow)"');
  const named = patterns.map((pattern) => new RegExp(pattern));
  return differences(states.base, states.now).filter((line) => !named.some((pattern) => pattern.test(line)));
}

/** Returns the devices that contain something with this uuid. */
function holding(state: string, id: string): readonly string[] {
  return [...state.matchAll(/^(?:now|durable) (?<device>\S+) holds .*$/gm)].flatMap(({ 0: line, groups }) =>
    line.includes(` ${id}`) && groups?.device !== undefined ? [groups.device] : [],
  );
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
