import { posix } from 'node:path';
import type { Bofh } from '../../../connect.ts';
import type { ReadHost } from '../../../command/index.ts';
import { guestConfigs } from '../../../xen/index.ts';
import type { LvmRename } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';

export type Naming = Pick<LvmRename, 'namedIn' | 'unread'>;

/**
 * Finds guest configurations, and lines of /etc/fstab and /etc/crypttab, that name a path which is
 * about to change.
 */
export async function whoNames({ host, site }: Bofh, goes: (path: string) => boolean): Promise<Naming> {
  const names = (path: string): boolean => goes(posix.normalize(path));
  const dirs: string[] = [];
  // A host without guests may lack the directory.
  for (const dir of site.guestConfigDirs) if ((await host.stat(dir)) !== undefined) dirs.push(dir);
  const { guests, problems } = await guestConfigs(host, dirs);
  const inConfigs = guests.flatMap(({ name: guest, file, disks }) =>
    disks.flatMap(({ path = '' }) => (names(path) ? [{ file, path, guest }] : [])),
  );
  const inTables: Naming['namedIn'][number][] = [];
  for (const { file, device } of tables)
    for (const path of await devicesIn(host, file, device))
      if (names(path)) inTables.push({ file, path, guest: null });
  return { namedIn: [...inConfigs, ...inTables], unread: problems.map(({ message }) => message) };
}

/**
 * The tables that the boot reads, and the word of a line that is the device: fstab(5), crypttab(5).
 */
const tables = [
  { file: '/etc/fstab', device: 0 },
  { file: '/etc/crypttab', device: 1 },
] as const;

/** The devices in a table. The path of a volume has no characters that a table escapes. */
async function devicesIn(host: ReadHost, file: string, device: number): Promise<readonly string[]> {
  if ((await host.stat(file)) === undefined) return [];
  const text = new TextDecoder().decode(await host.readFile(file));
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
  return lines.flatMap((words) => (words[0]?.startsWith('#') ? [] : (words[device] ?? [])));
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
