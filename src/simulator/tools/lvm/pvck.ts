import { unmodelled } from '../../options.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { deviceAt } from '../blockdevice/device-at.ts';

/** `pvck --dump headers` and `metadata_search` (lvm2 2.03.16). Each change of a group is written 512 bytes after the one before. */
export function pvck(call: ToolCall): ReturnType<ToolModel> {
  const [dump, what, path = '', ...more] = call.argv;
  const device = deviceAt(call.world, path);
  const vg = call.world.lvm.find(({ pvs }) => pvs.some(({ number }) => number === device?.number));
  if (dump !== '--dump' || more.length > 0 || vg === undefined)
    throw unmodelled(call, 'it dumps what a device of a volume group has');
  const at = (seqno: number): number => 4096 + 512 * seqno;
  if (what === 'headers') {
    const text = `  metadata text at ${at(vg.seqno)} crc 0x0 # vgname ${vg.isTorn === true ? '? seqno 0' : `${vg.name} seqno ${vg.seqno}`}\n`;
    return vg.isTorn === true ? failed(5, '  Found bad header or metadata values.', text) : ok(text);
  }
  if (what !== 'metadata_search') throw unmodelled(call, 'it dumps headers, and searches for metadata');
  const copies = Array.from({ length: vg.seqno }, (_, n) => n + 1).map(
    (seqno) => `  metadata at ${at(seqno)} length 700 crc 0 vg ${vg.name} seqno ${seqno} id ${vg.uuid}\n`,
  );
  return ok(`  Searching for metadata at offset 4096 size 1044480\n${copies.join('')}`);
}
