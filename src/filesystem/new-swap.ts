import { inShell } from '../command/index.ts';

/**
 * Returns the remedy that resizes a swap area. Its content need not be kept: wipe its device,
 * resize the device, and create a swap area with the same uuid and label, so that fstab still finds
 * it by either.
 */
export function newSwap({
  device,
  uuid,
  label,
  kind,
}: {
  readonly device: string;
  readonly uuid?: string | undefined;
  readonly label?: string | undefined;
  /** `crypt`: the swap area is in a LUKS container. */
  readonly kind?: string;
}): string {
  if (kind === 'crypt')
    return `swapoff ${device}; then create the encrypted device below it again with the new size, and a swap area in that`;
  const same = [
    uuid === undefined ? '' : ` --uuid ${uuid}`,
    label === undefined ? '' : ` --label ${inShell(label)}`,
  ].join('');
  return [
    `swapoff ${device}`,
    `bofh block wipe ${device} --overwrite ${uuid ?? 'swap'}`,
    `bofh block resize --bare ${device} SIZE`,
    `bofh filesystem create ${device} --type swap${same}`,
    `swapon ${device}`,
  ].join('; ');
}
