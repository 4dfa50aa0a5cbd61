import * as xen from '../../../api/xen.ts';
import { present } from '../../../core/present.ts';
import { flag, verb } from '../../runtime/verb.ts';
import { allGuests } from './all.ts';
import { alone, parallel, timeOfAll } from './options.ts';

export default verb({
  changes: true,
  answers: 'xen start-all',
  options: {
    alone,
    time: timeOfAll,
    parallel: parallel('start'),
    autostart: flag(
      'only the guests that start at boot (vm set NAME autostart=yes), as bofh-start-all.service does',
    ),
  },
  examples: ['xen start-all', 'xen start-all --parallel 8', 'xen start-all --autostart'],
  run: (runtime, { alone, time: connectMs, parallel, autostart }) =>
    allGuests(runtime, {
      none: autostart
        ? 'no guest starts at boot; to let one start: bofh vm set NAME autostart=yes'
        : undefined,
      act: () => xen.startAll({ alone, autostart, ...present({ connectMs, parallel }) }),
    }),
});
