import { type Command, type ReadHost } from '../command/index.ts';
import { CommandError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import { change } from './commands.ts';
import { qgroupShow, qgroupsIn } from './quota-commands.ts';
import { rawSubvolumes } from './reads.ts';
import type { Qgroup, QuotaState } from './schema.ts';

/** Whether quotas of a filesystem are enabled, and what they count. */
export type Quota =
  | { readonly mode: 'off' }
  | { readonly mode: 'on'; readonly state: QuotaState; readonly groups: readonly Qgroup[] };

/** Returns the quota groups of the filesystem of a path, or that quotas are off. */
export async function quotaOf(host: ReadHost, path: string): Promise<Quota> {
  try {
    return { mode: 'on', ...(await qgroupsOf(host, path)) };
  } catch (error) {
    if (error instanceof CommandError && isOff(error)) return { mode: 'off' };
    throw error;
  }
}

/**
 * Returns the quota groups of the filesystem of a path, and how exact their numbers are.
 * CommandError while quotas are off.
 */
export async function qgroupsOf(
  host: ReadHost,
  path: string,
): Promise<{ readonly state: QuotaState; readonly groups: readonly Qgroup[] }> {
  const { state, lines } = await host.run(qgroupShow(path));
  const tails = (await rawSubvolumes(host, path)).flatMap(({ id, path: name }) => {
    const [, ...tail] = name.split('\n');
    return tail.length === 0 ? [] : [[id, tail] as const];
  });
  return { state, groups: qgroupsIn(lines, new Map(tails)) };
}

function isOff({ exitCode, stderr }: CommandError): boolean {
  return exitCode === 1 && stderr === "ERROR: can't list qgroups: quotas not enabled\n";
}

/**
 * `btrfs quota enable` or `disable`: also exits 0 without a change. Disabling removes every limit
 * and group.
 */
export function quotaSet(path: string, mode: 'on' | 'off'): Command<void, 'change'> {
  return change(['quota', mode === 'on' ? 'enable' : 'disable', path]);
}

/** `btrfs qgroup limit` for the group of a subvolume; null removes the limit. */
export function qgroupLimit(of: {
  readonly path: string;
  readonly id: number;
  readonly what: 'referenced' | 'exclusive';
  readonly limit: Bytes | null;
}): Command<void, 'change'> {
  const exclusive = of.what === 'exclusive' ? ['-e'] : [];
  const limit = of.limit === null ? 'none' : String(of.limit);
  return change(['qgroup', 'limit', ...exclusive, limit, `0/${of.id}`, of.path]);
}
