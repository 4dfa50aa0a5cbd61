import * as mount from '../../../../api/mount.ts';
import { verb } from '../../../runtime/verb.ts';
import { editTable } from '../table-edit.ts';

export default verb({
  changes: true,
  answers: 'mount crypttab remove',
  args: { name: ['<name>', 'name of the mapping in the line'] },
  examples: ['mount crypttab remove data'],
  run: (runtime, asked) => editTable(runtime, () => mount.removeCrypttab(asked)),
});
