import { posix } from 'node:path';
import type { ReadCommand, ReadHost } from '../command/index.ts';
import { CommandError, RefusedError, ToolError } from '../core/errors.ts';

/** Checks the syntax of a sudoers file on its stdin. */
export function visudo(content: Uint8Array): ReadCommand<void> {
  return {
    tool: 'visudo',
    argv: ['--check', '--file=-'],
    access: 'read',
    stdin: content,
    parse: ({ stdout }) => {
      if (stdout !== 'stdin: parsed OK\n') throw new Error('it does not say that the file was parsed');
    },
    // visudo quotes the line with the error.
    shownOf: placesIn,
  };
}

function placesIn(stderr: string): string {
  return [...stderr.matchAll(/^stdin:\d+(?::\d+)?: \w+ error$/gm)].map(([line]) => line).join('\n');
}

/**
 * RefusedError for a sudoers file with a syntax error, because sudo would then work for no user.
 */
export async function refuseSudoers(host: ReadHost, path: string, content: Uint8Array): Promise<void> {
  if (path !== '/etc/sudoers' && posix.dirname(path) !== '/etc/sudoers.d') return;
  try {
    await host.run(visudo(content));
  } catch (error) {
    if (error instanceof ToolError) return;
    if (!(error instanceof CommandError) || error.exitCode !== 1) throw error;
    const place = placesIn(error.stderr).split('\n').at(0) ?? '';
    throw new RefusedError(
      `visudo does not accept the content of ${path}${place === '' ? '' : `: ${place}`}`,
      {
        cause: error,
        remedy: 'correct its content in the description',
      },
    );
  }
}
