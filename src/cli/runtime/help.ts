import type { Command } from 'commander';

/**
 * Handles `bofh help lvm create` and `bofh lvm help create`: shows the help of the command and
 * throws as --help does. commander itself reads only the first word and ignores unknown ones.
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
