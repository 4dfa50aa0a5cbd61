import * as z from 'zod/mini';
import { accountName } from '../account/database.ts';

/** cron(8) of Debian ignores files in /etc/cron.d with other names. */
export const cronName = z
  .string()
  .check(
    z.regex(
      /^[A-Za-z0-9_-]+$/,
      'must be letters, digits, _ and -: cron ignores other files, also those with a dot',
    ),
  );

const months = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const days = 'sun mon tue wed thu fri sat'.split(' ');
const fields: readonly { readonly from: number; readonly to: number; readonly names: readonly string[] }[] = [
  { from: 0, to: 59, names: [] },
  { from: 0, to: 23, names: [] },
  { from: 1, to: 31, names: [] },
  { from: 1, to: 12, names: months },
  { from: 0, to: 7, names: days },
];

/** cron(8) of Debian ignores a file with a longer command, in bytes. */
const longest = 998;

function isSchedule(text: string): boolean {
  if (/^@(?:reboot|yearly|annually|monthly|weekly|daily|midnight|hourly)$/.test(text)) return true;
  const all = text.split(' ');
  return all.length === fields.length && fields.every((field, at) => isField(all[at] ?? '', field));
}

function isField(text: string, { from, to, names }: (typeof fields)[number]): boolean {
  const numberOf = (value: string): number | undefined => {
    const named = names.indexOf(value.toLowerCase());
    if (named >= 0) return from + named;
    const isValue = /^\d{1,2}$/.test(value) && Number(value) >= from && Number(value) <= to;
    return isValue ? Number(value) : undefined;
  };
  return text.split(',').every((part) => {
    const { range = '', step } = /^(?<range>[^/]+)(?:\/(?<step>[1-9]\d?))?$/.exec(part)?.groups ?? {};
    if (range === '*') return true;
    const [first, last, ...more] = range.split('-').map(numberOf);
    if (first === undefined || more.length > 0) return false;
    if (!range.includes('-')) return step === undefined;
    // cron accepts a range such as sat-sun or 5-1, and never starts the job: sun is 0.
    return last !== undefined && first <= last;
  });
}

export const cronRequest = z.strictObject({
  schedule: z
    .string()
    .check(
      z.refine(
        isSchedule,
        'must be five fields of crontab(5), such as "30 4 * * mon", or a name such as @daily; a range ascends: 6-7, not sat-sun',
      ),
    ),
  user: accountName,
  command: z.string().check(
    z.regex(/^[^\s\0][^\n\r\0]*$/, 'must be one line'),
    z.refine((command) => !command.includes('\\%'), 'must have % without a backslash, which bofh adds'),
    z.refine(
      (command) => Buffer.byteLength(escaped(command)) <= longest,
      `must have at most ${String(longest)} bytes, with a backslash for each %: put it into a script`,
    ),
  ),
});

/** Returns the text of the file. Escapes each %, which would end the command. */
export function cronText({ schedule, user, command }: z.infer<typeof cronRequest>): string {
  return `${schedule} ${user} ${escaped(command)}\n`;
}

function escaped(command: string): string {
  return command.replaceAll('%', '\\%');
}
