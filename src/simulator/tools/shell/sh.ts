import { unmodelled } from '../../options.ts';
import { ok, type ToolModel } from '../answer.ts';

/**
 * sh for `tx.shell.run`. The model reads no script: each one does what it promises, and its undo
 * reverts that.
 */
export const shellTools: Readonly<Record<string, ToolModel>> = {
  sh: (call) => {
    const { world, argv } = call;
    const { role, name } = scriptIn(argv) ?? {};
    if (name === undefined) throw unmodelled(call, 'it knows only scripts with a name');
    if (role === 'probe') return ok(`exit ${world.scripts.get(name) === true ? '0' : '1'}\n`);
    world.scripts.set(name, role !== 'undo');
    world.revision += 1;
    return ok();
  },
};

/** Returns which script an argv runs, from its `$0`. */
export function scriptIn(argv: readonly string[]) {
  const [option, , name = ''] = argv[0] === '-e' ? argv.slice(1) : argv;
  if (option !== '-c') return undefined;
  return /^(?:(?<role>probe|undo) of )?(?<name>\S+)$/.exec(name)?.groups;
}
