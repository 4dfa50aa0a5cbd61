import { UsageError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import type { Member } from './commands.ts';

/** The type of a name in the new root, as far as it matters for the path of a later member. */
type Planned = { readonly is: 'directory' | 'other' } | { readonly is: 'link'; readonly target: string };

/**
 * Returns the resulting path of each member, in C quoting, with its size; the size of a hard link
 * is unknown. Refuses the archive (UsageError) if a member is absolute or has `..`,
 * has a type that bofh does not unpack (a volume label), is in lost+found, or would be written, or
 * hard-linked, through a symbolic link that leads out of the root. The links themselves may lead
 * out, as /etc/mtab does. Processes members in order, as tar does.
 */
export function placesOf(members: readonly Member[]): ReadonlyMap<string, Bytes> {
  const root = new Map<string, Planned>();
  const sizes = new Map<string, Bytes>();
  for (const member of members) {
    const place = checkMember(root, member);
    sizes.set(place, member.type === 'h' ? Number.POSITIVE_INFINITY : member.bytes);
  }
  return sizes;
}

function checkMember(root: Map<string, Planned>, member: Member): string {
  const path = segments(member.name, `member "${member.name}"`);
  const whole = path.join('/');
  if (path.length === 0 && member.type !== 'd')
    throw refused(`member "${member.name}" would replace the root itself`);
  if (path[0] === 'lost+found' && !(path.length === 1 && member.type === 'd'))
    throw refused(`member "${member.name}" is in lost+found, which belongs to the filesystem check`);
  const place = resolve(root, path, `member "${member.name}" would be written`);
  if (path.length > 0) root.set(place, planned(root, member, whole));
  return place;
}

function planned(root: ReadonlyMap<string, Planned>, member: Member, path: string): Planned {
  switch (member.type) {
    case 'd':
      return { is: 'directory' };
    case '-':
    case 'C':
    case 'c':
    case 'b':
    case 'p':
      return { is: 'other' };
    case 'l':
      return { is: 'link', target: member.target ?? '' };
    case 'h':
      return hardLink(root, member, path);
    default:
      throw refused(
        `member "${member.name}" has the type "${member.type}", which bofh does not unpack (a volume label, a part of a split archive or similar)`,
      );
  }
}

/**
 * Returns what a hard link creates. It has the type of its target, even if the target is a symbolic
 * link, because link(2) does not follow symbolic links.
 */
function hardLink(root: ReadonlyMap<string, Planned>, member: Member, path: string): Planned {
  const what = `the hard link "${path}" to "${member.target ?? ''}"`;
  const place = resolve(root, segments(member.target ?? '', what), `${what} would be created`);
  const target = root.get(place);
  if (target === undefined || target.is === 'directory')
    throw refused(`the target of ${what} is not a file earlier in the archive`);
  return target;
}

function segments(name: string, what: string): readonly string[] {
  if (name.startsWith('/')) throw refused(`${what} has an absolute path ("/")`);
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || name === '')
    throw refused(`${what} leads out of the new root ("..") or has no name`);
  return parts;
}

/** Returns the resulting path of a name. Follows links on the way, but not the last part. */
function resolve(root: ReadonlyMap<string, Planned>, path: readonly string[], what: string): string {
  let left = [...path];
  let done: string[] = [];
  for (let links = 0; left.length > 1; ) {
    const [part = '', ...rest] = left;
    const there = root.get([...done, part].join('/'));
    left = rest;
    if (there?.is !== 'link') {
      done = [...done, part];
      continue;
    }
    links += 1;
    const target = there.target.split('/').filter((word) => word !== '' && word !== '.');
    if (there.target.startsWith('/') || target.includes('..') || links > 40)
      throw refused(
        `${what} through the symbolic link "${[...done, part].join('/')}" to "${there.target}", which may lead out of the new root`,
      );
    left = [...target, ...rest];
  }
  return [...done, ...left].join('/');
}

function refused(why: string): UsageError {
  return new UsageError(`the archive is refused, nothing was unpacked: ${why}`, {
    remedy:
      'create the archive again from inside the tree: tar --create --one-file-system --directory TREE .',
  });
}
