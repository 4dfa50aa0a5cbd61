import { UsageError } from '../../../core/errors.ts';
import { present } from '../../../core/present.ts';
import { parseSize } from '../../../core/units.ts';
import { named } from '../../runtime/verb.ts';

/** A logical volume as it is typed. */
export interface Volume {
  readonly vg: string;
  readonly name: string;
}

/** Parses `VG/NAME`. Throws UsageError for anything else. */
export function volumeOf(text: string): Volume {
  const { vg, name } = /^(?<vg>[^/]+)\/(?<name>[^/]+)$/.exec(text)?.groups ?? {};
  const path = /^\/dev\/(?!mapper\/)(?<volume>[^/]+\/[^/]+)$/.exec(text)?.groups?.volume;
  if (vg === undefined || name === undefined)
    throw new UsageError(`"${text}" names no logical volume: write VG/NAME`, {
      ...present({ remedy: path === undefined ? undefined : `write ${path}` }),
    });
  return { vg, name };
}

/** For `read`: a size. Refuses a share of the group, which is a number of extents. */
export function sizeNotShare(text: string, name: string): number {
  if (text.includes('%')) {
    const { part = '10', of = 'FREE' } =
      /^(?<part>[1-9]\d?|100)%(?<of>FREE|VG|ORIGIN)?$/i.exec(text)?.groups ?? {};
    throw new UsageError(`${name}: "${text}" is a share, not a size`, {
      remedy: `write a share as extents, for example: --extents ${part}%${of.toUpperCase()}`,
    });
  }
  return named(parseSize)(text, name);
}
