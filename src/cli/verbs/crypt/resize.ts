import * as crypt from '../../../api/crypt.ts';
import { reachOf } from '../../../blockdevice/index.ts';
import type { ReadHost } from '../../../command/index.ts';
import { mappingNamed } from '../../../crypt/index.ts';
import { RefusedError } from '../../../core/errors.ts';
import { type Bytes, formatSize, parseSize } from '../../../core/units.ts';
import type { Answer } from '../../output/answer.ts';
import type { CryptResize } from '../../output/answers/index.ts';
import { change, headerFileOf, keyOf } from './crypt-verb.ts';
import type { Options } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';

/** `bofh crypt resize NAME [SIZE]`: the device alone, and never smaller under what can be recognised in it. */
export async function resize(
  runtime: Runtime,
  name: string,
  wanted: string,
  options: Options,
): Promise<number> {
  const size = wanted === '' ? undefined : parseSize(wanted);
  const header = headerFileOf(runtime, options);
  const asked = {
    ...{ name, key: keyOf(options) },
    ...(size === undefined ? {} : { size }),
    ...(header === undefined ? {} : { header }),
  };
  return change<Awaited<ReturnType<typeof crypt.resize>>>(runtime, async ({ host }) => {
    const loss = size === undefined ? undefined : await lossOf(host, name, size);
    const consent = loss === undefined ? {} : ({ shrink: 'lose what lies beyond' } as const);
    return {
      ...(loss === undefined ? {} : { destroys: [loss] }),
      act: () => crypt.resize({ ...asked, ...consent }),
      answer: (made): Answer<CryptResize> => ({
        data: made,
        lines: [
          made.was === made.size
            ? `${made.path} has ${formatSize(made.size)} already`
            : `${made.path} has ${formatSize(made.size)} now, and had ${formatSize(made.was)}`,
        ],
      }),
    };
  });
}

/** What may be lost, in words; undefined: it does not become smaller, or what lies in it ends before. */
async function lossOf(host: ReadHost, name: string, size: Bytes): Promise<string | undefined> {
  const mapping = await mappingNamed(host, name);
  if (mapping === undefined || size >= mapping.size) return undefined;
  const { path } = mapping;
  const inside = await reachOf(host, path);
  if (inside === undefined)
    return `${path} is cut from ${formatSize(mapping.size)} to ${formatSize(size)}: what lies beyond is lost`;
  if (inside.bytes !== 'unknown' && inside.bytes <= size) return undefined;
  throw new RefusedError(`there is ${inside.type} on ${path}, which does not become smaller by this`, {
    remedy: `bofh filesystem resize ${path} ${size} makes it smaller first; bofh block resize ${path} ${size} does all layers, in their order`,
  });
}
