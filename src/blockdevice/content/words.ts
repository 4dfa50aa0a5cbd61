import type { Signature } from '../schema.ts';

/** Describes the content of a device: `ext4 "root", uuid 1234…`. */
export function contentInWords(found: Signature | undefined): string {
  if (found === undefined) return 'nothing';
  if (found.usage === 'ambivalent') return 'several signatures, and blkid cannot tell which one counts';
  const what = found.usage === 'partition-table' ? `a partition table (${found.type})` : found.type;
  const label = found.label === undefined ? '' : ` "${found.label}"`;
  const beside = found.ptType === undefined ? '' : ` and a partition table (${found.ptType})`;
  return `${what}${label}${found.uuid === undefined ? '' : `, uuid ${found.uuid}`}${beside}`;
}

/** Whether it is the same content, as far as it can be recognised. */
export function sameContent(one: Signature | undefined, other: Signature | undefined): boolean {
  const keys = ['type', 'usage', 'uuid', 'label', 'ptType'] as const;
  return keys.every((key) => one?.[key] === other?.[key]);
}
