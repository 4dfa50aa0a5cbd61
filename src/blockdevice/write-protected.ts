import { commandLine, type ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { deviceNode, kernelText } from './node.ts';

/** RefusedError for a device that the kernel does not write to (blockdev --getro). */
export async function refuseWriteProtected(host: ReadHost, device: string): Promise<void> {
  const { number, path } = await deviceNode(host, device);
  if ((await kernelText(host, `/sys/dev/block/${number}/ro`)) !== '1') return;
  throw new RefusedError(`${device} is write-protected`, {
    remedy: `if it may be written: ${commandLine({ tool: 'blockdev', argv: ['--setrw', path] })}; a loop device that is attached read-only: detach it, and attach it again`,
  });
}
