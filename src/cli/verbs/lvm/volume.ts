import { UsageError } from '../../../core/errors.ts';

/** A logical volume as it is typed. */
export interface Volume {
  readonly vg: string;
  readonly name: string;
}

/** Parses `VG/NAME`. Throws UsageError for anything else. */
export function volumeOf(text: string): Volume {
  const { vg, name } = /^(?<vg>[^/]+)\/(?<name>[^/]+)$/.exec(text)?.groups ?? {};
  if (vg === undefined || name === undefined)
    throw new UsageError(`"${text}" names no logical volume: write VG/NAME`);
  return { vg, name };
}
