import { one, readOptions, unmodelled } from '../../options.ts';
import { setXattr } from '../../world/xattr.ts';
import { type Found, resolve } from '../../world/resolve.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';

/** getfattr and setfattr (attr 2.5.1), of one attribute of one object. */
export const xattrTools: Readonly<Record<string, ToolModel>> = {
  getfattr: (call) => {
    const flags = ['--absolute-names', '--no-dereference', '--'];
    const options = readOptions(call, { flags, values: ['--encoding', '--name'] });
    const [path = '', ...more] = options.words;
    const name = one(options, '--name');
    if (name === undefined || one(options, '--encoding') !== 'base64' || options.flags.size < 3)
      throw unmodelled(call, 'it shows one attribute in base64');
    if (more.length > 0) throw unmodelled(call, 'it shows one file');
    const there = at(call, path);
    if (there === undefined) return failed(1, `getfattr: ${path}: No such file or directory`);
    const value = there.inode.xattrs?.known.get(name) ?? null;
    if (value === null) return failed(1, `${path}: ${name}: No such attribute`);
    return ok(`# file: ${path}\n${name}=0s${value}\n\n`);
  },
  setfattr: (call) => {
    const flags = ['--no-dereference', '--'];
    const options = readOptions(call, { flags, values: ['--name', '--value', '--remove'] });
    const [path = '', ...more] = options.words;
    const [name, value, removed] = ['--name', '--value', '--remove'].map((each) => one(options, each));
    const isSet = name !== undefined && value !== undefined && /^(?:0s.+)?$/.test(value);
    if (more.length > 0 || isSet === (removed !== undefined))
      throw unmodelled(call, 'it sets one attribute in base64, or removes one');
    const there = at(call, path);
    if (there === undefined) return failed(1, `setfattr: ${path}: No such file or directory`);
    const known = there.inode.xattrs?.known ?? new Map<string, string | null>();
    const isThere = known.get(removed ?? '') ?? (there.inode.real === undefined ? null : '');
    if (removed !== undefined && isThere === null) return failed(1, `setfattr: ${path}: No such attribute`);
    setXattr(there, removed ?? name ?? '', removed === undefined ? (value ?? '').replace(/^0s/, '') : null);
    return ok();
  },
};

/** The file at a path, no link followed. */
export function at({ world }: ToolCall, path: string): Found | undefined {
  const there = resolve(world, path, 'keep');
  return there.found ? there : undefined;
}
