import { posix } from 'node:path';
import * as z from 'zod/mini';
import { type Look, operation } from '../atomic/operation.ts';
import { contentInWords, identityOf, probe } from '../blockdevice/index.ts';
import { type ChangeHost, type ReadHost, refuseExposed } from '../command/index.ts';
import { type ManualRecovery, RefusedError } from '../core/errors.ts';
import { filesChanged, filesWitness, holding, nodeOf } from '../filesystem/index.ts';
import { refuseFullBeneath } from '../lvm/index.ts';
import { realPath } from '../mount/index.ts';
import { syncFilesystem, tarExtract, tarSave } from './commands.ts';
import { insideFile, insidePath, journalledFile, removeInside, statInside, writeInside } from './inside.ts';
import { checkMounted, othersOn, syncRoot, throughPrivateMount, undoPath } from './root.ts';

const args = z.strictObject({
  /** Mount point of the filesystem, mounted read-write. */
  root: z.string(),
  /** The block device of the filesystem. */
  device: z.string(),
  /** UUID of the filesystem. */
  filesystem: z.string().check(z.minLength(1)),
  /** Files and links to write. They replace those of the same names. */
  files: z.readonly(z.array(insideFile)),
  /** Files to remove. */
  remove: z.exactOptional(z.readonly(z.array(insidePath))),
});

const paths = z.readonly(z.array(z.string()));

const undo = z.strictObject({
  mark: z.string(),
  root: z.string(),
  device: z.string(),
  /** Result of `identityOf`. */
  identity: z.string(),
  filesystem: z.string(),
  /** The mount through which the step writes, and the boot to which this mount id belongs. */
  mounted: z.strictObject({ id: z.int(), boot: z.string() }),
  /** Path where the undo mounts the filesystem, whatever happened to the original mount. */
  path: z.string(),
  /**
   * Paths in the root that the step writes, replaces or removes, and directories that it creates.
   */
  written: paths,
  replaced: paths,
  directories: paths,
  /** Archive of the replaced files until the commit: the tag. */
  saved: z.string(),
  /** Path of that archive while it is being written, and its path after the undo has begun. */
  part: z.string(),
  back: z.string(),
});

type Undo = z.infer<typeof undo>;

/**
 * The directory of files that a sequence saved for its undo. It is on disk, and survives a power
 * cut.
 */
const savedFiles = '/var/lib/bofh/files';

/**
 * `tx.copy.files`: writes and removes files in the mounted root of another system, and never
 * outside of it.
 *
 * The tag is an archive of the replaced files, which only root can read and which is removed after
 * the commit. Undo restores the files from it.
 */
export const files = operation({
  kind: 'copy.files',
  version: 1,
  args,
  undo,
  journalled: ({ files: all, ...rest }) => ({
    ...rest,
    files: all.map(journalledFile),
  }),
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: asked, mark, host }): Promise<Undo> => {
    const root = await realPath(host, asked.root);
    await refuseExposed(host, root, 'there');
    const { device, filesystem } = asked;
    const { identity } = await identityOf(host, device);
    const { id } = await checkMounted(host, { device, filesystem, root, identity });
    await refuseFullBeneath(host, device, `the files in ${root}`);
    const written = asked.files.flatMap((file) => ('directory' in file ? [] : file.path));
    // `/.` makes the directory itself a parent: missing parents are recorded, as for a file.
    const made = asked.files.flatMap((file) => ('directory' in file ? `${file.path}/.` : []));
    const { replaced, directories } = await found(host, {
      ...{ root, written: [...written, ...made], removed: asked.remove ?? [] },
    });
    return {
      ...{ mark, root, device, identity, filesystem, written, replaced, directories },
      mounted: { id, boot: (await host.facts()).boot },
      path: undoPath(mark),
      saved: posix.join(savedFiles, `${mark}.tar`),
      part: posix.join(savedFiles, `${mark}.part`),
      back: posix.join(savedFiles, `${mark}.back`),
    };
  },
  claims: async ({ undo: { device, filesystem, root }, on }) => {
    const { key, beneath } = await on(device);
    return { changes: [`fs:${filesystem}`], needs: [`mnt:${root}`, key, ...beneath] };
  },
  run: async ({ args: { files: all, remove = [] }, undo: of, host }) => {
    const { root, mark } = of;
    await checkMounted(host, of);
    await save(host, of);
    await removeInside(host, { root, paths: remove });
    await writeInside(host, { root, files: all, mark });
    await host.run(syncFilesystem(root));
    return null;
  },
  value: ({ undo: { written } }) => ({ files: written.length }),
  look: async ({ undo: of, host }): Promise<Look> => {
    if ((await archives(host, of)).length === 0) return { state: 'gone' };
    const node = await holding(host, of);
    return { state: 'ours', ...(node === undefined ? {} : { holders: await othersOn(host, node, of) }) };
  },
  revert: async ({ undo: of, host }) => {
    await refuseOther(host, of);
    if ((await host.stat(of.saved)) !== undefined) {
      await host.rename(of.saved, of.back);
      await host.sync(savedFiles);
    }
    // Before the archive has its name, the step changes nothing.
    if ((await host.stat(of.back)) !== undefined)
      await throughPrivateMount(host, of, () => restore(host, of));
    await forget(host, of);
  },
  content: {
    lost: 'undone',
    of: 'files',
    witness: ({ undo: of, host }) => filesWitness(host, of),
    // An interrupted step or undo changes only its own paths, and their old content is saved.
    changed: async ({ undo: of, witness, host }) =>
      witness === undefined || (await host.stat(of.back)) !== undefined
        ? undefined
        : filesChanged(host, of, witness),
  },
  sync: async ({ undo: of, host }) => {
    await syncRoot(host, of);
    if ((await host.stat(savedFiles)) !== undefined) await host.sync(savedFiles);
  },
  afterCommit: ({ undo: of, host }) => forget(host, of),
  describe: ({ undo: of, way }) => filesRecovery(of, way),
});

