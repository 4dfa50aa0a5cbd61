/**
 * Gives hand-made logical volumes the names of bofh's own guests, and follows them in /etc/fstab and
 * in the configurations of guests: bofh run adopt-volumes.ts vg0 web1_disk=web1-root web1_swp=web1-swap
 *
 * All of a volume, or nothing of it, is changed. Look at the plan first: bofh --dry-run run …
 */
import { atomic, BofhError, currentBofh, explain, mount, type Tx, xen } from 'bofh';

const [vg = '', ...pairs] = process.argv.slice(2);
const renames = pairs.map((pair) => pair.split('='));
if (vg === '' || renames.length === 0 || renames.some((names) => names.length !== 2))
  throw new Error('usage: adopt-volumes.ts GROUP OLD=NEW …');

/** The names of a volume in /etc/fstab and in configurations. */
function namesOf(name: string): readonly string[] {
  const mapped = [vg, name].map((part) => part.replaceAll('-', '--')).join('-');
  return [`/dev/${vg}/${name}`, `/dev/mapper/${mapped}`];
}

/** Replaces a name where it stands alone, never as a part of a longer one. */
function replaced(text: string, names: readonly string[], by: string): string {
  const words = text.split(/([\s'",:=]+)/);
  return words.map((word) => (names.includes(word) ? by : word)).join('');
}

async function adopt(tx: Tx, from: string, to: string): Promise<void> {
  const old = namesOf(from);
  const { lines } = await mount.fstab();
  // Refused, with its holders, while the volume is mounted or a guest has it.
  const { path } = await tx.lvm.renameLv({ vg, name: from, to });
  await tx.lvm.tagLv({ vg, name: to, add: ['managed'] });
  for (const { source, target, type } of lines)
    if (old.includes(source))
      await tx.mount.changeFstab({ of: type === 'swap' ? source : target, to: { source: path } });
  for (const { config } of await xen.allDomus()) {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await currentBofh().host.readFile(config));
    const content = replaced(text, old, path);
    if (content !== text) await tx.file.change({ path: config, content });
  }
}

for (const [from = '', to = ''] of renames) {
  try {
    await atomic(`adopt ${vg}/${from}`, (tx) => adopt(tx, from, to));
    console.log(`${vg}/${from} is ${vg}/${to} now`);
  } catch (error) {
    // A volume that is in use waits for the next maintenance; anything else needs a look.
    if (!(error instanceof BofhError) || error.code !== 'in-use') throw error;
    console.error(explain(error));
    process.exitCode = 6;
  }
}
