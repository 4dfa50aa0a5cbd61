import * as drbd from '../../../api/drbd.ts';
import { verb } from '../../runtime/verb.ts';
import { changeResource } from './resource-change.ts';

export default verb({
  changes: true,
  answers: 'drbd adjust',
  args: { name: ['<resource>', 'name of the resource'] },
  examples: ['--dry-run drbd adjust web1', 'drbd adjust web1'],
  run: (runtime, { name }) =>
    changeResource(runtime, name, {
      act: () => drbd.adjust({ name }),
      done: 'is as its configuration says',
    }),
});
