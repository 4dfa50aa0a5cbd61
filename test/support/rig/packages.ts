import { access } from 'node:fs/promises';
import { constants } from 'node:fs';
import { runProgram } from './process.ts';

/** Debian packages that the machine which runs the rig needs. */
export const hostPackages: readonly string[] = [
  'qemu-system-x86',
  'qemu-utils',
  'mmdebstrap',
  'e2fsprogs',
  'cpio',
  'busybox-static',
  'openssh-client',
  'util-linux',
];

/** Which of `hostPackages` are not installed, asked from dpkg. */
export async function missingPackages(): Promise<readonly string[]> {
  const format = '${Package} ${db:Status-Status}\n';
  // Status 1 only says that some of the names are unknown: those are missing.
  const { stdout } = await runProgram({
    argv: ['dpkg-query', '--show', `--showformat=${format}`, ...hostPackages],
    timeoutMs: 30_000,
  });
  const installed = new Set<string>();
  for (const line of stdout.toString().split('\n')) {
    const [name, status] = line.split(' ');
    if (name !== undefined && status === 'installed') installed.add(name);
  }
  return hostPackages.filter((name) => !installed.has(name));
}

/** Whether the rig can be had on this machine: `ok`, or one sentence that says why not. */
export async function available(): Promise<
  { readonly ok: true } | { readonly ok: false; readonly reason: string }
> {
  const reason = await whyNot();
  return reason === undefined ? { ok: true } : { ok: false, reason };
}

async function whyNot(): Promise<string | undefined> {
  if (process.platform !== 'linux') return `The rig needs Linux, this is ${process.platform}.`;
  if (process.arch !== 'x64') return `The rig needs an x86-64 machine, this is ${process.arch}.`;
  if (process.getuid?.() !== 0) return 'The rig needs root, to build its image.';
  for (const tool of ['/usr/bin/apt-get', '/usr/bin/dpkg-query'])
    if (!(await isExecutable(tool))) return `The rig is built from Debian packages, and ${tool} is not here.`;
  const missing = await missingPackages();
  return missing.length === 0 ? undefined : `The rig needs these Debian packages: ${missing.join(' ')}.`;
}

async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
