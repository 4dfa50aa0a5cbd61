import * as vm from '../../../api/vm.ts';
import { present } from '../../../core/present.ts';
import { parseSize } from '../../../core/units.ts';
import type { Answer } from '../../output/answer.ts';
import type { VmClone } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { sharedLines } from './shared-lines.ts';
import { pathOn } from '../../runtime/session.ts';
import { flag, named, value, verb, wholeNumber } from '../../runtime/verb.ts';
import { reachOptions } from './reach-options.ts';

export default verb({
  changes: true,
  answers: 'vm clone',
  args: { name: ['<name>', 'name of the guest'], to: ['<new>', 'name of the clone'] },
  options: {
    vg: value('<VG>', 'volume group for the new disks (default: that of each disk)'),
    memory: value('<SIZE>', 'memory (default: as the original)', { read: named(parseSize) }),
    vcpus: value('<NUMBER>', 'virtual CPUs (default: as the original)', { read: wholeNumber }),
    ...reachOptions({ keys: 'those of the original', network: 'network settings of the original' }),
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
          const data = { ...made, of: name, volumes, domid, ssh, hostKey, shared: [...made.shared] };
          return { data, lines: inWords(data) };
        },
      },
      { site: 'used' },
    ),
});

function inWords({ name, of, config, volumes, domid, ssh, hostKey, shared }: VmClone): readonly string[] {
  return [
    `${name} is a clone of ${of}, configured in ${config}`,
    ...volumes.map(({ was, volume }) => `  ${volume} is the copy of ${was}`),
    ...sharedLines({ shared, config, other: of }),
    domid === null ? `start it with: bofh vm start ${name}` : `${name} runs as domain ${String(domid)}`,
    ...(ssh === null ? [] : [`log in with: ssh ${ssh}`]),
    ...(hostKey === null ? [] : [`its SSH host key is ${hostKey} (ED25519)`]),
  ];
}
