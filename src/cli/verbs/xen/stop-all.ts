import * as xen from '../../../api/xen.ts';
import { present } from '../../../core/present.ts';
import { verb } from '../../runtime/verb.ts';
import { stopHow, stopOptions } from '../vm/stop-options.ts';
import { allGuests } from './all.ts';
import { parallel } from './options.ts';

export default verb({
  changes: true,
  answers: 'xen stop-all',
  options: { ...stopOptions, parallel: parallel('stop') },
  examples: ['xen stop-all', 'xen stop-all --time 2m --force'],
  run: (runtime, { parallel, ...how }) =>
    allGuests(runtime, { act: () => xen.stopAll({ ...stopHow(how), ...present({ parallel }) }) }),
});
