import * as filesystem from '../api/filesystem.ts';
import { withBofh } from '../bofh.ts';
import { UsageError } from '../errors.ts';
import { makeable } from '../filesystem/types.ts';
import type { Tx } from '../operations.ts';
import { give } from './answer.ts';
import type { FilesystemCreate } from './answers/index.ts';
import { confirm } from './confirm.ts';
import { type Options, type Said, saidIn, wholeIn } from './options.ts';
import type { Runtime } from './runtime.ts';
import { openSession, untilInterrupted } from './session.ts';
import { logged } from './system-log.ts';
import { printable } from './text.ts';

type Asked = Parameters<Tx['filesystem']['create']>[0];

/** `bofh filesystem create DEVICE --type TYPE` */
export async function create(runtime: Runtime, device: string, options: Options): Promise<number> {
  const fresh = askedFor(device, options);
  const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
  const named = options.overwrite;
  const overwrite =
    typeof named !== 'string'
      ? undefined
      : await untilInterrupted(
          runtime,
          withBofh(bofh, () => overwriteOf(device, named)),
        );
  const asked: Asked = overwrite === undefined ? fresh : { ...fresh, overwrite };
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    return await dryRun(runtime, bofh, () => filesystem.create(asked));
  }
  const { type, label } = asked;
  if (overwrite !== undefined)
    await confirm(runtime, [
      `${printable(device)} is overwritten, and what is on it now cannot be brought back: ${overwrite.uuid ?? overwrite.type ?? ''}`,
    ]);
  const made = await logged(runtime, bofh.host, () => withBofh(bofh, () => filesystem.create(asked)));
  progress.end();
  const data: FilesystemCreate = { device, type, uuid: made.uuid, label: label ?? null };
  give(runtime, { data, lines: [`${printable(device)} holds ${type} now, uuid ${made.uuid}`] });
  return 0;
}

/** What was typed. Throws UsageError for what cannot be meant. */
function askedFor(device: string, options: Options): Asked {
  const said = saidIn(options);
  const [type, label, uuid] = [typeOf(said('type') ?? ''), said('label'), said('uuid')];
  return {
    ...{ device, type, options: optionsOf(said) },
    ...(label === undefined ? {} : { label }),
    ...(uuid === undefined ? {} : { uuid }),
  };
}

function typeOf(text: string): Asked['type'] {
  const type = makeable.find((each) => each === text);
  if (type === undefined) throw new UsageError(`--type ${text}: bofh makes ${makeable.join(', ')}`);
  return type;
}

/** By its uuid if it is that of what is there; what has none is named by its type. Of a stream of btrfs, which blkid does not know, by that. */
export async function overwriteOf(device: string, text: string): Promise<NonNullable<Asked['overwrite']>> {
  const found = await filesystem.probe(device);
  const isStream = found === undefined && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
  return isStream || found?.uuid === text ? { uuid: text } : { type: text };
}

const checksums = ['crc32c', 'xxhash', 'sha256', 'blake2'] as const;

function optionsOf(said: Said): NonNullable<Asked['options']> {
  const number = wholeIn(said);
  const [blockSize, bytesPerInode, reservedPercent, nodeSize] = [
    ...[number('blockSize'), number('bytesPerInode'), number('reservedPercent'), number('nodeSize')],
  ];
  const bits = number('fatBits');
  const fatBits = ([12, 16, 32] as const).find((each) => each === bits);
  if (bits !== undefined && fatBits === undefined) throw new UsageError('--fat-bits is 12, 16 or 32');
  const name = said('checksum');
  const checksum = checksums.find((each) => each === name);
  if (name !== undefined && checksum === undefined)
    throw new UsageError(`--checksum ${name}: ${checksums.join(', ')} are known`);
  return {
    ...(blockSize === undefined ? {} : { blockSize }),
    ...(bytesPerInode === undefined ? {} : { bytesPerInode }),
    ...(reservedPercent === undefined ? {} : { reservedPercent }),
    ...(nodeSize === undefined ? {} : { nodeSize }),
    ...(checksum === undefined ? {} : { checksum }),
    ...(fatBits === undefined ? {} : { fatBits }),
  };
}
