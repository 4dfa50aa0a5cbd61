import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Shell } from './docker.ts';

const program = '/root/whole-host.cjs';

/**
 * What is on a host, a fact a line, in order: every path with type, mode, owner, names, content and extended
 * attributes (so also ACL and capabilities), packages with their marks, units, mounts and kernel parameters. Times and
 * what programs write as they run are not among them.
 */
export async function wholeHost(machine: Shell): Promise<readonly string[]> {
  await prepareWholeHost(machine);
  return (await machine.must(`node ${program}`)).split('\n').filter((line) => line !== '');
}

/** For many looks: a shell function `whole FILE` writes the facts to a file in the container. */
export async function prepareWholeHost(machine: Shell): Promise<string> {
  await machine.put(program, readFileSync(join(import.meta.dirname, 'whole-host.cjs'), 'utf8'));
  return `whole() { node ${program} >"$1"; }`;
}
