import { parseDuration } from '../../runtime/settings.ts';
import { flag, value, wholeNumber } from '../../runtime/verb.ts';

/** Options of the verbs that start guests. */
export const alone = flag(
  'start a guest with replicated disks without the peer. You must know that the peer is down, does not run this guest and has no newer data',
);
export const time = value(
  '<DURATION>',
  'longest time to wait until a replicated disk is connected (default: 30s)',
  { read: parseDuration },
);

/** Options of the verbs for all guests. */
export const timeOfAll = value(
  '<DURATION>',
  'longest time to wait until replicated disks are connected, for all guests together (default: 30s)',
  { read: parseDuration },
);
export const parallel = (act: 'start' | 'stop') =>
  value(
    '<NUMBER>',
    `${act} this many guests at the same time; guests in startOrder of the site file are always ${act === 'start' ? 'started' : 'stopped'} one after the other (default: 4)`,
    { read: wholeNumber },
  );
