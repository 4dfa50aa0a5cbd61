import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { RefusedError, UsageError } from '../core/errors.ts';

/** The option of the permission model, which has another name in Node.js 20. */
const permission = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission';

/**
 * Node.js 25 also blocks the network unless an option allows it. A plan allows the network on every
 * version.
 */
const network = process.allowedNodeEnvironmentFlags.has('--allow-net') ? ['--allow-net'] : [];

/**
 * Runs a file of `dist/` in a process that can read files, but cannot write or start programs. It
 * protects against accidents, not attacks: sockets and signals are allowed. The child gets `task`;
 * its messages go to `onMessage` until that resolves to something other than undefined, which is
 * the result. Its output goes to stderr.
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
    // After an answer this event has no effect.
    child.on('close', (code, signal) =>
      fail(
        new RefusedError(
          `the script ended its process (${signal ?? `exit ${String(code)}`}) before its plan was known`,
          { remedy: 'remove process.exit() from the script, or call it only if tx.planning is false' },
        ),
      ),
    );
    child.send(task, (error) => {
      if (error !== null) fail(error);
    });
  });
}
