import { resolve } from 'node:path';
import * as crypt from '../api/crypt.ts';
import { formatSize } from '../units.ts';
import type { Answer } from './answer.ts';
import type { CryptHeaderBackup } from './answers/index.ts';
import { change } from './crypt-verb.ts';
import type { Runtime } from './runtime.ts';

/** `bofh crypt header backup DEVICE FILE`: never over a file that is there. */
export async function backup(runtime: Runtime, device: string, path: string): Promise<number> {
  const file = resolve(path);
  return change(runtime, {
    act: () => crypt.backupHeader({ device, file }),
    answer: (made): Answer<CryptHeaderBackup> => ({
      data: { device, ...made },
      lines: [
        `${made.file} has the header of ${device} (LUKS ${made.uuid}), ${formatSize(made.size)}`,
        'with it, a key of today opens the device for ever, also once that key was removed: keep it as you keep a key',
      ],
    }),
  });
}
