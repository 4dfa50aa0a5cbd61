import * as z from 'zod/mini';
import { ParseError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import { diskState, role } from './schema.ts';

const count = z.pipe(z.string().check(z.regex(/^\d{1,15}$/)), z.transform(Number));
const kibibytes = z.pipe(
  count,
  z.transform((each: number) => each * 1024),
);

const configured = z.object({
  minor: count,
  /** The connection state of 8.4: `StandAlone`, `WFConnection`, `Connected`, `SyncSource` … */
  state: z.string(),
  role,
  peerRole: role,
  disk: diskState,
  peerDisk: diskState,
  /** A, B or C; undefined if the device has no network. */
  protocol: z.exactOptional(z.enum(['A', 'B', 'C'])),
  /** Bytes sent since the device went up. */
  sent: kibibytes,
  received: kibibytes,
  written: kibibytes,
  read: kibibytes,
  /** Writes to the activity log, and to the bitmap. */
  logWrites: count,
  bitmapWrites: count,
  /** Pending requests: to the disk, to the peer, from the peer, from applications. */
  localCount: count,
  pending: count,
  unacknowledged: count,
  applicationPending: count,
  epochs: count,
  outOfSync: kibibytes,
  /** Percentage of a running resync or verification. */
  done: z.exactOptional(z.pipe(z.string(), z.transform(Number))),
});

/** A device of an 8.4 module; a device without a resource is `Unconfigured`, with no other fields. */
export type ProcDevice =
  | z.infer<typeof configured>
  | { readonly minor: number; readonly state: 'Unconfigured' };

/** The module's state in /proc/drbd. */
export interface ProcStatus {
  /** `8.4.11` */
  readonly version: string;
  /** Empty for module 9, which reports its devices only to drbdsetup. */
  readonly devices: readonly ProcDevice[];
}

const head =
  /^version: (?<version>\d+\.\d+\.\d+\S*) \(api:\S+\/proto:\S+\)\n(?:(?:GIT-hash|srcversion|built-in|Transports).*\n)*/;

// drbd_proc.c of Linux 6.1: the line of states, that of counters, and the progress during a resync
// or verification. Omitted minors leave an empty line.
const states = [
  String.raw`(?<state>\w+) ro:(?<role>\w+)/(?<peerRole>\w+) ds:(?<disk>\w+)/(?<peerDisk>\w+) `,
  String.raw`(?:(?<protocol>[ABC])| ) [rs][a-][p-][u-][a-z-][s-]\n`,
].join('');
const counters = [
  String.raw` {4}ns:(?<sent>\d+) nr:(?<received>\d+) dw:(?<written>\d+) dr:(?<read>\d+) al:(?<logWrites>\d+) `,
  String.raw`bm:(?<bitmapWrites>\d+) lo:(?<localCount>\d+) pe:(?<pending>\d+) ua:(?<unacknowledged>\d+) `,
  String.raw`ap:(?<applicationPending>\d+) ep:(?<epochs>\d+) wo:\w oos:(?<outOfSync>\d+)\n`,
].join('');
const progress = [
  String.raw`\t\[[=>.]*\] (?:sync'ed|verified): *(?<done>\d+\.\d)% \(\d+/\d+\)[MK]\n?`,
  String.raw`\tfinish: \d+:\d\d:\d\d speed: .* K/sec(?: \(stalled\))?\n`,
].join('');
const device = new RegExp(
  `\n? ?(?<minor>\\d+): cs:(?:Unconfigured\n|${states}${counters}(?:${progress})?)`,
  'y',
);

/** Parses /proc/drbd of 8.4 and 9. Skips nothing. */
export function parseProc(text: string): ProcStatus {
  const begin = head.exec(text);
  if (begin?.groups === undefined) throw new ParseError('/proc/drbd does not begin with a version');
  const devices: ProcDevice[] = [];
  device.lastIndex = begin[0].length;
  while (device.lastIndex < text.length) {
    const at = device.lastIndex;
    const { groups } = device.exec(text) ?? {};
    if (groups === undefined)
      throw new ParseError(`/proc/drbd: cannot read ${JSON.stringify(text.slice(at, at + 80))}`);
    devices.push(deviceOf(groups));
  }
  return { version: begin.groups['version'] ?? '', devices };
}

function deviceOf(groups: Readonly<Record<string, string | undefined>>): ProcDevice {
  const { minor, state } = groups;
  if (state === undefined) return { minor: count.parse(minor), state: 'Unconfigured' };
  const { data, error } = configured.safeParse(present(groups));
  if (data !== undefined) return data;
  const [{ path } = { path: [] }] = error.issues;
  const field = String(path[0]);
  throw new ParseError(
    `/proc/drbd: the ${field} of device ${minor ?? ''} is ${JSON.stringify(groups[field])}, which bofh does not know`,
  );
}
