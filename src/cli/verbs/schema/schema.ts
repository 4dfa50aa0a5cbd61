import { readFile } from 'node:fs/promises';
import { UsageError } from '../../../core/errors.ts';
import { nearestOf } from '../../../core/nearest.ts';
import { give } from '../../output/answer.ts';
import { type AnswerName, answers } from '../../output/answers/by-verb.ts';
import { formatOf, idOf, schemaUrl } from '../../output/schemas.ts';
import { printable } from '../../output/text.ts';
import { verb } from '../../runtime/verb.ts';

export default verb({
  changes: false,
  answers: 'schema',
  args: {
    verb: [
      '[verb...]',
      'a command, with its option if that changes the output; "plan" for --dry-run, "error" for a failed command (default: list all)',
    ],
  },
  dashes: true,
  table: true,
  examples: ['schema', 'schema lvm list', 'schema doctor --settings', 'schema plan', 'schema error'],
  run: async (runtime, { verb: words }) => {
    const names = Object.keys(answers) as AnswerName[];
    if (words.length > 0) {
      const text = await readFile(schemaUrl(answerNamed(words.join(' '), names)), 'utf8');
      give(runtime, { data: JSON.parse(text) as Record<string, unknown>, lines: text.trimEnd().split('\n') });
      return 0;
    }
    const data = names.map((name) => ({ name, format: formatOf(name), id: idOf(name) }));
    give(runtime, {
      data,
      head: ['ANSWER', 'FORMAT', 'ID'],
      rows: data.map(({ name, format, id }) => [name, String(format), id]),
      none: '',
    });
    return 0;
  },
});

function answerNamed(asked: string, names: readonly AnswerName[]): AnswerName {
  const found = names.find((name) => name === asked);
  if (found !== undefined) return found;
  const variants = names.filter((name) => name.startsWith(`${asked} --`));
  const isNoun = names.some((name) => name.startsWith(`${asked} `));
  const near = variants.length > 0 ? variants.join(' or ') : isNoun ? undefined : nearestOf(asked, names);
  throw new UsageError(`there is no JSON answer "${printable(asked)}"`, {
    remedy: near === undefined ? 'see them: bofh schema' : `did you mean ${near}?`,
  });
}
