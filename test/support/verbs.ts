import type { Command } from 'commander';
import { type Invocation, program } from '../../src/cli/runtime/program.ts';

/** Every verb of the command line, called by the shortest line that its own description allows. Nothing of it is run. */
export async function allVerbs(): Promise<readonly Pick<Invocation, 'verb' | 'changes'>[]> {
  const seen: Invocation[] = [];
  const root = await program('all', async (invocation) => {
    seen.push(invocation);
  });
  for (const argv of leaves(root)) await root.parseAsync([...argv], { from: 'user' });
  return seen;
}

function leaves(command: Command, path: readonly string[] = []): readonly (readonly string[])[] {
  if (command.commands.length > 0)
    return command.commands.flatMap((inner) => leaves(inner, [...path, inner.name()]));
  const needed = command.registeredArguments.filter(({ required }) => required).map(() => 'x');
  const options = command.options
    .filter(({ mandatory }) => mandatory)
    .flatMap(({ long }) => [long ?? '', 'x']);
  return [[...path, ...options, ...needed]];
}
