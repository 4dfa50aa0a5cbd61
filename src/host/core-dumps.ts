import { readFileSync } from 'node:fs';
import { RefusedError } from '../core/errors.ts';
import { findProgram } from './program.ts';
import { collect } from './start.ts';

/**
 * Turns off core dumps of this process, and of programs that it starts afterwards, because they could
 * contain a key. The limit is 1 byte and not 0, because the kernel passes a dump to a program (core_pattern `|…`, as
 * with systemd-coredump) with any limit except 1 (core(5); do_coredump in fs/coredump.c). It writes
 * no dump file smaller than a page.
 */
const limit = '--core=1:1';

/** A shell command that sets this limit on another host, also for the programs of the shell. */
export const noCoreDumps = `prlimit ${limit} --pid $$ 2>/dev/null || ulimit -c 0`;

let done: Promise<void> | undefined;

/** Sets the limit for this process, once. Throws RefusedError if that fails; no key is fetched then. */
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

/** Whether the limit is set; read from /proc, because Node has no getrlimit(2). */
function isOff(): boolean {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  return /^Max core file size +(?<soft>[01]) +[01] /m.test(limits);
}
