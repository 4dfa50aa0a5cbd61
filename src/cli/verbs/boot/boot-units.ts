import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { atomic, currentBofh } from '../../../bofh.ts';
import type { ReadHost } from '../../../command/index.ts';
import { RefusedError, UsageError } from '../../../core/errors.ts';
import { present } from '../../../core/present.ts';
import { version } from '../../../core/version.ts';

/** Where an administrator's own units are (systemd.unit(5)). */
export const unitDir = '/etc/systemd/system';

const names = [
  'bofh-recover.service',
  'bofh-recover.timer',
  'bofh-recover-hosts.service',
  'bofh-recover-hosts.timer',
  'bofh-start-all.service',
] as const;

/** A unit as it is to be on this host. */
export interface Unit {
  readonly name: string;
  readonly path: string;
  readonly content: string;
  /** It has an `[Install]` section: it runs at boot once systemctl has enabled it. */
  readonly atBoot: boolean;
}

/** A unit as it was found. */
export interface FoundUnit {
  readonly unit: Unit;
  /**
   * `outdated`: made by `bofh boot install`, for another bofh, Node.js or state directory. `foreign`: edited, or made
   * by somebody else.
   */
  readonly state: 'absent' | 'installed' | 'outdated' | 'foreign';
  /** Of what is there, when it is a file. */
  readonly sha256?: string;
  readonly enabled: boolean;
}

/** The units that start `words`: the program with the options that every call of it gets. Throws UsageError. */
export function bootUnits(words: readonly string[], stateDir: string): readonly Unit[] {
  for (const word of [...words, stateDir]) refuseUnquotable(word);
  return names.map((name) => {
    const template = templateOf(name);
    const body = template.replaceAll('@BOFH@', words.join(' ')).replaceAll('@STATE_DIR@', stateDir);
    return {
      name,
      path: `${unitDir}/${name}`,
      content: headed(name, body, 'bofh boot install'),
      atBoot: /^\[Install\]$/m.test(body),
    };
  });
}

/** What stands at a unit's place. A unit is enabled by a link that systemctl makes. */
export async function findUnit(
  host: ReadHost,
  unit: Unit,
  target: 'multi-user.target' | 'timers.target' = 'multi-user.target',
): Promise<FoundUnit> {
  const link = await host.stat(`${unitDir}/${target}.wants/${unit.name}`);
  const enabled = link !== undefined;
  const stat = await host.stat(unit.path);
  if (stat === undefined) return { unit, state: 'absent', enabled };
  // `systemctl mask` puts a link there.
  if (stat.kind !== 'file') return { unit, state: 'foreign', enabled };
  const bytes = await host.readFile(unit.path);
  const text = new TextDecoder().decode(bytes);
  const state = text === unit.content ? 'installed' : isOurs(text) ? 'outdated' : 'foreign';
  return { unit, state, enabled, sha256: sha256(bytes) };
}

/** Writes, in a sequence, every unit that is missing or outdated. `find` looks at the host within the sequence. */
export function writeUnits(
  name: string,
  find: (host: ReadHost) => Promise<readonly FoundUnit[]>,
): Promise<void> {
  return atomic(name, async (tx) => {
    const due = (await find(currentBofh().host)).filter(({ state }) => state !== 'installed');
    for (const { unit, state, sha256 } of due) {
      if (state === 'outdated') await tx.file.remove(present({ path: unit.path, sha256 }));
      await tx.file.create({ path: unit.path, content: unit.content, mode: 0o644 });
    }
  });
}

/** RefusedError if a unit was edited, or was not created by `bofh INSTALLER`. */
export function refuseForeign(found: readonly FoundUnit[], installer: string): void {
  const paths = found.filter(({ state }) => state === 'foreign').map(({ unit }) => unit.path);
  if (paths.length > 0) throw foreignUnits(paths, installer);
}

export function foreignUnits(units: readonly string[], installer: string): RefusedError {
  return new RefusedError(`not as "bofh ${installer}" has made it: ${units.join(', ')}`, {
    remedy: 'move it away; what you have changed in it belongs into a drop-in: systemctl edit UNIT',
  });
}

/** What an installed unit of ours gives to every call of bofh. */
export interface UnitOptions {
  readonly stateDir?: string;
  readonly site?: string;
}

/**
 * What the installed units give to bofh; undefined when none of them is ours. RefusedError when one of ours cannot be
 * understood: to take it for one without options would turn recovery to another directory.
 */
export async function installedOptions(host: ReadHost): Promise<UnitOptions | undefined> {
  for (const name of names) {
    const path = `${unitDir}/${name}`;
    if ((await host.stat(path))?.kind !== 'file') continue;
    const text = new TextDecoder().decode(await host.readFile(path));
    const line = /^ExecStart=(?<words>.*)$/m.exec(text)?.groups?.words;
    if (!isOurs(text) || line === undefined) continue;
    const { stateDir, site } = wordsOf(line, path);
    return { ...(stateDir === undefined ? {} : { stateDir }), ...(site === undefined ? {} : { site }) };
  }
  return undefined;
}

function wordsOf(line: string, path: string): { readonly [key: string]: string | undefined } {
  const groups =
    /^\S+ \S+(?: --state-dir (?<stateDir>\S+))?(?: --site (?<site>\S+))? (?:recover --boot(?: --network)?|xen start-all)$/.exec(
      line,
    )?.groups;
  if (groups !== undefined) return groups;
  throw new RefusedError(`what ${path} gives to bofh is not understood: ${line}`, {
    remedy: 'bofh boot remove, then bofh boot install with the options that the units are to have',
  });
}

/** The text of a template: beside `dist/` in the package, and two above this file in the source. */
export function templateOf(name: string): string {
  return readFileSync(new URL(name, templates()), 'utf8');
}

function templates(): URL {
  const places = ['../systemd/', '../../../../systemd/'].map((place) => new URL(place, import.meta.url));
  const found = places.find((place) => existsSync(new URL(names[0], place)));
  if (found === undefined) throw new UsageError('this bofh was installed without its systemd units');
  return found;
}

/** The checksum tells a unit of ours from one that was edited since: that one is never touched. */
export function headed(
  name: string,
  body: string,
  by: 'bofh boot install' | 'bofh btrfs rotation install',
): string {
  return `# Made by "${by}" of bofh ${version}. To change it: systemctl edit ${name}\n# sha256 of the rest: ${sha256(body)}\n${body}`;
}

/** A unit that bofh has made, and nobody has edited since. */
export function isOurs(text: string): boolean {
  const groups =
    /^# Made by "bofh (?:boot|btrfs rotation) install" of bofh [^\n]*\n# sha256 of the rest: (?<hash>[0-9a-f]{64})\n(?<body>.*)$/s.exec(
      text,
    )?.groups;
  return groups?.body !== undefined && groups.hash === sha256(groups.body);
}

/** systemd has quoting rules of its own, with `%` and `$` in them; who needs them has an odd path. */
export function refuseUnquotable(word: string): void {
  if (/^[\w@+=:,./-]+$/.test(word)) return;
  throw new UsageError(`"${word}" cannot stand in a unit of systemd`, {
    remedy: 'use a path of letters, digits and _ . , : + = @ / -',
  });
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
