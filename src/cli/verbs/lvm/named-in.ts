import { posix } from 'node:path';
import type { Bofh } from '../../../connect.ts';
import type { ReadHost } from '../../../command/index.ts';
import { guestConfigs } from '../../../xen/index.ts';
import type { LvmRename } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';

export type Naming = Pick<LvmRename, 'namedIn' | 'unread'>;

/** Finds guest configurations and lines of /etc/fstab that name a path which is about to change. */
export async function whoNames({ host, site }: Bofh, goes: (path: string) => boolean): Promise<Naming> {
  const names = (path: string): boolean => goes(posix.normalize(path));
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

/**
 * The first word of each line (fstab(5)). In a comment it starts with #, and the path of a volume has no
 * characters that fstab escapes.
 */
async function fstabDevices(host: ReadHost): Promise<readonly string[]> {
  if ((await host.stat(fstab)) === undefined) return [];
  const text = new TextDecoder().decode(await host.readFile(fstab));
  return text.split('\n').flatMap((line) => /^\s*(?<device>\S+)/.exec(line)?.groups?.device ?? []);
}

/** The warning as text. `now` returns the path of a volume afterwards. */
export function namingInWords({ namedIn, unread }: Naming, now: (path: string) => string): readonly string[] {
  return [
    ...namedIn.map(({ file, path, guest }) =>
      guest === null
        ? `${file} names ${path}: the next boot does not find it until you write ${now(path)} there`
        : `the guest ${guest} does not start until you replace ${path} by ${now(path)} in ${printable(file)}`,
    ),
    ...unread.map((message) => `${printable(message)}: unknown whether it names the volume`),
  ];
}
