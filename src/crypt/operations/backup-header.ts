import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import { inShell, kindInWords, type ReadHost, syncDirectoryOf } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { absolutePath, sameFile, sha256, sha256Hex } from '../../file/path.ts';
import { savedRecovery } from '../manual-recovery.ts';
import { isSum, sumOn } from '../header-sum.ts';
import { freeNames, linkNew, removeNames, removePrivateName } from '../../file/private-name.ts';
import { saveHeader } from '../saved-header.ts';
import { isHeaderFile, knownDevice, luksDevice } from '../slots.ts';

const args = z.strictObject({
  /** The encrypted device. */
  device: z.string().check(z.minLength(1)),
  /** Path of the new backup file. The path must be free. */
  file: absolutePath,
});

const undo = z.extend(knownDevice, {
  file: absolutePath,
  /** A second name of the new file until the commit: the tag. */
  private: absolutePath,
});

type Undo = z.infer<typeof undo>;

const result = z.strictObject({ sha256: sha256Hex, size: z.int().check(z.positive()) });

type Result = z.infer<typeof result>;

/**
 * Saves the header of an encrypted device, with its key slots, in a new file that only its owner
 * can read. The file appears complete or not at all, and never replaces another one.
 *
 * As with `tx.file.create`, the tag is a private second name, which stays until the commit. The
 * file at the path belongs to this sequence while it is the inode of the private name and has the
 * content that the step wrote.
 */
export const backupHeader = operation({
  kind: 'crypt.header.backup',
  version: 1,
  args,
  undo,
  result,
  lives: 'disk',
  keepsContent: true,
  restores: 'state',
  prepare: async ({ args: { device, file }, mark, host }): Promise<Undo> => {
    const { known } = await luksDevice(host, device);
    if (isHeaderFile(known))
      throw new RefusedError(`${device} is a file with a detached header: to back it up, copy the file`, {
        remedy: `keep the copy as safe as a key: cp --preserve=mode ${inShell(device)} ${inShell(file)}`,
      });
    return { ...known, file, private: await freeNames(host, file, mark) };
  },
  claims: async ({ undo: { device, luksUuid, file }, on }) => {
    const { key, beneath } = await on(device);
    return { makes: [`file:${file}`], needs: [`luks:${luksUuid}`, key, ...beneath] };
  },
  run: async ({ undo: wanted, host }): Promise<Result> => {
    await saveHeader(host, wanted, wanted.private);
    await linkNew(host, wanted);
    const content = await host.readFile(wanted.private);
    return { sha256: sha256(content), size: content.length };
  },
  value: ({ undo: { file, luksUuid: uuid }, result: { size } }) => ({ file, uuid, size }),
  look: ({ undo: made, result: known, host }) => look(host, made, known),
  revert: async ({ undo: made, result: known, host }) => {
    const { own, atPath } = await survey(host, made, known);
    if (own?.kind !== 'file') return;
    await removeNames(host, made, atPath === 'ours');
  },
  sync: ({ undo: made, host }) => syncDirectoryOf(host, made.file),
  afterCommit: ({ undo: made, host }) => removePrivateName(host, made),
  describe: savedRecovery,
});

async function survey(host: ReadHost, made: Undo, known: Result | undefined) {
  const [own, there] = [await host.stat(made.private), await host.stat(made.file)];
  if (there === undefined) return { own, atPath: 'absent' } as const;
  if (!sameFile(own, there)) return { own, atPath: 'another' } as const;
  // An incomplete file is recognised only as a header.
  const unchanged =
    known === undefined
      ? isSum(await sumOn(host, made.private))
      : there.size === known.size && sha256(await host.readFile(made.private)) === known.sha256;
  return { own, atPath: unchanged ? 'ours' : 'edited' } as const;
}

/**
 * Looks for the file of the step. The private name proves that this sequence created it. With
 * `ours`, `found` describes a file at the path that this sequence did not create.
 */
async function look(host: ReadHost, made: Undo, known: Result | undefined): Promise<Look> {
  const { own, atPath } = await survey(host, made, known);
  if (own === undefined) return { state: 'gone' };
  if (own.kind !== 'file') return { state: 'not-ours', found: `${made.private} is ${kindInWords(own)}` };
  if (atPath === 'edited') return { state: 'ours', found: `${made.file} was written to since and stays` };
  if (atPath === 'another') return { state: 'ours', found: `${made.file} is another file now and stays` };
  return { state: 'ours' };
}
