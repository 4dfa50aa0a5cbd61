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
const fields = [
  { from: 0, to: 59, names: [] },
  { from: 0, to: 23, names: [] },
  { from: 1, to: 31, names: [] },
  { from: 1, to: 12, names: months },
  { from: 0, to: 7, names: days },
] as const;

function isSchedule(text: string): boolean {
  if (/^@(?:reboot|yearly|annually|monthly|weekly|daily|midnight|hourly)$/.test(text)) return true;
  const all = text.split(' ');
  return all.length === fields.length && fields.every((field, at) => isField(all[at] ?? '', field));
}

function isField(text: string, { from, to, names }: (typeof fields)[number]): boolean {
  const isValue = (value: string): boolean =>
    (names as readonly string[]).includes(value.toLowerCase()) ||
    (/^\d{1,2}$/.test(value) && Number(value) >= from && Number(value) <= to);
  return text.split(',').every((part) => {
    const { range = '', step } = /^(?<range>[^/]+)(?:\/(?<step>[1-9]\d?))?$/.exec(part)?.groups ?? {};
    if (range === '*') return true;
    const [first = '', last, ...more] = range.split('-');
    if (!isValue(first) || more.length > 0) return false;
    return last === undefined ? step === undefined : isValue(last) && !(Number(first) > Number(last));
  });
}

export const cronRequest = z.strictObject({
  schedule: z
    .string()
    .check(
      z.refine(
        isSchedule,
        'must be five fields of crontab(5), such as "30 4 * * mon", or a name such as @daily',
      ),
    ),
  user: accountName,
  command: z.string().check(
    z.regex(/^[^\s\0][^\n\r\0]*$/, 'must be one line'),
    z.refine((command) => !command.includes('\\%'), 'must have % without a backslash, which bofh adds'),
  ),
});

/** Returns the text of the file. Escapes each %, which would end the command. */
export function cronText({ schedule, user, command }: z.infer<typeof cronRequest>): string {
  return `${schedule} ${user} ${command.replaceAll('%', '\\%')}\n`;
}
