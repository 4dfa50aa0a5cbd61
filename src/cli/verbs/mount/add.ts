import { ensure } from '../../../api/ensure.ts';
import * as mount from '../../../api/mount.ts';
import { present } from '../../../core/present.ts';
import { refuseSecrets } from '../../../mount/index.ts';
import type { Answer } from '../../output/answer.ts';
import type { MountAdd } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { changeOrEnsure, ensureFlag } from '../../runtime/ensure.ts';
import { pathOn } from '../../runtime/session.ts';
import { flag, listRead, value, verb } from '../../runtime/verb.ts';

/** Refuses passwords before the typed line is logged. */
const optionList = listRead((text) => {
  const options = text.split(',');
  refuseSecrets(options);
  return options;
});

/** The mount stays until it is removed or the host reboots. */
export default verb({
  changes: true,
  answers: 'mount add',
  args: {
    device: ['<device>', 'device, UUID=…, LABEL=…; with --bind a directory'],
    path: ['[path]', 'empty directory (default: a new one below /run/bofh/mnt)'],
  },
  options: {
    bind: flag('bind-mount a directory'),
    readOnly: flag('mount it read-only'),
    ensure: ensureFlag('bind'),
    type: value('<TYPE>', 'filesystem type (default: detected by mount)', { conflicts: ['bind'] }),
    options: value('<LIST>', 'mount options: nodev,noatime,subvol=@web', { short: 'o', read: optionList }),
  },
  examples: ['mount add /dev/vg0/web1 /mnt', 'mount add --bind /srv/www /var/www'],
  run: (runtime, { device, path, bind, readOnly, type, options, ensure: isEnsured }) => {
    const common = {
      mode: readOnly ? ('ro' as const) : ('rw' as const),
      ...present({ path: path === undefined ? undefined : pathOn(runtime, path), options }),
    };
    const source = bind ? pathOn(runtime, device) : device;
    const asked = { device, ...present({ type }), ...common };
    return changeOrEnsure(runtime, isEnsured, {
      create: () => (bind ? mount.bind({ source, ...common }) : mount.mount(asked)),
      ensure: () => ensure.mount.mount(asked),
      answer: (made): Answer<MountAdd> => ({
        data: { source, path: made.path },
        lines: [`${printable(source)} is mounted on ${printable(made.path)}`],
      }),
    });
  },
});
