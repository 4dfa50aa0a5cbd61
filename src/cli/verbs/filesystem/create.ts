import * as filesystem from '../../../api/filesystem.ts';
import { UsageError } from '../../../core/errors.ts';
import { makeable } from '../../../filesystem/types.ts';
import type { Tx } from '../../../operations.ts';
import type { Answer } from '../../output/answer.ts';
import type { FilesystemCreate } from '../../output/answers/index.ts';
import { overwriting } from '../../runtime/overwrite.ts';
import { type Options, type Said, saidIn, wholeIn } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { printable } from '../../output/text.ts';

type Asked = Parameters<Tx['filesystem']['create']>[0];

/** `bofh filesystem create DEVICE --type TYPE` */
export async function create(runtime: Runtime, device: string, options: Options): Promise<number> {
  const fresh = askedFor(device, options);
  const { type, label } = fresh;
  return overwriting<{ readonly uuid: string }>(
    runtime,
    { device, overwrite: saidIn(options)('overwrite') },
    (overwrite) => ({
      act: () => filesystem.create({ ...fresh, ...overwrite }),
      answer: ({ uuid }): Answer<FilesystemCreate> => ({
        data: { device, type, uuid, label: label ?? null },
        lines: [`${printable(device)} holds ${type} now, uuid ${uuid}`],
      }),
    }),
  );
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
