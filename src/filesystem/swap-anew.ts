/**
 * How a swap area gets another size, as a remedy: it has no content to keep, so its device is made blank, resized by itself,
 * and given a swap area of the same uuid, by which fstab finds it again.
 */
export function swapAnew({
  device,
  uuid,
  kind,
}: {
  readonly device: string;
  readonly uuid?: string | undefined;
  /** `crypt`: it lies in a container. */
  readonly kind?: string;
}): string {
  if (kind === 'crypt')
    return `swapoff ${device}; then make the encrypted device beneath it anew in the new size, and a swap area in that`;
  const same = uuid === undefined ? '' : ` --uuid ${uuid}`;
  return [
    `swapoff ${device}`,
    `bofh block wipe ${device} --overwrite ${uuid ?? 'swap'}`,
    `bofh block resize --bare ${device} SIZE`,
    `bofh filesystem create ${device} --type swap${same}`,
    `swapon ${device}`,
  ].join('; ');
}
