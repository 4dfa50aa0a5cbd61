import { appendFileSync, openSync } from 'node:fs';
import { resolve } from 'node:path';
import { type DestinationStream, type Logger, pino } from 'pino';
import { refuseExposed } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { localHost } from '../../host/local.ts';
import { messageOf, printable } from '../output/text.ts';
import type { Runtime } from './runtime.ts';

/**
 * Opens the file of `--log-file` for appending. Throws RefusedError if it cannot be opened, or if
 * another user could write to it.
 */
export async function openLogFile(
  file: string,
  { verb, settings, terminal }: Pick<Runtime, 'verb' | 'settings' | 'terminal'>,
): Promise<Logger> {
  const path = resolve(file);
  await refuseExposed(localHost(), path, 'content');
  const lines = appending(path, (why) => terminal.line(`bofh: ${path} cannot be written: ${printable(why)}`));
  return pino(
    {
      level: settings.logLevel === 'debug' ? 'debug' : 'info',
      base: { pid: process.pid, verb },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
    },
    lines,
  );
}

/** Writes each line at once, so that a crash loses none. A full disk must not stop the sequence. */
function appending(path: string, onFailure: (why: string) => void): DestinationStream {
  const fd = opened(path);
  let failed = false;
  const write = (line: string): void => {
    try {
      appendFileSync(fd, line);
    } catch (error) {
      if (!failed) onFailure(messageOf(error));
      failed = true;
    }
  };
  return { write };
}

function opened(path: string): number {
  try {
    return openSync(path, 'a', 0o600);
  } catch (cause) {
    throw new RefusedError(`the log file ${path} cannot be opened: ${messageOf(cause)}`, {
      cause,
      remedy: 'name a file in a directory that exists, for example --log-file /var/log/bofh.log',
    });
  }
}
