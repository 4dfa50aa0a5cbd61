import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { atomic, currentBofh } from '../../../bofh.ts';
import type { ReadHost } from '../../../command/index.ts';
import { RefusedError, UsageError } from '../../../core/errors.ts';
import { present } from '../../../core/present.ts';
import { version } from '../../../core/version.ts';

/** The directory of the administrator's own units (systemd.unit(5)). */
export const unitDir = '/etc/systemd/system';

/** The directory of the units of packages (systemd.unit(5)). */
const packageUnitDir = '/usr/lib/systemd/system';

export const unitNames = [
  'bofh-recover.service',
  'bofh-recover.timer',
  'bofh-recover-hosts.service',
  'bofh-recover-hosts.timer',
  'bofh-recover-unconfirmed.service',
  'bofh-start-all.service',
] as const;

/** A unit as it must be on this host. */
export interface Unit {
  readonly name: string;
  readonly path: string;
  readonly content: string;
  /** The unit has an `[Install]` section: it runs at boot if systemctl has enabled it. */
  readonly atBoot: boolean;
}

/** A unit as found on the host. */
export interface FoundUnit {
  readonly unit: Unit;
  /**
   * `outdated`: written by bofh for another bofh, Node.js or state directory. `foreign`: edited, or
   * not created by bofh.
   */
  readonly state: 'absent' | 'installed' | 'outdated' | 'foreign';
  /** Only for a file. */
  readonly sha256?: string;
  readonly enabled: boolean;
}

/** The units, which start `words`: the program and its options. Throws UsageError. */
export function bootUnits(words: readonly string[], stateDir: string): readonly Unit[] {
  for (const word of [...words, stateDir]) refuseUnquotable(word);
  return unitNames.map((name) => {
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

/**
 * Looks for a unit on the host. It is enabled if the link of systemctl exists. A unit of the Debian
 * package counts if it starts the same program with the same options; its path is that of the
 * package.
 */
export async function findUnit(
  host: ReadHost,
  unit: Unit,
  target: 'multi-user.target' | 'timers.target' = 'multi-user.target',
): Promise<FoundUnit> {
  const link = await host.stat(`${unitDir}/${target}.wants/${unit.name}`);
  const enabled = link !== undefined;
  const stat = await host.stat(unit.path);
  if (stat === undefined) {
    const path = `${packageUnitDir}/${unit.name}`;
    const packaged =
      (await host.stat(path))?.kind === 'file' &&
      new TextDecoder().decode(await host.readFile(path)) === withoutHeader(unit.content);
    return packaged
      ? { unit: { ...unit, path }, state: 'installed', enabled }
      : { unit, state: 'absent', enabled };
  }
  // `systemctl mask` creates a link.
  if (stat.kind !== 'file') return { unit, state: 'foreign', enabled };
  const bytes = await host.readFile(unit.path);
  const text = new TextDecoder().decode(bytes);
  const state = text === unit.content ? 'installed' : isOurs(text) ? 'outdated' : 'foreign';
  return { unit, state, enabled, sha256: sha256(bytes) };
}

/** The units of boot, as found on the host. */
export function findUnits(host: ReadHost, units: readonly Unit[]): Promise<readonly FoundUnit[]> {
  return Promise.all(units.map((unit) => findUnit(host, unit)));
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

/** Throws RefusedError if a unit was edited, or was not created by `bofh INSTALLER`. */
export function refuseForeign(found: readonly FoundUnit[], installer: string): void {
  const paths = found.filter(({ state }) => state === 'foreign').map(({ unit }) => unit.path);
  if (paths.length > 0) throw foreignUnits(paths, installer);
}

/** Whether the file is that of the Debian package. */
export function isPackaged({ unit }: FoundUnit): boolean {
  return unit.path.startsWith(`${packageUnitDir}/`);
}

export function foreignUnits(units: readonly string[], installer: string): RefusedError {
  return new RefusedError(`a unit was edited, or not created by "bofh ${installer}": ${units.join(', ')}`, {
    remedy: 'move that file away; to change a unit, write a drop-in: systemctl edit UNIT',
  });
}

/** The text of a template: beside `dist/` in the package, or in `systemd/` of the source. */
export function templateOf(name: string): string {
  return readFileSync(new URL(name, templates()), 'utf8');
}

function templates(): URL {
  const places = ['../systemd/', '../../../../systemd/'].map((place) => new URL(place, import.meta.url));
  const found = places.find((place) => existsSync(new URL(unitNames[0], place)));
  if (found === undefined) throw new UsageError('this bofh was installed without its systemd units');
  return found;
}

/** Adds the header. Its checksum shows later whether the unit was edited: bofh never changes such a unit. */
export function headed(
  name: string,
  body: string,
  by: 'bofh boot install' | 'bofh btrfs rotation install',
): string {
  return `# Made by "${by}" of bofh ${version}. To change it: systemctl edit ${name}\n# sha256 of the rest: ${sha256(body)}\n${body}`;
}

/** The unit without the header, as in the Debian package. */
export function withoutHeader(content: string): string {
  return content.replace(/^#.*\n#.*\n/, '');
}

/** Whether bofh created the unit and it was not edited. */
export function isOurs(text: string): boolean {
  const groups =
    /^# Made by "bofh (?:boot|btrfs rotation) install" of bofh [^\n]*\n# sha256 of the rest: (?<hash>[0-9a-f]{64})\n(?<body>.*)$/s.exec(
      text,
    )?.groups;
  return groups?.body !== undefined && groups.hash === sha256(groups.body);
}

/** Refuses a path that would need systemd's own quoting rules, with `%` and `$`. */
export function refuseUnquotable(word: string): void {
  if (/^[\w@+=:,./-]+$/.test(word)) return;
  throw new UsageError(`"${word}" cannot be used in a systemd unit`, {
    remedy: 'use a path of letters, digits and _ . , : + = @ / -',
  });
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
