import type { ManualRecovery } from '../core/errors.ts';

/** Manual recovery of `crypt.reencrypt`. */
export function toReencryptRecovery({
  undo: { device, luksUuid, cipher, keySize },
}: {
  readonly undo: {
    readonly device: string;
    readonly luksUuid: string;
    readonly cipher: string | null;
    readonly keySize: number | null;
  };
}): ManualRecovery {
  return {
    what: `the data of ${device} (LUKS ${luksUuid}), whose reencryption must be completed`,
    look: [['cryptsetup', 'luksDump', device]],
    // The first command does nothing unless a segment was interrupted while it was written. The
    // second command resumes the reencryption.
    clear: [
      ['cryptsetup', 'repair', device],
      [
        ...['cryptsetup', 'reencrypt'],
        ...(cipher === null ? [] : ['--cipher', cipher]),
        ...(keySize === null ? [] : ['--key-size', String(keySize)]),
        device,
      ],
    ],
  };
}
