import * as z from 'zod/mini';
import { type Answer, type Command, errnoReason, type ReadCommand, type ReadHost } from '../command/index.ts';
import { CommandError, ParseError, type Reason, RefusedError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { guestDomains } from './domains.ts';

/** The name of the channel of the agent (package qemu-guest-agent), as libvirt uses it too. */
export const agentName = 'org.qemu.guest_agent.0';

/** XenbusStateConnected */
const connected = '4';

/**
 * The socket of the guest agent of a running domain; undefined if the guest has no connected channel for it. The
 * configuration does not show that: xl 4.17 starts a guest without its first channel. Reads the part of xenstore
 * that belongs to the backend, because the guest can write its own part.
 */
export function agentSocket(domain: { readonly id: number }): ReadCommand<string | undefined> {
  const top = `/local/domain/0/backend/console/${String(domain.id)}`;
  return {
    ...{ tool: 'xenstore-ls', argv: ['-f', top], access: 'read', classify: errnoReason },
    parse: ({ stdout }) => {
      const values = parseStore(stdout);
      for (const [key, value] of values) {
        const [, at] = /^(?<at>.*)\/name$/.exec(key) ?? [];
        if (at === undefined || value !== agentName) continue;
        const of = (name: string): string | undefined => values.get(`${at}/${name}`);
        if (of('connection') !== 'socket' || of('state') !== connected) continue;
        const path = of('path');
        if (path === undefined || !/^\/[^\\"]+$/.test(path))
          throw new ParseError(`xenstore-ls: the channel ${at} has no path of a socket`);
        return path;
      }
      return undefined;
    },
  };
}

/** `xenstore-ls -f` prints a line for each key; it escapes line ends in values. */
function parseStore(stdout: string): ReadonlyMap<string, string> {
  return new Map(
    stdout
      .replace(/\n$/, '')
      .split('\n')
      .map((line) => {
        const { key, value } = /^(?<key>\/\S+) = "(?<value>.*)"$/.exec(line)?.groups ?? {};
        if (key === undefined || value === undefined)
          throw new ParseError(`xenstore-ls: cannot read the line "${line}"`);
        return [key, value];
      }),
  );
}

/**
 * Sends one command to a guest agent, and prints its answer. The answer to `guest-sync-delimited` with a new number
 * shows that the agent runs. What comes before it is skipped: late answers to earlier clients, and the echo of the
 * terminal in the guest while no agent has it open. Perl reads the script from stdin, so that errors show a short command.
 */
const script = `use strict; use Socket;
my ($path, $verb, $limit) = @ARGV;
my ($s, $answer) = (undef, q());
sub fail { my $why = shift; $why =~ s/[^ -~]/?/g; print STDERR "$path: $why\\n"; exit 1 }
sub put {
  my $text = shift;
  while (length $text) { my $n = syswrite $s, $text or fail($!); substr($text, 0, $n) = '' }
}
sub more {
  my $n = sysread $s, $answer, 4096, length $answer;
  defined $n or fail($!);
  $n or fail('the other end closed the connection');
  length $answer < 1048576 or fail('the answer is longer than 1 MiB');
}
$SIG{PIPE} = 'IGNORE';
$SIG{ALRM} = sub { fail("the agent did not answer within $limit s") };
alarm $limit;
socket($s, PF_UNIX, SOCK_STREAM, 0) or fail($!);
connect($s, pack_sockaddr_un($path)) or fail($!);
my $id = 1 + int rand 2 ** 31;
put(qq(\\xff{"execute":"guest-sync-delimited","arguments":{"id":$id}}\\n));
more() until $answer =~ s/^.*\\xff\\{"return": ?$id\\}\\r?\\n//s;
put(qq({"execute":"guest-fsfreeze-$verb"}\\n));
more() until $answer =~ /\\n/;
fail($1) if $answer =~ /^(\\{"error".*)/;
print $answer;
`;

type Verb = 'status' | 'freeze' | 'thaw';

function agentCommand<T>(
  { socket, verb, seconds }: { readonly socket: string; readonly verb: Verb; readonly seconds: number },
  schema: z.ZodMiniType<T>,
) {
  const parse = ({ stdout }: Answer): T => {
    if (!/^[^\n]+\n$/.test(stdout)) throw new ParseError('the agent did not answer with one line');
    return z.strictObject({ return: schema }).parse(JSON.parse(stdout)).return;
  };
  return {
    ...{ tool: 'perl' as const, argv: ['-', socket, verb, String(seconds)], stdin: script, parse },
    classify: ({ stderr }: Answer): Reason =>
      / did not answer within \d+ s$/m.test(stderr) ? 'timeout' : errnoReason({ stderr }),
  };
}

/** Whether the filesystems of the guest are frozen. */
export function agentStatus(socket: string, seconds: number): ReadCommand<'thawed' | 'frozen'> {
  const command = agentCommand({ socket, verb: 'status', seconds }, z.enum(['thawed', 'frozen']));
  return { ...command, access: 'read', timeoutMs: (seconds + 5) * 1000 };
}

/** Time limit, in seconds, for a command of an agent that runs: a freeze first writes dirty pages to the disk. */
const finishesIn = 60;

/** Freezes all filesystems of the guest that can be frozen; the answer is their number. */
export function agentFreeze(socket: string): Command<number, 'change'> {
  const command = agentCommand(
    { socket, verb: 'freeze', seconds: finishesIn },
    z.int().check(z.nonnegative()),
  );
  return { ...command, access: 'change' };
}

/** Thaws all filesystems of the guest; the answer is their number. */
export function agentThaw(socket: string): Command<number, 'change'> {
  const command = agentCommand({ socket, verb: 'thaw', seconds: finishesIn }, z.int().check(z.nonnegative()));
  return { ...command, access: 'change' };
}

/** Time in seconds after which an agent counts as not running. */
const answersIn = 10;

/**
 * The socket of the guest agent of a running domain; undefined if the guest has no connected channel for it. Throws
 * RefusedError if its agent does not answer, or if another program froze its filesystems.
 */
export async function usableAgent(
  host: ReadHost,
  { id, name = '' }: { readonly id: number; readonly name?: string },
): Promise<string | undefined> {
  const socket = await host.run(agentSocket({ id }));
  if (socket === undefined) return undefined;
  await refuseSharedSocket(host, { id, name, socket });
  const without = withoutFreeze();
  const status = await host.run(agentStatus(socket, answersIn)).catch((cause: unknown) => {
    if (!(cause instanceof CommandError)) throw cause;
    const why = cause.stderr.trim() || cause.reason;
    if (/: \{"error"/.test(why))
      throw new RefusedError(
        `the QEMU guest agent of ${name} refuses the command guest-fsfreeze-status: ${why}`,
        {
          remedy: `allow the commands guest-fsfreeze-… in the guest (block-rpcs, or blacklist, in /etc/qemu/qemu-ga.conf); or ${without}`,
          cause,
        },
      );
    throw new RefusedError(`${name} has a channel for the QEMU guest agent, but no agent answers: ${why}`, {
      ...(cause.reason === 'timeout' ? { code: 'timeout' } : {}),
      remedy: `start the agent in the guest: systemctl start qemu-guest-agent; or ${without}`,
      cause,
    });
  });
  if (status === 'thawed') return socket;
  throw new RefusedError(`the filesystems of ${name} are frozen already, and not by this command`, {
    code: 'busy',
    remedy: `let the program that froze them thaw them; or ${without}`,
  });
}

/** Refuses a socket that is also that of another domain: its agent would freeze the filesystems of the other guest. */
async function refuseSharedSocket(
  host: ReadHost,
  { id, name, socket }: { readonly id: number; readonly name: string; readonly socket: string },
): Promise<void> {
  for (const other of await guestDomains(host, (each) => each.id !== id)) {
    const its = await host.run(agentSocket(other)).catch((error: unknown) => {
      // The domain has ended meanwhile, or has no console.
      if (error instanceof CommandError && error.reason === 'not-found') return undefined;
      throw error;
    });
    if (its === socket)
      throw new RefusedError(
        `${name} and ${other.name ?? `domain ${other.id}`} have the same channel ${socket}`,
        {
          remedy: `give each its own path in channel of its configuration, and start both again; or ${withoutFreeze()}`,
        },
      );
  }
}

function withoutFreeze(): string {
  return `do not freeze its filesystems: ${option('--no-freeze', 'freeze: false')}`;
}

/** As `agentStatus`, with time for an agent that is still freezing. */
export function frozenNow(socket: string): ReadCommand<'thawed' | 'frozen'> {
  return agentStatus(socket, finishesIn);
}
