import { isIPv6 } from 'node:net';
import type { NewConfig } from './new-config.ts';

/**
 * Whether a configuration contains the `node-id` of each host, for DRBD 9. drbdadm-84 does not know this
 * keyword, and refuses the file (9.22).
 */
export type NodeIds = 'told' | 'not told';

/** The file of one resource, in the format of drbd.conf(5). */
export function configText(
  { name, hosts, protocol = 'C', options = {} }: NewConfig,
  nodeIds: NodeIds,
): string {
  const { net = {}, ...others } = options;
  // Without an algorithm the hosts cannot be compared (drbdadm verify); every kernel has this one.
  const whole = { protocol, 'verify-alg': 'crc32c', ...net };
  const sections = Object.entries({ net: whole, ...others }).filter(([, all]) => Object.keys(all).length > 0);
  return [
    `resource ${word(name)} {`,
    ...sections.flatMap(([section, all]) => [
      `  ${section} {`,
      ...Object.entries(all).map(([key, value]) => `    ${key}${value === '' ? '' : ` ${word(value)}`};`),
      '  }',
    ]),
    ...hosts.flatMap((host) => hostText(host, nodeIds)),
    '}',
    '',
  ].join('\n');
}

function hostText(
  { name, address, port, nodeId, volumes }: NewConfig['hosts'][number],
  nodeIds: NodeIds,
): readonly string[] {
  const at = isIPv6(address) ? `ipv6 [${address}]` : `ipv4 ${address}`;
  return [
    `  on ${word(name)} {`,
    ...(nodeId === undefined || nodeIds === 'not told' ? [] : [`    node-id ${String(nodeId)};`]),
    ...volumes.flatMap(({ minor, disk }, volume) => [
      `    volume ${String(volume)} {`,
      `      device minor ${String(minor)};`,
      `      disk ${word(disk)};`,
      '      meta-disk internal;',
      '    }',
    ]),
    `    address ${at}:${String(port)};`,
    '  }',
  ];
}

/**
 * A word for drbdadm's scanner, in quotes if necessary (user/v84/drbdadm_scanner.fl of 9.22, STRING
 * and DQSTRING).
 */
function word(text: string): string {
  return /^[\w/.-]{1,128}$/.test(text) ? text : `"${text}"`;
}
