import { posix } from 'node:path';
import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { CommandError, RefusedError } from '../../errors.ts';
import { absolutePath, besideWith, realParent, sameFile, sha256, sha256Hex } from '../../file/path.ts';
import { savedByHand } from '../by-hand.ts';
import { saveHeader } from '../saved-header.ts';
import { knownDevice, luksDevice } from '../slots.ts';

const args = z.strictObject({
  device: z.string().check(z.minLength(1)),
  /** Where the backup is to be: nothing is there yet. */
  file: absolutePath,
});

const undo = z.extend(knownDevice, {
  file: absolutePath,
  /** A second name of the new file, until the commit: the mark. */
  private: absolutePath,
});

type Undo = z.infer<typeof undo>;

const result = z.strictObject({ sha256: sha256Hex, size: z.int().check(z.positive()) });

type Result = z.infer<typeof result>;

/**
 * Saves the header of an encrypted device, with its key slots, in a new file that its owner alone may read. It appears whole or
 * not at all, and never in the place of another one.
 *
 * As with `tx.file.create` the mark is a private second name, which stays until the commit; what stands at the path is ours
 * while it is the inode of the private name, and holds what was written to it.
 */
export const backupHeader = operation({
  kind: 'crypt.header.backup',
  version: 1,
  args,
  undo,
  result,
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { device, file }, mark, host }): Promise<Undo> => {
    const { known } = await luksDevice(host, device);
    await realParent(host, file);
    const own = besideWith(file, mark);
    for (const path of [file, own]) if ((await host.stat(path)) !== undefined) throw taken(path);
    return { ...known, file, private: own };
  },
  claims: async ({ undo: { device, luksUuid, file }, on }) => {
    const { key, beneath } = await on(device);
    return { makes: [`file:${file}`], needs: [`luks:${luksUuid}`, key, ...beneath] };
  },
  run: async ({ undo: wanted, host }): Promise<Result> => {
    await saveHeader(host, wanted, wanted.private);
    await linkTo(host, wanted);
    await host.sync(posix.dirname(wanted.file));
    const content = await host.readFile(wanted.private);
    return { sha256: sha256(content), size: content.length };
  },
  value: ({ undo: { file, luksUuid: uuid }, result: { size } }) => ({ file, uuid, size }),
  look: ({ undo: made, result: known, host }) => look(host, made, known),
  revert: async ({ undo: made, result: known, host }) => {
    const { own, atPath } = await survey(host, made, known);
    if (own?.kind !== 'file') return;
    if (atPath === 'ours') {
      await host.removeFile(made.file);
      await host.sync(posix.dirname(made.file));
    }
    await host.removeFile(made.private);
  },
  sync: async ({ undo: made, host }) => {
    const directory = posix.dirname(made.file);
    if ((await host.stat(directory))?.kind === 'directory') await host.sync(directory);
  },
  afterCommit: async ({ undo: made, host }) => {
    if ((await host.stat(made.private))?.kind === 'file') await host.removeFile(made.private);
  },
  describe: savedByHand,
});

async function linkTo(host: ChangeHost, { private: own, file }: Undo): Promise<void> {
  try {
    await host.link(own, file);
  } catch (error) {
    if (!(error instanceof CommandError && error.reason === 'exists')) throw error;
    throw taken(file, error);
  }
}

async function survey(host: ReadHost, made: Undo, known: Result | undefined) {
  const [own, there] = [await host.stat(made.private), await host.stat(made.file)];
  if (there === undefined) return { own, atPath: 'absent' } as const;
  if (!sameFile(own, there)) return { own, atPath: 'another' } as const;
  // Before it is known what was written, nobody was told of the file.
  const unchanged =
    known === undefined ||
    (there.size === known.size && sha256(await host.readFile(made.private)) === known.sha256);
  return { own, atPath: unchanged ? 'ours' : 'edited' } as const;
}

/** The private name is what there is of us. `found` beside `ours` tells of what is at the path and not ours any more. */
async function look(host: ReadHost, made: Undo, known: Result | undefined): Promise<Look> {
  const { own, atPath } = await survey(host, made, known);
  if (own === undefined) return { state: 'gone' };
  if (own.kind !== 'file') return { state: 'not-ours', found: `${made.private} is a ${own.kind}` };
  if (atPath === 'edited') return { state: 'ours', found: `${made.file} was written to since and stays` };
  if (atPath === 'another') return { state: 'ours', found: `${made.file} is another file now and stays` };
  return { state: 'ours' };
}

function taken(path: string, cause?: unknown): RefusedError {
  return new RefusedError(`${path} exists already: a backup never replaces anything`, {
    cause,
    remedy: 'move it away, or choose another name',
  });
}
