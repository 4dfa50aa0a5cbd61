import type { SimulatedHost } from '../../../../src/simulator/index.ts';
import { hasFile, hasSuperblock } from './kept.ts';

/** What another process does to an object of the sequence. */
export interface Deed {
  readonly title: string;
  readonly act: (host: SimulatedHost) => Theirs;
}

export interface Theirs {
  /** Is all that they wrote still there? */
  readonly isKept: (host: SimulatedHost) => boolean;
  /** They end their use of it, and what they wrote stays. */
  readonly leave?: (host: SimulatedHost) => void;
}

export const theirText = 'accounts of somebody else\n';
export const theirUuid = '0c0ffee0-0000-4000-8000-00000000000b';
/** Where they mount. */
export const theirPlace = '/mnt/others';
export const theirFilesystem = {
  type: 'ext4',
  usage: 'filesystem',
  uuid: theirUuid,
  version: '1.0',
} as const;

/** What a later step of the sequence makes, in which it is killed. */
export const laterFile = '/srv/later';

export function fileIsKept(host: SimulatedHost): boolean {
  return hasFile(host, theirText);
}

export function filesystemIsKept(host: SimulatedHost): boolean {
  return hasSuperblock(host, theirUuid);
}
