import type { Command } from 'commander';
import ts from 'typescript';
import { beforeAll, describe, expect, it } from 'vitest';
import { program } from '../../src/cli/runtime/program.ts';
import { commandsIn } from '../support/remedies/commands.ts';
import { eachNode, files } from '../support/remedies/sites.ts';

/** Each text in the code that is or may become a remedy, with `x` for each inserted value. */
function texts(): readonly { readonly at: string; readonly text: string }[] {
  const found: { at: string; text: string }[] = [];
  for (const { name, file } of files()) {
    if (/^cli\/(?:verbs|output\/answers)/.test(name)) continue;
    eachNode(file, (node, line) => {
      if (
        ts.isStringLiteral(node) ||
        ts.isTemplateExpression(node) ||
        ts.isNoSubstitutionTemplateLiteral(node)
      )
        found.push({ at: `${name}:${String(line)}`, text: textOf(node) });
    });
  }
  return found;
}

function textOf(node: ts.StringLiteral | ts.TemplateExpression | ts.NoSubstitutionTemplateLiteral): string {
  if (!ts.isTemplateExpression(node)) return node.text;
  return node.head.text + node.templateSpans.map(({ literal }) => `x${literal.text}`).join('');
}

let root: Command;
beforeAll(async () => {
  root = await program('all', async () => undefined);
});

/** Why a command fails, or does too much, that has all its arguments and options. */
const wrongWithout: readonly { readonly command: RegExp; readonly has: RegExp; readonly why: string }[] = [
  {
    command: /^block (?:wipe|discard|zero) /,
    has: / --overwrite /,
    why: 'is refused without --overwrite',
  },
  {
    command: /^recover .*--(?:yes|discard|ignore-machine-id)/,
    has: /^recover (?!-)/,
    why: 'without the ID it concerns all journals, or is refused',
  },
];

/** Why these words are no command that can be typed; undefined: they are one. */
function wrongIn(words: readonly string[]): string | undefined {
  if (words[0] === 'help') return undefined;
  let command = root;
  const given: string[] = [];
  const options: string[] = [];
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const inner = given.length > 0 ? undefined : command.commands.find((each) => each.name() === word);
    if (inner !== undefined) command = inner;
    else if (word.startsWith('--')) {
      const name = word.split('=')[0];
      const option = [...command.options, ...root.options].find(({ long }) => long === name);
      options.push(name ?? '');
      if (option === undefined && name !== '--help') return `no option ${word}`;
      if (option?.required === true && !word.includes('=')) rest.shift();
    } else given.push(word);
  }
  // The verb is inserted.
  if (command.commands.length > 0 && given[0] === 'x') return undefined;
  if (command.commands.length > 0) return words.length === 1 ? undefined : `no verb "${words.join(' ')}"`;
  const lacks = command.options.find(({ mandatory, long }) => mandatory && !options.includes(long ?? ''));
  if (lacks !== undefined) return `lacks ${lacks.flags}`;
  const needed = command.registeredArguments.filter(({ required }) => required).length;
  if (given.length < needed) return `lacks ${String(needed - given.length)} of its arguments`;
  const line = words.join(' ');
  const wrong = wrongWithout.find((each) => each.command.test(line) && !each.has.test(line));
  if (wrong !== undefined) return wrong.why;
  const most = command.registeredArguments.some(({ variadic }) => variadic)
    ? Infinity
    : command.registeredArguments.length;
  return given.length > most ? `too many arguments: ${given.join(' ')}` : undefined;
}

describe('the next command in errors and hints', () => {
  it('is a command of bofh, with all its arguments', () => {
    const wrong = texts().flatMap(({ at, text }) =>
      commandsIn(text)
        .flat()
        .filter(({ words }) => words[0] === 'bofh')
        .flatMap(({ words }) => {
          const why = words.includes('--help') ? undefined : wrongIn(words.slice(1));
          return why === undefined ? [] : [`${at}: ${words.join(' ')}: ${why}`];
        }),
    );
    expect(wrong).toEqual([]);
  });

  // A space in it would make it two words, and `rm /srv/a b` removes what nobody named.
  it('quotes a path', () => {
    const command =
      /(?:^|: |; |or )(?:ls -ld?|mv|rm|rmdir|stat|umount|findmnt(?: --target)?|cat|readlink|mkdir(?: -p)?|ch(?:mod|own) \S+) $/;
    const others = /^(?:simulator\/|cli\/plan\/|command\/asked-once|filesystem\/commands\/files)/;
    const found: string[] = [];
    for (const { name, file } of files())
      eachNode(file, (node, line) => {
        if (others.test(name) || !ts.isTemplateExpression(node)) return;
        const before = [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)];
        for (const [at, { expression }] of node.templateSpans.entries())
          if (command.test(before[at] ?? '') && !/^(?:inShell|inOctal|String)\(/.test(expression.getText()))
            found.push(`${name}:${String(line)}: ${expression.getText()}`);
      });
    expect(found).toEqual([]);
  });

  it('finds the names of a file on every filesystem', () => {
    expect(texts().filter(({ text }) => text.includes('find / -xdev'))).toEqual([]);
    expect(texts().filter(({ text }) => text.includes('find / -samefile x'))).toHaveLength(1);
  });
});
