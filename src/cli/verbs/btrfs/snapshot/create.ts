import * as api from '../../../../api/btrfs.ts';
import { change } from '../../../runtime/change.ts';
import { flag, verb } from '../../../runtime/verb.ts';
import { created, notInSnapshot } from '../answers.ts';

export default verb({
  changes: true,
  answers: 'btrfs snapshot create',
  args: {
    source: ['<source>', 'path of the subvolume'],
    path: ['<path>', 'path of the new snapshot, on the same filesystem'],
  },
  options: { rw: flag('make the snapshot writable') },
  examples: ['btrfs snapshot create /srv/data /srv/snapshots/before-upgrade'],
  run: (runtime, { source, path, rw }) => {
    const asked = { source, path, mode: rw ? ('rw' as const) : ('ro' as const) };
    return change(runtime, {
      act: () => api.snapshot(asked),
      answer: async (made, { host }) => created(made, await notInSnapshot(host, source)),
    });
  },
});
