import { parseDuration } from '../../runtime/settings.ts';
import { flag, value, wholeNumber } from '../../runtime/verb.ts';

/** Options of the verbs that start guests. */
export const alone = flag(
  'start without the peer; only if the peer is down, does not run this guest and has no newer data',
);
export const time = value(
  '<DURATION>',
  'longest time to wait until a replicated disk is connected (default: 30s)',
  { read: parseDuration },
);

/** Of the verbs for all guests. */
export const parallel = value(
  '<NUMBER>',
  'guests at a time, apart from those of startOrder in the site file, which take their turns one by one (default: 4)',
  { read: wholeNumber },
);
