import * as crypt from '../../../api/crypt.ts';
import { formatSize } from '../../../core/units.ts';
import type { Answer } from '../../output/answer.ts';
import type { CryptHeaderBackup, CryptHeaderRestore } from '../../output/answers/index.ts';
import { change } from './crypt-verb.ts';
import { type Options, saidIn } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { pathOn } from '../../runtime/session.ts';

/** `bofh crypt header backup DEVICE FILE`: never over a file that is there. */
export async function backup(runtime: Runtime, device: string, path: string): Promise<number> {
  const file = pathOn(runtime, path);
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

/** `bofh crypt header restore DEVICE FILE` */
export async function restore(
  runtime: Runtime,
  device: string,
  path: string,
  options: Options,
): Promise<number> {
  const file = pathOn(runtime, path);
  const overwrite = saidIn(options)('overwrite');
  return change(runtime, {
    destroys: [
      `${device} gets the header of ${file}: keys that were added since it was saved will not open the device`,
      ...(overwrite === undefined ? [] : [`its header of now, ${overwrite}, will be lost`]),
    ],
    act: () => crypt.restoreHeader({ device, file, ...(overwrite === undefined ? {} : { overwrite }) }),
    answer: (made): Answer<CryptHeaderRestore> => ({
      data: { device, ...made },
      lines: [`${device} has the header of ${made.file}: LUKS ${made.uuid}`],
    }),
  });
}
