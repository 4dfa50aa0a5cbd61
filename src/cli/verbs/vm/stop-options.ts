import { present } from '../../../core/present.ts';
import type { StopOptions } from '../../../api/xen.ts';
import { parseDuration } from '../../runtime/settings.ts';
import { flag, value } from '../../runtime/verb.ts';

/** Options of the verbs that stop guests. */
export const stopOptions = {
  time: value('<DURATION>', 'longest time for the shutdown of a guest (default: 5m)', {
    read: parseDuration,
  }),
  force: flag('power off the guest hard if it has not shut down in time'),
  forceOff: flag('power off the guest hard at once, without a shutdown', { conflicts: ['time', 'force'] }),
};

/** Converts the typed options to those of the library. */
export function stopHow({
  time,
  force,
  forceOff,
}: {
  readonly time: number | undefined;
  readonly force: boolean;
  readonly forceOff: boolean;
}): StopOptions {
  return {
    ...present({ timeoutMs: time }),
    forceOff: forceOff ? 'at once' : force ? 'late' : 'never',
  };
}
