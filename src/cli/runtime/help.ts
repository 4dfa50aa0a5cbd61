import { type Command, CommanderError } from 'commander';
import { wrapped } from '../output/text.ts';

/**
 * Handles `bofh help lvm create` and `bofh lvm help create`: shows the help of the command and
 * throws as --help does. commander itself reads only the first word and ignores unknown ones.
 * `bofh help options` shows the options of every command.
 */
export function answerHelp(root: Command, args: readonly string[]): void {
  let at = root;
  let isAsked = false;
  for (const word of args) {
    const inner = at.commands.find((each) => each.name() === word);
    if (word === 'help' && !isAsked && at.commands.length > 0) isAsked = true;
    else if (inner !== undefined) at = inner;
    else if (!isAsked) return;
    else if (word === 'options' && at === root) return showGlobals(root);
    else if (!word.startsWith('-'))
      at.error(`unknown command '${word}'`, { code: 'commander.unknownCommand' });
  }
  if (isAsked) at.help();
}

/** The names of the options of every command, for the help of one command. */
export function globalsIn(root: Command): string {
  const names = root.options
    .filter(({ hidden, long }) => !hidden && long !== '--version')
    .map(({ long }) => long ?? '');
  const list = wrapped([names.join(' ')], { first: '  ', next: '  ', columns: 80 }).join('\n');
  return `\nGlobal options (bofh help options):\n${list}`;
}

const values = `
Values of options:
  SIZE      a number and its unit, a power of 1024: 512m, 10g, 1.5t
  DURATION  500ms, 30s, 5m or 1h; a number alone means seconds
`;

function showGlobals(root: Command): never {
  const help = root.createHelp();
  const output = root.configureOutput();
  help.prepareContext({ helpWidth: output.getOutHelpWidth?.() ?? 80 });
  const options = help.visibleOptions(root);
  const terms = options.map((option) => help.optionTerm(option));
  const width = Math.max(...terms.map(({ length }) => length));
  const lines = options.map((option, at) =>
    help.formatItem(terms[at] ?? '', width, help.optionDescription(option), help),
  );
  output.writeOut?.(`Options of every command:\n${lines.join('\n')}\n${values}`);
  throw new CommanderError(0, 'commander.help', '(outputHelp)');
}
