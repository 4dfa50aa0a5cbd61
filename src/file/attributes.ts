import { type ChangeHost, type Command, nothing } from '../command/index.ts';
import { CommandError } from '../core/errors.ts';

/**
 * `cp --attributes-only`: copies mode, owner and extended attributes (including ACLs and SELinux
 * labels) to a file, but not content nor times.
 */
export function copyAttributes(from: string, to: string): Command<void, 'change'> {
  return {
    tool: 'cp',
    argv: ['--attributes-only', '--preserve=mode,ownership,xattr', '--no-target-directory', '--', from, to],
    access: 'change',
    parse: nothing,
    classify: ({ stderr }) => (/No such file/.test(stderr) ? 'not-found' : 'unknown'),
  };
}

/** Writes a file beside another one, with its mode, owner and extended attributes, to disk. */
export async function writeLike(
  host: ChangeHost,
  { like, path, content }: { readonly like: string; readonly path: string; readonly content: Uint8Array },
): Promise<void> {
  await host.writeNew(path, content, { mode: 0o600 });
  await host.run(copyAttributes(like, path));
  const [wanted, made] = [await host.stat(like), await host.stat(path)];
  // Exit code 0 is not trusted.
  if (wanted?.mode !== made?.mode || wanted?.uid !== made?.uid || wanted?.gid !== made?.gid) {
    const { tool, argv } = copyAttributes(like, path);
    const what = 'reported success, but mode and owner are not those of the file';
    throw new CommandError({ tool, argv, reason: 'unknown', what });
  }
  await host.sync(path);
}
