import { classifyDevice } from '../../blockdevice/index.ts';
import type { Command } from '../../command/index.ts';
import { ParseError } from '../../core/errors.ts';
import type { Bytes } from '../../core/units.ts';

/**
 * Discards the unused blocks of a mounted filesystem, and returns the number of bytes that the
 * kernel reports. Without `--verbose` fstrim prints nothing (2.38). May be killed: what is discarded
 * stays so, and nothing uses it.
 */
export function fstrim(path: string): Command<Bytes, 'change'> {
  return {
    tool: 'fstrim',
    argv: ['--verbose', path],
    access: 'change',
    stop: 'safe',
    parse: ({ stdout }) => {
      const start = `${path}: `;
      const { bytes } =
        /^[\d.]+ [KMGTPE]?i?B \((?<bytes>\d+) bytes\) trimmed\n$/.exec(stdout.slice(start.length))?.groups ??
        {};
      if (bytes === undefined || !stdout.startsWith(start))
        throw new ParseError(`no number of trimmed bytes in ${JSON.stringify(stdout)}`);
      return Number(bytes);
    },
    classify: classifyDevice,
  };
}
