import { readOptions, unmodelled } from '../../options.ts';
import { needed, usesOf } from '../../world/modules.ts';
import { failed, ok, type ToolModel } from '../answer.ts';

const tree = '/lib/modules/6.1.0-18-amd64';

/** modprobe and rmmod of kmod 30, on the modules of `world/modules.ts`. */
export const moduleTools: Readonly<Record<string, ToolModel>> = {
  modprobe: (call) => {
    const { words, flags } = readOptions(call, { flags: ['--show-depends', '--'] });
    const [name = '', ...parameters] = words;
    if (parameters.some((word) => !word.includes('='))) throw unmodelled(call, 'it loads one module');
    const isQuestion = flags.has('--show-depends');
    if (name === 'loop') return ok(isQuestion ? 'builtin loop\n' : '');
    // In a plan, the model does not know the dependencies on the real host.
    const all = needed(name) ?? (call.world.overlay === undefined ? undefined : [name]);
    if (all === undefined) return failed(1, `modprobe: FATAL: Module ${name} not found in directory ${tree}`);
    if (isQuestion) return ok(all.map((each) => `insmod ${tree}/kernel/${each}.ko \n`).join(''));
    for (const each of all) if (!call.world.modules.has(each)) call.world.modules.set(each, { opens: 0 });
    call.world.revision += 1;
    return ok();
  },
  rmmod: (call) => {
    const [name = ''] = readOptions(call, { flags: ['--'] }).words;
    const { world } = call;
    if (!world.modules.has(name)) return failed(1, `rmmod: ERROR: Module ${name} is not currently loaded`);
    if (usesOf(world, name).uses > 0) return failed(1, `rmmod: ERROR: Module ${name} is in use`);
    world.modules.delete(name);
    // As in the kernel, an interface does not count as a use, and is removed with its module.
    if (name === 'bridge') world.bridges = [];
    world.revision += 1;
    return ok();
  },
};
