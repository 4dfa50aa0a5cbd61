import { diskAnswer } from '../xen/disk.ts';
import { formatSize } from '../../../core/units.ts';
import * as xen from '../../../api/xen.ts';
import { withBofh } from '../../../bofh.ts';
import { give } from '../../output/answer.ts';
import type { VmShow } from '../../output/answers/index.ts';
import { paintWord } from '../../output/style.ts';
import { printable } from '../../output/text.ts';
import { openSession } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';
import { wordsOf } from '../../../vm/guest-file.ts';
import { stateInWords } from '../xen/state.ts';

export default verb({
  changes: false,
  answers: 'vm show',
  args: { name: ['<name>', 'name of the guest'] },
  examples: ['vm show web1', '--json vm show web1'],
  run: async (runtime, { name }) => {
    const { bofh } = await openSession(runtime, { site: 'used', root: 'not-needed' });
    const found = await withBofh(bofh, () => xen.show(name));
    const { disks, vifs, uuid = null, domid = null, ...rest } = found;
    const data: VmShow = {
      ...{ ...rest, uuid, domid },
      disks: disks.map(diskAnswer),
      interfaces: vifs.map(({ mac = null, bridge = null }) => ({ mac, bridge })),
    };
    give(runtime, {
      data,
      lines: inWords(
        data,
        disks.map(wordsOf),
        paintWord(runtime.terminal.look.paint, stateInWords(found.state)),
      ),
    });
    return 0;
  },
});

function inWords(of: VmShow, targets: readonly string[], state: string): readonly string[] {
  const rows: readonly (readonly [string, string])[] = [
    ['guest', printable(of.name)],
    ['state', of.domid === null ? state : `${state}, domain ${String(of.domid)}`],
    ['uuid', of.uuid ?? 'a new one at each start'],
    ['type', of.type],
    ['memory', formatSize(of.memory)],
    ['vcpus', String(of.vcpus)],
    ['config', printable(of.config)],
    ...of.disks.map(({ device, access }, index): readonly [string, string] => [
      'disk',
      `${device} ${printable(targets[index] || 'empty')}${access === 'ro' ? ', read-only' : ''}`,
    ]),
    ...of.interfaces.map(({ mac, bridge }): readonly [string, string] => [
      'network',
      `${mac ?? 'a new MAC address at each start'}, bridge ${bridge ?? 'of xl.conf'}`,
    ]),
  ];
  return rows.map(([name, value]) => `${name.padEnd(8)} ${value}`);
}
