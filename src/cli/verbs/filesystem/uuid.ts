import * as filesystem from '../../../api/filesystem.ts';
import type { Answer } from '../../output/answer.ts';
import type { FilesystemUuid } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import type { Options } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { printable } from '../../output/text.ts';

/** `bofh filesystem uuid DEVICE` */
export async function uuid(
  runtime: Runtime,
  device: string,
  { uuid: wanted, addSeed }: Options,
): Promise<number> {
  const asked = {
    device,
    ...(typeof wanted === 'string' ? { uuid: wanted } : {}),
    ...(addSeed === true ? { seed: 'may be added' as const } : {}),
  };
  return change(runtime, {
    act: () => filesystem.uuid(asked),
    answer: ({ uuid: now, was }): Answer<FilesystemUuid> => {
      const line = now === was ? `has the uuid ${now} already` : `has the uuid ${now} now; it had ${was}`;
      return { data: { device, uuid: now, was }, lines: [`${printable(device)} ${line}`] };
    },
  });
}