/** Finds which of the paths exist, and which directories are missing. */
async function found(
  host: ReadHost,
  of: { readonly root: string; readonly written: readonly string[]; readonly removed: readonly string[] },
): Promise<Pick<Undo, 'replaced' | 'directories'>> {
  const { root, written, removed } = of;
  const replaced: string[] = [];
  const directories = new Set<string>();
  for (const path of new Set([...written, ...removed])) {
    const { stat, missing } = await statInside(host, { root, path });
    if (stat !== undefined && stat.kind !== 'directory') replaced.push(path);
    if (written.includes(path)) for (const directory of missing) directories.add(directory);
  }
  return { replaced, directories: [...directories] };
}

/**
 * RefusedError for a device that has another filesystem, or the same one with another UUID: then
 * only the archive has the replaced files.
 */
async function refuseOther(host: ReadHost, of: Undo): Promise<void> {
  const { device, filesystem, replaced } = of;
  if (replaced.length === 0 || (await holding(host, of)) !== undefined) return;
  const node = await nodeOf(host, of);
  const there = node === undefined ? undefined : await probe(host, node.path);
  const archive = (await archives(host, of)).at(-1);
  if (there === undefined || archive === undefined || archive === of.part) return;
  throw new RefusedError(
    `${device} holds ${contentInWords(there)}, not the filesystem ${filesystem}, whose replaced files are in ${archive}`,
    {
      code: 'differs',
      remedy: `if only its UUID was changed: tune2fs -U ${filesystem} ${device}; then: bofh recover; if it is a new filesystem: bofh recover --abandon ID --because "…"; for the ID: bofh journal list`,
    },
  );
}

/** Returns those paths of the archive that exist. */
async function archives(host: ReadHost, { part, saved, back }: Undo): Promise<readonly string[]> {
  const there: string[] = [];
  for (const file of [part, saved, back]) if ((await host.stat(file)) !== undefined) there.push(file);
  return there;
}

async function save(host: ChangeHost, { root, replaced, saved, part }: Undo): Promise<void> {
  await host.makeDir(savedFiles, { mode: 0o700, parents: true });
  for (let path: string = savedFiles; path !== '/'; path = posix.dirname(path)) await host.sync(path);
  if (replaced.length === 0) await host.writeNew(part, '', { mode: 0o600 });
  else await host.run(tarSave({ file: part, directory: root, paths: replaced }));
  await host.sync(part);
  await host.rename(part, saved);
  await host.sync(savedFiles);
}

async function restore(host: ChangeHost, of: Undo): Promise<void> {
  const { path: root, written, replaced, directories, mark, back } = of;
  const own = written.map((path) => posix.join(posix.dirname(path), `.bofh-${mark}`));
  await removeInside(host, { root, paths: [...own, ...written] });
  if (replaced.length > 0) await host.run(tarExtract({ source: back, directory: root, archiveBytes: 0 }));
  for (const directory of directories.toReversed()) {
    const at = posix.join(root, directory);
    if ((await host.stat(at))?.kind === 'directory' && (await host.readDir(at)).length === 0)
      await host.removeDir(at);
  }
}

async function forget(host: ChangeHost, of: Undo): Promise<void> {
  for (const file of await archives(host, of)) await host.removeFile(file);
}

function filesRecovery(of: Undo, way: 'back' | 'forward'): ManualRecovery {
  const { device, filesystem, path, saved, replaced } = of;
  const { tool, argv } = tarExtract({ source: saved, directory: path, archiveBytes: 0 });
  const old =
    replaced.length === 0
      ? []
      : [
          ['mkdir', '--parents', path],
          ['mount', '--source', `UUID=${filesystem}`, '--target', path],
          [tool, ...argv],
          ['umount', path],
          ['rmdir', path],
        ];
  return {
    what: `files in the filesystem of UUID ${filesystem} on ${device}; those that were replaced are in ${saved}`,
    look: [['tar', '--list', '--verbose', '--file', saved]],
    clear: [...(way === 'back' ? old : []), ['rm', saved]],
  };
}
