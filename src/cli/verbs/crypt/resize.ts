import * as crypt from '../../../api/crypt.ts';
import { reachOf } from '../../../blockdevice/index.ts';
import type { ReadHost } from '../../../command/index.ts';
import { mappingNamed } from '../../../crypt/index.ts';
import { RefusedError } from '../../../core/errors.ts';
import { present } from '../../../core/present.ts';
import { type Bytes, formatSize, parseSize } from '../../../core/units.ts';
import type { Answer } from '../../output/answer.ts';
import type { CryptResize } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { pathOn } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';
import { askForKey, header, key } from './options.ts';

/** Resizes only the mapping. Never makes it smaller than content that bofh recognises. */
export default verb({
  changes: true,
  answers: 'crypt resize',
  args: {
    name: ['<name>', 'name below /dev/mapper'],
    size: ['[size]', 'new size, for example 10g (default: all of the device below)'],
  },
  options: { key, header },
  examples: ['crypt resize data', 'crypt resize data 10g'],
  run: (runtime, { name, size: wanted, ...typed }) => {
    const size = wanted === undefined ? undefined : parseSize(wanted);
    const source = typed.key ?? askForKey;
    const asked = present({ name, key: source, size, header: pathOn(runtime, typed.header) });
    return change<Awaited<ReturnType<typeof crypt.resize>>, CryptResize>(
      runtime,
      async ({ host }) => {
        const loss = size === undefined ? undefined : await lossOf(host, name, size);
        const consent = loss === undefined ? {} : ({ shrink: 'lose the data beyond the new size' } as const);
        return {
          destroys: loss === undefined ? [] : [loss],
          act: () => crypt.resize({ ...asked, ...consent }),
          answer: (resized): Answer<CryptResize> => ({
            data: resized,
            lines: [
              resized.was === resized.size
                ? `${resized.path} has ${formatSize(resized.size)} already`
                : `${resized.path} has ${formatSize(resized.size)}; it had ${formatSize(resized.was)}`,
            ],
          }),
        };
      },
      { site: 'used' },
    );
  },
});

/** A text about the data that may be lost; undefined if the mapping does not shrink, or its content ends before the new size. */
async function lossOf(host: ReadHost, name: string, size: Bytes): Promise<string | undefined> {
  const mapping = await mappingNamed(host, name);
  if (mapping === undefined || size >= mapping.size) return undefined;
  const { path } = mapping;
  const inside = await reachOf(host, path);
  if (inside === undefined)
    return `${path} will be shrunk from ${formatSize(mapping.size)} to ${formatSize(size)}: all data after the new end will be lost`;
  if (inside.bytes !== 'unknown' && inside.bytes <= size) return undefined;
  throw new RefusedError(`there is ${inside.type} on ${path}, which this command does not shrink`, {
    remedy: `shrink all layers, in the right order: bofh block resize ${path} ${size}b --key KEY`,
  });
}
