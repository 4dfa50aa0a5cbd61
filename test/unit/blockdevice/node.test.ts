import { expect, it } from 'vitest';
import { kernelText } from '../../../src/blockdevice/node.ts';
import type { ReadHost } from '../../../src/command/index.ts';
import { CommandError } from '../../../src/core/errors.ts';
import { simulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';

/** A host on which a file of the kernel is listed, and cannot be read. */
function failing(code: string): ReadHost {
  const cause = Object.assign(new Error(`${code}: it fails`), { code });
  const reason = code === 'ENOENT' ? 'not-found' : 'unknown';
  const readFile = (path: string) =>
    Promise.reject(new CommandError({ tool: 'file', argv: ['read', path], reason, cause }));
  const host = simulatedHost();
  host.admin.writeFile('/sys-file', '');
  return { ...host, readFile };
}

it.each(['ENOENT', 'ENODEV'])(
  'treats a file that the kernel removes during a read (%s) as missing',
  async (code) => {
    expect(await kernelText(failing(code), '/sys-file')).toBeUndefined();
  },
);

it('reports any other read failure', async () => {
  expect(await rejectionOf(kernelText(failing('EIO'), '/sys-file'))).toBeInstanceOf(CommandError);
});
