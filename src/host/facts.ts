import type { HostFacts, ReadHost } from '../command/index.ts';
import { CommandError } from '../core/errors.ts';
import { text } from './answer.ts';

type Reads = Pick<ReadHost, 'readFile'>;

/** The current boot of a host, and its name. */
export async function factsOf(files: Reads): Promise<HostFacts> {
  const [boot, hostname] = await Promise.all([
    oneLine(files, '/proc/sys/kernel/random/boot_id'),
    oneLine(files, '/proc/sys/kernel/hostname'),
  ]);
  return { boot, hostname };
}

async function oneLine(files: Reads, path: string): Promise<string> {
  const line = text(await files.readFile(path)).trim();
  if (line === '' || line.includes('\n'))
    throw new CommandError({
      tool: 'file',
      argv: ['read', path],
      reason: 'unknown',
      what: 'it is not one line',
    });
  return line;
}
