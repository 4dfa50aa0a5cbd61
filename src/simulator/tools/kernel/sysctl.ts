import { parameterPath } from '../../../kernel/parameter.ts';
import { readOptions, unmodelled } from '../../options.ts';
import { resolve } from '../../world/resolve.ts';
import { setParameter } from '../../world/parameters.ts';
import { failed, ok, type ToolModel } from '../answer.ts';

/**
 * sysctl of procps 4.0.2, on the parameters of `world/parameters.ts` and those that were read from
 * a real host.
 */
export const kernelTools: Readonly<Record<string, ToolModel>> = {
  sysctl: (call) => {
    const { words } = readOptions(call, { flags: ['--quiet', '--write'] });
    const { key, value } = /^(?<key>[^=]+)=(?<value>.*)$/.exec(words[0] ?? '')?.groups ?? {};
    if (key === undefined || value === undefined || words.length > 1)
      throw unmodelled(call, 'it sets one parameter');
    const path = parameterPath(key);
    const there = resolve(call.world, path, 'keep');
    if (!there.found) return failed(1, `sysctl: cannot stat ${path}: No such file or directory`);
    const before = new TextDecoder().decode(there.inode.content).trim();
    const isNumber = /^[\d\s]+$/.test(before);
    if (isNumber && !/^(?:(?:0x[\da-f]+|\d+)\s*)+$/.test(value))
      return failed(1, `sysctl: setting key "${key}": Invalid argument`);
    // The smallest value is two pages (mm/page-writeback.c).
    if (key === 'vm.dirty_bytes' && Number(value) < 8192)
      return failed(1, `sysctl: setting key "${key}": Invalid argument`);
    const kept = isNumber ? value.split(/\s+/).map((word) => String(numberOf(word))) : [value];
    setParameter(call.world, path.slice('/proc/sys/'.length), kept.join('\t'));
    return ok();
  },
};

/** Reads a number as the kernel does: `010` is 8. */
function numberOf(word: string): number | string {
  return /^0\d/.test(word) ? Number.parseInt(word, 8) : word.startsWith('0x') ? Number(word) : word;
}
