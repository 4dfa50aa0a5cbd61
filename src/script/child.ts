import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { RefusedError, UsageError } from '../core/errors.ts';

/** Node's permission model under its present name, else under that of Node 20. */
const permission = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission';

/** Node 25 takes the network too unless it is given: a plan lets it pass on every Node. */
const network = process.allowedNodeEnvironmentFlags.has('--allow-net') ? ['--allow-net'] : [];

/**
 * Runs a file of `dist/` in a process that may read files and do nothing else: no writing, no starting of programs.
 * A net against accidents, not a jail: sockets and signals pass. It is sent `task`; what it sends is given to
 * `onMessage` until that resolves to something other than undefined, which is the answer. Its output goes to stderr.
 */
export function inReadOnlyChild<T>(
  name: string,
  task: object,
  onMessage: (message: unknown, reply: (message: object) => void) => Promise<T | undefined>,
): Promise<T> {
  const file = fileURLToPath(new URL(name, import.meta.url));
  if (!existsSync(file))
    throw new UsageError(`a dry run of a script needs the built bofh: there is no ${file}`);
  const child = fork(file, [], {
    execArgv: [permission, '--allow-fs-read=*', ...network, '--no-warnings'],
    stdio: ['ignore', 2, 2, 'ipc'],
    serialization: 'advanced',
  });
  return new Promise<T>((resolve, reject) => {
    const fail = (error: unknown): void => {
      child.kill();
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    child.on('error', fail);
    child.on('message', (message) => {
      onMessage(message, (reply) => child.send(reply)).then((answer) => {
        if (answer === undefined) return;
        resolve(answer);
        child.kill();
      }, fail);
    });
    // After an answer this comes too, and changes nothing.
    child.on('close', (code, signal) =>
      fail(
        new RefusedError(
          `the script ended its process (${signal ?? `exit ${String(code)}`}) before its plan was known`,
          { remedy: 'take process.exit() out of the script, or ask tx.planning before it' },
        ),
      ),
    );
    child.send(task, (error) => {
      if (error !== null) fail(error);
    });
  });
}
