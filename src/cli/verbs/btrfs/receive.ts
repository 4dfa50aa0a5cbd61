import * as api from '../../../api/btrfs.ts';
import { present } from '../../../core/present.ts';
import { change } from '../../runtime/change.ts';
import { pathOn } from '../../runtime/session.ts';
import { value, verb } from '../../runtime/verb.ts';
import { received } from './answers.ts';

export default verb({
  changes: true,
  answers: 'btrfs receive',
  args: { file: ['<file|device>', 'file of btrfs send --to-file, or device of --to-device'] },
  options: {
    into: value('<DIR>', 'directory on a btrfs', { required: true }),
    name: value('<NAME>', 'name of the subvolume (default: the name in the stream)'),
  },
  examples: ['btrfs receive /backup/daily.1.stream --into /srv/snapshots'],
  run: (runtime, { file, into, name }) => {
    const asked = present({ file: pathOn(runtime, file), into: pathOn(runtime, into), name });
    return change(runtime, { act: () => api.receiveSubvolume(asked), answer: received });
  },
});
