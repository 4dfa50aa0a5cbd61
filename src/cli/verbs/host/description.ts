import { resolve } from 'node:path';
import { applyCollected } from '../../../api/apply-collected.ts';
import { type Bofh, withBofh } from '../../../bofh.ts';
import { UsageError } from '../../../core/errors.ts';
import type { HostChange } from '../../../provision/apply.ts';
import { collect } from '../../../provision/collect.ts';
import type { HostDescription } from '../../../provision/description.ts';
import type { Resource } from '../../../provision/resource.ts';
import { factsOf } from '../../../provision/facts.ts';
import { loadScript } from '../../../script/load.ts';
import { planOf, readJournals } from '../../plan/plan.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { printable } from '../../output/text.ts';

export const args = {
  file: ['<file>', 'a description: .ts, .js or .mjs with a default export of defineHost'],
} as const;

/** Loads and collects the description in a file. Throws UsageError if it has none. */
export async function readDescription(
  runtime: Pick<Runtime, 'root' | 'log' | 'cacheDirectory'>,
  bofh: Bofh,
  file: string,
): Promise<readonly Resource[]> {
  const path = resolve(file);
  const exported = await loadScript(path, {
    cache: runtime.root ? 'used' : 'unused',
    warn: (message, facts) => runtime.log.warn(message, { ...facts }),
    ...(runtime.cacheDirectory === undefined ? {} : { cacheDirectory: runtime.cacheDirectory }),
  });
  if (typeof exported !== 'object' || exported === null || !('default' in exported))
    throw new UsageError(`${path} has no default export`, {
      remedy: 'export default defineHost((h) => { … })',
    });
  return collect(exported.default as HostDescription, await factsOf(bofh.host));
}

/** What would change: the steps run on a simulated host that reads from the real one. */
export async function plannedChanges(
  bofh: Bofh,
  resources: readonly Resource[],
): Promise<readonly HostChange[]> {
  let changes: readonly HostChange[] = [];
  await planOf(bofh, readJournals(bofh.engine.store), async (planning) => {
    changes = await withBofh(planning, () => applyCollected(resources));
  });
  return changes;
}

/** `change file /etc/motd (mode 0644 → 0600)`, `restart nginx.service`, `run script index` */
export function changeInWords({ action, kind, name, details }: HostChange): string {
  if (kind === 'service') return printable(`${details.join(', ')} ${name}`);
  const verb = kind === 'script' ? 'run' : action;
  const more = details.length === 0 ? '' : ` (${details.join(', ')})`;
  return printable(`${verb} ${kind === 'lines' ? 'lines of' : kind} ${name}${more}`);
}

/** How long `host apply` waits for the confirmation of a change that can cut the way in. */
export const usualWaitMs = 120_000;

export function waitInWords(ms: number): string {
  return `then wait ${String(ms / 1000)} s for "bofh confirm" from a new connection, or undo all of it`;
}

/** For an answer, without contents. */
export function asData({ action, kind, name, details }: HostChange) {
  return { action, kind, name, details };
}
