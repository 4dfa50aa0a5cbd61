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

const inTheRoom = /^raw data at the end of/;

/**
 * What others wrote and bofh still destroys without a question. It must shrink: a loss that does not happen any more fails until
 * its line is gone.
 */
export const knownLosses: readonly Loss[] = [
  // The witness waits in memory for the next line of the journal, and is lost with the process.
  ...['lvm.snapshot.create', 'btrfs.subvolume.create', 'btrfs.snapshot'].map(
    (kind): Loss => ({
      ...{ fault: 'foreign content', kind, killed: 'before the next line' },
      deed: /^a file in \/(?:\w.* of| of dm-6, unmounted)|^a filesystem on/,
    }),
  ),
  {
    ...{ fault: 'foreign content', kind: 'crypt.format', killed: 'before the next line' },
    deed: /^a filesystem within .* closed again/,
  },
  ...['lvm.lv.create', 'lvm.thinpool.create', 'lvm.snapshot.create'].map(
    (kind): Loss => ({
      ...{ fault: 'identity reused', kind, killed: 'before the next line' },
      deed: /^another volume/,
    }),
  ),
  // They have no witness.
  { fault: 'foreign content', kind: 'block.partition.add', deed: /^a filesystem on|^raw data/ },
  ...['block.partition.grow', 'lvm.lv.resize', 'crypt.resize'].map(
    (kind): Loss => ({
      fault: 'foreign content',
      kind,
      deed: inTheRoom,
      of: /^(?!smaller|thin, smaller|to the size)/,
    }),
  ),
  { fault: 'foreign content', kind: 'crypt.format.detached', deed: /rewritten in place/ },
  { fault: 'foreign content', kind: 'crypt.format', deed: /^a key of theirs/ },
  {
    ...{ fault: 'foreign content', kind: 'crypt.header.backup', deed: /rewritten in place/ },
    killed: 'before the next line',
  },
  { fault: 'foreign content', kind: 'btrfs.send', deed: /rewritten in place/ },
  ...['btrfs.subvolume.copy', 'btrfs.subvolume.receive', 'btrfs.toplevel.move'].map(
    (kind): Loss => ({ fault: 'foreign content', kind, deed: /^a file in \/\w/ }),
  ),
  {
    fault: 'foreign content',
    kind: 'filesystem.create',
    deed: /^a file in \/lost\+found of \w+-\d+, unmounted/,
  },
  { fault: 'the world moved on', kind: 'crypt.erase', deed: /^a filesystem within .* closed again/ },
  { fault: 'the world moved on', kind: 'btrfs.toplevel.move', deed: /^a file in .*\.bofh-gone-/ },
  // What is looked at is its start.
  { fault: 'foreign content', kind: 'lvm.lv.create', deed: inTheRoom },
  { fault: 'foreign content', kind: 'btrfs.send.device', deed: inTheRoom },
  { fault: 'foreign content', kind: 'btrfs.device.remove', deed: inTheRoom },
  { fault: 'the world moved on', kind: 'lvm.snapshot.merge', deed: inTheRoom },
  { fault: 'the world moved on', kind: 'btrfs.device.replace', deed: inTheRoom },
  { fault: 'the world moved on', kind: 'btrfs.send.device', deed: inTheRoom },
];
