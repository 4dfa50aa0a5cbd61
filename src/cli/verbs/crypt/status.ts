import * as crypt from '../../../api/crypt.ts';
import { withBofh } from '../../../bofh.ts';
import { formatSize } from '../../../core/units.ts';
import { give } from '../../output/answer.ts';
import type { CryptStatus } from '../../output/answers/index.ts';
import { openSession } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';

export default verb({
  changes: false,
  answers: 'crypt status',
  args: { name: ['<name>', 'name below /dev/mapper'] },
  examples: ['crypt status data-luks'],
  run: async (runtime, { name }) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const { status: said, ...open } = await withBofh(bofh, () => crypt.status(name));
    const data: CryptStatus = {
      ...{ name: open.name, path: open.path, type: open.type, uuid: open.luksUuid ?? null },
      ...{ device: said.device ?? null, cipher: said.cipher ?? null, keyLocation: said.keyLocation ?? null },
      ...{ offset: said.offset ?? null, size: open.size, mode: open.mode },
      ...{ inUse: said.inUse, isReencrypted: said.isReencrypted, flags: [...said.flags] },
    };
    const { paint } = runtime.terminal.look;
    give(runtime, {
      data,
      lines: [
        `${data.path}: ${data.type}, ${formatSize(data.size)}, ${data.mode}${data.inUse ? ', in use' : ''}`,
        `on ${data.device ?? paint('bad', 'no device')}${data.uuid === null ? '' : `, uuid ${data.uuid}`}`,
        `cipher ${data.cipher ?? 'unknown'}, key in: ${data.keyLocation ?? 'unknown'}`,
        ...(data.isReencrypted ? [paint('warning', 'reencryption is running or was interrupted')] : []),
        ...(data.flags.length === 0 ? [] : [`flags: ${data.flags.join(', ')}`]),
      ],
    });
    return 0;
  },
});
