import { follow, inShell, namesIn, type ReadHost } from '../../command/index.ts';
import { type Holder, ParseError } from '../../core/errors.ts';
import { unescapeOctal } from '../mountinfo.ts';
import { kernelText } from '../node.ts';

/** A device or file that the kernel serves to other hosts. No process and no `holders` shows it. */
export interface Served {
  readonly name: string;
  readonly holder: Holder;
  /** `major:minor` of a device. */
  readonly number?: string;
  /** For a file: its path, and `major:minor` of its filesystem. */
  readonly file?: { readonly path: string; readonly device: string | undefined };
}

/** Returns what the kernel's SCSI and NVMe targets serve. */
export async function served(host: ReadHost): Promise<readonly Served[]> {
  const found = await Promise.all([scsiTargets(host), nvmeTargets(host)]);
  return found.flat();
}

const core = '/sys/kernel/config/target/core';
// iblock_show_configfs_dev_params and fd_show_configfs_dev_params (drivers/target, Linux 6.1).
const blockInfo = /^\s+Major: (?<major>\d+) Minor: (?<minor>\d+) /m;
const fileInfo = /^\s+TCM FILEIO ID: \d+\s+File: (?<path>.*?) {2}Size: \d+ /ms;

async function scsiTargets(host: ReadHost): Promise<readonly Served[]> {
  const found: Served[] = [];
  for (const adapter of await namesIn(host, core)) {
    const kind = /^(?<kind>iblock|fileio)_\d+$/.exec(adapter)?.groups?.kind;
    if (kind === undefined) continue;
    for (const name of await namesIn(host, `${core}/${adapter}`)) {
      const at = `${core}/${adapter}/${name}`;
      // Undefined for the files of the adapter, and for a device that is being removed.
      if ((await enabledAt(host, at)) !== true) continue;
      const info = (await kernelText(host, `${at}/info`)) ?? '';
      const { major, minor, path } = (kind === 'iblock' ? blockInfo : fileInfo).exec(info)?.groups ?? {};
      const holder: Holder = {
        ...{ kind: 'target', name, words: `served by the SCSI target of this host as ${name}` },
        free: ['targetcli', `/backstores/${kind === 'iblock' ? 'block' : 'fileio'}`, 'delete', name],
      };
      if (major !== undefined && minor !== undefined)
        found.push({ name, holder, number: `${major}:${minor}` });
      else if (path !== undefined) found.push({ name, holder, ...(await servedAt(host, path)) });
      else throw new ParseError(`${at}/info does not say what it serves`);
    }
  }
  return found;
}

const subsystems = '/sys/kernel/config/nvmet/subsystems';

async function nvmeTargets(host: ReadHost): Promise<readonly Served[]> {
  const found: Served[] = [];
  for (const name of await namesIn(host, subsystems))
    for (const id of await namesIn(host, `${subsystems}/${name}/namespaces`)) {
      const at = `${subsystems}/${name}/namespaces/${id}`;
      if ((await enabledAt(host, at)) !== true) continue;
      const path = await kernelText(host, `${at}/device_path`);
      if (path === undefined) continue;
      const holder: Holder = {
        ...{
          kind: 'target',
          name,
          words: `served by the NVMe target of this host as ${name}, namespace ${id}`,
        },
        free: ['sh', '-c', `echo 0 > ${inShell(`${at}/enable`)}`],
      };
      found.push({ name, holder, ...(await servedAt(host, path)) });
    }
  return found;
}

async function enabledAt(host: ReadHost, at: string): Promise<boolean | undefined> {
  if ((await host.stat(at))?.kind !== 'directory') return undefined;
  return (await kernelText(host, `${at}/enable`)) === '1';
}

async function servedAt(host: ReadHost, named: string): Promise<Omit<Served, 'name' | 'holder'>> {
  const { path, stat } = await follow(host, named);
  return stat?.node === undefined ? { file: { path, device: stat?.device } } : { number: stat.node };
}

/** A directory that the NFS server has exported to clients that used it. */
export interface Export {
  readonly path: string;
  /** The clients as in /etc/exports; several are separated by commas. */
  readonly clients: string;
}

// svc_export_show in fs/nfsd/export.c; a line with # is an entry that has expired.
const exportLine = /^(?:# )?(?<path>\/\S*)\t(?<clients>[^\s(]*)\(/;

/**
 * Returns the exports that the kernel keeps for the clients, each of which keeps its mount in use
 * (seen on Linux 6.1); none without a running server.
 */
export async function exports(host: ReadHost): Promise<readonly Export[]> {
  return exportsIn(host, '/proc/fs/nfsd/exports');
}

/** Returns the exports as exportfs(8) knows them. */
export async function exportTable(host: ReadHost): Promise<readonly Export[]> {
  return exportsIn(host, '/var/lib/nfs/etab');
}

async function exportsIn(host: ReadHost, file: string): Promise<readonly Export[]> {
  const text = await kernelText(host, file);
  const lines = text?.split('\n').filter((line) => line !== '' && !/^# (?:Version|Path) /.test(line)) ?? [];
  return lines.map((line) => {
    const { path, clients } = exportLine.exec(line)?.groups ?? {};
    if (path === undefined || clients === undefined)
      throw new ParseError(`${file}: cannot read the line "${line}"`);
    return { path: unescapeOctal(path), clients };
  });
}
