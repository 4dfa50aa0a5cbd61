import * as network from '../../../api/network.ts';
import { withBofh } from '../../../bofh.ts';
import { formatSize } from '../../../core/units.ts';
import { give } from '../../output/answer.ts';
import type { NetworkShow } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { openSession } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';
import { addressInWords, guestOf, withGuests } from './interfaces.ts';

export default verb({
  changes: false,
  answers: 'network show',
  args: { name: ['<name>', 'name of the interface, for example eth0'] },
  examples: ['network show xenbr0'],
  run: async (runtime, { name }) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const one = await withBofh(bofh, () => network.interfaceNamed(name));
    const [data] = await withGuests(bofh, [one]);
    if (data === undefined) throw new TypeError('no answer for the interface that was found');
    give<NetworkShow>(runtime, { data, lines: linesOf(data) });
    return 0;
  },
});

function linesOf(one: NetworkShow): readonly string[] {
  const { received, sent } = one;
  const counted = ({ bytes, packets, errors, dropped }: NetworkShow['sent']): string =>
    `${formatSize(bytes)} in ${String(packets)} packets, ${String(errors)} errors, ${String(dropped)} dropped`;
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['interface', [one.name, ...one.alternativeNames].join(', also ')],
    ['kind', one.kind],
    ['state', one.up ? one.state : 'off'],
    ['MAC', one.mac ?? undefined],
    ['MTU', String(one.mtu)],
    ...one.addresses.map((each) => ['address', addressInWords(each)] as const),
    ['master', one.master === null ? undefined : `${one.master} (${one.portState ?? 'no port'})`],
    ['ports', one.ports.join(', ') || undefined],
    ['guest', one.domid === null ? undefined : guestOf(one)],
    ['received', counted(received)],
    ['sent', counted(sent)],
  ];
  return rows.flatMap(([what, value]) =>
    value === undefined ? [] : [`${what.padEnd(10)} ${printable(value)}`],
  );
}
