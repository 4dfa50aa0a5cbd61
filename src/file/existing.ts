import { ensurable } from '../atomic/ensure.ts';
import { realParent, sha256 } from './path.ts';
import * as operations from './operations.ts';

/**
 * Creates a file, or does nothing if it is there with that content, mode and owner: root, or the user
 * who runs bofh. A difference shows digests of the contents, which can hold a secret.
 */
export const create = ensurable(operations.create, async (host, { path, content, mode }) => {
  await realParent(host, path);
  const stat = await host.stat(path);
  if (stat === undefined) return undefined;
  const size = Buffer.byteLength(content);
  const isRead = stat.kind === 'file' && stat.size === size;
  const { user = 0 } = host as { readonly user?: number };
  return {
    what: `the ${stat.kind} ${path}`,
    keys: [`file:${path}`],
    compared: {
      kind: ['file', stat.kind],
      size: [size, stat.size],
      ...(isRead ? { content: [digest(content), digest(await host.readFile(path))] as const } : {}),
      mode: [mode, stat.mode],
      owner: [user, stat.uid],
    },
    value: { path },
    show: `stat ${path}`,
  };
});

function digest(content: Uint8Array | string): string {
  return `sha256:${sha256(content)}`;
}
