import { value, wholeNumber } from '../../runtime/verb.ts';

/** Options of the verbs that rotate snapshots. */
export const label = value('<LABEL>', 'daily, weekly, monthly, yearly or any other word', {
  required: true,
});
export const keep = value(
  '<NUMBER>',
  'how many snapshots to keep (default: daily 21, weekly 12, monthly 36, yearly 10)',
  { read: wholeNumber },
);
