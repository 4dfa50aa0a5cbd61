import * as z from 'zod/mini';
import { RefusedError, UsageError } from '../../core/errors.ts';
import { option } from '../../core/option.ts';
import type { Signature } from '../schema.ts';
import { contentInWords } from './words.ts';

/** The content to overwrite: its UUID, or its type, or both. */
export const overwriteSchema = z.strictObject({
  /** UUID of the content that may be lost, as blkid shows it. */
  uuid: z.exactOptional(z.string()),
  /** Type of the content that may be lost: `ext4`, `LVM2_member`. */
  type: z.exactOptional(z.string()),
});

export type Overwrite = z.infer<typeof overwriteSchema>;

/** UsageError if `overwrite` names nothing. */
export function checkOverwrite(overwrite: Overwrite | undefined): void {
  if (overwrite !== undefined && overwrite.uuid === undefined && overwrite.type === undefined)
    throw new UsageError('overwrite must name the content that may be lost, by its UUID or its type');
}

/**
 * RefusedError unless `overwrite` names exactly the content of the device. For a blank device
 * `overwrite` must be missing.
 */
export function refuseOther(
  device: string,
  asked: {
    readonly found: Signature | undefined;
    readonly overwrite: Overwrite | undefined;
    /** What happens to a partition table without partitions. */
    readonly emptyTable: 'by name' | 'refused';
  },
): void {
  const { found, overwrite, emptyTable } = asked;
  if (found === undefined) {
    if (overwrite === undefined) return;
    throw new RefusedError(
      `${device} is blank: it does not contain what ${option('--overwrite', '`overwrite`')} names`,
      {
        remedy: `leave out ${option('--overwrite', '`overwrite`')}`,
      },
    );
  }
  const holds = `${device} holds ${contentInWords(found)}; nothing was written`;
  const code = 'has-data';
  if (found.usage === 'ambivalent' || found.ptType !== undefined)
    throw new RefusedError(holds, {
      code,
      remedy: `see it: wipefs ${device}; if none of it is needed: wipefs --all ${device}`,
    });
  if (found.usage === 'partition-table' && emptyTable === 'refused')
    throw new RefusedError(holds, {
      code,
      remedy: `erase it first: bofh block wipe ${device} --overwrite ${found.uuid ?? found.type}`,
    });
  const named = found.uuid === undefined ? `type: '${found.type}'` : `uuid: '${found.uuid}'`;
  const words = option(`--overwrite ${found.uuid ?? found.type}`, `overwrite: { ${named} }`);
  const remedy = `to overwrite it, name it: ${words}`;
  if (overwrite === undefined) throw new RefusedError(holds, { code, remedy });
  const right =
    (overwrite.uuid ?? found.uuid) === found.uuid && (overwrite.type ?? found.type) === found.type;
  if (!right)
    throw new RefusedError(`${holds}, because ${option('--overwrite', '`overwrite`')} names something else`, {
      ...{ code, remedy },
    });
}
