import { namesIn, type ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';

/** The directory with a file for each snapshot of a guest: the configuration, and the names of the volumes. */
export const directory = '/var/lib/bofh/snapshots';

/** The names of these files; none if the directory is missing. */
export async function snapshotFiles(host: ReadHost): Promise<readonly string[]> {
  return namesIn(host, directory);
}

/** Throws RefusedError if a guest has snapshots: they contain its name and its volumes. */
export async function refuseSnapshots(host: ReadHost, name: string): Promise<void> {
  const own = (await snapshotFiles(host)).filter(
    (each) => each.startsWith(`${name}@`) && each.endsWith('.json'),
  );
  refuseThose(
    name,
    own.map((each) => each.slice(name.length + 1, -'.json'.length)),
  );
}

/** Throws RefusedError if there are such snapshots, with the commands that remove them. */
export function refuseThose(name: string, labels: readonly string[], of = 'snapshots'): void {
  if (labels.length === 0) return;
  throw new RefusedError(`${name} has ${of}: ${labels.join(', ')}`, {
    code: 'in-use',
    remedy: labels.map((label) => `bofh vm snapshot remove ${name} ${label}`).join('; '),
  });
}
