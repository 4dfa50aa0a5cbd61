import { readFileSync } from 'node:fs';

const page = readFileSync(new URL('../../../docs/dead-host.md', import.meta.url), 'utf8');

/** The commands of bofh in the first block after these words of docs/dead-host.md, without "bofh". */
export function commandsAfter(words: string): readonly string[] {
  const [, rest] = page.split(words);
  if (rest === undefined) throw new Error(`docs/dead-host.md does not say: ${words}`);
  const { body = '' } = /```console\n(?<body>[^]*?)```/.exec(rest)?.groups ?? {};
  const commands = body.trim().split('\n');
  return commands.map((line) => line.replace(/^# bofh /, ''));
}
