import type { LocalHost } from '../command/index.ts';
import { CommandError, JournalError } from '../core/errors.ts';
import { text } from './answer.ts';
import { findProgram } from './program.ts';
import { collect } from './start.ts';

type Wanted = Parameters<LocalHost['flock']>[0];
type Mode = 'shared' | 'exclusive';

/** flock(2): LOCK_SH, LOCK_EX, LOCK_UN (asm-generic/fcntl.h, sys/file.h). The script adds LOCK_NB. */
const numbers = { shared: 1, exclusive: 2, none: 8 } as const;

/**
 * Node has no flock(2), so bofh starts perl, which is Essential on Debian; it locks any number of descriptors
 * in about 2 ms. The lock belongs to the open file, which bofh and perl share, so it stays when perl ends.
 * The arguments of perl are `WANTED:BEFORE` for the descriptors 3, 4 and so on. If a lock is refused, perl
 * restores all former locks, including that one, because Linux drops a lock that it fails to convert
 * (flock(2), "Converting a lock").
 */
const script = `
use strict;
my ($said, @done) = ('locked');
for my $i (0 .. $#ARGV) {
  my ($wanted, $before) = split /:/, $ARGV[$i];
  open(my $file, '<&=', $i + 3) or do { $said = "error $i $!"; last };
  push @done, [$i, $file, $before];
  flock($file, $wanted | 4) or do { $said = $!{EWOULDBLOCK} ? "refused $i" : "error $i $!"; last };
}
if ($said ne 'locked') {
  for (reverse @done) { flock($_->[1], $_->[2] | 4) or $said = "lost $_->[0] $!" }
}
print "$said\\n";
`;

const reply = /^(?:(?<locked>locked)|(?<word>refused|lost|error) (?<index>\d+)(?: (?<why>.+))?)\n$/;

/**
 * Number of descriptors for one call of perl: a process may have 1,024 by default, and some are not
 * locks.
 */
const chunkSize = 200;

interface Change {
  readonly fd: number;
  readonly to: Mode | 'none';
  readonly back: Mode | 'none';
}

/** The host's `flock`. */
export function locker(env: Readonly<Record<string, string>>): LocalHost['flock'] {
  return async (wanted: Wanted) => {
    const changes = wanted.map(({ fd, mode, from }): Change => ({ fd, to: mode, back: from ?? 'none' }));
    for (let begin = 0; begin < changes.length; begin += chunkSize) {
      const refused = await lockSome(changes.slice(begin, begin + chunkSize), env);
      if (refused === undefined) continue;
      await setBack(changes.slice(0, begin), env);
      return begin + refused;
    }
    return undefined;
  };
}

async function setBack(changes: readonly Change[], env: Readonly<Record<string, string>>): Promise<void> {
  for (let begin = 0; begin < changes.length; begin += chunkSize) {
    const some = changes.slice(begin, begin + chunkSize);
    const refused = await lockSome(
      some.map(({ fd, back }) => ({ fd, to: back, back })),
      env,
    );
    if (refused !== undefined) throw lost();
  }
}

async function lockSome(
  changes: readonly Change[],
  env: Readonly<Record<string, string>>,
): Promise<number | undefined> {
  const file = await findProgram('perl', 'perl-base');
  const argv = changes.map(({ to, back }) => `${numbers[to]}:${numbers[back]}`);
  const program = { tool: 'perl', file, argv: ['-e', script, '--', ...argv] };
  const descriptors = changes.map(({ fd }) => fd);
  const { end, stdout, stderr } = await collect(program, { env, timeoutMs: 30_000, descriptors });
  const groups = reply.exec(text(stdout))?.groups;
  if (end.how === 'exit' && end.exitCode === 0 && groups !== undefined) {
    if (groups.locked !== undefined) return undefined;
    if (groups.word === 'refused') return Number(groups.index);
    if (groups.word === 'lost') throw lost();
  }
  throw new CommandError({
    tool: 'perl',
    argv: ['flock', ...argv],
    reason: 'unknown',
    what: 'descriptors could not be locked',
    stdout: text(stdout),
    stderr: text(stderr),
  });
}

function lost(): JournalError {
  return new JournalError('another process took a lock of this sequence while bofh converted it', {
    remedy: 'the objects of this sequence may be in use by another one: see bofh journal list',
  });
}
