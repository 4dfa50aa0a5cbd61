import { posix } from 'node:path';
import * as z from 'zod/mini';
import { accountName } from '../account/database.ts';
import { posixWords } from '../command/index.ts';
import { sha256 } from '../file/path.ts';
import { script } from '../shell/commands.ts';
import type { ScriptRequest } from './description.ts';
import { present } from '../core/present.ts';

/**
 * The value must not be an option of git, nor contain a password, which would be in the journal.
 */
const repository = z.string().check(
  z.regex(/^(?!-)[^\s\0]+$/, 'must be a URL or path of a git repository'),
  z.refine(
    (url) => !/^[a-z+]+:\/\/[^/@]*:[^/]*@/i.test(url),
    'must have no password, which the journal would keep: use a deploy key, or a credential helper of git',
  ),
);
/** A tag as in git-check-ref-format(1), or a commit. */
const revision = z
  .string()
  .check(
    z.regex(/^(?!.*(?:\.\.|\/\/|\.lock$|[./]$))[A-Za-z0-9][\w./+-]{0,99}$/, 'must be a tag or a commit'),
  );

/** Arguments of `h.release`. */
export const releaseRequest = z
  .strictObject({
    git: z.exactOptional(repository),
    revision: z.exactOptional(revision),
    archive: z.exactOptional(
      z.string().check(z.regex(/^(?:https:\/\/|file:\/)[^\s@]+$/, 'must be https://… or file:/…')),
    ),
    sha256: z.exactOptional(z.string().check(z.regex(/^[\da-f]{64}$/, 'must be 64 hexadecimal digits'))),
    build: z.exactOptional(script),
    user: z.exactOptional(accountName),
    keep: z.exactOptional(z.int().check(z.minimum(1), z.maximum(1000))),
    seconds: z.exactOptional(z.int().check(z.minimum(1), z.maximum(86_400))),
  })
  .check(
    z.refine(
      (of) =>
        of.archive === undefined
          ? of.git !== undefined && of.revision !== undefined && of.sha256 === undefined
          : of.git === undefined && of.revision === undefined && of.sha256 !== undefined,
      'needs either git and revision, or archive and sha256',
    ),
  );

type Request = z.output<typeof releaseRequest>;

interface Release {
  /** The directory of all releases. */
  readonly releases: string;
  /** The link to the release in use. */
  readonly current: string;
  /** Target of the link. */
  readonly to: string;
  /** The scripts of the release. The first one runs before the link changes. */
  readonly scripts: readonly { readonly name: string; readonly request: ScriptRequest }[];
}

/**
 * File in each release: `incomplete`, or `complete` with the commit or the checksum of the archive.
 */
const marker = '.bofh-release';
/**
 * `--devices=skip`, because the user of the release may have replaced the file by a FIFO, which
 * would block the read.
 */
const isComplete = 'grep --devices=skip -qsx "complete .*" "$path/$marker"';

/**
 * Returns the scripts of a release of an application. One fills the directory of the release, and
 * builds it there, because a Python environment cannot be moved; one removes the oldest releases.
 * The name of the directory contains a hash of source, build and user, so another build is another
 * release.
 */
export function releaseOf(root: string, request: Request): Release {
  const { build, user, keep, seconds = 1800 } = request;
  const source = request.git === undefined ? request.sha256 : [request.git, request.revision];
  const hash = sha256(Buffer.from(JSON.stringify([source, build ?? null, user ?? null]))).slice(0, 8);
  const from =
    request.revision ?? posix.basename(request.archive ?? '').replace(/\.(?:tar|t[gx]z|tzst)\b.*$/, '');
  const name = `${from.replaceAll(/[^\w.+-]/g, '-').slice(0, 60)}-${hash}`;
  const all = posix.join(root, 'releases');
  const path = posix.join(all, name);
  const own = posix.join(all, `.bofh-${name}`);
  const withHead = (text: string): string =>
    head({ root, all, path, own, name, ...present({ user }) }) + text;
  const label = labelOf(root);
  return {
    ...{ releases: all, current: posix.join(root, 'current'), to: `releases/${name}` },
    scripts: [
      {
        name: `release${label}`,
        request: {
          isDone: withHead(`${isComplete} || exit 1\n`),
          run: withHead(createText(request)),
          undo: withHead(undoText),
          seconds,
        },
      },
      ...(keep === undefined
        ? []
        : [
            {
              name: `old-releases${label}`,
              request: {
                isDone: withHead(`[ "$(others | wc -l)" -lt ${String(keep)} ] || exit 1\n`),
                run: withHead(removeText(keep)),
                undo: 'none',
              } as const,
            },
          ]),
    ],
  };
}

/**
 * Returns the part of the script names that stands for the directory. It is different for each
 * directory.
 */
function labelOf(root: string): string {
  if (/^(?:\/[\w.]+)+$/.test(root) && root.length <= 60) return root.replaceAll('/', '-');
  return `${root.replaceAll(/[^\w.-]+/g, '-').slice(0, 60)}@${sha256(Buffer.from(root)).slice(0, 8)}`;
}

/**
 * Returns the script that removes old releases. Keeps the one that `current` names, even if another
 * program has switched to it meanwhile.
 */
function removeText(keep: number): string {
  return `others | head -n -${String(keep - 1)} | while IFS= read -r old; do
  [ "releases/$old" = "$(readlink "$root/current")" ] || [ ! -f "$all/$old/$marker" ] || rm -rf -- "$all/$old"
done
`;
}

