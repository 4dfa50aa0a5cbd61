import { posix } from 'node:path';
import { namesIn, type ReadHost } from '../command/index.ts';
import { fillOptions, refuseUnsafeScript } from '../copy/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import type { Tx } from '../operations.ts';
import type { Site } from '../site.ts';
import type { CheckedCreate } from './create-request.ts';
import type { NewMount } from './data-disks.ts';

/** The scripts of the site that set up a new guest, and the environment in which they run. */
export interface Roles {
  /** Absolute paths, in the order in which they run. */
  readonly scripts: readonly string[];
  /** Absolute path of a description, which is applied after them. */
  readonly description: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
  /** The time limit of each, in seconds. */
  readonly seconds: number;
}

/** The script of each role. Refuses an unknown role, and a file that another user can change. */
export async function roleScripts(
  host: ReadHost,
  { site, roles }: { readonly site: Site; readonly roles: readonly string[] },
): Promise<readonly string[]> {
  const directory = site.rolesDir;
  const scripts: string[] = [];
  for (const [at, role] of roles.entries()) {
    const name = `${option('--role', 'roles')} ${JSON.stringify(role)}`;
    if (!/^\w[\w.-]*$/.test(role))
      throw new UsageError(`${name}: must be the name of a file in ${directory}, without "/"`);
    if (roles.indexOf(role) < at) throw new UsageError(`${name} is given twice`);
    const there = await rolesIn(host, directory);
    if (!there.includes(role))
      throw new UsageError(
        `${name}: there is no such file in ${directory}; roles of this site: ${there.join(', ') || 'none'}`,
        {
          code: 'not-found',
          remedy: `install the script: install --mode=755 FILE ${posix.join(directory, role)}; or name another role`,
        },
      );
    scripts.push(posix.join(directory, role));
  }
  for (const script of scripts) await refuseUnsafeScript(host, script);
  return scripts;
}

async function rolesIn(host: ReadHost, directory: string): Promise<readonly string[]> {
  return (await namesIn(host, directory)).filter((name) => /^\w[\w.-]*$/.test(name));
}

/** Whether a script or description runs in the root of the guest before its first start. */
export function runsInside({ roles, provision }: Pick<CheckedCreate, 'roles' | 'provision'>): boolean {
  return roles !== undefined || provision !== undefined;
}

/** Throws RefusedError for a source without the directories that a script or a description needs. */
export function refuseMissingDirectories(
  paths: ReadonlySet<string>,
  { provision }: Pick<CheckedCreate, 'provision'>,
): void {
  const needed = ['proc', 'sys', 'dev', ...(provision === undefined ? [] : ['etc', 'run'])];
  const missing = needed.filter((path) => !paths.has(path));
  if (missing.length === 0) return;
  const [what, asked] =
    provision === undefined
      ? ['a role', option('--role', 'roles')]
      : ['a description', option('--provision', 'provision')];
  throw new RefusedError(
    `the source has no directory ${missing.map((path) => `/${path}`).join(', ')}, which ${what} needs`,
    { remedy: `create it in the source, or leave out ${asked}` },
  );
}

/**
 * Runs the roles and the description in a mounted root. Its data disks are mounted too, so that a rollback
 * can compare their files. `made`: what this sequence has created, as for `tx.copy.script`.
 */
export async function runRoles(
  tx: Tx,
  of: Roles & { readonly mounts: readonly NewMount[]; readonly made: 'filesystem' | 'device' },
): Promise<void> {
  const { scripts, description, environment, seconds, mounts, made } = of;
  const held: { readonly release: () => Promise<void> }[] = [];
  for (const { device, type } of mounts.slice(1))
    held.push(await tx.temporary.mount.mount({ device, type, mode: 'rw', options: fillOptions }));
  const asked = { mounts, made, environment, seconds };
  for (const script of scripts) await tx.copy.script({ script, ...asked });
  if (description !== undefined) await tx.copy.script({ script: description, description: true, ...asked });
  for (const { release } of held.toReversed()) await release();
}
