import * as api from '../api/btrfs.ts';
import { UsageError } from '../errors.ts';
import { formatSize } from '../units.ts';
import type { BtrfsReceived, BtrfsSentToDevice, BtrfsSentToFile } from './answers/index.ts';
import { changed } from './btrfs-change.ts';
import { overwriting } from './btrfs-device.ts';
import type { Runtime } from './runtime.ts';
import { pathOn } from './session.ts';
import { printable } from './text.ts';

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
    return overwriting<BtrfsSentToDevice, BtrfsSentToDevice>(runtime, { device, overwrite }, (more) => ({
      act: () => api.sendToDevice({ ...sent, device, ...more() }),
      data: (made) => made,
      lines: (made) => [`${printable(made.device)} holds all of the stream, uuid ${made.uuid}`],
    }));
  if (overwrite !== undefined) throw new UsageError('--overwrite says what is lost on a device: --to-device');
  if (to !== undefined)
    return changed(runtime, {
      act: () =>
        api.copySubvolume({ ...sent, into: pathOn(runtime, to), ...(name === undefined ? {} : { name }) }),
      data: received,
      lines: receivedLines,
    });
  if (toFile === undefined)
    throw new UsageError('say where to: --to DIR, or --to-file FILE, or --to-device DEVICE');
  return changed(runtime, {
    act: () => api.sendToFile({ ...sent, file: pathOn(runtime, toFile) }),
    data: (made): BtrfsSentToFile => made,
    lines: ({ file, size }) => [`${printable(file)} holds all of the stream: ${formatSize(size)}`],
  });
}

/** `bofh btrfs receive FILE|DEVICE --into DIR` */
export async function receive(
  runtime: Runtime,
  { file, into, name }: { readonly file: string; readonly into: string; readonly name?: string },
): Promise<number> {
  return changed(runtime, {
    act: () =>
      api.receiveSubvolume({
        ...{ file: pathOn(runtime, file), into: pathOn(runtime, into) },
        ...(name === undefined ? {} : { name }),
      }),
    data: received,
    lines: receivedLines,
  });
}

function received({ path, id, uuid, receivedUuid }: BtrfsReceived): BtrfsReceived {
  return { path, id, uuid, receivedUuid };
}

function receivedLines(made: BtrfsReceived): readonly string[] {
  return [
    `${printable(made.path)} is received: id ${made.id}, uuid ${made.uuid}, received uuid ${made.receivedUuid}`,
  ];
}
