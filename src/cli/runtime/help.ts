import type { Command } from 'commander';

/**
 * `bofh help lvm create`, and `bofh lvm help create`: shows the help of what all the words name, and throws as --help
 * does. The library reads but the first of them, and takes a word that is no command for none at all.
 */
export function answerHelp(root: Command, args: readonly string[]): void {
  let at = root;
  let isAsked = false;
  for (const word of args) {
    const inner = at.commands.find((each) => each.name() === word);
    if (word === 'help' && !isAsked && at.commands.length > 0) isAsked = true;
    else if (inner !== undefined) at = inner;
    else if (!isAsked) return;
    else if (!word.startsWith('-'))
      at.error(`unknown command '${word}'`, { code: 'commander.unknownCommand' });
  }
  if (isAsked) at.help();
}
