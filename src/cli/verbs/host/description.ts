import { resolve } from 'node:path';
import { applyCollected } from '../../../api/apply-collected.ts';
import { withBofh } from '../../../bofh.ts';
import { type Bofh } from '../../../connect.ts';
import { type Answers, askedOnce } from '../../../command/index.ts';
import { BofhError, messageOf, UsageError } from '../../../core/errors.ts';
import { present } from '../../../core/present.ts';
import type { HostChange } from '../../../provision/apply.ts';
import { collect } from '../../../provision/collect.ts';
import { type Owner, readCreated } from '../../../provision/created.ts';
import type { HostDescription } from '../../../provision/description.ts';
import type { Resource } from '../../../provision/resource.ts';
import { undescribed, type Undescribed } from '../../../provision/undescribed.ts';
import { factsOf } from '../../../provision/facts.ts';
import { loadScript, placeOf } from '../../../script/load.ts';
import { planOf, readJournals } from '../../plan/plan.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { flag } from '../../runtime/verb.ts';
import { printable } from '../../output/text.ts';

export const args = {
  file: ['<file>', 'a description: .ts, .js or .mjs with a default export of defineHost'],
} as const;

export const prune = flag(
  'include the removal of objects that an earlier version of this description created and that it no longer contains',
);

/** A description, and the objects that it created earlier. */
export interface Described {
  /** With `--prune` also the objects to remove. */
  readonly resources: readonly Resource[];
  /** Existing objects that the description created and no longer contains. */
  readonly undescribed: readonly Undescribed[];
  readonly owner: Owner;
}

/** Loads and collects the description in a file. Throws UsageError if the file has none. */
export async function readDescription(
  runtime: Pick<Runtime, 'root' | 'log' | 'cacheDirectory'>,
  bofh: Bofh,
  { file, prune }: { readonly file: string; readonly prune: boolean },
): Promise<Described> {
  const path = resolve(file);
  const { host, engine } = bofh;
  // The program that reads the facts runs while the file is compiled.
  const [facts, exported] = await Promise.all([
    factsOf(host),
    ran(path, () =>
      loadScript(path, {
        cache: runtime.root ? 'read-write' : 'unused',
        warn: (message, more) => runtime.log.warn(message, { ...more }),
        ...present({ cacheDirectory: runtime.cacheDirectory }),
      }),
    ),
  ]);
  if (typeof exported !== 'object' || exported === null || !('default' in exported))
    throw new UsageError(`${path} has no default export`, {
      remedy: 'export default defineHost((h) => { … })',
    });
  const resources = await ran(path, () => collect(exported.default as HostDescription, facts));
  const owner = { host: host.name, file: path };
  const { objects, removal } = await undescribed(host, readCreated(engine.store, owner), resources);
  return { owner, undescribed: objects, resources: prune ? [...resources, ...removal] : resources };
}

/** Runs the code of a description. An error that this code throws is a usage error, with its line. */
async function ran<T>(path: string, code: () => Promise<T>): Promise<T> {
  try {
    return await code();
  } catch (error) {
    if (error instanceof BofhError) throw error;
    throw new UsageError(`the description throws: ${placeOf(error, path)}: ${messageOf(error)}`, {
      cause: error,
      remedy: 'correct that line, then run the command again',
    });
  }
}

/**
 * The planned changes: the steps run on a simulated host that reads from the real one. `answers`
 * receives what the real one answered.
 */
export async function plannedChanges(
  bofh: Bofh,
  resources: readonly Resource[],
  answers: Answers = new Map(),
): Promise<readonly HostChange[]> {
  let changes: readonly HostChange[] = [];
  // Nothing changes during the plan, so each query runs only once.
  const asking = { ...bofh, host: { ...bofh.host, ...askedOnce(bofh.host, answers) } };
  await planOf(asking, readJournals(bofh.engine.store), async (planning) => {
    changes = await withBofh(planning, () => applyCollected(resources));
  });
  return changes;
}

/** A change as text: `change file /etc/motd (mode 0644 → 0600)`, `restart nginx.service`, `run script index` */
export function changeInWords({ action, kind, name, details }: HostChange): string {
  if (kind === 'service') return printable(`${details.join(', ')} ${name}`);
  const verb = kind === 'script' ? 'run' : action;
  const more = details.length === 0 ? '' : ` (${details.join(', ')})`;
  return printable(`${verb} ${kind === 'lines' ? 'lines of' : kind} ${name}${more}`);
}

/** An object that is no longer described, as text: `no longer described: file /etc/motd (--prune removes it)` */
export function undescribedInWords(
  all: readonly Undescribed[],
  { prune }: { readonly prune: boolean },
): readonly string[] {
  return all
    .filter(({ stays }) => !prune || stays !== undefined)
    .map(({ kind, name, stays }) =>
      printable(
        `no longer described: ${kind} ${name} (${stays === undefined ? '--prune removes it' : `it stays: ${stays}`})`,
      ),
    );
}

/** Milliseconds that `host apply` waits for the confirmation of a change that can cut the connection. */
export const usualWaitMs = 120_000;

export function waitInWords(ms: number): string {
  return `then wait ${String(ms / 1000)} s for "bofh confirm" from a new connection, or undo all of it`;
}

/** Instead of `waitInWords`, where no change can wait. */
export function noWaitInWords({ message }: Error): string {
  return `this could break the access to the host, and host apply refuses it without --confirm off: ${message}`;
}

/** A change for the JSON answer, without contents. */
export function asData({ action, kind, name, details }: HostChange) {
  return { action, kind, name, details };
}
