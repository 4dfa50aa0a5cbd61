import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addFilesystem(filesystem: Command, verb: Verb): void {
  const info = filesystem
    .command('info')
    .description('size, use and mounts of the filesystem on a device')
    .argument('<device>');
  verb(info, 'reads', async (runtime, [device = '']) =>
    (await import('../filesystem.ts')).info(runtime, device),
  );
  const resize = filesystem
    .command('resize')
    .description('set the size of a filesystem alone; "max" fills its device')
    .argument('<device>')
    .argument('<size|max>');
  verb(resize, 'changes', async (runtime, [device = '', size = '']) =>
    (await import('../filesystem.ts')).resize(runtime, device, size),
  );
}
