import * as vm from '../../../api/vm.ts';
import { present } from '../../../core/present.ts';
import { parseSize } from '../../../core/units.ts';
import type { Answer } from '../../output/answer.ts';
import type { VmClone } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { pathOn } from '../../runtime/session.ts';
import { commaList, flag, named, value, verb, wholeNumber } from '../../runtime/verb.ts';

export default verb({
  changes: true,
  args: { name: '<name>', to: '<new>' },
  options: {
    vg: value('<VG>', 'volume group for the new disks (default: that of each disk)'),
    memory: value('<SIZE>', 'memory (default: that of the guest)', { read: named(parseSize) }),
    vcpus: value('<NUMBER>', 'virtual CPUs (default: those of the guest)', { read: wholeNumber }),
    hostname: value('<NAME>', 'host name inside (default: its name)'),
    sshKey: value(
      '<FILE>',
      'public keys that may log in as root by SSH (default: those of the guest); may be repeated',
      { read: commaList, repeatable: true },
    ),
    ip: value('<ADDRESS/PREFIX|dhcp>', "its address (default: the guest's own network settings)", {
      read: commaList,
      repeatable: true,
    }),
    gateway: value('<ADDRESS>', 'its gateway (default: guestGateway of the site file)', {
      read: commaList,
      repeatable: true,
    }),
    dns: value('<ADDRESS>', 'its name servers (default: guestDns of the site file); may be repeated', {
      read: commaList,
      repeatable: true,
    }),
    start: flag('start the clone'),
  },
  examples: [
    'vm clone web1 web2',
    'vm clone web1 web2 --ip 192.0.2.11/24 --gateway 192.0.2.1 --memory 1g --start',
  ],
  run: (runtime, { name, to, sshKey, ...typed }) =>
    change(
      runtime,
      {
        act: () => {
          const sshKeys = sshKey?.map((file) => pathOn(runtime, file));
          return vm.clone(name, to, present({ ...typed, sshKeys }));
        },
        answer: (made): Answer<VmClone> => {
          const { domid = null, ssh = null, hostKey = null } = made;
          const volumes = made.volumes.map((each) => ({ ...each }));
          const data = { ...made, of: name, volumes, domid, ssh, hostKey };
          return { data, lines: inWords(data) };
        },
      },
      { site: 'used' },
    ),
});

function inWords({ name, of, config, volumes, domid, ssh, hostKey }: VmClone): readonly string[] {
  return [
    `${name} is a clone of ${of}, configured in ${config}`,
    ...volumes.map(({ was, volume }) => `  ${volume} is the copy of ${was}`),
    domid === null ? `start it with: bofh vm start ${name}` : `${name} runs as domain ${String(domid)}`,
    ...(ssh === null ? [] : [`log in with: ssh ${ssh}`]),
    ...(hostKey === null ? [] : [`its SSH host key is ${hostKey} (ED25519)`]),
  ];
}
