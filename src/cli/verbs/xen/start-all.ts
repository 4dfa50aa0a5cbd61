import * as xen from '../../../api/xen.ts';
import { present } from '../../../core/present.ts';
import { verb } from '../../runtime/verb.ts';
import { allGuests } from './all.ts';
import { alone, parallel, time } from './options.ts';

export default verb({
  changes: true,
  answers: 'xen start-all',
  options: { alone, time, parallel },
  examples: ['xen start-all', 'xen start-all --parallel 8'],
  run: (runtime, { alone, time: connectMs, parallel }) =>
    allGuests(runtime, () => xen.startAll({ alone, ...present({ connectMs, parallel }) })),
});
