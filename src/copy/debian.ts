import * as z from 'zod/mini';
import { operation } from '../atomic/operation.ts';
import { type ChangeHost, type Command, follow, inShell, type ReadHost } from '../command/index.ts';
import { BofhError, CommandError, RefusedError } from '../core/errors.ts';
import { absolutePath } from '../file/path.ts';
import {
  clearNew,
  freeNames,
  linkNew,
  lookAtNew,
  removeNew,
  removePrivateName,
  syncNew,
} from '../file/private-name.ts';
import { emptyDirectory } from './commands.ts';
import { newFileContent } from './file-witness.ts';
import { checkTar } from './source.ts';
import { debianArgs, mmdebstrap, mmdebstrapVersion } from './mmdebstrap.ts';

const undo = z.strictObject({
  suite: z.string(),
  file: absolutePath,
  /** A hard link to the new file until the commit: proves the step. */
  private: absolutePath,
  /** Directory in which mmdebstrap unpacks the packages; the step removes it at its end. */
  work: absolutePath,
});

/**
 * `tx.copy.debian`: installs a Debian system for amd64 into a new tar archive, by mmdebstrap(1).
 * This takes minutes, and needs the network or a mirror on this host. The archive appears complete
 * or not at all, and never replaces another file.
 */
export const debian = operation({
  kind: 'copy.debian',
  version: 1,
  args: debianArgs,
  undo,
  result: z.strictObject({ size: z.int() }),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { suite, file, keyring }, mark, host }) => {
    await host.run(mmdebstrapVersion());
    if (keyring !== undefined && (await follow(host, keyring)).stat?.kind !== 'file')
      throw new RefusedError(`there is no file ${keyring}, which should have the keys of the mirror`, {
        code: 'not-found',
        remedy: 'name the file with the keys, for example /usr/share/keyrings/debian-archive-keyring.gpg',
      });
    const own = await freeNames(host, file, mark);
    const work = `${own}.d`;
    if ((await host.stat(work)) !== undefined)
      throw new RefusedError(`${work} exists already`, {
        code: 'exists',
        remedy: `move it away: mv ${inShell(work)} ${inShell(`${work}.old`)}`,
      });
    return { suite, file, private: own, work };
  },
  claims: ({ undo: { file } }) => ({ makes: [`file:${file}`] }),
  run: async ({ args: asked, undo: of, host }) => {
    await host.makeDir(of.work, { mode: 0o711 });
    await host.writeNew(of.private, '', { mode: 0o600 });
    await install(host, mmdebstrap({ ...asked, file: of.private, work: of.work }));
    await host.removeDir(of.work);
    await host.sync(of.private);
    await expectWhole(host, of);
    await linkNew(host, of);
    return { size: (await host.stat(of.private))?.size ?? 0 };
  },
  value: ({ undo: { suite, file }, result: { size } }) => ({ suite, file, size }),
  look: async ({ undo: of, host }) => {
    const found = await lookAtNew(host, of);
    const isBuilding = (await host.stat(of.work))?.kind === 'directory';
    return found.state === 'gone' && isBuilding ? { state: 'ours' } : found;
  },
  revert: async ({ undo: of, host }) => {
    if ((await host.stat(of.work))?.kind === 'directory') {
      await host.run(emptyDirectory(of.work));
      await host.removeDir(of.work);
    }
    await removeNew(host, of);
  },
  content: newFileContent,
  sync: ({ undo: of, host }) => syncNew(host, of),
  afterCommit: ({ undo: of, host }) => removePrivateName(host, of),
  describe: ({ undo: of, way }) => ({
    what: `the archive ${of.file} with Debian ${of.suite}, whose second name is ${of.private}`,
    look: [['ls', '-lid', of.file, of.private, of.work]],
    clear: [['rm', '--recursive', '--force', '--one-file-system', of.work], clearNew(of, way)],
  }),
});

/** RefusedError if mmdebstrap reported success without an effect. */
async function expectWhole(host: ReadHost, { file, private: own }: z.infer<typeof undo>): Promise<void> {
  await checkTar({ host, source: own }).catch((error: unknown) => {
    if (!(error instanceof BofhError)) throw error;
    throw new RefusedError(`mmdebstrap reported success, but wrote no complete archive for ${file}`, {
      cause: error,
      remedy: 'see the kernel log: dmesg; then run the command again',
    });
  });
}

/**
 * Runs mmdebstrap. Its last line is the same for every failure, so the error ends with its first
 * complaint instead.
 */
async function install(host: ChangeHost, command: Command<void>): Promise<void> {
  try {
    await host.run(command);
  } catch (error) {
    if (!(error instanceof CommandError) || error.exitCode === undefined) throw error;
    const { tool, argv, reason, exitCode, stdout } = error;
    const stderr = /^E: .*$/m.exec(error.stderr)?.[0] ?? error.stderr;
    throw new CommandError({ tool, argv, reason, exitCode, stdout, stderr, cause: error });
  }
}
