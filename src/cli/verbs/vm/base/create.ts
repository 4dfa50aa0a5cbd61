import * as vm from '../../../../api/vm.ts';
import { formatSize } from '../../../../core/units.ts';
import { present } from '../../../../core/present.ts';
import type { Answer } from '../../../output/answer.ts';
import type { VmBase } from '../../../output/answers/index.ts';
import { change } from '../../../runtime/change.ts';
import { pathOn } from '../../../runtime/session.ts';
import { one, value, verb } from '../../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'vm base create',
  args: { suite: ['<suite>', 'Debian release, for example trixie'] },
  options: {
    package: value(
      '<PACKAGE>',
      'install this package in addition to openssh-server, linux-image-amd64 and debianPackages of the site file',
      { read: one },
    ),
    mirror: value('<URL>', 'mirror (default: debianMirror of the site file, or those of mmdebstrap)'),
    keyring: value(
      '<FILE>',
      'keyring that verifies the mirror (default: the keys that apt on this host trusts)',
    ),
  },
  examples: [
    'vm base create trixie',
    'vm base create trixie --package vim --package sudo',
    'vm base create bookworm --mirror http://deb.debian.org/debian',
  ],
  run: (runtime, { suite, package: packages, mirror, keyring }) =>
    change(
      runtime,
      {
        act: () =>
          vm.createBase(suite, {
            ...present({ packages, mirror }),
            ...(keyring === undefined ? {} : { keyring: pathOn(runtime, keyring) }),
          }),
        answer: (base): Answer<VmBase> => ({
          data: base,
          lines: [
            `Debian ${base.suite} is installed: ${base.path} (${formatSize(base.size)})`,
            `create a guest from it: bofh vm create NAME --source debian:${base.suite} --size 4g`,
          ],
        }),
      },
      { site: 'used' },
    ),
});
