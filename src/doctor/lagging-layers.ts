import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { states } from '../drbd/index.ts';
import { grownBy } from '../replica/grown.ts';
import { lagging } from '../stack/lagging.ts';
import { type Finding, finding, looking } from './finding.ts';
import type { KnownJournal } from './journals.ts';

/**
 * Reports layers that `bofh block resize` did not grow after their replicated disk. If bofh is killed between
 * its two sequences, no journal is open: only the name of the first sequence, in the history, shows that a
 * second one must follow.
 */
export async function laggingLayers(
  host: ReadHost,
  all: readonly KnownJournal[],
  root: boolean,
): Promise<readonly Finding[]> {
  const byPath = new Map(
    all.flatMap(({ is, state }) => {
      const found = is === 'committed' && state !== undefined ? grownBy(state.begin.name) : undefined;
      return found === undefined ? [] : [[found.path, found] as const];
    }),
  );
  if (byPath.size === 0) return [];
  return looking({ check: 'drbd', what: 'the layers on a grown disk', root }, async () => {
    const resources = await states(host);
    const found: Finding[] = [];
    for (const { resource, path, command } of byPath.values()) {
      const isPrimaryHere = resources.some(
        ({ name, role, volumes }) =>
          name === resource &&
          role === 'Primary' &&
          volumes.some(({ minor }) => path === `/dev/drbd${String(minor)}`),
      );
      const behind = isPrimaryHere ? await lagging(host, path).catch(unlessRefused) : [];
      if (behind.length > 0)
        found.push(
          finding(
            'drbd',
            'warning',
            `${path} was grown, but the layers on it were not: ${behind.join(', ')}`,
            [command],
          ),
        );
    }
    return found;
  });
}

/**
 * Returns no layers for a RefusedError: bofh cannot resize the content of the disk. Throws any
 * other error.
 */
function unlessRefused(error: unknown): readonly string[] {
  if (error instanceof RefusedError) return [];
  throw error;
}
