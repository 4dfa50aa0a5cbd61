import { type Command, errnoReason, nothing, type ReadCommand } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import type { User } from './database.ts';

const largest = 1024 ** 2;

/**
 * Works on ~/.ssh/authorized_keys as its user, so that a link of the user leads only to files that
 * the user may read and write anyway. Until `end`, the old file, or a second name of a first file,
 * proves `put`. Perl reads the script from stdin, before the content, so that errors show a short
 * command.
 */
const script = `use strict; use Fcntl; use IO::Handle;
my ($verb, $home, $mark, $made) = @ARGV;
my $dir = "$home/.ssh"; my $at = "$dir/authorized_keys";
my ($new, $old) = ("$dir/.bofh-$mark", "$dir/.bofh-gone-$mark");
umask 077;
sub fail { print STDERR "$_[0]: $!\\n"; exit 1 }
sub settle { open my $d, '<', $_[0] or fail($_[0]); $d->sync or fail($_[0]) }
sub gone { unlink $_[0] or $!{ENOENT} or fail($_[0]) }
if ($verb eq 'read') {
  $at = "$dir/$mark";
  sysopen my $in, $at, O_RDONLY | O_NONBLOCK or ($!{ENOENT} ? do { print "-\\n"; exit } : fail($at));
  -f $in or do { print STDERR "$at: not a regular file\\n"; exit 1 };
  read $in, my $text, ${String(largest + 1)}; print length $text, "\\n$text";
} elsif ($verb eq 'put') {
  if (mkdir $dir) { settle($home) } else { $!{EEXIST} or fail($dir) }
  sysopen my $out, $new, O_WRONLY | O_CREAT | O_EXCL or fail($new);
  my @stat = stat $at; local $/;
  (print $out <DATA>) && $out->flush && $out->sync or fail($new);
  if (@stat) {
    chmod $stat[2] & 07777, $new or fail($new);
    link $at, $old or fail($old); rename $new, $at or fail($at);
  } else { link $new, $at or fail($at) }
  settle($dir);
} else {
  if ($verb eq 'back') { rename $old, $at or $!{ENOENT} ? gone($at) : fail($at) }
  gone($old); gone($new); settle($dir);
  if ($made) { rmdir $dir or $!{ENOTEMPTY} or fail($dir); settle($home) }
}
`;

type Owner = Pick<User, 'uid' | 'gid' | 'home'>;

function argvOf({ uid, gid, home }: Owner, ...words: readonly string[]): readonly string[] {
  const user = [`--reuid=${String(uid)}`, `--regid=${String(gid)}`, '--init-groups', '--no-new-privs'];
  const [verb = '', ...more] = words;
  return [...user, 'perl', '-', verb, home, ...more];
}

function stdinOf(content = ''): Uint8Array {
  return Buffer.from(`${script}__END__\n${content}`, 'latin1');
}

/** Reads a file in ~/.ssh, as one character for each byte; undefined if there is none. */
export function readKeys(owner: Owner, name = 'authorized_keys'): ReadCommand<string | undefined> {
  return {
    tool: 'setpriv',
    argv: argvOf(owner, 'read', name),
    access: 'read',
    stdin: stdinOf(),
    encoding: 'latin1',
    parse: ({ stdout }) => {
      if (stdout === '-\n') return undefined;
      const { length, text } = /^(?<length>\d+)\n(?<text>.*)$/s.exec(stdout)?.groups ?? {};
      if (text === undefined || Number(length) !== text.length)
        throw new ParseError('it did not print the length of the file and its content');
      if (text.length > largest) throw new ParseError('the file has more than 1 MiB');
      return text;
    },
    classify: errnoReason,
    shownOf,
  };
}

/** Replaces authorized_keys, and keeps the old file beside it. */
export function putKeys(owner: Owner, mark: string, content: string): Command<void, 'change'> {
  return { ...changing(owner, 'put', mark), stdin: stdinOf(content) };
}

/**
 * `back` undoes `putKeys`. `end` only removes the private names, and leaves the file as it is.
 * `made`: also removes ~/.ssh if it is empty.
 */
export function endKeys(
  owner: Owner,
  mark: string,
  how: { readonly verb: 'back' | 'end'; readonly made: boolean },
): Command<void, 'change'> {
  return changing(owner, how.verb, mark, ...(how.made ? ['made'] : []));
}

function changing(owner: Owner, ...words: readonly string[]): Command<void, 'change'> {
  return {
    tool: 'setpriv',
    argv: argvOf(owner, ...words),
    access: 'change',
    stdin: stdinOf(),
    parse: nothing,
    classify: errnoReason,
    shownOf,
  };
}

/**
 * Returns only what the script itself writes to stderr: the options of a key can contain secrets.
 */
function shownOf(stderr: string): string {
  return /^\/[^\n:]*: [\w ]+$/m.exec(stderr)?.[0] ?? '';
}