/** Returns the variables and functions that all scripts use. */
function head(of: Readonly<Record<string, string>>): string {
  const set = Object.entries({ ...of, marker }).map(([key, value]) => `${key}=${posixWords([value])}\n`);
  return `umask 022
${set.join('')}
# The other releases, the oldest first.
others() {
  for each in "$all"/*/"$marker"; do
    [ -f "$each" ] || continue
    old=\${each%/*}; old=\${old##*/}
    # A newline would make it two lines, and no release has one in its name.
    case $old in *'\n'*) continue ;; esac
    [ "$old" = "$name" ] || printf '%s %s\\n' "$(stat -c %Y "$each")" "$old"
  done | sort -n | cut -d ' ' -f 2-
}
`;
}

function createText({
  git,
  revision: asked = '',
  archive = '',
  sha256: sum = '',
  build,
  user,
}: Request): string {
  return `fail() { echo "$*" >&2; exit 1; }
need() { command -v "$1" > /dev/null || fail "$1 is missing: describe it before the release, with h.package"; }
${user === undefined ? '' : 'id -u "$user" > /dev/null || fail "describe the user $user before the release"\n'}
# A private name at first, so that the undo recognises it. mv -n keeps a directory of others.
rm -rf -- "$own"
mkdir -- "$own"
echo incomplete > "$own/$marker"
mv -nT -- "$own" "$path" 2> /dev/null || true
[ ! -e "$own" ] || fail "$path exists, and no release is complete in it: move it away"
cd "$path"
${git === undefined ? fromArchive(archive, sum) : fromGit(git, asked)}
${user === undefined ? '' : 'chown -hR "$user": .\n'}${build === undefined ? '' : built(build, user)}
[ ! -e .git ] || rm -rf .git
# The .git files of submodules point into it.
find . -name .git -type f -delete
echo "complete $what" > "$own.note"
sync -f "$own.note"
mv -fT -- "$own.note" "$marker"
sync -f "$marker"
`;
}

function fromGit(url: string, asked: string): string {
  const isCommit = /^[\da-f]{40}$|^[\da-f]{64}$/.test(asked);
  return `need git
export GIT_TERMINAL_PROMPT=0 GIT_SSH_COMMAND='ssh -o BatchMode=yes'
revision=${posixWords([asked])}
git init -q .
git remote add origin ${posixWords([url])}
${
  isCommit
    ? `# Not every server sends a single commit.
git fetch -q --depth 1 origin "$revision" 2> /dev/null || git fetch -q origin '+refs/*:refs/bofh/*'
git checkout -q --detach "$revision"`
    : `found=$(git ls-remote origin "refs/tags/$revision")
[ -n "$found" ] || fail "the repository has no tag $revision: name a tag, or a commit with all its digits"
# A repository that is served as plain files over HTTP has no --depth.
git fetch -q --depth 1 origin "refs/tags/$revision" 2> /dev/null || git fetch -q origin "refs/tags/$revision"
git checkout -q --detach FETCH_HEAD`
}
[ ! -f .gitmodules ] || git submodule -q update --init --recursive
what=$(git rev-parse HEAD)`;
}

/**
 * Most source archives contain a single directory: then the release is the content of that
 * directory.
 */
function fromArchive(url: string, sum: string): string {
  const path = url.startsWith('file:') ? url.replace(/^file:\/*/, '/') : undefined;
  const get =
    path === undefined
      ? `need curl\ncurl -fsSL --retry 2 -o "$own.part" -- ${posixWords([url])}`
      : `cp -- ${posixWords([path])} "$own.part"`;
  return `${get}
found=$(sha256sum < "$own.part" | cut -c 1-64)
[ "$found" = ${sum} ] || fail "the archive has the checksum $found: is it the right one?"
mkdir .bofh-unpack
tar -xf "$own.part" -C .bofh-unpack --no-same-owner
rm -- "$own.part"
from=$(find .bofh-unpack -mindepth 1 -maxdepth 1)
[ -d "$from" ] && [ ! -h "$from" ] || from=.bofh-unpack
find "$from" -mindepth 1 -maxdepth 1 -exec mv -nt . -- {} +
rm -rf .bofh-unpack
what=${sum}`;
}

/**
 * Runs the build as the user, with the user's groups, and with PATH as the only variable from the
 * environment of bofh.
 */
function built(build: z.output<typeof script>, user = 'root'): string {
  const words = posixWords(typeof build === 'string' ? ['/bin/sh', '-e', '-c', build] : build);
  const as = user === 'root' ? '' : 'setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups \\\n  ';
  return `${as}env -i PATH="$PATH" "HOME=$(getent passwd ${user} | cut -d: -f6)" USER=${user} ${words}`;
}

/**
 * If others have changed a file in the complete release, the undo keeps the directory under another
 * name. Does not compare __pycache__, because Python writes there.
 */
const undoText = `rm -rf -- "$own" "$own.part" "$own.note"
[ -f "$path/$marker" ] || exit 0
if ${isComplete}; then
  later=$(find "$path" -mindepth 1 -name __pycache__ -prune -o -type f -newercc "$path/$marker" -print -quit)
  [ -z "$later" ] || { mv -nT -- "$path" "$all/.kept-$name-$(date +%s)"; exit 0; }
fi
rm -rf -- "$path"
`;
