import { posix } from 'node:path';
import { escapePath } from '../../../../blockdevice/index.ts';
import type { RotationRequest } from '../../../../btrfs/rotation.ts';
import type { ReadHost } from '../../../../command/index.ts';
import { UsageError } from '../../../../core/errors.ts';
import {
  findUnit,
  type FoundUnit,
  headed,
  isOurs,
  refuseUnquotable,
  templateOf,
  type Unit,
  unitDir,
} from '../../boot/units.ts';

/** The labels with a default schedule, as in OnCalendar= of systemd.timer(5). */
const calendars: Readonly<Record<string, string>> = {
  daily: 'daily',
  weekly: 'weekly',
  monthly: 'monthly',
  yearly: 'yearly',
};

/** The two units of a rotation. */
export interface RotationUnits {
  readonly service: Unit;
  readonly timer: Unit;
}

/** The settings of an installed rotation. */
export interface InstalledRotation {
  readonly label: string;
  readonly source: string;
  readonly target: string;
  readonly keep: number;
  readonly calendar: string;
}

/**
 * The schedule of a rotation. Throws UsageError for a label without a default, and for words that systemd
 * cannot parse.
 */
export function calendarOf(label: string, asked: string | undefined): string {
  const calendar = asked ?? (Object.hasOwn(calendars, label) ? calendars[label] : undefined);
  if (calendar === undefined)
    throw new UsageError(`no schedule for label "${label}": pass --calendar`, {
      remedy: `only ${Object.keys(calendars).join(', ')} have a default schedule`,
    });
  if (!/^[A-Za-z0-9*:,./~-]+(?: [A-Za-z0-9*:,./~-]+)*$/.test(calendar))
    throw new UsageError(
      `--calendar ${calendar}: must be a calendar event of systemd (systemd-analyze calendar)`,
    );
  return calendar;
}

/** The names depend only on source and label. */
export function rotationUnitNames({ source, label }: Pick<RotationRequest, 'source' | 'label'>): {
  readonly service: string;
  readonly timer: string;
} {
  const name = `bofh-snapshot-${label}-${escapePath(source)}`;
  return { service: `${name}.service`, timer: `${name}.timer` };
}

/** The units that start `words` for a rotation. Throws UsageError for a path that cannot be in a unit. */
export function rotationUnits(
  words: readonly string[],
  rotation: RotationRequest & { readonly calendar: string },
  stateDir: string,
): RotationUnits {
  const { source, target, label, keep, calendar } = rotation;
  for (const word of [...words, source, target, stateDir]) refuseUnquotable(word);
  const values: Readonly<Record<string, string>> = {
    ...{ BOFH: words.join(' '), STATE_DIR: stateDir, SOURCE: source, TARGET: target },
    ...{ LABEL: label, KEEP: String(keep), CALENDAR: calendar },
  };
  const names = rotationUnitNames(rotation);
  const unit = (name: string, template: string): Unit => {
    const body = templateOf(template).replaceAll(/@([A-Z_]+)@/g, (all, key: string) => values[key] ?? all);
    const content = headed(name, body, 'bofh btrfs rotation install');
    return { name, path: posix.join(unitDir, name), content, atBoot: template.endsWith('.timer') };
  };
  return {
    service: unit(names.service, 'bofh-btrfs-snapshot.service'),
    timer: unit(names.timer, 'bofh-btrfs-snapshot.timer'),
  };
}

/** Both units, as found on the host. */
export async function findRotation(
  host: ReadHost,
  { service, timer }: RotationUnits,
): Promise<readonly FoundUnit[]> {
  return [await findUnit(host, service, 'timers.target'), await findUnit(host, timer, 'timers.target')];
}

/** The timer of a rotation, as found on the host. */
export interface SeenRotation {
  readonly timer: string;
  readonly enabled: boolean;
  /** Undefined if one of its units was edited or is missing. */
  readonly rotation: InstalledRotation | undefined;
}

const command =
  / --yes --wait 10m btrfs snapshot rotate (?<source>\S+) (?<target>\S+) --label (?<label>\S+) --keep (?<keep>\d+)$/m;

/** Every rotation that has a unit on this host. */
export async function seenRotations(host: ReadHost): Promise<readonly SeenRotation[]> {
  if ((await host.stat(unitDir)) === undefined) return [];
  const all = (await host.readDir(unitDir)).filter((name) =>
    /^bofh-snapshot-.+\.(?:timer|service)$/.test(name),
  );
  const found: SeenRotation[] = [];
  for (const name of new Set(all.map((each) => each.replace(/\.\w+$/, '')))) {
    const enabled = (await host.stat(`${unitDir}/timers.target.wants/${name}.timer`)) !== undefined;
    found.push({ timer: `${name}.timer`, enabled, rotation: await rotationIn(host, name) });
  }
  return found;
}

async function rotationIn(host: ReadHost, name: string): Promise<InstalledRotation | undefined> {
  const [service, timer] = [await readUnit(host, `${name}.service`), await readUnit(host, `${name}.timer`)];
  const { source, target, label, keep } = command.exec(service ?? '')?.groups ?? {};
  const calendar = /^OnCalendar=(?<when>.+)$/m.exec(timer ?? '')?.groups?.when;
  if (source === undefined || target === undefined || label === undefined || calendar === undefined)
    return undefined;
  return { source, target, label, keep: Number(keep), calendar };
}

async function readUnit(host: ReadHost, name: string): Promise<string | undefined> {
  const path = posix.join(unitDir, name);
  if ((await host.stat(path))?.kind !== 'file') return undefined;
  const text = new TextDecoder().decode(await host.readFile(path));
  return isOurs(text) ? text : undefined;
}
