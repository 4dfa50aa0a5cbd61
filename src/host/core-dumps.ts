import { readFileSync } from 'node:fs';
import { RefusedError } from '../core/errors.ts';
import { findProgram } from './program.ts';
import { collect } from './start.ts';

/**
 * No core dump of this process, and of no program that it starts from then on, contains a key. A limit of 1 byte and not of 0:
 * the kernel hands a dump to a program (core_pattern `|…`, as systemd-coredump has it) whatever the limit is, unless
 * it is 1 (core(5); do_coredump in fs/coredump.c); and to a file it writes none that is smaller than a page.
 */
const limit = '--core=1:1';

/** The same for a shell on another host, and what it starts. */
export const noCoreDumps = `prlimit ${limit} --pid $$ 2>/dev/null || ulimit -c 0`;

let done: Promise<void> | undefined;

/** Sets it for this process, once. RefusedError where that does not work: no key is fetched then. */
export function withoutCoreDumps(env: Readonly<Record<string, string>>): Promise<void> {
  done ??= set(env).catch((error: unknown) => {
    done = undefined;
    throw error;
  });
  return done;
}

async function set(env: Readonly<Record<string, string>>): Promise<void> {
  if (isOff()) return;
  const file = await findProgram('prlimit', 'util-linux');
  const argv = [limit, '--pid', String(process.pid)];
  await collect({ tool: 'prlimit', file, argv }, { env, timeoutMs: 10_000 });
  if (isOff()) return;
  throw new RefusedError('core dumps of bofh could not be turned off, and they would contain the key', {
    remedy: `see why this fails: ${file} ${argv.join(' ')}`,
  });
}

/** Node has no getrlimit(2). */
function isOff(): boolean {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  return /^Max core file size +(?<soft>[01]) +[01] /m.test(limits);
}
