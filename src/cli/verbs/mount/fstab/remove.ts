import * as mount from '../../../../api/mount.ts';
import { verb } from '../../../runtime/verb.ts';
import { editTable } from '../table-edit.ts';

export default verb({
  changes: true,
  answers: 'mount fstab remove',
  args: { of: ['<path>', 'mount point of the line; for swap its device, as the line names it'] },
  examples: ['mount fstab remove /srv'],
  run: (runtime, asked) => editTable(runtime, () => mount.removeFstab(asked)),
});
