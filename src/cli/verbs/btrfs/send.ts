import * as api from '../../../api/btrfs.ts';
import { UsageError } from '../../../core/errors.ts';
import { formatSize } from '../../../core/units.ts';
import type { Answer } from '../../output/answer.ts';
import type { BtrfsReceived, BtrfsSentToDevice, BtrfsSentToFile } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { overwriting } from '../../runtime/overwrite.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { pathOn } from '../../runtime/session.ts';
import { printable } from '../../output/text.ts';

/** `bofh btrfs send SNAPSHOT --to DIR [--name NAME] | --to-file FILE | --to-device DEVICE [--overwrite WHAT]` */
export async function send(
  runtime: Runtime,
  asked: {
    readonly source: string;
    readonly parent?: string;
    readonly to?: string;
    readonly name?: string;
    readonly toFile?: string;
    readonly toDevice?: string;
    readonly overwrite?: string;
  },
): Promise<number> {
  const { source, parent, to, name, toFile, toDevice: device, overwrite } = asked;
  const sent = {
    source: pathOn(runtime, source),
    ...(parent === undefined ? {} : { parent: pathOn(runtime, parent) }),
  };
  if (device !== undefined)
    return overwriting<BtrfsSentToDevice>(runtime, { device, overwrite }, (more) => ({
      act: () => api.sendToDevice({ ...sent, device, ...more }),
      answer: (data): Answer<BtrfsSentToDevice> => ({
        data,
        lines: [`${printable(data.device)} holds all of the stream, uuid ${data.uuid}`],
      }),
    }));
  if (overwrite !== undefined) throw new UsageError('--overwrite says what is lost on a device: --to-device');
  if (to !== undefined)
    return change(runtime, {
      act: () =>
        api.copySubvolume({ ...sent, into: pathOn(runtime, to), ...(name === undefined ? {} : { name }) }),
      answer: received,
    });
  if (toFile === undefined)
    throw new UsageError('say where to: --to DIR, or --to-file FILE, or --to-device DEVICE');
  return change(runtime, {
    act: () => api.sendToFile({ ...sent, file: pathOn(runtime, toFile) }),
    answer: (data): Answer<BtrfsSentToFile> => ({
      data,
      lines: [`${printable(data.file)} holds all of the stream: ${formatSize(data.size)}`],
    }),
  });
}

/** `bofh btrfs receive FILE|DEVICE --into DIR` */
export async function receive(
  runtime: Runtime,
  { file, into, name }: { readonly file: string; readonly into: string; readonly name?: string },
): Promise<number> {
  return change(runtime, {
    act: () =>
      api.receiveSubvolume({
        ...{ file: pathOn(runtime, file), into: pathOn(runtime, into) },
        ...(name === undefined ? {} : { name }),
      }),
    answer: received,
  });
}

function received({ path, id, uuid, receivedUuid }: BtrfsReceived): Answer<BtrfsReceived> {
  return {
    data: { path, id, uuid, receivedUuid },
    lines: [`${printable(path)} is received: id ${id}, uuid ${uuid}, received uuid ${receivedUuid}`],
  };
}
