import { posix } from 'node:path';
import * as z from 'zod/mini';
import { namesIn, type ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { absolutePath } from '../file/path.ts';
import { showUnit, type Unit } from './unit.ts';

/** The directory in which an administrator enables units. */
export const unitDirectory = '/etc/systemd/system';

/** A symbolic link with its target. */
export const unitLink = z.strictObject({ path: absolutePath, to: z.string().check(z.minLength(1)) });

export type UnitLink = z.infer<typeof unitLink>;

/**
 * Returns every link in /etc/systemd/system, and in its .wants, .requires and .upholds directories,
 * that is named after one of the units, or whose target is one of them.
 */
export async function linksOf(host: ReadHost, units: readonly string[]): Promise<readonly UnitLink[]> {
  const found: UnitLink[] = [];
  for (const directory of [unitDirectory, ...(await wantsDirectories(host))])
    for (const name of await namesIn(host, directory)) {
      const path = posix.join(directory, name);
      if ((await host.stat(path))?.kind !== 'symlink') continue;
      const to = await host.readLink(path);
      if (units.includes(name) || units.includes(posix.basename(to))) found.push({ path, to });
    }
  return found;
}

/** `multi-user.target.wants` and similar directories, which contain the links of enabled units. */
export async function wantsDirectories(host: ReadHost): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of await namesIn(host, unitDirectory)) {
    const path = posix.join(unitDirectory, name);
    if (/\.(?:wants|requires|upholds)$/.test(name) && (await host.stat(path))?.kind === 'directory')
      found.push(path);
  }
  return found;
}

/**
 * Returns the unit, and the units in `Also=` of its [Install] section, which are enabled with it.
 */
export async function withAlso(host: ReadHost, unit: Unit): Promise<readonly string[]> {
  const all = [unit.Id];
  const open = [unit];
  for (let next = open.pop(); next !== undefined; next = open.pop())
    for (const also of await alsoOf(host, next)) {
      if (all.includes(also)) continue;
      all.push(also);
      open.push(await host.run(showUnit(also)));
    }
  return all;
}

async function alsoOf(host: ReadHost, { Id, FragmentPath, DropInPaths }: Unit): Promise<readonly string[]> {
  const found: string[] = [];
  for (const path of [FragmentPath, ...DropInPaths.split(' ')].filter((each) => each !== '')) {
    const text = new TextDecoder().decode(await host.readFile(path));
    let section = '';
    // A backslash at the end of a line continues the line, but not that of a comment
    // (systemd.syntax(7)).
    const lines = text.replaceAll(/^[ \t]*[#;].*\n/gm, '').replaceAll(/\\\n/g, ' ');
    for (const line of lines.split('\n')) {
      section = /^\[(?<name>[^\]]*)\]\s*$/.exec(line)?.groups?.name ?? section;
      const names = /^\s*Also\s*=(?<names>.*)$/.exec(line)?.groups?.names;
      if (section === 'Install' && names !== undefined) found.push(...names.trim().split(/\s+/));
    }
  }
  if (found.some((name) => name.includes('%')))
    throw new RefusedError(`Also= of ${Id} has a specifier (%), and bofh expands none`, {
      remedy: `enable it yourself: systemctl enable ${Id}; in a description, leave out "enabled"`,
    });
  return found.filter((name) => name !== '');
}
