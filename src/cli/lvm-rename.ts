import { posix } from 'node:path';
import * as lvm from '../api/lvm.ts';
import { type Bofh, withBofh } from '../bofh.ts';
import type { ReadHost } from '../command/index.ts';
import { UsageError } from '../errors.ts';
import { dmName } from '../lvm/names.ts';
import { guestConfigs } from '../xen/index.ts';
import { give } from './answer.ts';
import type { LvmRename } from './answers.ts';
import type { Runtime } from './runtime.ts';
import { openSession, untilInterrupted } from './session.ts';
import { logged } from './system-log.ts';
import { printable } from './text.ts';

/** `bofh lvm rename VG/NAME TO`: says which files still name the old path; it edits none. */
export async function rename(runtime: Runtime, volume: string, to: string): Promise<number> {
  const asked = { ...volumeOf(volume), to };
  const { bofh, progress } = await openSession(runtime, { site: 'used', root: 'needed' });
  const found = await untilInterrupted(runtime, whoNames(bofh, asked));
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    const exitCode = await dryRun(runtime, bofh, () => lvm.renameLv(asked));
    for (const line of inWords(found, asked)) runtime.terminal.line(`bofh: ${line}`);
    return exitCode;
  }
  const made = await logged(runtime, bofh.host, () => withBofh(bofh, () => lvm.renameLv(asked)));
  progress.end();
  const { uuid, path } = made;
  const data: LvmRename = { volume: `${made.vg}/${made.name}`, was: volume, uuid, path, ...found };
  give(runtime, { data, lines: [`${volume} is called ${data.volume} now`, ...inWords(found, asked)] });
  return 0;
}

interface Volume {
  readonly vg: string;
  readonly name: string;
}

function volumeOf(text: string): Volume {
  const { vg, name } = /^(?<vg>[^/]+)\/(?<name>[^/]+)$/.exec(text)?.groups ?? {};
  if (vg === undefined || name === undefined)
    throw new UsageError(`"${text}" names no logical volume: write VG/NAME`);
  return { vg, name };
}

type Naming = Pick<LvmRename, 'namedIn' | 'unread'>;

/** Guest configurations and /etc/fstab, as far as they name it by its path. */
async function whoNames({ host, site }: Bofh, { vg, name }: Volume): Promise<Naming> {
  const paths = new Set([`/dev/${vg}/${name}`, `/dev/mapper/${dmName(vg, name)}`]);
  const names = (path: string): boolean => paths.has(posix.normalize(path));
  const dirs: string[] = [];
  // A host without guests may lack the directory.
  for (const dir of site.guestConfigDirs) if ((await host.stat(dir)) !== undefined) dirs.push(dir);
  const { guests, problems } = await guestConfigs(host, dirs);
  const inConfigs = guests.flatMap(({ name: guest, file, disks }) =>
    disks.flatMap(({ path = '' }) => (names(path) ? [{ file, path, guest }] : [])),
  );
  const inFstab = (await fstabDevices(host))
    .filter(names)
    .map((path) => ({ file: fstab, path, guest: null }));
  return { namedIn: [...inConfigs, ...inFstab], unread: problems.map(({ message }) => message) };
}

const fstab = '/etc/fstab';

/** The first word of each line (fstab(5)): of a comment it begins with #, and no volume's path has what is escaped there. */
async function fstabDevices(host: ReadHost): Promise<readonly string[]> {
  if ((await host.stat(fstab)) === undefined) return [];
  const text = new TextDecoder().decode(await host.readFile(fstab));
  return text.split('\n').flatMap((line) => /^\s*(?<device>\S+)/.exec(line)?.groups?.device ?? []);
}

function inWords(
  { namedIn, unread }: Naming,
  { vg, to }: { readonly vg: string; readonly to: string },
): readonly string[] {
  const now = `/dev/${vg}/${to}`;
  return [
    ...namedIn.map(({ file, path, guest }) =>
      guest === null
        ? `${file} names ${path}: the next boot does not find it, unless ${now} is written there`
        : `the guest ${guest} does not start until ${printable(file)}, which names ${path}, names ${now}`,
    ),
    ...unread.map((message) => `${printable(message)}: whether it names the volume cannot be told`),
  ];
}
