/**
 * Remedy that resizes a swap area. It has no content to keep: wipe its device, resize that, and
 * create a swap area with the same uuid, by which fstab finds it.
 */
export function newSwap({
  device,
  uuid,
  kind,
}: {
  readonly device: string;
  readonly uuid?: string | undefined;
  /** `crypt`: it is in a LUKS container. */
  readonly kind?: string;
}): string {
  if (kind === 'crypt')
    return `swapoff ${device}; then create the encrypted device below it again with the new size, and a swap area in that`;
  const same = uuid === undefined ? '' : ` --uuid ${uuid}`;
  return [
    `swapoff ${device}`,
    `bofh block wipe ${device} --overwrite ${uuid ?? 'swap'}`,
    `bofh block resize --bare ${device} SIZE`,
    `bofh filesystem create ${device} --type swap${same}`,
    `swapon ${device}`,
  ].join('; ');
}
