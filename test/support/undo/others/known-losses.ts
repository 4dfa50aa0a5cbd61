import type { FaultName } from '../fault-names.ts';

interface Loss {
  readonly fault: FaultName;
  readonly kind: string;
  /** What others did, in the words of the trial. */
  readonly deed: RegExp;
  /** Titles of the specimens; missing: of all. */
  readonly of?: RegExp;
  /** Where bofh was killed; missing: wherever. */
  readonly killed?: 'before the next line' | 'in a later step';
}

/**
 * What others wrote and bofh still destroys without a question. It must shrink: a loss that does not happen any more fails until
 * its line is gone.
 */
export const knownLosses: readonly Loss[] = [
  // Before its done line it is known by its tag alone, which a copy of it has as well.
  {
    ...{ fault: 'identity reused', kind: 'lvm.thinpool.create', killed: 'before the next line' },
    deed: /^another volume/,
  },
];
