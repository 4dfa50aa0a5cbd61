import * as crypt from '../../../api/crypt.ts';
import { withBofh } from '../../../bofh.ts';
import { formatSize } from '../../../core/units.ts';
import { give } from '../../output/answer.ts';
import type { CryptList } from '../../output/answers/index.ts';
import { stated } from '../../output/style.ts';
import { openSession } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';

/** Also lists the other open mappings of cryptsetup, and the devices that cannot be read. */
export default verb({
  changes: false,
  answers: 'crypt list',
  table: true,
  examples: ['crypt list'],
  run: async (runtime) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const { devices, unreadable, mappings } = await withBofh(bofh, async () => ({
      ...(await crypt.scan()),
      mappings: await crypt.mappings(),
    }));
    const listed = devices.map(({ device, uuid, label, mapping }) => ({
      ...{ device, uuid, label: label ?? null, open: mapping?.path ?? null },
      ...{ size: mapping?.size ?? null, mode: mapping?.mode ?? null },
      unreadable: null,
    }));
    const others = mappings
      .filter(({ number }) => !devices.some(({ mapping }) => mapping?.number === number))
      .map(({ path, luksUuid, size, mode }) => ({
        ...{ device: null, uuid: luksUuid ?? null, label: null },
        ...{ open: path, size, mode, unreadable: null },
      }));
    const unread = unreadable.map(({ device, why }) => ({
      ...{ device, uuid: null, label: null, open: null, size: null, mode: null },
      unreadable: why,
    }));
    const data: CryptList = [...listed, ...others, ...unread];
    give(runtime, {
      data,
      head: ['DEVICE', 'UUID', 'LABEL', 'OPEN', 'SIZE', 'MODE'],
      rows: data.map(({ device, uuid, label, open, size, mode, unreadable: why }) => [
        device ?? '-',
        uuid ?? '-',
        label ?? '',
        open ?? stated(why === null ? 'closed' : 'unreadable'),
        size === null ? '' : formatSize(size),
        mode ?? '',
      ]),
      none: 'there is no encrypted device on this host',
    });
    if (runtime.settings.answer !== 'json')
      for (const { device, why } of unreadable)
        runtime.terminal.line(`${device}: cannot tell whether it is encrypted: ${why}`);
    return 0;
  },
});
