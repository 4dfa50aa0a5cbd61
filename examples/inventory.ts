/**
 * Writes every logical volume of several hosts to a CSV: bofh run inventory.ts web1 web2 > volumes.csv
 *
 * Hosts are named as for ssh; without one it is this host. It only reads.
 */
import { BofhError, connect, explain, filesystem, lvm, mount, withBofh, xen } from 'bofh';

const columns = ['host', 'volume', 'bytes', 'content', 'label', 'mounted', 'guest'] as const;
type Row = Readonly<Record<(typeof columns)[number], string>>;

async function volumesOf(host: string): Promise<readonly Row[]> {
  const [volumes, mounts, guests] = [await lvm.lvs(), await mount.mounts(), await guestsHere()];
  const rows: Row[] = [];
  for (const { path, fullName, dmPath, size, active } of volumes) {
    if (path === undefined) continue;
    const content = active === true ? await filesystem.probe(path) : undefined;
    rows.push({
      ...{ host, volume: fullName, bytes: String(size) },
      content: active === true ? (content?.type ?? 'blank') : 'unknown: not active',
      label: content?.label ?? '',
      mounted: mounts.find(({ source }) => source === dmPath || source === path)?.path ?? '',
      guest: guests.find(({ disks = [] }) => disks.some((disk) => disk.target === path))?.name ?? '',
    });
  }
  return rows;
}

/** None on a host without Xen. */
async function guestsHere(): Promise<Awaited<ReturnType<typeof xen.list>>['guests']> {
  try {
    return (await xen.list()).guests;
  } catch (error) {
    if (error instanceof BofhError && error.code === 'tool-missing') return [];
    throw error;
  }
}

const cell = (value: string): string => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);

console.log(columns.join(','));
const names = process.argv.slice(2);
for (const name of names.length === 0 ? [undefined] : names) {
  try {
    const bofh = name === undefined ? connect() : connect({ host: name });
    const rows = await withBofh(bofh, () => volumesOf(name ?? 'localhost'));
    for (const row of rows) console.log(columns.map((column) => cell(row[column])).join(','));
  } catch (error) {
    // One host that is down does not hide the others. Output that could not be parsed is an error.
    if (!(error instanceof BofhError) || error.code !== 'unreachable') throw error;
    console.error(explain(error));
    process.exitCode = 6;
  }
}
