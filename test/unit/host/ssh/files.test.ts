import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { remoteFiles } from '../../../../src/host/ssh/files.ts';
import type { Link } from '../../../../src/host/ssh/link.ts';

type Reading = Parameters<Link['read']>[0];

/** A link over which every path has its own name as content; `slow`: so many turns of the event loop each errand takes. */
function linkTo({ slow = 3, hangs }: { readonly slow?: number; readonly hangs?: string } = {}) {
  const errands: (readonly string[])[] = [];
  let [now, most] = [0, 0];
  const read = async ({ words, stdin }: Reading) => {
    errands.push(words.filter((_, at) => at % 2 === 1));
    now += 1;
    most = Math.max(most, now);
    for (
      let turns = 0;
      turns < slow || (hangs !== undefined && words.includes(hangs) && turns < 500);
      turns += 1
    )
      await turn();
    now -= 1;
    const mark = String(stdin).trim();
    const stdout =
      errands.at(-1) === undefined
        ? ''
        : words.map((word, at) => (at % 2 === 1 ? `${word}${mark}0 ${mark}` : '')).join('');
    return { exitCode: 0, stdout: Buffer.from(stdout), stderr: Buffer.from('') };
  };
  return { errands, most: () => most, files: remoteFiles({ read } as unknown as Link) };
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe('file accesses over ssh', () => {
  it('that are requested together share round trips, also when they got out of step', async () => {
    const { errands, most, files } = linkTo();
    const chain = async (name: number): Promise<readonly string[]> => {
      const said: string[] = [];
      for (let step = 0; step < 6; step += 1) {
        // Something else takes a while, and not the same for each.
        for (let turns = 0; turns < (name * 7 + step * 3) % 5; turns += 1) await turn();
        said.push(textOf(await files.readFile(`/${String(name)}/${String(step)}`)));
      }
      return said;
    };
    const all = await Promise.all(Array.from({ length: 30 }, (_, name) => chain(name)));

    expect(all[7]).toEqual(Array.from({ length: 6 }, (_, step) => `/7/${String(step)}`));
    expect(errands.flat()).toHaveLength(180);
    expect(errands.length).toBeLessThan(30);
    expect(most()).toBe(2);
  });

  it('that are requested one after the other do not wait for more', async () => {
    const { errands, files } = linkTo();
    for (const path of ['/a', '/b', '/c']) expect(textOf(await files.readFile(path))).toBe(path);
    expect(errands).toEqual([['/a'], ['/b'], ['/c']]);
  });

  it('that hang do not block others', async () => {
    const { files } = linkTo({ hangs: '/hangs' });
    let isThere = false;
    const hanging = files.readFile('/hangs').then(() => (isThere = true));
    await turn();
    for (const path of ['/a', '/b']) expect(textOf(await files.readFile(path))).toBe(path);
    expect(isThere).toBe(false);
    await hanging;
  });
});
