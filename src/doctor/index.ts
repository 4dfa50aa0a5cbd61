import type { Store } from '../atomic/journal/store.ts';
import { bootUnits } from './boot.ts';
import { drbd } from './drbd.ts';
import { type Finding, finding, looking } from './finding.ts';
import { fullVolumes } from './full-volumes.ts';
import { laggingLayers } from './lagging-layers.ts';
import { journals, type KnownJournal } from './journals.ts';
import { kernel } from './kernel.ts';
import { leftovers, type LeftoverSearch } from './leftovers.ts';
import { programs } from './programs.ts';
import { stateDirectory } from './state-dir.ts';

export { type Finding, finding, looking } from './finding.ts';
export { type KnownJournal, reasonOf } from './journals.ts';
export { reservations } from './reservations.ts';
export { siteFile } from './site.ts';

type DoctorInput = Omit<LeftoverSearch, 'journals'> & {
  /** Undefined if the journals cannot be read; the caller reports that. */
  readonly journals: readonly KnownJournal[] | undefined;
  readonly store: Pick<Store, 'directory' | 'names' | 'freeBytes' | 'changedMs' | 'bytes'>;
};

/**
 * Runs the checks of a host, and returns the findings about journals first. Read-only. The caller
 * checks reservations and the site file.
 */
export async function examine(input: DoctorInput): Promise<readonly Finding[]> {
  const { host, store, root } = input;
  const found = await Promise.all([
    sequenceFindings(input),
    stateDirectory(host, store, root),
    programs(host, root),
    kernel(host, root),
    drbd(host, root),
    fullVolumes(host, root),
    looking({ check: 'boot', what: 'the units of systemd', root }, () => bootUnits(host)),
  ]);
  return found.flat();
}

async function sequenceFindings({ journals: known, ...input }: DoctorInput): Promise<readonly Finding[]> {
  if (known === undefined)
    return [finding('leftover', 'warning', 'leftovers of sequences are unknown without their journals')];
  const at = { check: 'journal', what: 'the journals', root: input.root };
  const found = await looking(at, async () => journals(input.store, known));
  return [
    ...found,
    ...(await leftovers({ ...input, journals: known })),
    ...(await laggingLayers(input.host, known, input.root)),
  ];
}
