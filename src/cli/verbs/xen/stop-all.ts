import * as xen from '../../../api/xen.ts';
import { verb } from '../../runtime/verb.ts';
import { stopHow, stopOptions } from '../vm/stop-options.ts';
import { allGuests } from './all.ts';

export default verb({
  changes: true,
  options: stopOptions,
  examples: ['xen stop-all', 'xen stop-all --time 2m --force'],
  run: (runtime, how) => allGuests(runtime, () => xen.stopAll(stopHow(how))),
});
