import { createHash } from 'node:crypto';

/**
 * Identities that a real host would draw at random; here the same in every run with the same seed.
 */
export interface Ids {
  /** A UUID for a filesystem, a domain or a boot. */
  readonly uuid: () => string;
  /** A UUID in the format of LVM: `6-4-4-4-4-4-6`. */
  readonly lvmUuid: () => string;
  /** Returns a copy that draws the same ids from here on. */
  readonly copy: () => Ids;
}

/** Returns ids that depend only on the seed and on how many were drawn before. */
export function seededIds(seed: string, before = 0): Ids {
  let drawn = before;
  const hex = (): string =>
    createHash('sha256')
      .update(`${seed}:${(drawn += 1)}`)
      .digest('hex');
  return {
    uuid: () => hex().replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-4$3-8$4-$5'),
    lvmUuid: () => hex().replace(/^(.{6})(.{4})(.{4})(.{4})(.{4})(.{4})(.{6}).*$/, '$1-$2-$3-$4-$5-$6-$7'),
    copy: () => seededIds(seed, drawn),
  };
}
