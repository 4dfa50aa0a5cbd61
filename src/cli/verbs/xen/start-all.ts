import * as xen from '../../../api/xen.ts';
import { present } from '../../../core/present.ts';
import { verb } from '../../runtime/verb.ts';
import { allGuests } from './all.ts';
import { alone, time } from './options.ts';

export default verb({
  changes: true,
  options: { alone, time },
  examples: ['xen start-all'],
  run: (runtime, { alone, time: connectMs }) =>
    allGuests(runtime, () => xen.startAll({ alone, ...present({ connectMs }) })),
});
