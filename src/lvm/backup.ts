import type { ReadHost } from '../command/index.ts';
import { ParseError, RefusedError } from '../core/errors.ts';
import { backupDirectory, headOf } from './backup-files.ts';
import { pvs, vgs } from './report-commands.ts';
import { reported } from './unreadable.ts';
import { checkVgName } from './names.ts';

/** The metadata of a volume group, in the form that `vgcfgrestore --file` reads. */
export interface MetadataBackup {
  readonly uuid: string;
  readonly seqno: number;
  readonly text: string;
}

/**
 * Returns the newest metadata of a group, from the file that lvm wrote after its last change.
 * RefusedError if the file is missing or older than the group: `vgcfgbackup` writes it again.
 */
export async function metadataBackup(host: ReadHost, name: string): Promise<MetadataBackup> {
  checkVgName(name);
  // vgs omits a group that it cannot read, and exits with 0.
  await reported(host, pvs());
  const [vg, ...more] = (await host.run(vgs())).filter((one) => one.name === name);
  if (vg === undefined || more.length > 0)
    throw new RefusedError(
      vg === undefined
        ? `there is no volume group "${name}"`
        : `several volume groups have the name "${name}"`,
      {
        code: vg === undefined ? 'not-found' : 'refused',
        remedy: 'see every volume group: bofh lvm vg list',
      },
    );
  const path = `${backupDirectory}/${name}`;
  const renew = { remedy: `write it again: vgcfgbackup ${name}; then run the command again` };
  if ((await host.stat(path)) === undefined)
    throw new RefusedError(`lvm has no backup of "${name}" in ${backupDirectory}`, renew);
  const text = new TextDecoder('utf-8', { fatal: true }).decode(await host.readFile(path));
  const head = headOf(text);
  if (head?.name !== name)
    throw new ParseError(`${path} is not an lvm metadata backup of the volume group "${name}"`);
  const { uuid, seqno } = head;
  if (uuid !== vg.uuid || seqno !== vg.seqno)
    throw new RefusedError(
      `${path} is out of date: it has uuid ${uuid}, seqno ${String(seqno)}; the group has ${vg.uuid}, seqno ${String(vg.seqno)}`,
      renew,
    );
  return { uuid, seqno, text };
}
