import { unmodelled } from '../../options.ts';
import * as files from '../../world/files.ts';
import { resolve } from '../../world/resolve.ts';
import { ok, type ToolCall, type ToolModel } from '../answer.ts';

/** Runs the script of bofh that works on ~/.ssh/authorized_keys as its user. */
export function authorizedKeys(call: ToolCall): ReturnType<ToolModel> {
  const { world, argv, stdin = '' } = call;
  const [user = '', group = '', , , perl, , verb, home = '', mark = '', made] = argv;
  const [uid, gid] = [user, group].map((word) => Number(/^--re[ug]id=(?<id>\d+)$/.exec(word)?.groups?.id));
  if (perl !== 'perl' || uid === undefined || gid === undefined)
    throw unmodelled(call, 'it is another program');
  const dir = `${home}/.ssh`;
  const at = `${dir}/authorized_keys`;
  const [own, old] = [`${dir}/.bofh-${mark}`, `${dir}/.bofh-gone-${mark}`];
  const isThere = (path: string): boolean => resolve(world, path, 'keep').found;
  const remove = (path: string): void => {
    if (isThere(path)) files.removeFile(world, path);
  };
  const give = (path: string): void => {
    files.setAttributes(files.reached(world, 'chown', path), { uid, gid });
  };
  if (verb === 'read') {
    if (!isThere(`${dir}/${mark}`)) return ok('-\n');
    const text = Buffer.from(files.readFile(world, `${dir}/${mark}`)).toString('latin1');
    return { ...ok(`${text.length}\n${text}`), isLatin1: true };
  }
  if (verb === 'put') {
    if (!isThere(dir)) {
      files.makeDir(world, dir, 0o700, false);
      give(dir);
      files.syncPath(world, home);
    }
    const before = resolve(world, at, 'keep');
    const mode = before.found ? before.inode.mode : 0o600;
    files.writeNew(world, own, Buffer.from(stdin.slice(stdin.indexOf('__END__\n') + 8), 'latin1'), mode);
    give(own);
    if (before.found) files.linkFile(world, at, old);
    if (before.found) files.renamePath(world, own, at);
    else files.linkFile(world, own, at);
    files.syncPath(world, at);
    files.syncPath(world, dir);
    return ok();
  }
  if (verb === 'back') {
    if (isThere(old)) files.renamePath(world, old, at);
    else remove(at);
  }
  remove(old);
  remove(own);
  files.syncPath(world, dir);
  if (made !== undefined && files.readDir(world, dir).length === 0) files.removeDir(world, dir);
  files.syncPath(world, home);
  return ok();
}
