import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cachedFolder, cacheDir } from './cache.ts';
import { RigError } from './errors.ts';
import { mustRun } from './process.ts';
import { assetsDir, type Init, mmdebstrapArgv, recipeKey, type Suite } from './recipe.ts';

/** A built image: its files are shared by all machines and never written. */
export type Image = {
  readonly dir: string;
  readonly suite: Suite;
  readonly init: Init;
  /** ext4 root filesystem of the host, raw. */
  readonly system: string;
  /** The kernel as Debian packs it, and the ELF file inside it, which Xen starts faster. */
  readonly kernel: string;
  readonly plainKernel: string;
  readonly hypervisor: string;
  readonly initrd: string;
  /** Private ssh key of the host's root. */
  readonly sshKey: string;
};

/** Called with messages while something takes long. */
export type Progress = (text: string) => void;

/** Which Debian a test gets that names none: $BOFH_RIG_SUITE, `bookworm` by default. */
export function defaultSuite(): Suite {
  const asked = process.env['BOFH_RIG_SUITE'] ?? 'bookworm';
  if (asked !== 'bookworm' && asked !== 'trixie')
    throw new RigError(`BOFH_RIG_SUITE is "${asked}", neither bookworm nor trixie`);
  return asked;
}

/** Returns the image of a Debian release, building it first (one to two minutes) when the cache has none of this recipe. */
export async function buildImage(
  options: { readonly suite?: Suite; readonly init?: Init; readonly progress?: Progress } = {},
): Promise<Image> {
  const { suite = defaultSuite(), init = 'rig' } = options;
  const progress = options.progress ?? (() => undefined);
  const dir = await cachedFolder({
    path: join(cacheDir(), `image-${suite}-${await recipeKey({ suite, init })}`),
    build: async (partial) => {
      await build({ suite, init, partial, progress });
    },
    onWait: () => {
      progress('another process is building this image: waiting for it');
    },
  });
  return {
    dir,
    suite,
    init,
    system: join(dir, 'system.raw'),
    kernel: join(dir, 'vmlinuz'),
    plainKernel: join(dir, 'vmlinux'),
    hypervisor: join(dir, 'xen'),
    initrd: join(dir, 'small.img'),
    sshKey: join(dir, 'id_ed25519'),
  };
}

async function build(options: {
  readonly suite: Suite;
  readonly init: Init;
  readonly partial: string;
  readonly progress: Progress;
}): Promise<void> {
  const { suite, init, partial, progress } = options;
  const root = join(partial, 'root');
  progress(`unpacking Debian ${suite}`);
  await mustRun({
    // A mount namespace of its own: whatever ends mmdebstrap, no mount of its stays in the tree.
    argv: [
      'unshare',
      '--mount',
      '--propagation',
      await propagation(),
      ...mmdebstrapArgv({ suite, init, root }),
    ],
    onLine: (line) => {
      if (line.startsWith('I: ')) progress(line.slice(3).trim());
    },
    timeoutMs: 1_200_000,
  });
  progress('making it a Xen host');
  await mustRun({
    argv: [
      'bash',
      join(assetsDir, 'finish-image.sh'),
      root,
      partial,
      assetsDir,
      process.execPath,
      '/bin/busybox',
    ],
    timeoutMs: 120_000,
  });
  if (init === 'systemd')
    await mustRun({ argv: ['bash', join(assetsDir, 'systemd-image.sh'), root], timeoutMs: 120_000 });
  progress('writing the filesystem');
  const features = [
    '-q',
    '-t',
    'ext4',
    '-L',
    'rig',
    '-E',
    'lazy_itable_init=0,lazy_journal_init=0',
    '-d',
    root,
  ];
  await mustRun({ argv: ['mke2fs', ...features, join(partial, 'system.raw'), '4G'], timeoutMs: 120_000 });
  await mustRun({ argv: ['rm', '-rf', '--one-file-system', '--', root] });
  await writeFile(join(partial, 'built'), `${new Date().toISOString()}\n`);
}

/** In a changed root that is no mount of its own the kernel has nothing to set it on; who made that root has seen to it. */
async function propagation(): Promise<'private' | 'unchanged'> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  return mounts.some((line) => line.split(' ')[4] === '/') ? 'private' : 'unchanged';
}
